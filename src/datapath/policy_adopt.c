// SPDX-License-Identifier: Apache-2.0
/*
 * What an agent before this one has left in the three maps. Versions that endpoints have stay in force until the
 * plan says something else; whether it does is found out by content (policy_set.c). Everything else goes
 * once deletion is allowed, also what is left of a version or a class that was being written, or deleted, when
 * that agent was killed.
 */
#include "src/datapath/policy_private.h"

#include <arpa/inet.h>
#include <string.h>

struct reading {
	struct policy_maps *maps;
	GHashTable *entries; /* number of a class to GArray of struct rule_class_entry */
};

static void unref_array(void *array)
{
	g_array_unref(array);
}

static bool read_class_entry(const void *pointer_key, const void *value, void *data)
{
	struct reading *reading = data;
	struct policy_class_key key;
	struct rule_class_entry entry;
	GArray *entries;

	memcpy(&key, pointer_key, sizeof(key));
	entry = (struct rule_class_entry){
		.protocol = key.protocol,
		.prefix_len = key.prefix_len,
		.port = ntohs(key.port),
	};
	memcpy(&entry.leaf, value, sizeof(entry.leaf));
	entries = g_hash_table_lookup(reading->entries, GUINT_TO_POINTER(key.class));
	if (!entries) {
		entries = g_array_new(false, false, sizeof(entry));
		g_hash_table_insert(reading->entries, GUINT_TO_POINTER(key.class), entries);
	}
	g_array_append_val(entries, entry);
	return true;
}

static int adopt_classes(struct policy_maps *maps)
{
	g_autoptr(GHashTable) entries = g_hash_table_new_full(NULL, NULL, NULL, unref_array);
	struct reading reading = {maps, entries};
	int err = maps->datapath->ops->map_foreach(maps->datapath, PLAN_MAP_cilium_policy_class,
						   read_class_entry, &reading);
	GHashTableIter iter;
	void *number, *array;

	g_hash_table_iter_init(&iter, entries);
	while (!err && g_hash_table_iter_next(&iter, &number, &array))
		policy_class_adopt(maps, GPOINTER_TO_UINT(number), g_array_ref(array));
	return err;
}

static bool read_peer(const void *pointer_key, const void *value, void *data)
{
	struct policy_maps *maps = data;
	struct version_peer peer;
	struct policy_peer_key key;
	struct version *version;

	memcpy(&key, pointer_key, sizeof(key));
	memcpy(&peer.value, value, sizeof(peer.value));
	peer.identity = key.identity;
	/* Not ours; the next comparison removes it. */
	if (key.direction >= POLICY_DIRECTION__MAX)
		return true;
	version = g_hash_table_lookup(maps->versions, GUINT_TO_POINTER(key.version));
	if (!version)
		version = policy_version_new(maps, key.version);
	g_array_append_val(version->peers[key.direction], peer);
	maps->n_peers++;
	/* Where the class is gone, no other may be given its number. */
	maps->last_class = MAX(maps->last_class, peer.value.class);
	policy_class_ref(maps, peer.value.class);
	return true;
}

static void adopt_elements(struct policy_maps *maps)
{
	static const struct policy_endpoint none;

	for (uint32_t id = 0; id < POLICY_ENDPOINTS_MAX; id++) {
		const struct policy_endpoint element =
			maps->datapath->ops->policy_get(maps->datapath, id);

		if (memcmp(&element, &none, sizeof(none)) != 0)
			policy_subject_adopt(maps, id, &element);
	}
}

static int compare_identity(const void *pointer_a, const void *pointer_b)
{
	uint32_t a = ((const struct version_peer *)pointer_a)->identity;
	uint32_t b = ((const struct version_peer *)pointer_b)->identity;

	return a < b ? -1 : a > b;
}

int policy_maps_adopt(struct policy_maps *maps)
{
	g_autoptr(GList) versions = NULL;
	int err = adopt_classes(maps);

	if (!err)
		err = maps->datapath->ops->map_foreach(maps->datapath, PLAN_MAP_cilium_policy_peer,
						       read_peer, maps);
	if (err)
		return err;
	versions = g_hash_table_get_values(maps->versions);
	adopt_elements(maps);
	for (GList *link = versions; link; link = link->next) {
		struct version *version = link->data;

		for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
			g_array_sort(version->peers[direction], compare_identity);
		policy_version_unref(maps, version);
	}
	policy_class_index(maps);
	return 0;
}
