// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_backend.h"

#include <string.h>
#include "src/model/backend_health.h"

/* An endpoint of a slice, by one of the slice's ports. Its texts are the slice's. */
struct candidate {
	struct slice_endpoint endpoint;
	uint16_t port;
	enum lb_backend_rank rank;
};

/* ---- who takes connections ---- */

/* Those of a rank, in one of two sets, that are well and near; each rule falls back where it leaves nobody. */
struct selection {
	GArray *backends;
	const GArray *choices;
	uint8_t set; /* LB_BACKEND_F_IN_ALL or _IN_LOCAL */
	enum lb_backend_rank rank;
	bool with_sick;
	bool near_only;
};

static bool is_selected(const struct selection *selection, unsigned int i)
{
	const struct lb_plan_backend *backend =
		&g_array_index(selection->backends, struct lb_plan_backend, i);
	const struct lb_choice *choice = &g_array_index(selection->choices, struct lb_choice, i);

	if (choice->rank != selection->rank || !backend->weight)
		return false;
	if (selection->set == LB_BACKEND_F_IN_LOCAL && !(backend->flags & LB_BACKEND_F_LOCAL))
		return false;
	return (selection->with_sick || !choice->is_sick) &&
	       (!selection->near_only || choice->is_near);
}

static bool select_all(const struct selection *selection)
{
	bool found = false;

	for (unsigned int i = 0; i < selection->backends->len; i++) {
		if (!is_selected(selection, i))
			continue;
		g_array_index(selection->backends, struct lb_plan_backend, i).flags |=
			selection->set;
		found = true;
	}
	return found;
}

static void choose(GArray *backends, const GArray *choices, uint8_t set)
{
	struct selection selection = {.backends = backends, .choices = choices, .set = set};

	for (selection.rank = LB_BACKEND_READY; selection.rank < LB_BACKEND_IDLE;
	     selection.rank++) {
		/* Topology is about those that are ready, wherever they are. */
		selection.near_only =
			selection.rank == LB_BACKEND_READY && set == LB_BACKEND_F_IN_ALL;
		selection.with_sick = false;
		if (select_all(&selection))
			return;
		selection.near_only = false;
		if (select_all(&selection))
			return;
		selection.with_sick = true;
		if (select_all(&selection))
			return;
	}
}

void lb_backends_choose(GArray *backends, const GArray *choices, bool needs_local)
{
	choose(backends, choices, LB_BACKEND_F_IN_ALL);
	if (needs_local)
		choose(backends, choices, LB_BACKEND_F_IN_LOCAL);
}

/* ---- what the slices say ---- */

static enum lb_backend_rank rank_of(const struct service *service,
				    const struct slice_endpoint *endpoint)
{
	if (endpoint->flags & SLICE_ENDPOINT_READY || service->publish_not_ready)
		return LB_BACKEND_READY;
	if (endpoint->flags & SLICE_ENDPOINT_SERVING &&
	    endpoint->flags & SLICE_ENDPOINT_TERMINATING)
		return LB_BACKEND_DRAINING;
	return LB_BACKEND_IDLE;
}

/* A datagram may go to anybody who serves; a connection stays where it is. */
static bool is_of_use(enum lb_backend_rank rank, uint8_t protocol)
{
	return rank != LB_BACKEND_IDLE || protocol != IPPROTO_UDP;
}

static void add_candidates(GArray *candidates, const struct endpoint_slice *slice,
			   const struct service *service, const struct slice_port *port, bool v4)
{
	for (unsigned int i = 0; i < slice->n_endpoints; i++) {
		struct candidate candidate = {
			.endpoint = endpoint_slice_get(slice, i),
			.port = port->port,
		};
		const struct slice_endpoint *endpoint = &candidate.endpoint;

		candidate.rank = rank_of(service, endpoint);
		if (endpoint->group == port->group && addr_is_v4(&endpoint->addr) == v4 &&
		    is_of_use(candidate.rank, port->protocol))
			g_array_append_val(candidates, candidate);
	}
}

static int compare_texts(const char *a, const char *b)
{
	return a == b ? 0 : g_strcmp0(b, a);
}

/* By address and port; of those alike the best first, and never by the order in which they are met. */
static int compare_candidates(const void *pointer_a, const void *pointer_b)
{
	const struct candidate *a = pointer_a, *b = pointer_b;
	const struct slice_endpoint *x = &a->endpoint, *y = &b->endpoint;
	int order = addr_compare(&x->addr, &y->addr);

	if (order)
		return order;
	if (a->port != b->port)
		return (int)a->port - (int)b->port;
	if (a->rank != b->rank)
		return (int)a->rank - (int)b->rank;
	if (x->weight != y->weight)
		return (int)y->weight - (int)x->weight;
	order = compare_texts(x->node, y->node);
	order = order ? order : compare_texts(x->zone, y->zone);
	order = order ? order : compare_texts(x->zones, y->zones);
	order = order ? order : compare_texts(x->nodes, y->nodes);
	return order ? order : (int)y->flags - (int)x->flags;
}

static GArray *find_candidates(const struct lb_backend_source *source,
			       const struct service *service, const struct service_port *port,
			       bool v4)
{
	GArray *candidates = g_array_new(false, false, sizeof(struct candidate));
	unsigned int n = 0;

	for (unsigned int i = 0; i < source->slices->len; i++) {
		const struct endpoint_slice *slice = source->slices->pdata[i];

		for (unsigned int j = 0; j < slice->ports->len; j++) {
			const struct slice_port *slice_port =
				&g_array_index(slice->ports, struct slice_port, j);

			if (slice_port->port && slice_port->name == port->name &&
			    slice_port->protocol == port->protocol)
				add_candidates(candidates, slice, service, slice_port, v4);
		}
	}
	g_array_sort(candidates, compare_candidates);
	for (unsigned int i = 0; i < candidates->len; i++) {
		struct candidate *all = (struct candidate *)(void *)candidates->data;

		if (n && addr_equal(&all[i].endpoint.addr, &all[n - 1].endpoint.addr) &&
		    all[i].port == all[n - 1].port)
			continue;
		all[n++] = all[i];
	}
	g_array_set_size(candidates, n);
	return candidates;
}

/* ---- topology ---- */

/* list: ",a,b,"; NULL holds nothing. */
static bool list_holds(const char *list, const char *word)
{
	g_autofree char *wanted = NULL;

	if (!list || !word)
		return false;
	wanted = g_strdup_printf(",%s,", word);
	return strstr(list, wanted);
}

typedef const char *(*hints_of)(const struct slice_endpoint *endpoint);

static const char *hints_of_nodes(const struct slice_endpoint *endpoint)
{
	return endpoint->nodes;
}

static const char *hints_of_zones(const struct slice_endpoint *endpoint)
{
	return endpoint->zones;
}

/* All that are ready say whom they are for, and one of them is for us. */
static bool hints_count(const GArray *candidates, hints_of hints, const char *word)
{
	bool found = false;

	for (unsigned int i = 0; i < candidates->len; i++) {
		const struct candidate *candidate = &g_array_index(candidates, struct candidate, i);

		if (candidate->rank != LB_BACKEND_READY)
			continue;
		if (!hints(&candidate->endpoint))
			return false;
		found |= list_holds(hints(&candidate->endpoint), word);
	}
	return found;
}

/* What decides who is near; NULL: nothing, all are. */
static hints_of find_hints(const struct lb_backend_source *source, const struct service *service,
			   const GArray *candidates, const char **ret_word)
{
	const char *zone = lb_node_get_zone(source->node);

	if (!source->config->enable_service_topology ||
	    service->distribution == SERVICE_DISTRIBUTION_ANY)
		return NULL;
	*ret_word = source->config->node_name;
	if (service->distribution == SERVICE_DISTRIBUTION_SAME_NODE &&
	    hints_count(candidates, hints_of_nodes, *ret_word))
		return hints_of_nodes;
	*ret_word = zone;
	return zone && hints_count(candidates, hints_of_zones, zone) ? hints_of_zones : NULL;
}

/* ---- together ---- */

static bool is_sick(const struct lb_backend_source *source, const struct service *service,
		    const struct candidate *candidate, uint8_t protocol)
{
	struct backend_health_key key;

	if (!service->health)
		return false;
	key = backend_health_key_new(&candidate->endpoint.addr, candidate->port, protocol,
				     service->meta.key);
	return table_get(source->backend_health, &key, sizeof(key));
}

static enum lb_backend_state state_of(const struct candidate *candidate, bool sick)
{
	const struct slice_endpoint *endpoint = &candidate->endpoint;

	if (!endpoint->weight)
		return LB_BACKEND_MAINTENANCE;
	if (candidate->rank == LB_BACKEND_READY)
		return sick ? LB_BACKEND_QUARANTINED : LB_BACKEND_ACTIVE;
	return endpoint->flags & SLICE_ENDPOINT_TERMINATING ? LB_BACKEND_TERMINATING
							    : LB_BACKEND_QUARANTINED;
}

static void add_backend(struct lb_draft *draft, const struct lb_backend_source *source,
			const struct candidate *candidate, const struct lb_choice *choice)
{
	const struct slice_endpoint *endpoint = &candidate->endpoint;
	const char *zone =
		endpoint->zone ? endpoint->zone : lb_node_zone_of(source->node, endpoint->node);
	struct lb_plan_backend backend = {
		.addr = endpoint->addr,
		.port = candidate->port,
		.weight = endpoint->weight,
		.state = state_of(candidate, choice->is_sick),
		.flags = lb_node_is_own(source->node, endpoint->node) ? LB_BACKEND_F_LOCAL : 0,
		.zone = lb_node_zone_number(source->node, zone),
		.node = endpoint->node,
		.zone_name = zone,
	};

	g_array_append_val(draft->backends, backend);
}

static bool needs_local(const struct lb_draft *draft)
{
	for (unsigned int i = 0; i < draft->frontends->len; i++)
		if (g_array_index(draft->frontends, struct lb_plan_frontend, i).flags &
		    (LB_FRONTEND_F_EXTERNAL_LOCAL | LB_FRONTEND_F_INTERNAL_LOCAL))
			return true;
	return false;
}

void lb_backends_add(struct lb_draft *draft, const struct lb_backend_source *source,
		     const struct service *service, const struct service_port *port, bool v4)
{
	g_autoptr(GArray) candidates = find_candidates(source, service, port, v4);
	g_autoptr(GArray) choices =
		g_array_sized_new(false, false, sizeof(struct lb_choice), candidates->len);
	const char *word = NULL;
	hints_of hints = find_hints(source, service, candidates, &word);

	for (unsigned int i = 0; i < candidates->len; i++) {
		const struct candidate *candidate = &g_array_index(candidates, struct candidate, i);
		struct lb_choice choice = {
			.rank = candidate->rank,
			.is_sick = is_sick(source, service, candidate, port->protocol),
			.is_near = !hints || list_holds(hints(&candidate->endpoint), word),
		};

		g_array_append_val(choices, choice);
		add_backend(draft, source, candidate, &choice);
		if (hints && choice.is_near && choice.rank == LB_BACKEND_READY)
			g_array_index(draft->backends, struct lb_plan_backend, i).preferred = true;
	}
	lb_backends_choose(draft->backends, choices, needs_local(draft));
}
