// SPDX-License-Identifier: Apache-2.0
/* The kind "attachments". */
#include "src/datapath/reconciler_private.h"

#include "src/datapath/layout.h"

static const struct plan_attachment *attachment_of(const struct row *row)
{
	return (const struct plan_attachment *)row;
}

static void attachment_key(const void *row, struct row_key *ret_key)
{
	const struct plan_attachment *attachment = row;

	*ret_key = (struct row_key){.data = &attachment->key, .n_bytes = sizeof(attachment->key)};
}

struct reading {
	bool (*fn)(const struct row *actual, void *data);
	void *data;
};

static bool read_attachment(const struct plan_attachment_key *key, enum plan_program program,
			    void *data)
{
	const struct reading *reading = data;
	struct plan_attachment *actual = (struct plan_attachment *)row_new(&plan_attachment_class);
	bool wanted;

	actual->key = *key;
	actual->program = program;
	wanted = reading->fn(&actual->row, reading->data);
	row_unref(&actual->row);
	return wanted;
}

static int attachment_foreach(struct datapath *dp, bool (*fn)(const struct row *actual, void *data),
			      void *data)
{
	struct reading reading = {.fn = fn, .data = data};

	return dp->ops->attachment_foreach(dp, read_attachment, &reading);
}

/* PLAN_PROGRAM__MAX, a program of an older set, matches none. */
static bool attachment_matches(const struct row *wanted, const struct row *actual)
{
	return attachment_of(wanted)->program == attachment_of(actual)->program;
}

static int attachment_apply(struct datapath *dp, const struct row *row)
{
	return dp->ops->attach(dp, attachment_of(row));
}

static int attachment_remove(struct datapath *dp, const struct row *row)
{
	return dp->ops->detach(dp, &attachment_of(row)->key);
}

static uint16_t attachment_endpoint_id(const struct row *row)
{
	return attachment_of(row)->endpoint_id;
}

static const char *hook_text(uint32_t hook)
{
	switch (hook) {
	case PLAN_HOOK_INGRESS:
		return "ingress";
	case PLAN_HOOK_XDP:
		return "XDP hook";
	default:
		return "egress";
	}
}

/* "cil_sock4_connect on the cgroup hierarchy", "cil_from_container on the ingress of lxc12 (7)" */
static char *attachment_describe(const struct row *row)
{
	const struct plan_attachment *attachment = attachment_of(row);

	if (plan_hook_is_socket(attachment->key.hook))
		return g_strdup_printf("%s on the cgroup hierarchy",
				       program_name(attachment->program));
	return g_strdup_printf("%s on the %s of %s (%u)", program_name(attachment->program),
			       hook_text(attachment->key.hook),
			       attachment->ifname ? attachment->ifname : "device",
			       attachment->key.ifindex);
}

const struct reconcile_kind reconcile_attachment_kind = {
	.name = "attachments",
	.controller_name = "reconcile-attachments",
	.key = attachment_key,
	.foreach = attachment_foreach,
	.matches = attachment_matches,
	.apply = attachment_apply,
	.remove = attachment_remove,
	.endpoint_id = attachment_endpoint_id,
	.describe = attachment_describe,
};
