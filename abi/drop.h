/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Drop reasons as numbers; drop_reason.def holds name, number and text. */
#pragma once

#include "abi/types.h"

enum drop_reason {
#define DROP_REASON(name, number, text) DROP_##name = number,
#include "abi/drop_reason.def"
#undef DROP_REASON
};
