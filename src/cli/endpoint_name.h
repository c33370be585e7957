/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How people name an endpoint on the command line: by its number, as the API does ("ipv4:…", "pod-name:ns:name"),
 * or as [namespace/]pod, where the namespace is "default".
 */
#pragma once

#include "src/base/error.h"

/* The same as the API wants it. g_free. */
char *endpoint_name_selector(const char *text);
