// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <string.h>

_Static_assert((int)PLAN_HOOK_INGRESS == TC_HOOK_INGRESS && (int)PLAN_HOOK_EGRESS == TC_HOOK_EGRESS,
	       "the plan and tc number the hooks alike");

static bool is_of_container(enum plan_program program)
{
	return program == PLAN_PROGRAM_FROM_CONTAINER || program == PLAN_PROGRAM_TO_CONTAINER;
}

/*
 * A tcx link cannot be removed by whoever deletes a qdisc, but making one waits for an RCU grace period
 * under the lock of all network configuration: too long for the devices of endpoints, which come and go,
 * unless others need the place that clsact takes.
 */
static bool uses_link(const struct real *real, enum plan_program program)
{
	return is_of_container(program) ? real->config.enable_pod_tcx : real->config.enable_tcx;
}

/* An ingress qdisc of somebody else's, beside which there is no clsact. */
static bool is_place_taken(struct real *real, uint32_t ifindex)
{
	struct tc_qdisc qdisc;

	return !tc_ingress_get(real->netlink, ifindex, &qdisc, NULL) &&
	       strcmp(qdisc.kind, "ingress") == 0;
}

static bool is_ours(const struct tc_filter *filter)
{
	return g_str_has_prefix(filter->name, REAL_PROGRAM_PREFIX);
}

/* On a device of the node somebody else may have a filter under our handle: it would be replaced. */
static bool is_handle_taken(struct real *real, const struct plan_attachment *attachment)
{
	struct tc_filter filter;

	return !is_of_container(attachment->program) &&
	       !tc_filter_get(real->netlink, attachment->key.ifindex, attachment->key.hook, &filter,
			      NULL) &&
	       !is_ours(&filter);
}

static int put_filter(struct real *real, const struct plan_attachment *attachment)
{
	int err;

	if (is_handle_taken(real, attachment))
		return -EEXIST;

	/* Alone: beside the ingress qdisc of another it fails, and the filter would go into that. */
	tc_append_clsact(real->netlink, attachment->key.ifindex);
	err = netlink_send(real->netlink, NULL, NULL, NULL);
	if (err)
		return err;
	tc_append_filter(real->netlink, attachment->key.ifindex, attachment->key.hook,
			 real->program_fds[attachment->program], program_name(attachment->program));
	return netlink_send(real->netlink, NULL, NULL, NULL);
}

/* And the qdisc, where it was the last of its filters. −ENOENT where there is none of ours. */
static int remove_filter(struct real *real, const struct plan_attachment_key *key)
{
	struct tc_filter filter;
	int err = tc_filter_get(real->netlink, key->ifindex, key->hook, &filter, NULL);
	int n_left;

	if (err)
		return err;
	if (!is_ours(&filter))
		return -ENOENT;
	tc_append_filter_delete(real->netlink, key->ifindex, key->hook);
	err = netlink_send(real->netlink, NULL, NULL, NULL);
	if (err)
		return err;
	n_left = tc_filter_count(real->netlink, key->ifindex, NULL);
	if (n_left)
		return MIN(n_left, 0);
	tc_append_clsact_delete(real->netlink, key->ifindex);
	return netlink_send(real->netlink, NULL, NULL, NULL);
}

/* The new program first: there is never none. */
static int attach_link(struct real *real, const struct plan_attachment *attachment)
{
	int err = real_link_attach(real, attachment);

	return err ? err : remove_filter(real, &attachment->key);
}

static int attach_filter(struct real *real, const struct plan_attachment *attachment)
{
	int err = put_filter(real, attachment);

	/* Filters were asked for after links had made room for others: the link has to stay. */
	if (err && is_of_container(attachment->program) &&
	    is_place_taken(real, attachment->key.ifindex))
		return real_link_attach(real, attachment);
	return err ? err : real_link_detach(real, &attachment->key);
}

int real_attach(struct datapath *dp, const struct plan_attachment *attachment)
{
	struct real *real = real_get(dp);
	int err = 0;

	if (plan_hook_is_socket(attachment->key.hook))
		return real_cgroup_attach(real, attachment);
	if (attachment->key.hook == PLAN_HOOK_XDP)
		return real_xdp_attach(real, attachment);
	if (is_of_container(attachment->program))
		err = real_sysctl_ensure_device(real, attachment->ifname, NULL, NULL);
	if (!err && uses_link(real, attachment->program))
		err = attach_link(real, attachment);
	else if (!err)
		err = attach_filter(real, attachment);
	return err == -ENOENT ? 0 : err;
}

int real_detach(struct datapath *dp, const struct plan_attachment_key *key)
{
	struct real *real = real_get(dp);
	int link_err;
	int err;

	if (plan_hook_is_socket(key->hook))
		return real_cgroup_detach(real, key);
	if (key->hook == PLAN_HOOK_XDP)
		return real_xdp_detach(real, key->ifindex);
	link_err = real_link_detach(real, key);
	err = remove_filter(real, key);
	if (link_err && link_err != -ENOENT)
		return link_err;
	/* A device takes its filters along. */
	return err == -ENOENT || err == -ENODEV ? 0 : err;
}

/* What is attached, gathered before the caller may change it. */
struct attached {
	struct plan_attachment_key key;
	enum plan_program program;
};

struct collection {
	struct real *real;
	GArray *attached; /* struct attached */
};

static enum plan_program find_program(const struct real *real, uint32_t id)
{
	enum plan_program program = 0;

	while (program < PLAN_PROGRAM__MAX && real->program_ids[program] != id)
		program++;
	return program;
}

static void collect(struct collection *collection, const struct plan_attachment_key *key,
		    uint32_t program_id, bool is_link)
{
	enum plan_program program = find_program(collection->real, program_id);
	struct attached attached = {.key = *key, .program = program};

	/* One that is attached in the other way is to be attached anew, where it can be. */
	if (program < PLAN_PROGRAM__MAX && uses_link(collection->real, program) != is_link &&
	    !(is_link && is_of_container(program) &&
	      is_place_taken(collection->real, key->ifindex)))
		attached.program = PLAN_PROGRAM__MAX;
	/* A crash can leave both ways; attaching anew leaves one. */
	for (guint i = 0; i < collection->attached->len; i++) {
		struct attached *other = &g_array_index(collection->attached, struct attached, i);

		if (memcmp(&other->key, key, sizeof(*key)) == 0) {
			other->program = PLAN_PROGRAM__MAX;
			return;
		}
	}
	g_array_append_val(collection->attached, attached);
}

static void collect_link(const struct real_link *link, void *data)
{
	struct plan_attachment_key key = {link->info.ifindex, link->info.hook};

	collect(data, &key, link->info.program_id, true);
}

/* What has but one way. */
static void collect_as_it_is(const struct plan_attachment_key *key, enum plan_program program,
			     void *data)
{
	const struct collection *collection = data;
	struct attached attached = {.key = *key, .program = program};

	g_array_append_val(collection->attached, attached);
}

static int collect_filters(struct real *real, struct collection *collection)
{
	g_autoptr(GArray) ifindexes = NULL;
	int err = tc_qdisc_dump(real->netlink, "clsact", &ifindexes, NULL);

	if (err)
		return err;
	for (guint i = 0; i < ifindexes->len; i++) {
		for (enum tc_hook hook = 0; hook < TC_HOOK__MAX; hook++) {
			struct plan_attachment_key key = {g_array_index(ifindexes, uint32_t, i),
							  hook};
			struct tc_filter filter;

			err = tc_filter_get(real->netlink, key.ifindex, hook, &filter, NULL);
			if (!err && is_ours(&filter))
				collect(collection, &key, filter.program_id, false);
			if (err && err != -ENOENT && err != -ENODEV)
				return err;
		}
	}
	return 0;
}

int real_attachment_foreach(struct datapath *dp,
			    bool (*fn)(const struct plan_attachment_key *key,
				       enum plan_program program, void *data),
			    void *data)
{
	struct real *real = real_get(dp);
	g_autoptr(GArray) attached = g_array_new(FALSE, FALSE, sizeof(struct attached));
	struct collection collection = {.real = real, .attached = attached};
	int err;

	real_link_foreach(real, collect_link, &collection);
	real_cgroup_foreach(real, collect_as_it_is, &collection);
	real_xdp_foreach(real, collect_as_it_is, &collection);
	err = collect_filters(real, &collection);
	for (guint i = 0; !err && i < attached->len; i++) {
		const struct attached *one = &g_array_index(attached, struct attached, i);

		if (!fn(&one->key, one->program, data))
			break;
	}
	return err;
}
