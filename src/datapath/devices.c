// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/devices.h"

#include <net/if.h>
#include <string.h>
#include "src/base/log.h"
#include "src/datapath/datapath.h"
#include "src/datapath/device_read.h"
#include "src/sys/address.h"
#include "src/sys/link.h"
#include "src/sys/route.h"
#include "src/sys/tc.h"

/* Taking something away is seldom one event: a deleted device alone is five. */
#define CHANGED_DELAY_MS 200

/* Where the kernel could not be read, all is read again after this time. */
#define REREAD_DELAY_MS 1000

struct devices {
	struct store *store;
	struct table *table;
	struct controller *controller; /* NULL: nobody asked */
	struct netlink *listener;
	struct netlink *netlink;
	uv_poll_t poll;
	uv_timer_t changed_timer;
	uv_timer_t reread_timer;
	unsigned int n_handles; /* not closed yet */
	void (*changed)(void *data);
	void *data;
	/* What the events have shown to be out of date. */
	GHashTable *stale; /* set of ifindexes */
	bool all_stale;
	bool routes_stale;
	bool ours_changed;
	GHashTable *default_ifindexes; /* set; as last read */
};

/*
 * cilium_host, cilium_net or an endpoint's, and up when last read: while it is being made nothing is
 * lost.
 */
static bool was_ours_and_up(const struct devices *devices, uint32_t ifindex)
{
	const struct device *device =
		(const struct device *)table_get(devices->table, &ifindex, sizeof(ifindex));

	return device && device->up &&
	       (g_str_has_prefix(device->name, "cilium_") || g_str_has_prefix(device->name, "lxc"));
}

static void note_link(struct devices *devices, const struct nlmsghdr *message)
{
	struct link_info link;

	if (link_decode(message, &link))
		return;
	g_hash_table_add(devices->stale, GUINT_TO_POINTER(link.ifindex));
	if (message->nlmsg_type == RTM_NEWLINK && (link.flags & IFF_UP))
		return;
	if (was_ours_and_up(devices, link.ifindex))
		devices->ours_changed = true;
	/* The kernel flushes the IPv4 routes of a device that goes down without an event. */
	if (g_hash_table_contains(devices->default_ifindexes, GUINT_TO_POINTER(link.ifindex)))
		devices->routes_stale = true;
}

static void note_address(struct devices *devices, const struct nlmsghdr *message)
{
	struct address address;

	if (address_decode(message, &address))
		return;
	g_hash_table_add(devices->stale, GUINT_TO_POINTER(address.ifindex));
	if (message->nlmsg_type == RTM_DELADDR && was_ours_and_up(devices, address.ifindex))
		devices->ours_changed = true;
}

static void note_route(struct devices *devices, const struct nlmsghdr *message)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return;
	if (!header->rtm_dst_len && header->rtm_table == RT_TABLE_MAIN)
		devices->routes_stale = true;
	if (message->nlmsg_type == RTM_DELROUTE && header->rtm_protocol == DATAPATH_ROUTE_PROTOCOL)
		devices->ours_changed = true;
}

/*
 * Somebody gave an endpoint's device a queue or an ingress qdisc, or took it away. A device that is not
 * known yet is read whole when its link is told of. What the table says already is not read again: the
 * kernel tells everybody of a qdisc that somebody asked for, so that asking would never end.
 */
static void note_qdisc(struct devices *devices, const struct nlmsghdr *message)
{
	bool is_new = message->nlmsg_type == RTM_NEWQDISC;
	const struct device *device;
	struct tc_qdisc qdisc;
	bool changed;

	if (tc_qdisc_decode(message, &qdisc))
		return;
	if (!is_new && strcmp(qdisc.kind, "clsact") == 0)
		devices->ours_changed = true;
	device = (const struct device *)table_get(devices->table, &qdisc.ifindex,
						  sizeof(qdisc.ifindex));
	if (!device || !g_str_has_prefix(device->name, "lxc"))
		return;
	changed = (qdisc.is_root && device->queued != (is_new && tc_qdisc_is_queue(qdisc.kind))) ||
		  (qdisc.is_ingress &&
		   device->filtered != (is_new && strcmp(qdisc.kind, "ingress") == 0));
	if (changed)
		g_hash_table_add(devices->stale, GUINT_TO_POINTER(qdisc.ifindex));
}

static bool note_event(const struct nlmsghdr *message, void *data)
{
	struct devices *devices = data;

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		note_link(devices, message);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		note_address(devices, message);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		note_route(devices, message);
		break;
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
		note_qdisc(devices, message);
		break;
	case RTM_DELTFILTER:
		devices->ours_changed = true;
		break;
	}
	return true;
}

static int refresh_default_routes(struct devices *devices, GError **error)
{
	GHashTable *ifindexes;
	GHashTableIter iter;
	void *ifindex;
	int err = device_read_default_routes(devices->netlink, &ifindexes, error);

	if (err)
		return err;
	g_hash_table_iter_init(&iter, ifindexes);
	while (g_hash_table_iter_next(&iter, &ifindex, NULL))
		if (!g_hash_table_remove(devices->default_ifindexes, ifindex))
			g_hash_table_add(devices->stale, ifindex);
	/* Those left have no default route any more. */
	g_hash_table_iter_init(&iter, devices->default_ifindexes);
	while (g_hash_table_iter_next(&iter, &ifindex, NULL))
		g_hash_table_add(devices->stale, ifindex);
	g_hash_table_unref(devices->default_ifindexes);
	devices->default_ifindexes = ifindexes;
	return 0;
}

struct removal {
	struct devices *devices;
	struct txn *txn;
	GHashTable *there; /* ifindexes */
};

static bool remove_gone(const struct row *row, void *data)
{
	uint32_t ifindex = ((const struct device *)row)->ifindex;
	struct removal *removal = data;

	if (!g_hash_table_contains(removal->there, GUINT_TO_POINTER(ifindex)))
		txn_remove(removal->txn, removal->devices->table, &ifindex, sizeof(ifindex));
	return true;
}

static int refresh_all(struct devices *devices, struct txn *txn, GError **error)
{
	g_autoptr(GHashTable) there = g_hash_table_new(NULL, NULL);
	g_autoptr(GPtrArray) read = NULL;
	struct removal removal = {.devices = devices, .txn = txn, .there = there};
	int err = device_read_all(devices->netlink, devices->default_ifindexes, &read, error);

	if (err)
		return err;
	for (guint i = 0; i < read->len; i++) {
		struct device *device = read->pdata[i];

		g_hash_table_add(there, GUINT_TO_POINTER(device->ifindex));
		txn_put(txn, devices->table, row_ref(&device->row));
	}
	table_foreach (devices->table, remove_gone, &removal)
		;
	return 0;
}

static int refresh_one(struct devices *devices, struct txn *txn, uint32_t ifindex, GError **error)
{
	bool default_route =
		g_hash_table_contains(devices->default_ifindexes, GUINT_TO_POINTER(ifindex));
	struct device *device;
	int err = device_read_one(devices->netlink, ifindex, default_route, &device, error);

	if (err == -ENODEV) {
		g_clear_error(error);
		txn_remove(txn, devices->table, &ifindex, sizeof(ifindex));
		return 0;
	}
	if (!err)
		txn_put(txn, devices->table, &device->row);
	return err;
}

static int read_stale(struct devices *devices, struct txn *txn, GError **error)
{
	GHashTableIter iter;
	void *ifindex;
	int err = 0;

	if (devices->all_stale || devices->routes_stale)
		err = refresh_default_routes(devices, error);
	if (!err && devices->all_stale)
		return refresh_all(devices, txn, error);
	g_hash_table_iter_init(&iter, devices->stale);
	while (!err && g_hash_table_iter_next(&iter, &ifindex, NULL))
		err = refresh_one(devices, txn, GPOINTER_TO_UINT(ifindex), error);
	return err;
}

/* Brings the table up to date. On failure everything counts as stale. */
static int refresh(struct devices *devices, GError **error)
{
	struct txn *txn = txn_new(devices->store);
	int err = read_stale(devices, txn, error);

	g_hash_table_remove_all(devices->stale);
	devices->all_stale = err != 0;
	devices->routes_stale = false;
	if (err)
		txn_abort(txn);
	else
		txn_commit(txn);
	return err;
}

static void on_changed(uv_timer_t *timer)
{
	struct devices *devices = timer->data;

	devices->ours_changed = false;
	devices->changed(devices->data);
}

static void on_reread(uv_timer_t *timer);

static void bring_up_to_date(struct devices *devices)
{
	g_autoptr(GError) error = NULL;

	controller_begin(devices->controller);
	if (refresh(devices, &error)) {
		if (!error)
			error_set(&error, EIO, "reading the devices of the node");
		if (!controller_is_failing(devices->controller))
			log_warning("devices", "Reading the devices failed, will try again",
				    "error=%s", error->message);
		uv_timer_start(&devices->reread_timer, on_reread, REREAD_DELAY_MS, 0);
	}
	controller_end(devices->controller, error);
	store_settle(devices->store);
	if (devices->ours_changed && !uv_is_active((uv_handle_t *)&devices->changed_timer))
		uv_timer_start(&devices->changed_timer, on_changed, CHANGED_DELAY_MS, 0);
}

static void on_reread(uv_timer_t *timer)
{
	bring_up_to_date(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct devices *devices = poll->data;

	/* Events were lost, or the socket is broken: only reading everything helps. */
	if (netlink_receive(devices->listener, note_event, devices) || status < 0) {
		devices->all_stale = true;
		devices->ours_changed = true;
	}
	/* To lose events is an error of the socket, on which libuv stops polling. */
	if (status < 0)
		uv_poll_start(poll, UV_READABLE, on_readable);
	bring_up_to_date(devices);
}

static void free_memory(struct devices *devices)
{
	netlink_free(devices->listener);
	netlink_free(devices->netlink);
	g_hash_table_unref(devices->stale);
	g_hash_table_unref(devices->default_ifindexes);
	g_free(devices);
}

static void on_closed(uv_handle_t *handle)
{
	struct devices *devices = handle->data;

	if (!--devices->n_handles)
		free_memory(devices);
}

static int open_sockets(struct devices *devices, GError **error)
{
	const unsigned int groups[] = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				       RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_TC};

	devices->netlink = netlink_new(error);
	if (!devices->netlink)
		return -EIO;
	devices->listener = netlink_new_listener(groups, G_N_ELEMENTS(groups), error);
	return devices->listener ? 0 : -EIO;
}

static void init_handles(struct devices *devices, uv_loop_t *loop)
{
	uv_timer_init(loop, &devices->changed_timer);
	uv_timer_init(loop, &devices->reread_timer);
	uv_poll_init(loop, &devices->poll, netlink_fd(devices->listener));
	devices->changed_timer.data = devices;
	devices->reread_timer.data = devices;
	devices->poll.data = devices;
	devices->n_handles = 3;
	uv_poll_start(&devices->poll, UV_READABLE, on_readable);
}

struct devices *devices_new(uv_loop_t *loop, struct store *store, struct table *table,
			    void (*changed)(void *data), void *data, GError **error)
{
	struct devices *devices = g_new0(struct devices, 1);

	devices->store = store;
	devices->table = table;
	devices->changed = changed;
	devices->data = data;
	devices->stale = g_hash_table_new(NULL, NULL);
	devices->default_ifindexes = g_hash_table_new(NULL, NULL);
	devices->all_stale = true;
	/* Listening begins before the reading, so that nothing happens in between unseen. */
	if (open_sockets(devices, error) || refresh(devices, error)) {
		free_memory(devices);
		return NULL;
	}
	table_set_synced(table);
	init_handles(devices, loop);
	return devices;
}

void devices_set_controller(struct devices *devices, struct controller *controller)
{
	devices->controller = controller;
}

void devices_free(struct devices *devices)
{
	if (!devices)
		return;
	uv_close((uv_handle_t *)&devices->poll, on_closed);
	uv_close((uv_handle_t *)&devices->changed_timer, on_closed);
	uv_close((uv_handle_t *)&devices->reread_timer, on_closed);
}
