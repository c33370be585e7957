// SPDX-License-Identifier: Apache-2.0
/*
 * cilium_policy_class: what peers refer to. A class is written whole before a peer refers to it, kept as long
 * as one does, and deleted when no program can be using it. Its number then stands for nothing: an entry
 * that is missing would let `otherwise` decide.
 */
#include "src/datapath/policy_private.h"

#include <arpa/inet.h>
#include <string.h>

static size_t n_entry_bytes(const struct kernel_class *class)
{
	return class->n_entries * sizeof(class->entries[0]);
}

static unsigned int hash_content(const void *pointer)
{
	const struct kernel_class *class = pointer;
	const uint32_t *words = (const uint32_t *)class->entries;
	unsigned int hash = class->n_entries;

	for (size_t i = 0; i < n_entry_bytes(class) / sizeof(words[0]); i++)
		hash = (hash ^ words[i]) * 16777619U; /* FNV-1a, by words */
	return hash;
}

static int equal_content(const void *pointer_a, const void *pointer_b)
{
	const struct kernel_class *a = pointer_a, *b = pointer_b;

	return a->n_entries == b->n_entries &&
	       memcmp(a->entries, b->entries, n_entry_bytes(a)) == 0;
}

static struct kernel_class *get_class(const struct policy_maps *maps, uint32_t number)
{
	return g_hash_table_lookup(maps->classes, GUINT_TO_POINTER(number));
}

/* NULL where no class has these entries. */
static struct kernel_class *find_class(struct policy_maps *maps, const struct rule_class *class)
{
	struct kernel_class *known = g_hash_table_lookup(maps->known, class);

	if (!known) {
		const struct kernel_class wanted = {
			.n_entries = class->n_entries,
			.entries = (struct rule_class_entry *)class->entries,
		};

		known = g_hash_table_lookup(maps->contents, &wanted);
		if (known)
			g_hash_table_insert(maps->known, (void *)class, known);
	}
	return known;
}

bool policy_class_find(struct policy_maps *maps, const struct rule_class *class,
		       struct policy_peer *ret_peer)
{
	const struct kernel_class *known = class->n_entries ? find_class(maps, class) : NULL;

	*ret_peer = (struct policy_peer){
		.class = known ? known->number : 0,
		.prefix_lens = class->prefix_lens,
		.otherwise = class->otherwise,
	};
	return known || !class->n_entries;
}

const struct rule_class *policy_class_content(const struct policy_maps *maps,
					      const struct policy_peer *peer)
{
	const struct kernel_class *class = get_class(maps, peer->class);

	return rule_class_new(&peer->otherwise, class ? class->entries : NULL,
			      class ? class->n_entries : 0);
}

struct policy_class_key policy_class_key(uint32_t number, const struct rule_class_entry *entry)
{
	return (struct policy_class_key){
		.class = number,
		.protocol = entry->protocol,
		.prefix_len = entry->prefix_len,
		.port = htons(entry->port),
	};
}

static int compare_entries(const void *pointer_a, const void *pointer_b)
{
	const struct rule_class_entry *a = pointer_a, *b = pointer_b;

	if (a->protocol != b->protocol)
		return a->protocol - b->protocol;
	if (a->port != b->port)
		return a->port - b->port;
	return a->prefix_len - b->prefix_len;
}

const struct rule_class_entry *policy_class_entry(const struct policy_maps *maps,
						  const struct policy_class_key *key)
{
	const struct kernel_class *class = get_class(maps, key->class);
	const struct rule_class_entry wanted = {
		.protocol = key->protocol,
		.prefix_len = key->prefix_len,
		.port = ntohs(key->port),
	};

	if (!class)
		return NULL;
	return bsearch(&wanted, class->entries, class->n_entries, sizeof(wanted), compare_entries);
}

static void push_idle(struct policy_maps *maps, struct kernel_class *class)
{
	class->idle_since = maps->grace.n_begun;
	if (!class->queued)
		g_queue_push_tail(&maps->idle, class);
	class->queued = true;
}

static struct kernel_class *add_class(struct policy_maps *maps, uint32_t number,
				      const struct rule_class_entry *entries, unsigned int n)
{
	struct kernel_class *class = g_new0(struct kernel_class, 1);

	class->number = number;
	class->n_entries = n;
	class->entries = g_memdup2(entries, n * sizeof(entries[0]));
	g_hash_table_insert(maps->classes, GUINT_TO_POINTER(number), class);
	push_idle(maps, class);
	return class;
}

/* Nothing may refer to it from now on: it goes. */
static void let_die(struct policy_maps *maps, struct kernel_class *class)
{
	if (class->dying)
		return;
	class->dying = true;
	g_hash_table_remove_all(maps->known);
	if (g_hash_table_lookup(maps->contents, class) == class)
		g_hash_table_remove(maps->contents, class);
}

static void free_class(struct policy_maps *maps, struct kernel_class *class)
{
	let_die(maps, class);
	g_hash_table_remove(maps->classes, GUINT_TO_POINTER(class->number));
	g_free(class->entries);
	g_free(class);
}

static uint32_t take_number(struct policy_maps *maps)
{
	do {
		maps->last_class++;
	} while (!maps->last_class || get_class(maps, maps->last_class));
	return maps->last_class;
}

static int write_class(struct policy_maps *maps, const struct kernel_class *class,
		       uint32_t *ret_n_done)
{
	g_autofree struct policy_class_key *keys = g_new(struct policy_class_key, class->n_entries);
	g_autofree struct policy_leaf *leaves = g_new(struct policy_leaf, class->n_entries);
	int err;

	for (unsigned int i = 0; i < class->n_entries; i++) {
		keys[i] = policy_class_key(class->number, &class->entries[i]);
		leaves[i] = class->entries[i].leaf;
	}
	err = maps->datapath->ops->map_update_batch(maps->datapath, PLAN_MAP_cilium_policy_class,
						    keys, leaves, class->n_entries, ret_n_done);
	for (unsigned int i = 0; i < *ret_n_done; i++)
		policy_tell_write(maps, PLAN_MAP_cilium_policy_class, &keys[i], &leaves[i], 0);
	if (err)
		policy_tell_write(maps, PLAN_MAP_cilium_policy_class, &keys[*ret_n_done],
				  &leaves[*ret_n_done], err);
	return err;
}

static uint32_t max_entries(const struct policy_maps *maps)
{
	return maps->datapath->ops->map_max_entries(maps->datapath, PLAN_MAP_cilium_policy_class);
}

int policy_class_make(struct policy_maps *maps, const struct rule_class *class, uint32_t reserve)
{
	struct kernel_class *made;
	uint32_t n_done;
	int err;

	if (!class->n_entries || find_class(maps, class))
		return 0;
	if ((uint64_t)maps->n_class_entries + class->n_entries + reserve > max_entries(maps))
		return -ENOSPC;
	made = add_class(maps, take_number(maps), class->entries, class->n_entries);
	err = write_class(maps, made, &n_done);
	made->n_entries = n_done;
	maps->n_class_entries += n_done;
	if (err) {
		let_die(maps, made); /* and what is there of it goes */
		return err;
	}
	g_hash_table_add(maps->contents, made);
	g_hash_table_insert(maps->known, (void *)class, made);
	return 0;
}

void policy_class_ref(struct policy_maps *maps, uint32_t number)
{
	struct kernel_class *class = get_class(maps, number);

	if (class)
		class->n_refs++;
}

void policy_class_unref(struct policy_maps *maps, uint32_t number)
{
	struct kernel_class *class = get_class(maps, number);

	/* A peer that was found in the kernel may refer to one that was not. */
	if (class && !--class->n_refs)
		push_idle(maps, class);
}

void policy_class_adopt(struct policy_maps *maps, uint32_t number, GArray *take_entries)
{
	g_array_sort(take_entries, compare_entries);
	add_class(maps, number, (const struct rule_class_entry *)take_entries->data,
		  take_entries->len);
	maps->n_class_entries += take_entries->len;
	g_array_unref(take_entries);
}

void policy_class_index(struct policy_maps *maps)
{
	/* Two of one content, where an agent was killed at the wrong moment: that which is in use counts. */
	for (int in_use = 1; in_use >= 0; in_use--) {
		GHashTableIter iter;
		void *pointer;

		g_hash_table_iter_init(&iter, maps->classes);
		while (g_hash_table_iter_next(&iter, NULL, &pointer)) {
			struct kernel_class *class = pointer;

			if ((class->n_refs > 0) == in_use &&
			    !g_hash_table_contains(maps->contents, class))
				g_hash_table_add(maps->contents, class);
		}
	}
}

/* From the end, so that what is left is what the structure says. */
static int delete_entries(struct policy_maps *maps, struct kernel_class *class, uint32_t *n_left)
{
	uint32_t n = MIN(class->n_entries, *n_left), n_done;
	g_autofree struct policy_class_key *keys = g_new(struct policy_class_key, n);
	int err;

	for (uint32_t i = 0; i < n; i++)
		keys[i] =
			policy_class_key(class->number, &class->entries[class->n_entries - 1 - i]);
	err = maps->datapath->ops->map_delete_batch(maps->datapath, PLAN_MAP_cilium_policy_class,
						    keys, n, &n_done);
	for (uint32_t i = 0; i < n_done; i++)
		policy_tell_write(maps, PLAN_MAP_cilium_policy_class, &keys[i], NULL, 0);
	class->n_entries -= n_done;
	maps->n_class_entries -= n_done;
	*n_left -= n_done;
	return err;
}

int policy_class_reclaim(struct policy_maps *maps, uint32_t *n_left)
{
	unsigned int n_idle = g_queue_get_length(&maps->idle);

	for (unsigned int i = 0; i < n_idle; i++) {
		struct kernel_class *class = g_queue_pop_head(&maps->idle);
		int err;

		if (class->n_refs) {
			class->queued = false; /* in use again; it comes back when it is not */
			continue;
		}
		if (class->idle_since >= maps->grace.n_ended || !*n_left) {
			g_queue_push_tail(&maps->idle, class);
			continue;
		}
		let_die(maps, class);
		err = delete_entries(maps, class, n_left);
		if (err || class->n_entries)
			g_queue_push_tail(&maps->idle, class);
		else
			free_class(maps, class);
		if (err)
			return err;
	}
	return 0;
}

void policy_class_init(struct policy_maps *maps)
{
	maps->classes = g_hash_table_new(NULL, NULL);
	maps->contents = g_hash_table_new(hash_content, equal_content);
	maps->known = g_hash_table_new(NULL, NULL);
	g_queue_init(&maps->idle);
}

void policy_class_fini(struct policy_maps *maps)
{
	GHashTableIter iter;
	void *pointer;

	g_hash_table_unref(maps->known);
	g_hash_table_unref(maps->contents);
	g_hash_table_iter_init(&iter, maps->classes);
	while (g_hash_table_iter_next(&iter, NULL, &pointer)) {
		struct kernel_class *class = pointer;

		g_free(class->entries);
		g_free(class);
	}
	g_hash_table_unref(maps->classes);
	g_queue_clear(&maps->idle);
}
