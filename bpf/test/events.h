/* SPDX-License-Identifier: Apache-2.0 */
/* Which packets become events at each level of aggregation, and that none is lost uncounted. */
#pragma once

#include "bpf/test/harness.h"

void events_run(struct harness *harness);
