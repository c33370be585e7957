// SPDX-License-Identifier: Apache-2.0
#include "src/model/pod.h"

#include "src/base/intern.h"

static void pod_fini(struct row *row)
{
	struct pod *pod = (struct pod *)row;

	object_meta_fini(&pod->meta);
	intern_unref(pod->node_name);
	intern_unref(pod->service_account);
}

static bool pod_equal(const struct row *row_a, const struct row *row_b)
{
	const struct pod *a = (const struct pod *)row_a;
	const struct pod *b = (const struct pod *)row_b;

	return object_meta_equal(&a->meta, &b->meta) && a->node_name == b->node_name &&
	       a->service_account == b->service_account;
}

const struct row_class pod_class = {
	.name = "pod",
	.size = sizeof(struct pod),
	.fini = pod_fini,
	.equal = pod_equal,
};
