/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/map_pressure.h"

#include "src/base/log.h"
#include "src/datapath/layout.h"

/* The kernel keeps some hundred entries in reserve and begins to forget before the last is used. */
#define FULL_PERCENT 90
/* Below it, it has room again: far enough from the other for it not to be said all the time. */
#define ROOM_PERCENT 75

/* What becomes of what does not fit. */
enum room {
	ROOM_CONNECTIONS, /* the kernel forgets what was not used for longest; a collection may help */
	ROOM_CLIENTS,     /* the kernel forgets likewise, here and below */
	ROOM_SOCKETS,
	ROOM_POLICY, /* what is new is refused */
	ROOM_SERVICES,
};

static const struct {
	const char *full;
	const char *hint; /* before "or raise KEY" */
} texts[] = {
	[ROOM_CONNECTIONS] = {"A map is full: what was not used for longest is forgotten",
			      "find who opens so many with `cilium bpf ct list global`"},
	[ROOM_CLIENTS] = {"A map is full: what was not used for longest is forgotten",
			  "find the clients with `cilium bpf lb list --affinity`"},
	[ROOM_SOCKETS] = {"A map is full: what was not used for longest is forgotten",
			  "find the sockets with `cilium bpf socknat list`"},
	[ROOM_POLICY] = {"A map is nearly full: a policy that does not fit has no effect",
			 "select fewer peers, or fewer ports, in policies"},
	[ROOM_SERVICES] = {"A map is nearly full: a service that does not fit is not served",
			   "remove services that nobody uses"},
};

/* The maps, and the key that makes each larger. */
static const struct {
	enum plan_map map;
	enum room room;
	const char *key;
} watched[] = {
	{PLAN_MAP_cilium_ct_tcp_global, ROOM_CONNECTIONS, "bpf-ct-global-tcp-max"},
	{PLAN_MAP_cilium_ct_any_global, ROOM_CONNECTIONS, "bpf-ct-global-any-max"},
	{PLAN_MAP_cilium_snat_external, ROOM_CONNECTIONS, "bpf-nat-global-max"},
	{PLAN_MAP_cilium_frag_datagrams, ROOM_CONNECTIONS, "bpf-fragments-map-max"},
	{PLAN_MAP_cilium_policy_peer, ROOM_POLICY, "bpf-policy-map-max"},
	{PLAN_MAP_cilium_policy_class, ROOM_POLICY, "bpf-policy-map-max"},
	{PLAN_MAP_cilium_lb_services, ROOM_SERVICES, "bpf-lb-service-map-max"},
	{PLAN_MAP_cilium_lb_sets, ROOM_SERVICES, "bpf-lb-service-map-max"},
	{PLAN_MAP_cilium_lb_slots, ROOM_SERVICES, "bpf-lb-service-backend-map-max"},
	{PLAN_MAP_cilium_lb_backends, ROOM_SERVICES, "bpf-lb-service-backend-map-max"},
	{PLAN_MAP_cilium_lb_maglev, ROOM_SERVICES, "bpf-lb-maglev-map-max"},
	{PLAN_MAP_cilium_lb_source_range, ROOM_SERVICES, "bpf-lb-source-range-map-max"},
	{PLAN_MAP_cilium_lb_affinity, ROOM_CLIENTS, "bpf-lb-affinity-map-max"},
	{PLAN_MAP_cilium_lb_reverse_sk, ROOM_SOCKETS, "bpf-sock-rev-map-max"},
};

struct map_pressure {
	struct datapath *datapath;
	struct conntrack_gc *gc;
	struct map_state {
		bool was_full; /* at the last look */
		bool is_told;
	} states[G_N_ELEMENTS(watched)];
};

struct map_pressure *map_pressure_new(struct datapath *datapath, struct conntrack_gc *gc)
{
	struct map_pressure *pressure = g_new0(struct map_pressure, 1);

	pressure->datapath = datapath;
	pressure->gc = gc;
	return pressure;
}

void map_pressure_free(struct map_pressure *pressure)
{
	g_free(pressure);
}

static void tell(unsigned int i, const struct datapath_map_statistics *map, const char *what,
		 const char *hint)
{
	log_warning("datapath", what, "map=%s entries=%" G_GINT64_FORMAT " size=%u hint=%s",
		    map_layout_get(watched[i].map)->name, map->n_entries, map->max_entries, hint);
}

static void tell_full(unsigned int i, const struct datapath_map_statistics *map)
{
	g_autofree char *hint =
		g_strdup_printf("%s, or raise %s", texts[watched[i].room].hint, watched[i].key);

	tell(i, map, texts[watched[i].room].full, hint);
}

static void look(struct map_pressure *pressure, unsigned int i,
		 const struct datapath_map_statistics *map)
{
	struct map_state *state = &pressure->states[i];
	int64_t percent = map->max_entries && map->n_entries >= 0
				  ? map->n_entries * 100 / map->max_entries
				  : 0;
	bool is_full = percent >= FULL_PERCENT;

	if (is_full && !state->was_full && watched[i].room == ROOM_CONNECTIONS) {
		conntrack_gc_hurry(pressure->gc);
	} else if (is_full && !state->is_told) {
		tell_full(i, map);
		state->is_told = true;
	} else if (state->is_told && percent < ROOM_PERCENT) {
		tell(i, map, "A map that was full has room again", "nothing to do");
		state->is_told = false;
	}
	state->was_full = is_full;
}

void map_pressure_run(struct map_pressure *pressure)
{
	const struct datapath_statistics *statistics =
		pressure->datapath->ops->get_statistics(pressure->datapath);

	for (unsigned int i = 0; i < G_N_ELEMENTS(watched); i++)
		look(pressure, i, &statistics->maps[watched[i].map]);
}
