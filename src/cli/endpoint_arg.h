/* SPDX-License-Identifier: Apache-2.0 */
/* The value of a flag that names an endpoint, as endpoint_name.h says. */
#pragma once

#include <stdint.h>

/*
 * Its number. Only for a name is the agent asked; a number need not be that of an endpoint which is there.
 * 0, or the exit status after the complaint.
 */
int endpoint_arg_parse(const char *flag, const char *text, uint16_t *ret_id);
