/* SPDX-License-Identifier: Apache-2.0 */
/* Types of ICMP messages by name, as policies write them. */
#pragma once

#include <stdbool.h>

/* "EchoRequest", of the family's messages; −ENOENT where no message is called so. */
int icmp_type_find(bool v6, const char *name);
