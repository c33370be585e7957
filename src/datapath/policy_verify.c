// SPDX-License-Identifier: Apache-2.0
/* The three maps read as a whole, and what somebody else changed in them put right. */
#include "src/datapath/policy_private.h"

#include <string.h>
#include "src/base/log.h"
#include "src/datapath/layout.h"
#include "src/model/map_text.h"

/* An entry that is not as it should be. */
struct difference {
	enum plan_map map;
	union {
		struct policy_class_key class;
		struct policy_peer_key peer;
		uint32_t endpoint_id;
	} key;
	bool is_missing;
	bool is_extra; /* nothing is known of it */
	union {        /* what should be there, unless is_extra */
		struct policy_leaf leaf;
		struct policy_peer peer;
		struct policy_endpoint element;
	} value;
};

struct verification {
	struct policy_maps *maps;
	GArray *differences; /* struct difference; classes, peers, elements: as they are written */
	GHashTable *n_seen;  /* struct version or struct kernel_class to how many entries it has */
};

static void count_seen(struct verification *verification, const void *owner)
{
	void *n = g_hash_table_lookup(verification->n_seen, owner);

	g_hash_table_insert(verification->n_seen, (void *)owner,
			    GUINT_TO_POINTER(GPOINTER_TO_UINT(n) + 1));
}

static bool is_complete(const struct verification *verification, const void *owner, uint32_t n)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(verification->n_seen, owner)) == n;
}

/* ---- classes ---- */

static bool verify_class_entry(const void *pointer_key, const void *value, void *data)
{
	struct verification *verification = data;
	struct difference difference = {.map = PLAN_MAP_cilium_policy_class};
	const struct rule_class_entry *entry;

	memcpy(&difference.key.class, pointer_key, sizeof(difference.key.class));
	entry = policy_class_entry(verification->maps, &difference.key.class);
	if (entry)
		count_seen(verification, GUINT_TO_POINTER(difference.key.class.class));
	if (entry && memcmp(&entry->leaf, value, sizeof(entry->leaf)) == 0)
		return true;
	difference.is_extra = !entry;
	if (entry)
		difference.value.leaf = entry->leaf;
	g_array_append_val(verification->differences, difference);
	return true;
}

static void add_missing_entries(struct verification *verification, const struct kernel_class *class)
{
	struct datapath *dp = verification->maps->datapath;

	for (unsigned int i = 0; i < class->n_entries; i++) {
		struct difference difference = {
			.map = PLAN_MAP_cilium_policy_class,
			.key.class = policy_class_key(class->number, &class->entries[i]),
			.is_missing = true,
			.value.leaf = class->entries[i].leaf,
		};
		struct policy_leaf leaf;

		if (dp->ops->map_get(dp, PLAN_MAP_cilium_policy_class, &difference.key.class,
				     &leaf) == -ENOENT)
			g_array_append_val(verification->differences, difference);
	}
}

static int verify_classes(struct verification *verification)
{
	struct policy_maps *maps = verification->maps;
	int err = maps->datapath->ops->map_foreach(maps->datapath, PLAN_MAP_cilium_policy_class,
						   verify_class_entry, verification);
	GHashTableIter iter;
	void *number, *pointer;

	g_hash_table_iter_init(&iter, maps->classes);
	while (!err && g_hash_table_iter_next(&iter, &number, &pointer)) {
		const struct kernel_class *class = pointer;

		if (!class->dying && !is_complete(verification, number, class->n_entries))
			add_missing_entries(verification, class);
	}
	g_hash_table_remove_all(verification->n_seen);
	return err;
}

/* ---- peers ---- */

static bool verify_peer(const void *pointer_key, const void *value, void *data)
{
	struct verification *verification = data;
	struct difference difference = {.map = PLAN_MAP_cilium_policy_peer};
	struct policy_peer_key *key = &difference.key.peer;
	const struct version_peer *peer = NULL;
	const struct version *version;

	memcpy(key, pointer_key, sizeof(*key));
	version = g_hash_table_lookup(verification->maps->versions, GUINT_TO_POINTER(key->version));
	if (version && key->direction < POLICY_DIRECTION__MAX)
		peer = policy_version_peer(version, key->direction, key->identity);
	if (peer)
		count_seen(verification, GUINT_TO_POINTER(key->version));
	if (peer && memcmp(&peer->value, value, sizeof(peer->value)) == 0)
		return true;
	difference.is_extra = !peer;
	if (peer)
		difference.value.peer = peer->value;
	/* What is on its way out goes. */
	if (!version || version->n_refs)
		g_array_append_val(verification->differences, difference);
	return true;
}

static void add_missing_peers(struct verification *verification, const struct version *version,
			      enum policy_direction direction)
{
	struct datapath *dp = verification->maps->datapath;
	const GArray *peers = version->peers[direction];

	for (guint i = 0; i < peers->len; i++) {
		const struct version_peer *peer = &g_array_index(peers, struct version_peer, i);
		struct difference difference = {
			.map = PLAN_MAP_cilium_policy_peer,
			.key.peer = {version->number, peer->identity, direction, {0}},
			.is_missing = true,
			.value.peer = peer->value,
		};
		struct policy_peer value;

		if (dp->ops->map_get(dp, PLAN_MAP_cilium_policy_peer, &difference.key.peer,
				     &value) == -ENOENT)
			g_array_append_val(verification->differences, difference);
	}
}

static int verify_peers(struct verification *verification)
{
	struct policy_maps *maps = verification->maps;
	int err = maps->datapath->ops->map_foreach(maps->datapath, PLAN_MAP_cilium_policy_peer,
						   verify_peer, verification);
	GHashTableIter iter;
	void *number, *pointer;

	g_hash_table_iter_init(&iter, maps->versions);
	while (!err && g_hash_table_iter_next(&iter, &number, &pointer)) {
		const struct version *version = pointer;

		if (!version->n_refs ||
		    is_complete(verification, number, policy_version_n_peers(version)))
			continue;
		for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
			add_missing_peers(verification, version, direction);
	}
	return err;
}

/* ---- elements ---- */

static void verify_elements(struct verification *verification)
{
	struct policy_maps *maps = verification->maps;

	for (uint32_t id = 0; id < POLICY_ENDPOINTS_MAX; id++) {
		const struct policy_endpoint there =
			maps->datapath->ops->policy_get(maps->datapath, id);
		const struct policy_subject *subject = policy_subject_get(maps, id);
		struct difference difference = {
			.map = PLAN_MAP_cilium_policy_endpoint,
			.key.endpoint_id = id,
			.is_extra = !subject,
			.is_missing = !there.version,
		};

		if (subject)
			difference.value.element = subject->element;
		if (memcmp(&there, &difference.value.element, sizeof(there)) != 0)
			g_array_append_val(verification->differences, difference);
	}
}

static int verify(struct verification *verification)
{
	int err = verify_classes(verification);

	if (!err)
		err = verify_peers(verification);
	if (!err)
		verify_elements(verification);
	return err;
}

/* ---- putting right ---- */

static char *describe(const struct difference *difference)
{
	g_autofree char *key = map_key_format(difference->map, &difference->key);

	return g_strdup_printf("%s %s", map_layout_get(difference->map)->name, key);
}

/* 0 or −errno. */
static int repair(struct policy_maps *maps, const struct difference *difference)
{
	const struct datapath_ops *ops = maps->datapath->ops;
	int err = 0;

	if (difference->map == PLAN_MAP_cilium_policy_endpoint)
		ops->policy_set(maps->datapath, difference->key.endpoint_id,
				&difference->value.element);
	else if (difference->is_extra)
		err = ops->map_delete(maps->datapath, difference->map, &difference->key);
	else
		err = ops->map_update(maps->datapath, difference->map, &difference->key,
				      &difference->value);
	policy_tell_write(maps, difference->map, &difference->key,
			  difference->is_extra ? NULL : &difference->value, err);
	return err;
}

static void log_repair(const struct difference *difference)
{
	g_autofree char *object = describe(difference);
	const char *message = difference->is_extra ? "An object was added from outside: removing it"
			      : difference->is_missing
				      ? "An object was removed from outside: repairing it"
				      : "An object was changed from outside: repairing it";

	log_warning("datapath", message, "reconciler=%s object=%s", "policy", object);
}

static struct verification verification_new(struct policy_maps *maps)
{
	return (struct verification){
		.maps = maps,
		.differences = g_array_new(false, false, sizeof(struct difference)),
		.n_seen = g_hash_table_new(NULL, NULL),
	};
}

static void verification_free(const struct verification *verification)
{
	g_array_unref(verification->differences);
	g_hash_table_unref(verification->n_seen);
}

/* 0 or −errno, and how many were put right. */
static int verify_and_repair(struct policy_maps *maps, unsigned int *ret_n_repaired)
{
	struct verification verification = verification_new(maps);
	int err = verify(&verification);
	unsigned int n_repaired = 0;

	for (guint i = 0; !err && i < verification.differences->len; i++) {
		const struct difference *difference =
			&g_array_index(verification.differences, struct difference, i);

		/* It may be of an older run, until every source has said what it has. */
		if (difference->is_extra && !maps->deletion_allowed)
			continue;
		if (n_repaired++ < RECONCILE_LOG_MAX)
			log_repair(difference);
		err = repair(maps, difference);
	}
	*ret_n_repaired = n_repaired;
	verification_free(&verification);
	return err;
}

unsigned int policy_maps_resync(struct policy_maps *maps)
{
	bool was_failing = controller_is_failing(maps->controller);
	g_autoptr(GError) error = NULL;
	unsigned int n_repaired;
	int err;

	policy_begin_run(maps);
	err = verify_and_repair(maps, &n_repaired);
	if (err)
		error_set_errno(&error, -err, "comparing the maps of policy");
	if (err && !was_failing)
		log_warning("datapath", "Comparing the maps of policy failed, will try again",
			    "error=%s", g_strerror(-err));
	maps->n_repaired += n_repaired;
	policy_end_run(maps, error);
	return n_repaired;
}

/* ---- one endpoint ---- */

static bool is_of(const struct policy_subject *subject, const struct difference *difference)
{
	uint32_t class = difference->key.class.class;

	switch (difference->map) {
	case PLAN_MAP_cilium_policy_endpoint:
		return difference->key.endpoint_id == subject->id;
	case PLAN_MAP_cilium_policy_peer:
		return subject->version && difference->key.peer.version == subject->version->number;
	default:
		return subject->version && policy_version_has_class(subject->version, class);
	}
}

int policy_maps_reapply_endpoint(struct policy_maps *maps, uint16_t endpoint_id,
				 void (*fn)(const struct reconciler_difference *difference,
					    void *data),
				 void *data)
{
	const struct policy_subject *subject = policy_subject_get(maps, endpoint_id);
	struct verification verification;
	int err;

	if (!subject)
		return 0;
	verification = verification_new(maps);
	err = verify(&verification);
	for (guint i = 0; !err && i < verification.differences->len; i++) {
		const struct difference *difference =
			&g_array_index(verification.differences, struct difference, i);
		g_autofree char *object = NULL;

		if (!is_of(subject, difference))
			continue;
		object = describe(difference);
		fn(
			&(const struct reconciler_difference){
				.object = object,
				.is_missing = difference->is_missing,
				.error = -repair(maps, difference),
			},
			data);
	}
	verification_free(&verification);
	if (err)
		return err;
	return 1 + (subject->version ? (int)policy_version_n_peers(subject->version) : 0);
}
