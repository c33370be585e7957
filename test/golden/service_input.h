/* SPDX-License-Identifier: Apache-2.0 */
/* What of services does not stand in manifests: elements of requests.json and sick.json. */
#pragma once

#include <jansson.h>
#include "src/store/tables.h"

void service_input_put_request(struct store *store, struct tables *tables, const json_t *object);
/* A back end that the agent's probes fail at. */
void service_input_put_sick(struct store *store, struct tables *tables, const json_t *object);
