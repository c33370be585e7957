/* SPDX-License-Identifier: Apache-2.0 */
/* Frames with bytes changed at random, into every program. Aborts where one misbehaves. */
#pragma once

#include "bpf/test/harness.h"

void fuzz_run(struct harness *harness);
