/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints get labels and an identity: from the Pod and the Namespace of the manifests, else from the
 * container's runtime, else reserved:init.
 *
 * The same labels have the same number for as long as it is kept, which is for ever: numbers are handed
 * out going round the range, and only when all are taken that of labels which no endpoint has, the
 * longest kept first, goes to others. When even that fails the endpoint's identity stays 0 and nothing of
 * it is planned.
 */
#pragma once

#include "src/derive/config.h"
#include "src/derive/label_filter.h"
#include "src/model/pod.h"
#include "src/store/tables.h"

struct identity_derivation;

/* Before the first row is put. Takes filter. */
struct identity_derivation *identity_derivation_new(struct store *store, struct tables *tables,
						    const struct derive_config *config,
						    struct label_filter *filter);
/* New numbers are looked for above this one first. */
void identity_derivation_set_last(struct identity_derivation *derivation, uint32_t number);
/* All labels of the pod and of its namespace, of which the filter keeps some. Unref it. */
const struct label_set *identity_pod_labels(const struct tables *tables,
					    const struct derive_config *config,
					    const struct pod *pod);
/* Those of the pod that make its identity. Unref it. */
const struct label_set *identity_derivation_pod_labels(const struct identity_derivation *derivation,
						       const struct pod *pod);
/*
 * The number of labels that make an identity; a new one is put into txn, which is to be committed before the
 * next call. 0: none is left.
 */
uint32_t identity_derivation_find_number(struct identity_derivation *derivation,
					 const struct label_set *labels, struct txn *txn);
void identity_derivation_free(struct identity_derivation *derivation); /* takes NULL */
