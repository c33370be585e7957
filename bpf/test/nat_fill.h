/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to one destination until the ports run out: 99 % of the range must have been given.
 */
#pragma once

#include "bpf/test/harness.h"

void nat_fill_run(struct harness *harness);
