// SPDX-License-Identifier: Apache-2.0
/*
 * Prefixes that policies have come to name while no agent ran. New rules are put in force after the kernel knows the
 * identities that they name, and the rules in force, of the agent before, know none of these: so those get an entry
 * for each, which says what they say of the addresses now.
 */
#include "src/datapath/policy_private.h"

#include <string.h>
#include "abi/ipcache.h"
#include "src/model/plan.h"

struct known_prefix {
	struct ipcache_prefix_key key;
	uint32_t identity;
};

struct seeding {
	struct policy_maps *maps;
	GHashTable *known; /* struct known_prefix, as the kernel has it */
	bool lens[129];    /* that are in known */
	policy_seeded fn;
	void *data;
};

static unsigned int hash_prefix(const void *pointer)
{
	const struct known_prefix *prefix = pointer;
	const uint8_t *bytes = (const uint8_t *)&prefix->key;
	unsigned int hash = 5381;

	for (size_t i = 0; i < sizeof(prefix->key); i++)
		hash = hash * 33 + bytes[i];
	return hash;
}

static gboolean equal_prefix(const void *a, const void *b)
{
	return memcmp(&((const struct known_prefix *)a)->key,
		      &((const struct known_prefix *)b)->key,
		      sizeof(struct ipcache_prefix_key)) == 0;
}

static bool read_prefix(const void *key, const void *value, void *data)
{
	struct seeding *seeding = data;
	struct known_prefix *prefix = g_new0(struct known_prefix, 1);
	struct ipcache_info entry;

	memcpy(&prefix->key, key, sizeof(prefix->key));
	memcpy(&entry, value, sizeof(entry));
	prefix->identity = entry.identity;
	seeding->lens[MIN(prefix->key.prefix_len, 128)] = true;
	g_hash_table_add(seeding->known, prefix);
	return true;
}

/* What its addresses are to the kernel; 0: nothing. */
static uint32_t find_around(const struct seeding *seeding, const struct ipcache_prefix_key *key)
{
	const struct cidr cidr = {.addr = key->addr, .prefix_len = key->prefix_len};

	for (int len = key->prefix_len; len >= 0; len--) {
		const struct cidr around = cidr_truncate(&cidr, len);
		const struct known_prefix wanted = {
			.key = {.prefix_len = len, .addr = around.addr}};
		const struct known_prefix *known =
			seeding->lens[len] ? g_hash_table_lookup(seeding->known, &wanted) : NULL;

		if (known)
			return known->identity;
	}
	return 0;
}

/* False where there was no room: the prefix has to wait until the rules know it. */
static bool seed_version(struct policy_maps *maps, struct version *version, uint32_t around,
			 uint32_t identity)
{
	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++) {
		const struct version_peer *peer = policy_version_peer(version, direction, around);
		struct policy_peer value;

		if (!peer || policy_version_peer(version, direction, identity))
			continue;
		value = peer->value;
		if (policy_version_put(maps, version, direction, identity, &value))
			return false;
	}
	return true;
}

static bool seed(const struct row *row, void *data)
{
	const struct plan_map_entry *entry = (const struct plan_map_entry *)row;
	struct seeding *seeding = data;
	struct ipcache_prefix_key key;
	struct ipcache_info value;
	bool is_known = true;
	GHashTableIter iter;
	uint32_t around;
	void *version;

	if (entry->data[0] != PLAN_MAP_cilium_ipcache_prefix)
		return true;
	memcpy(&key, entry->data + 1, sizeof(key));
	memcpy(&value, entry->data + 1 + entry->n_key_bytes, sizeof(value));
	around = find_around(seeding, &key);
	if (around == value.identity)
		return true;
	g_hash_table_iter_init(&iter, seeding->maps->versions);
	while (is_known && g_hash_table_iter_next(&iter, NULL, &version))
		if (((struct version *)version)->n_refs)
			is_known = seed_version(seeding->maps, version, around, value.identity);
	if (is_known)
		seeding->fn(row, seeding->data);
	return true;
}

int policy_maps_seed(struct policy_maps *maps, const struct table *plan_map_entries,
		     policy_seeded fn, void *data)
{
	g_autoptr(GHashTable) known =
		g_hash_table_new_full(hash_prefix, equal_prefix, g_free, NULL);
	struct seeding seeding = {.maps = maps, .known = known, .fn = fn, .data = data};
	int err = maps->datapath->ops->map_foreach(maps->datapath, PLAN_MAP_cilium_ipcache_prefix,
						   read_prefix, &seeding);

	if (!err)
		table_foreach (plan_map_entries, seed, &seeding)
			;
	return err;
}
