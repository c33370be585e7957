// SPDX-License-Identifier: Apache-2.0
#include "src/sys/tc.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <string.h>

#define DUMP_TRIES 8

static uint32_t hook_parent(enum tc_hook hook)
{
	return TC_H_MAKE(TC_H_CLSACT, hook == TC_HOOK_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

static const char *hook_text(enum tc_hook hook)
{
	return hook == TC_HOOK_INGRESS ? "ingress" : "egress";
}

static struct tcmsg *put_tcmsg(struct nlmsghdr *message, uint32_t ifindex)
{
	struct tcmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->tcm_family = AF_UNSPEC;
	header->tcm_ifindex = (int)ifindex;
	return header;
}

static void put_clsact(struct nlmsghdr *message, uint32_t ifindex)
{
	struct tcmsg *header = put_tcmsg(message, ifindex);

	header->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	header->tcm_parent = TC_H_CLSACT;
	mnl_attr_put_strz(message, TCA_KIND, "clsact");
}

void tc_append_clsact(struct netlink *nl, uint32_t ifindex)
{
	/* Without NLM_F_EXCL one that is there is left as it is, with its filters. */
	put_clsact(netlink_append(nl, RTM_NEWQDISC, NLM_F_CREATE, "adding clsact to device %u",
				  ifindex),
		   ifindex);
}

void tc_append_clsact_delete(struct netlink *nl, uint32_t ifindex)
{
	put_clsact(netlink_append(nl, RTM_DELQDISC, 0, "deleting clsact of device %u", ifindex),
		   ifindex);
}

static bool kind_is(const struct nlattr *kind, const char *name)
{
	return kind && !mnl_attr_validate(kind, MNL_TYPE_NUL_STRING) &&
	       strcmp(mnl_attr_get_str(kind), name) == 0;
}

int tc_qdisc_decode(const struct nlmsghdr *message, struct tc_qdisc *ret_qdisc)
{
	const struct nlattr *table[TCA_MAX + 1];
	const struct tcmsg *header = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	netlink_parse(message, sizeof(*header), table, TCA_MAX);
	if (!table[TCA_KIND] || mnl_attr_validate(table[TCA_KIND], MNL_TYPE_NUL_STRING))
		return -EBADMSG;
	*ret_qdisc = (struct tc_qdisc){
		.ifindex = (uint32_t)header->tcm_ifindex,
		.is_root = header->tcm_parent == TC_H_ROOT,
		.is_ingress = header->tcm_parent == TC_H_INGRESS,
	};
	g_strlcpy(ret_qdisc->kind, mnl_attr_get_str(table[TCA_KIND]), sizeof(ret_qdisc->kind));
	return 0;
}

bool tc_qdisc_is_queue(const char *kind)
{
	return *kind && strcmp(kind, "noqueue") != 0 && strcmp(kind, "noop") != 0;
}

static bool take_qdisc(const struct nlmsghdr *message, void *data)
{
	return tc_qdisc_decode(message, data) != 0;
}

int tc_ingress_get(struct netlink *nl, uint32_t ifindex, struct tc_qdisc *ret_qdisc, GError **error)
{
	struct tc_qdisc qdisc = {};
	int err;

	/* Without the flag all who listen get the answer, but who asked. */
	put_tcmsg(netlink_append(nl, RTM_GETQDISC, NLM_F_ECHO,
				 "asking for the ingress qdisc of device %u", ifindex),
		  ifindex)
		->tcm_parent = TC_H_INGRESS;
	err = netlink_send(nl, take_qdisc, &qdisc, error);
	if (err == -EINVAL || (!err && !qdisc.ifindex)) {
		/* There was one once. */
		g_clear_error(error);
		return error_set(error, ENOENT, "device %u has no ingress qdisc", ifindex);
	}
	if (!err)
		*ret_qdisc = qdisc;
	return err;
}

struct qdisc_search {
	const char *kind;
	GArray *ifindexes;
};

static bool collect_qdisc(const struct nlmsghdr *message, void *data)
{
	struct qdisc_search *search = data;
	struct tc_qdisc qdisc;

	if (!tc_qdisc_decode(message, &qdisc) && strcmp(qdisc.kind, search->kind) == 0)
		g_array_append_val(search->ifindexes, qdisc.ifindex);
	return true;
}

int tc_qdisc_dump(struct netlink *nl, const char *kind, GArray **ret_ifindexes, GError **error)
{
	g_autoptr(GArray) ifindexes = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	struct qdisc_search search = {.kind = kind, .ifindexes = ifindexes};
	int err = -EAGAIN;

	for (int i = 0; i < DUMP_TRIES && err == -EAGAIN; i++) {
		struct nlmsghdr *message =
			netlink_append(nl, RTM_GETQDISC, NLM_F_DUMP, "listing qdiscs");

		g_clear_error(error);
		g_array_set_size(ifindexes, 0);
		put_tcmsg(message, 0);
		err = netlink_dump(nl, collect_qdisc, &search, error);
	}
	if (!err)
		*ret_ifindexes = g_steal_pointer(&ifindexes);
	return err;
}

static void put_filter(struct nlmsghdr *message, uint32_t ifindex, enum tc_hook hook)
{
	struct tcmsg *header = put_tcmsg(message, ifindex);

	header->tcm_parent = hook_parent(hook);
	header->tcm_handle = TC_FILTER_HANDLE;
	header->tcm_info = TC_H_MAKE(TC_FILTER_PRIORITY << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(message, TCA_KIND, "bpf");
}

void tc_append_filter(struct netlink *nl, uint32_t ifindex, enum tc_hook hook, int program_fd,
		      const char *name)
{
	struct nlmsghdr *message =
		netlink_append(nl, RTM_NEWTFILTER, NLM_F_CREATE,
			       "putting %s on the %s of device %u", name, hook_text(hook), ifindex);
	struct nlattr *options;

	put_filter(message, ifindex, hook);
	options = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put_u32(message, TCA_BPF_FD, (uint32_t)program_fd);
	mnl_attr_put_strz(message, TCA_BPF_NAME, name);
	mnl_attr_put_u32(message, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(message, options);
}

void tc_append_filter_delete(struct netlink *nl, uint32_t ifindex, enum tc_hook hook)
{
	put_filter(netlink_append(nl, RTM_DELTFILTER, 0,
				  "deleting the filter on the %s of device %u", hook_text(hook),
				  ifindex),
		   ifindex, hook);
}

static bool decode_filter(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *table[TCA_MAX + 1];
	struct tc_filter *filter = data;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWTFILTER ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(struct tcmsg))
		return true;
	netlink_parse(message, sizeof(struct tcmsg), table, TCA_MAX);
	if (!kind_is(table[TCA_KIND], "bpf") || !table[TCA_OPTIONS])
		return true;
	mnl_attr_for_each_nested(attr, table[TCA_OPTIONS])
	{
		if (mnl_attr_get_type(attr) == TCA_BPF_ID && !mnl_attr_validate(attr, MNL_TYPE_U32))
			filter->program_id = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == TCA_BPF_NAME &&
		    !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			g_strlcpy(filter->name, mnl_attr_get_str(attr), sizeof(filter->name));
	}
	return true;
}

int tc_filter_get(struct netlink *nl, uint32_t ifindex, enum tc_hook hook,
		  struct tc_filter *ret_filter, GError **error)
{
	struct tc_filter filter = {.ifindex = ifindex, .hook = hook};
	int err;

	put_filter(netlink_append(nl, RTM_GETTFILTER, 0,
				  "asking for the filter on the %s of device %u", hook_text(hook),
				  ifindex),
		   ifindex, hook);
	err = netlink_send(nl, decode_filter, &filter, error);
	if (err == -EINVAL || (!err && !filter.program_id))
		/* No qdisc, no filter of that priority, or one of another kind. */
		return error_set(error, ENOENT, "no filter on the %s of device %u", hook_text(hook),
				 ifindex);
	if (!err)
		*ret_filter = filter;
	return err;
}

static bool count_filter(const struct nlmsghdr *message, void *data)
{
	const struct tcmsg *header = mnl_nlmsg_get_payload(message);
	int *n_filters = data;

	/* Each priority has one more row, without a handle, that stands for the priority. */
	if (mnl_nlmsg_get_payload_len(message) >= sizeof(*header) && header->tcm_handle)
		++*n_filters;
	return true;
}

int tc_filter_count(struct netlink *nl, uint32_t ifindex, GError **error)
{
	int n_filters = 0;

	for (enum tc_hook hook = 0; hook < TC_HOOK__MAX; hook++) {
		struct nlmsghdr *message = netlink_append(nl, RTM_GETTFILTER, NLM_F_DUMP,
							  "listing filters on the %s of device %u",
							  hook_text(hook), ifindex);
		int err;

		put_tcmsg(message, ifindex)->tcm_parent = hook_parent(hook);
		err = netlink_dump(nl, count_filter, &n_filters, error);
		if (err)
			return err;
	}
	return n_filters;
}
