// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers of services and back ends are remembered by connections, so none is given twice while the agent lives; when
 * they have gone round, what the kernel has is asked. Ids of front ends are for people: small, and given
 * again when all others have been.
 */
#include "src/datapath/lb_private.h"

/* LB_SET() takes a bit of them. */
#define SERVICE_MAX (UINT32_MAX >> 1)

/*
 * Back ends that the agent before may have given a number and taken away again, after the largest that it has left:
 * connections may still name them.
 */
#define BACKENDS_SKIPPED 65536

/* More than there can be front ends: there is always one to give. */
#define FRONTEND_IDS (1 << 22)

void lb_numbers_init(struct lb_numbers *numbers)
{
	numbers->wanted_ids = g_hash_table_new(NULL, NULL);
}

void lb_numbers_fini(struct lb_numbers *numbers)
{
	g_hash_table_unref(numbers->wanted_ids);
	g_free(numbers->frontend_ids);
}

void lb_number_adopt_service(struct lb_maps *maps, uint32_t number)
{
	maps->numbers.last_service = MAX(maps->numbers.last_service, number);
}

void lb_number_adopt_backend(struct lb_maps *maps, uint32_t id)
{
	maps->numbers.last_backend = MAX(maps->numbers.last_backend, id);
}

void lb_numbers_settle(struct lb_maps *maps)
{
	struct lb_numbers *numbers = &maps->numbers;

	if (!numbers->last_backend)
		return;
	numbers->backends_wrapped = numbers->last_backend > UINT32_MAX - 2 * BACKENDS_SKIPPED;
	numbers->last_backend += BACKENDS_SKIPPED;
}

struct search {
	uint32_t number;
	bool found;
};

static bool has_number(void *item, void *data)
{
	struct search *search = data;

	search->found |= ((struct kernel_service *)item)->number == search->number;
	return !search->found;
}

static bool service_is_there(const struct lb_maps *maps, uint32_t number)
{
	struct search search = {.number = number};
	GHashTableIter iter;
	void *service;

	keyed_set_foreach(&maps->services, has_number, &search);
	g_hash_table_iter_init(&iter, maps->unwanted);
	while (!search.found && g_hash_table_iter_next(&iter, &service, NULL))
		has_number(service, &search);
	return search.found;
}

uint32_t lb_number_take_service(struct lb_maps *maps)
{
	struct lb_numbers *numbers = &maps->numbers;

	do {
		if (numbers->last_service == SERVICE_MAX) {
			numbers->last_service = 0;
			numbers->services_wrapped = true;
		}
		numbers->last_service++;
	} while (numbers->services_wrapped && service_is_there(maps, numbers->last_service));
	return numbers->last_service;
}

static bool backend_is_there(const struct lb_maps *maps, uint32_t id)
{
	struct lb_backend value;

	return maps->datapath->ops->map_get(maps->datapath, PLAN_MAP_cilium_lb_backends, &id,
					    &value) == 0;
}

uint32_t lb_number_take_backend(struct lb_maps *maps)
{
	struct lb_numbers *numbers = &maps->numbers;

	do {
		if (numbers->last_backend == UINT32_MAX) {
			numbers->last_backend = 0;
			numbers->backends_wrapped = true;
		}
		numbers->last_backend++;
	} while (numbers->backends_wrapped && backend_is_there(maps, numbers->last_backend));
	return numbers->last_backend;
}

/* ---- front ends ---- */

static uint32_t *word_of(const struct lb_numbers *numbers, uint32_t id)
{
	return &numbers->frontend_ids[id / 32];
}

bool lb_number_has_frontend(const struct lb_maps *maps, uint32_t id)
{
	const struct lb_numbers *numbers = &maps->numbers;

	if (id >= FRONTEND_IDS)
		return g_hash_table_contains(numbers->wanted_ids, GUINT_TO_POINTER(id));
	return numbers->frontend_ids && *word_of(numbers, id) >> id % 32 & 1;
}

void lb_number_use_frontend(struct lb_maps *maps, uint32_t id)
{
	struct lb_numbers *numbers = &maps->numbers;

	if (id >= FRONTEND_IDS) {
		g_hash_table_add(numbers->wanted_ids, GUINT_TO_POINTER(id));
		return;
	}
	/* Pages that nothing writes to cost nothing. */
	if (!numbers->frontend_ids)
		numbers->frontend_ids = g_new0(uint32_t, FRONTEND_IDS / 32);
	*word_of(numbers, id) |= 1U << id % 32;
}

void lb_number_put_frontend(struct lb_maps *maps, uint32_t id)
{
	struct lb_numbers *numbers = &maps->numbers;

	if (id >= FRONTEND_IDS)
		g_hash_table_remove(numbers->wanted_ids, GUINT_TO_POINTER(id));
	else if (numbers->frontend_ids)
		*word_of(numbers, id) &= ~(1U << id % 32);
}

uint32_t lb_number_take_frontend(struct lb_maps *maps)
{
	struct lb_numbers *numbers = &maps->numbers;

	do
		numbers->last_frontend = numbers->last_frontend % (FRONTEND_IDS - 1) + 1;
	while (lb_number_has_frontend(maps, numbers->last_frontend));
	lb_number_use_frontend(maps, numbers->last_frontend);
	return numbers->last_frontend;
}
