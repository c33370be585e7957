/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoint slices by the service that they are of. */
#pragma once

#include "src/store/tables.h"

/* endpoint_slices by "namespace/service". Before the first row is put; the table's. */
const struct table_index *slice_index_new(const struct tables *tables);
