/* SPDX-License-Identifier: Apache-2.0 */
/* What debuginfo collects: from the agent, and without one from the kernel, the pins and the files. */
#pragma once

#include <jansson.h>
#include "src/cli/report.h"

/*
 * DebugInfo of the agent, or where none answers what can be known without it, with a member
 * "unavailable" that says why. Never NULL; json_decref.
 */
json_t *debuginfo_get_json(void);

/*
 * All sections: struct report_section. info: of debuginfo_get_json(). Of the files in the agent's
 * directories names, sizes and ages are shown.
 */
GPtrArray *debuginfo_get_sections(const json_t *info, const char *state_dir, const char *lib_dir);
