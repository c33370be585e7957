/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/conntrack_gc.h"

#include <arpa/inet.h>
#include "abi/conntrack.h"
#include "abi/nat.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/datapath/layout.h"
#include "src/sys/jiffies.h"

#define START_INTERVAL_NS (5 * 60 * NSEC_PER_SEC)
#define MIN_INTERVAL_NS   (10 * NSEC_PER_SEC)
#define MAX_INTERVAL_NS   (12 * 3600 * NSEC_PER_SEC)
/* Between two steps of a sweep. */
#define STEP_INTERVAL_NS (50 * NSEC_PER_MSEC)
/* A translation is made a moment before its connection. */
#define NAT_GRACE_TICKS 5

static const enum plan_map swept_maps[CONNTRACK_GC_MAP__MAX] = {
	[CONNTRACK_GC_TCP] = PLAN_MAP_cilium_ct_tcp_global,
	[CONNTRACK_GC_ANY] = PLAN_MAP_cilium_ct_any_global,
	[CONNTRACK_GC_NAT] = PLAN_MAP_cilium_snat_external,
};

struct conntrack_gc {
	struct datapath *datapath;
	struct controller *controller; /* NULL: nobody asked */
	GError *error;                 /* the first of this sweep */
	struct jiffies_clock clock;
	bool is_fixed; /* the interval is the user's */
	int64_t interval_ns;
	int64_t max_interval_ns;
	int64_t next_ns;    /* CLOCK_MONOTONIC: of the next step */
	int64_t ended_ns;   /* the last sweep; 0: none has */
	unsigned int i_map; /* of swept_maps */
	struct map_cursor cursor;
	uint32_t now_tick;
	unsigned int n_seen; /* in this sweep */
	unsigned int n_removed;
	int64_t started_ns;                   /* of the sweep over this map; 0: it has not begun */
	struct conntrack_gc_count ipv4, ipv6; /* of this map */
	struct conntrack_gc_statistics statistics[CONNTRACK_GC_MAP__MAX];
};

struct conntrack_gc *conntrack_gc_new(const struct settings *settings, struct datapath *datapath,
				      const struct datapath_config *config, GError **error)
{
	struct conntrack_gc *gc = g_new0(struct conntrack_gc, 1);

	if (jiffies_clock_init(&gc->clock, error)) {
		g_free(gc);
		return NULL;
	}
	gc->clock.tick_shift = config->node.ct_tick_shift;
	gc->datapath = datapath;
	conntrack_gc_configure(gc, settings);
	return gc;
}

void conntrack_gc_configure(struct conntrack_gc *gc, const struct settings *settings)
{
	int64_t next_ns;

	gc->is_fixed = settings->conntrack_gc_interval_ns;
	gc->max_interval_ns = settings->conntrack_gc_max_interval_ns
				      ? settings->conntrack_gc_max_interval_ns
				      : MAX_INTERVAL_NS;
	gc->interval_ns = gc->is_fixed ? settings->conntrack_gc_interval_ns
				       : MIN(START_INTERVAL_NS, gc->max_interval_ns);
	next_ns = clock_monotonic_ns() + gc->interval_ns;
	/* What is due stays due: a sweep that has begun goes on, and none comes later than it was to. */
	if (!gc->next_ns || next_ns < gc->next_ns)
		gc->next_ns = next_ns;
	if (gc->controller)
		controller_set_interval(gc->controller, gc->interval_ns);
}

void conntrack_gc_set_controller(struct conntrack_gc *gc, struct controller *controller)
{
	gc->controller = controller;
	controller_set_interval(controller, gc->interval_ns);
}

void conntrack_gc_free(struct conntrack_gc *gc)
{
	if (gc)
		g_clear_error(&gc->error);
	g_free(gc);
}

/* Ticks wrap around: what is before is told by the difference. */
static bool is_expired(const struct ct_entry *entry, uint32_t now_tick)
{
	return (int32_t)(entry->expires - now_tick) < 0;
}

static bool count(struct conntrack_gc *gc, const struct addr *addr, bool is_dead)
{
	struct conntrack_gc_count *of_family = addr_is_v4(addr) ? &gc->ipv4 : &gc->ipv6;

	gc->n_seen++;
	gc->n_removed += is_dead;
	of_family->n_alive += !is_dead;
	of_family->n_deleted += is_dead;
	return is_dead;
}

static bool is_dead_connection(const void *key, const void *value, void *data)
{
	const struct ct_key *connection = key;
	struct conntrack_gc *gc = data;

	return count(gc, &connection->addr[0], is_expired(value, gc->now_tick));
}

/* The key of the connection that a translation was made for: see abi/conntrack.h. */
static struct ct_key connection_key(const struct nat_key *nat, const struct nat_entry *entry)
{
	bool is_icmp = nat->protocol == IPPROTO_ICMP || nat->protocol == IPPROTO_ICMPV6;
	int order = addr_compare(&entry->addr, &nat->peer);
	bool side = order ? order > 0 : ntohs(entry->port) > ntohs(nat->peer_port);
	struct ct_key key = {.protocol = nat->protocol};

	key.addr[side] = entry->addr;
	key.addr[!side] = nat->peer;
	key.port[side] = entry->port;
	key.port[!side] = is_icmp ? entry->port : nat->peer_port;
	key.initiator = is_icmp ? 1 + side : 0;
	return key;
}

/* As the programs ask it before they take a port over. */
static bool names(const struct ct_entry *connection, const struct nat_key *nat)
{
	return connection->nat == CT_NAT_SOURCE && connection->nat_port == nat->port &&
	       addr_equal(&connection->nat_addr, &nat->addr);
}

static bool is_dead_translation(const void *key, const void *value, void *data)
{
	const struct nat_key *nat = key;
	const struct nat_entry *entry = value;
	struct conntrack_gc *gc = data;
	enum plan_map map = nat->protocol == IPPROTO_TCP ? PLAN_MAP_cilium_ct_tcp_global
							 : PLAN_MAP_cilium_ct_any_global;
	struct ct_key connection = connection_key(nat, entry);
	struct ct_entry found;
	int err;

	if ((int32_t)(gc->now_tick - entry->created) < NAT_GRACE_TICKS)
		return count(gc, &nat->addr, false);
	err = gc->datapath->ops->map_get(gc->datapath, map, &connection, &found);
	return count(gc, &nat->addr, err ? err == -ENOENT : !names(&found, nat));
}

/* A quarter dead: look twice as often. Hardly any: half again as long. */
static void adapt_interval(struct conntrack_gc *gc)
{
	if (gc->is_fixed)
		return;
	if (gc->n_removed > gc->n_seen / 4)
		gc->interval_ns /= 2;
	else if (gc->n_removed < gc->n_seen / 20)
		gc->interval_ns += gc->interval_ns / 2;
	gc->interval_ns = CLAMP(gc->interval_ns, MIN(MIN_INTERVAL_NS, gc->max_interval_ns),
				gc->max_interval_ns);
}

static void end_sweep(struct conntrack_gc *gc)
{
	log_debug("conntrack", "Swept dead connections", "entries=%u removed=%u", gc->n_seen,
		  gc->n_removed);
	adapt_interval(gc);
	controller_set_interval(gc->controller, gc->interval_ns);
	controller_end(gc->controller, gc->error);
	g_clear_error(&gc->error);
	gc->ended_ns = clock_monotonic_ns();
	gc->next_ns = gc->ended_ns + gc->interval_ns;
	gc->i_map = 0;
	gc->n_seen = gc->n_removed = 0;
}

static void note_failure(struct conntrack_gc *gc, enum plan_map map, int err)
{
	if (gc->error)
		return;
	error_set_errno(&gc->error, -err, "reading the map %s", map_layout_get(map)->name);
	if (!controller_is_failing(gc->controller))
		log_warning("conntrack", "Reading connections failed, will try again", "error=%s",
			    gc->error->message);
}

/* err: what ended it; −ENOENT is the end of the map. */
static void end_map(struct conntrack_gc *gc, int err)
{
	struct conntrack_gc_statistics *statistics = &gc->statistics[gc->i_map];
	int64_t duration_ns = clock_monotonic_ns() - gc->started_ns;

	if (err == -ENOENT) {
		statistics->n_completed++;
		statistics->ipv4 = gc->ipv4;
		statistics->ipv6 = gc->ipv6;
		histogram_add_ns(&statistics->completed_times, duration_ns);
	} else {
		statistics->n_uncompleted++;
		histogram_add_ns(&statistics->uncompleted_times, duration_ns);
	}
	gc->started_ns = 0;
	gc->ipv4 = gc->ipv6 = (struct conntrack_gc_count){0};
	gc->cursor = (struct map_cursor){0};
}

const struct conntrack_gc_statistics *conntrack_gc_get_statistics(const struct conntrack_gc *gc,
								  enum conntrack_gc_map map)
{
	return &gc->statistics[map];
}

int64_t conntrack_gc_get_interval_ns(const struct conntrack_gc *gc)
{
	return gc->interval_ns;
}

void conntrack_gc_hurry(struct conntrack_gc *gc)
{
	int64_t now_ns = clock_monotonic_ns();

	if (gc->ended_ns && now_ns - gc->ended_ns < MIN_INTERVAL_NS)
		now_ns = gc->ended_ns + MIN_INTERVAL_NS;
	gc->next_ns = MIN(gc->next_ns, now_ns);
}

int64_t conntrack_gc_run(struct conntrack_gc *gc)
{
	const enum plan_map map = swept_maps[gc->i_map];
	int64_t now_ns = clock_monotonic_ns();
	int err;

	if (now_ns < gc->next_ns)
		return gc->next_ns - now_ns;
	controller_begin(gc->controller);
	if (!gc->started_ns)
		gc->started_ns = now_ns;
	gc->now_tick = jiffies_tick_now(&gc->clock);
	err = gc->datapath->ops->map_sweep(
		gc->datapath, map, &gc->cursor,
		map == PLAN_MAP_cilium_snat_external ? is_dead_translation : is_dead_connection,
		gc);
	if (!err) {
		gc->next_ns = now_ns + STEP_INTERVAL_NS;
		return STEP_INTERVAL_NS;
	}
	if (err != -ENOENT)
		note_failure(gc, map, err);
	end_map(gc, err);
	if (++gc->i_map == G_N_ELEMENTS(swept_maps))
		end_sweep(gc);
	return MAX(gc->next_ns - now_ns, STEP_INTERVAL_NS);
}
