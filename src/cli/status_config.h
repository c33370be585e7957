/* SPDX-License-Identifier: Apache-2.0 */
/* The part of cilium status about what is configured and not in force. */
#pragma once

#include <glib.h>
#include <jansson.h>

/* own: the member "axoneme" of the status. Appends nothing where all is in force. */
void status_append_configuration(GString *out, const json_t *own);
