// SPDX-License-Identifier: Apache-2.0
#include "test/services/reference_private.h"

#include <string.h>
#include "src/model/backend_health.h"

int reference_rank_of(const struct behind *behind)
{
	return behind->ready ? 0 : behind->draining ? 1 : 2;
}

static bool is_better(const struct behind *a, const struct behind *b)
{
	if (reference_rank_of(a) != reference_rank_of(b))
		return reference_rank_of(a) < reference_rank_of(b);
	if (a->endpoint.weight != b->endpoint.weight)
		return a->endpoint.weight > b->endpoint.weight;
	for (int i = 0; i < 4; i++) {
		const char *const texts_a[] = {a->endpoint.node, a->endpoint.zone,
					       a->endpoint.zones, a->endpoint.nodes};
		const char *const texts_b[] = {b->endpoint.node, b->endpoint.zone,
					       b->endpoint.zones, b->endpoint.nodes};
		int order = g_strcmp0(texts_a[i], texts_b[i]);

		if (order)
			return order > 0;
	}
	return a->endpoint.flags > b->endpoint.flags;
}

static void put_behind(GArray *all, const struct behind *behind)
{
	for (unsigned int i = 0; i < all->len; i++) {
		struct behind *other = &g_array_index(all, struct behind, i);

		if (addr_equal(&other->endpoint.addr, &behind->endpoint.addr) &&
		    other->port == behind->port) {
			if (is_better(behind, other))
				*other = *behind;
			return;
		}
	}
	g_array_append_val(all, *behind);
}

static bool is_sick(const struct lb_world *world, const struct service *service,
		    const struct behind *behind, uint8_t protocol)
{
	for (int i = 0; service->health && i < LB_WORLD_N_KEYS; i++) {
		const struct backend_health *health =
			ROW(world, LB_WORLD_HEALTH, i, backend_health);
		struct backend_health_key wanted = backend_health_key_new(
			&behind->endpoint.addr, behind->port, protocol, service->meta.key);

		if (health && !memcmp(&health->key, &wanted, sizeof(wanted)))
			return true;
	}
	return false;
}

GArray *reference_find_behind(const struct lb_world *world, const struct service *service,
			      const struct service_port *port, bool v4)
{
	GArray *all = g_array_new(false, true, sizeof(struct behind));

	for (int s = 0; s < LB_WORLD_N_KEYS; s++) {
		const struct endpoint_slice *slice = ROW(world, LB_WORLD_SLICE, s, endpoint_slice);

		if (!slice || g_strcmp0(slice->service, service->meta.name))
			continue;
		for (unsigned int i = 0; i < slice->ports->len * slice->n_endpoints; i++) {
			const struct slice_port *slice_port = &g_array_index(
				slice->ports, struct slice_port, i / slice->n_endpoints);
			struct behind behind = {
				.endpoint = endpoint_slice_get(slice, i % slice->n_endpoints),
				.port = slice_port->port,
			};
			uint8_t flags = behind.endpoint.flags;

			if (!slice_port->port || g_strcmp0(slice_port->name, port->name) ||
			    slice_port->protocol != port->protocol ||
			    slice_port->group != behind.endpoint.group ||
			    addr_is_v4(&behind.endpoint.addr) != v4)
				continue;
			behind.ready = (flags & SLICE_ENDPOINT_READY) || service->publish_not_ready;
			behind.draining = !behind.ready && (flags & SLICE_ENDPOINT_SERVING) &&
					  (flags & SLICE_ENDPOINT_TERMINATING);
			behind.sick = is_sick(world, service, &behind, port->protocol);
			put_behind(all, &behind);
		}
	}
	return all;
}

static bool is_for(const char *list, const char *word)
{
	g_auto(GStrv) words = g_strsplit(list ? list : "", ",", -1);

	return word && g_strv_contains((const char *const *)words, word);
}

/* Hints count when all that are ready have them and one is for us. */
static bool mark_near(GArray *all, bool by_node, const char *word)
{
	bool found = false;

	for (unsigned int i = 0; i < all->len; i++) {
		struct behind *behind = &g_array_index(all, struct behind, i);
		const char *list = by_node ? behind->endpoint.nodes : behind->endpoint.zones;

		behind->near = is_for(list, word);
		if (behind->ready && !list)
			return false;
		found |= behind->ready && behind->near;
	}
	return found;
}

void reference_set_near(const struct lb_world *world, const struct service *service, GArray *all)
{
	bool counts = world->config.enable_service_topology &&
		      service->distribution != SERVICE_DISTRIBUTION_ANY;

	if (counts && service->distribution == SERVICE_DISTRIBUTION_SAME_NODE &&
	    mark_near(all, true, "node1"))
		return;
	if (counts && reference_own_zone(world) && mark_near(all, false, reference_own_zone(world)))
		return;
	for (unsigned int i = 0; i < all->len; i++)
		g_array_index(all, struct behind, i).near = true;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted and joined. Takes the texts. */
char *reference_join(GPtrArray *take_texts)
{
	char *text;

	g_ptr_array_sort(take_texts, compare_texts);
	g_ptr_array_add(take_texts, NULL);
	text = g_strjoinv(",", (char **)take_texts->pdata);
	g_ptr_array_unref(take_texts);
	return text;
}

/* Those for which what is asked is so, of this node alone where local says so. */
static char *list_behind(const GArray *all, bool local, bool ready, bool well, bool near)
{
	GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);

	for (unsigned int i = 0; i < all->len; i++) {
		const struct behind *behind = &g_array_index(all, struct behind, i);
		char addr[ADDR_TEXT_BYTES];

		if (!behind->endpoint.weight || (ready ? !behind->ready : !behind->draining) ||
		    (local && g_strcmp0(behind->endpoint.node, "node1")) ||
		    (well && behind->sick) || (near && !behind->near))
			continue;
		g_ptr_array_add(texts,
				g_strdup_printf("%s-%u", addr_format(&behind->endpoint.addr, addr),
						behind->port));
	}
	return reference_join(texts);
}

char *reference_choose(const GArray *all, bool local)
{
	for (int ready = 1; ready >= 0; ready--)
		for (int well = 1; well >= 0; well--)
			for (int near = well && ready && !local; near >= 0; near--) {
				char *text = list_behind(all, local, ready, well, near);

				if (*text)
					return text;
				g_free(text);
			}
	return g_strdup("nobody");
}
