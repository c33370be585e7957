/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as Go writes them, which is how they stand in people's files. */
#pragma once

#include <stdint.h>
#include "src/base/error.h"

/* "1h2m3.5s"; "0" needs no unit. 0 or −EINVAL; what is accepted is not negative. */
NODISCARD int duration_parse(const char *text, int64_t *ret_ns);
