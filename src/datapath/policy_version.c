// SPDX-License-Identifier: Apache-2.0
/* cilium_policy_peer: a version of a rule set, written as a whole, and peers that come and go under it. */
#include "src/datapath/policy_private.h"

#include <string.h>

struct version *policy_version_new(struct policy_maps *maps, uint32_t number)
{
	struct version *version = g_new0(struct version, 1);

	version->number = number;
	version->n_refs = 1;
	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
		version->peers[direction] = g_array_new(false, false, sizeof(struct version_peer));
	g_hash_table_insert(maps->versions, GUINT_TO_POINTER(number), version);
	return version;
}

struct version *policy_version_ref(struct version *version)
{
	version->n_refs++;
	return version;
}

void policy_version_free(struct policy_maps *maps, struct version *version)
{
	g_hash_table_remove(maps->versions, GUINT_TO_POINTER(version->number));
	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
		g_array_unref(version->peers[direction]);
	g_free(version);
}

void policy_version_unref(struct policy_maps *maps, struct version *version)
{
	if (!version || --version->n_refs)
		return;
	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
		for (guint i = 0; i < version->peers[direction]->len; i++)
			policy_class_unref(maps, g_array_index(version->peers[direction],
							       struct version_peer, i)
							 .value.class);
	version->retired_since = maps->grace.n_begun;
	if (version->unseen)
		g_queue_push_head(&maps->retired, version);
	else
		g_queue_push_tail(&maps->retired, version);
}

static int compare_identity(const void *pointer_a, const void *pointer_b)
{
	uint32_t a = ((const struct version_peer *)pointer_a)->identity;
	uint32_t b = ((const struct version_peer *)pointer_b)->identity;

	return a < b ? -1 : a > b;
}

const struct version_peer *policy_version_peer(const struct version *version,
					       enum policy_direction direction, uint32_t identity)
{
	const GArray *peers = version->peers[direction];
	const struct version_peer wanted = {.identity = identity};

	if (!peers->len)
		return NULL;
	return bsearch(&wanted, peers->data, peers->len, sizeof(wanted), compare_identity);
}

uint32_t policy_version_n_peers(const struct version *version)
{
	return version->peers[POLICY_INGRESS]->len + version->peers[POLICY_EGRESS]->len;
}

bool policy_version_has_class(const struct version *version, uint32_t class)
{
	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
		for (guint i = 0; i < version->peers[direction]->len; i++)
			if (g_array_index(version->peers[direction], struct version_peer, i)
				    .value.class
			    == class)
				return true;
	return false;
}

/* ---- a rule set, as the map has it ---- */

/* The others are a peer too. Where nothing is looked up, nothing is written. */
static uint32_t n_side_peers(const struct rule_set_direction *side)
{
	return side->open ? 0 : 1 + side->n_peers;
}

/* In the order of their identities. */
static struct rule_set_peer side_peer(const struct rule_set_direction *side, uint32_t i)
{
	if (i)
		return side->peers[i - 1];
	return (struct rule_set_peer){POLICY_IDENTITY_OTHERS, side->others};
}

uint32_t policy_set_n_peers(const struct rule_set *set)
{
	return n_side_peers(&set->directions[POLICY_INGRESS]) +
	       n_side_peers(&set->directions[POLICY_EGRESS]);
}

uint32_t policy_set_flags(const struct rule_set *set)
{
	return (set->directions[POLICY_INGRESS].open ? POLICY_F_OPEN_INGRESS : 0) |
	       (set->directions[POLICY_EGRESS].open ? POLICY_F_OPEN_EGRESS : 0);
}

/* ---- comparing ---- */

struct comparison {
	struct policy_maps *maps;
	enum policy_direction direction;
	const struct rule_set_direction *side;
	const GArray *peers;
	GArray *added;
	GArray *removed;
};

static bool peer_is(const struct comparison *comparison, const struct version_peer *peer,
		    const struct rule_class *class)
{
	struct policy_peer wanted;

	return policy_class_find(comparison->maps, class, &wanted) &&
	       memcmp(&wanted, &peer->value, sizeof(wanted)) == 0;
}

/* False where the two differ by more than peers that one of them has not got. */
static bool compare_side(const struct comparison *comparison)
{
	uint32_t n = n_side_peers(comparison->side), n_there = comparison->peers->len;
	uint32_t i = 0, j = 0;

	while (i < n || j < n_there) {
		struct rule_set_peer wanted = {UINT32_MAX, NULL};
		const struct version_peer *there =
			j < n_there ? &g_array_index(comparison->peers, struct version_peer, j)
				    : NULL;
		struct policy_change change = {comparison->direction};

		if (i < n)
			wanted = side_peer(comparison->side, i);
		if (there && i < n && there->identity == wanted.identity) {
			if (!peer_is(comparison, there, wanted.class))
				return false;
			i++;
			j++;
			continue;
		}
		if (!there || (i < n && wanted.identity < there->identity)) {
			change.identity = wanted.identity;
			change.class = wanted.class;
			g_array_append_val(comparison->added, change);
			i++;
		} else {
			change.identity = there->identity;
			g_array_append_val(comparison->removed, change);
			j++;
		}
		/* Those are rules, not a peer that comes or goes. */
		if (change.identity == POLICY_IDENTITY_OTHERS)
			return false;
	}
	return true;
}

enum policy_relation policy_version_compare(struct policy_maps *maps, const struct version *version,
					    const struct rule_set *set, GArray *ret_added,
					    GArray *ret_removed)
{
	const uint32_t open = POLICY_F_OPEN_INGRESS | POLICY_F_OPEN_EGRESS;

	if ((version->flags & open) != policy_set_flags(set))
		return POLICY_OTHER;
	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++) {
		const struct comparison comparison = {
			.maps = maps,
			.direction = direction,
			.side = &set->directions[direction],
			.peers = version->peers[direction],
			.added = ret_added,
			.removed = ret_removed,
		};

		if (!compare_side(&comparison))
			return POLICY_OTHER;
	}
	return ret_added->len || ret_removed->len ? POLICY_OTHER_PEERS : POLICY_SAME;
}

/* ---- writing ---- */

/* Entries on their way into the map, and what to do about each that has got there. */
struct batch {
	struct policy_maps *maps;
	struct version *version;
	uint32_t n;
	uint32_t n_written; /* of all batches */
	struct policy_peer_key keys[POLICY_BATCH];
	struct policy_peer values[POLICY_BATCH];
};

static struct batch *batch_new(struct policy_maps *maps, struct version *version)
{
	struct batch *batch = g_new(struct batch, 1);

	batch->maps = maps;
	batch->version = version;
	batch->n = batch->n_written = 0;
	return batch;
}

static int batch_flush(struct batch *batch)
{
	struct policy_maps *maps = batch->maps;
	uint32_t n_done = 0;
	int err;

	if (!batch->n)
		return 0;
	err = maps->datapath->ops->map_update_batch(maps->datapath, PLAN_MAP_cilium_policy_peer,
						    batch->keys, batch->values, batch->n, &n_done);
	for (uint32_t i = 0; i < MIN(n_done + (err != 0), batch->n); i++)
		policy_tell_write(maps, PLAN_MAP_cilium_policy_peer, &batch->keys[i],
				  &batch->values[i], i < n_done ? 0 : err);
	for (uint32_t i = 0; i < n_done; i++)
		policy_class_ref(maps, batch->values[i].class);
	maps->n_peers += n_done;
	batch->n_written += n_done;
	batch->n = 0;
	return err;
}

static int batch_put(struct batch *batch, const struct policy_change *change)
{
	bool is_there = policy_class_find(batch->maps, change->class, &batch->values[batch->n]);

	g_assert(is_there);
	batch->keys[batch->n++] = (struct policy_peer_key){
		.version = batch->version->number,
		.identity = change->identity,
		.direction = change->direction,
	};
	return batch->n == POLICY_BATCH ? batch_flush(batch) : 0;
}

/* Few are put in their places; of many the order is made at the end. */
#define INSERT_MAX 64

static void add_peer(struct policy_maps *maps, GArray *peers, const struct policy_change *change,
		     bool is_one_of_few)
{
	struct version_peer peer = {.identity = change->identity};
	guint place = peers->len;

	policy_class_find(maps, change->class, &peer.value);
	while (is_one_of_few && place &&
	       g_array_index(peers, struct version_peer, place - 1).identity > peer.identity)
		place--;
	g_array_insert_val(peers, place, peer);
}

/* All changes are peers that the version has not got, in order of direction and identity. */
static int write_peers(struct policy_maps *maps, struct version *version, const GArray *changes)
{
	struct batch *batch = batch_new(maps, version);
	bool in_order = policy_version_n_peers(version) == 0;
	bool is_few = !in_order && changes->len <= INSERT_MAX;
	int err = 0;

	for (guint i = 0; !err && i < changes->len; i++)
		err = batch_put(batch, &g_array_index(changes, struct policy_change, i));
	if (!err)
		err = batch_flush(batch);
	for (uint32_t i = 0; i < batch->n_written; i++) {
		const struct policy_change *change =
			&g_array_index(changes, struct policy_change, i);

		add_peer(maps, version->peers[change->direction], change, is_few);
	}
	for (int direction = 0; !in_order && !is_few && direction < POLICY_DIRECTION__MAX;
	     direction++)
		g_array_sort(version->peers[direction], compare_identity);
	g_free(batch);
	return err;
}

static GArray *changes_new(const struct rule_set *set)
{
	GArray *changes = g_array_sized_new(false, false, sizeof(struct policy_change),
					    policy_set_n_peers(set));

	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++) {
		const struct rule_set_direction *side = &set->directions[direction];

		for (uint32_t i = 0; i < n_side_peers(side); i++) {
			struct rule_set_peer peer = side_peer(side, i);
			struct policy_change change = {direction, peer.identity, peer.class};

			g_array_append_val(changes, change);
		}
	}
	return changes;
}

static bool has_room(const struct policy_maps *maps, uint32_t n, bool is_version)
{
	uint32_t max_entries =
		maps->datapath->ops->map_max_entries(maps->datapath, PLAN_MAP_cilium_policy_peer);
	uint32_t reserve = is_version ? policy_reserve(max_entries) : 0;

	return (uint64_t)maps->n_peers + n + reserve <= max_entries;
}

static int make_classes(struct policy_maps *maps, const GArray *changes)
{
	uint32_t reserve = policy_reserve(
		maps->datapath->ops->map_max_entries(maps->datapath, PLAN_MAP_cilium_policy_class));
	int err = 0;

	for (guint i = 0; !err && i < changes->len; i++)
		err = policy_class_make(maps, g_array_index(changes, struct policy_change, i).class,
					reserve);
	return err;
}

static int take_number(struct policy_maps *maps, uint32_t *ret_number)
{
	int err;

	/* Where the file of used numbers was lost, what is in the kernel still has its own. */
	do {
		err = maps->take_version(ret_number, maps->take_version_data);
	} while (!err && g_hash_table_contains(maps->versions, GUINT_TO_POINTER(*ret_number)));
	/* Whoever takes it has said why. No room on the disk must not look like none in the map. */
	return err || *ret_number > POLICY_VERSION_MAX ? -EIO : 0;
}

int policy_version_build(struct policy_maps *maps, const struct rule_set *set,
			 struct version **ret_version)
{
	g_autoptr(GArray) changes = changes_new(set);
	struct version *version;
	uint32_t number;
	int err = has_room(maps, changes->len, true) ? 0 : -ENOSPC;

	if (!err)
		err = make_classes(maps, changes);
	if (!err)
		err = take_number(maps, &number);
	if (err)
		return err;
	version = policy_version_new(maps, number);
	version->claimed = true;
	version->revision = set->revision;
	version->flags = policy_set_flags(set);
	err = write_peers(maps, version, changes);
	if (!err) {
		*ret_version = version;
		return 0;
	}
	version->unseen = true;
	policy_version_unref(maps, version);
	(void)policy_reclaim(maps);
	return err;
}

/* ---- in place ---- */

static void note_unfit(struct version *version, const struct rule_set *set,
		       const struct policy_change *change)
{
	version->n_unfit++;
	if (policy_class_allows_more(set->directions[change->direction].others, change->class))
		version->flags |= POLICY_F_INCOMPLETE;
}

int policy_version_add(struct policy_maps *maps, struct version *version,
		       const struct rule_set *set, const GArray *added)
{
	g_autoptr(GArray) fitting = g_array_new(false, false, sizeof(struct policy_change));
	uint32_t n_before = maps->n_peers;
	int first_err = 0, err;

	version->n_unfit = 0;
	version->flags &= ~POLICY_F_INCOMPLETE;
	for (guint i = 0; i < added->len; i++) {
		const struct policy_change *change = &g_array_index(added, struct policy_change, i);

		err = has_room(maps, fitting->len + 1, false)
			      ? policy_class_make(maps, change->class, 0)
			      : -ENOSPC;
		if (!err)
			g_array_append_vals(fitting, change, 1);
		else
			note_unfit(version, set, change);
		first_err = first_err ? first_err : err;
	}
	err = write_peers(maps, version, fitting);
	for (guint i = maps->n_peers - n_before; i < fitting->len; i++)
		note_unfit(version, set, &g_array_index(fitting, struct policy_change, i));
	return first_err ? first_err : err;
}

int policy_version_put(struct policy_maps *maps, struct version *version,
		       enum policy_direction direction, uint32_t identity,
		       const struct policy_peer *value)
{
	GArray *peers = version->peers[direction];
	const struct version_peer peer = {identity, *value};
	const struct policy_peer_key key = {version->number, identity, direction};
	guint place = peers->len;
	uint32_t n_done;
	int err;

	if (!has_room(maps, 1, false))
		return -ENOSPC;
	err = maps->datapath->ops->map_update_batch(maps->datapath, PLAN_MAP_cilium_policy_peer,
						    &key, value, 1, &n_done);
	policy_tell_write(maps, PLAN_MAP_cilium_policy_peer, &key, value, err);
	if (err)
		return err;
	while (place && g_array_index(peers, struct version_peer, place - 1).identity > identity)
		place--;
	g_array_insert_val(peers, place, peer);
	policy_class_ref(maps, value->class);
	maps->n_peers++;
	return 0;
}

/* Those of a direction, without the first n_done of removed. */
static void forget_peers(struct policy_maps *maps, struct version *version,
			 enum policy_direction direction, const GArray *removed, uint32_t n_done)
{
	GArray *peers = version->peers[direction];
	guint n_kept = 0;
	uint32_t next = 0;

	for (guint i = 0; i < peers->len; i++) {
		struct version_peer *peer = &g_array_index(peers, struct version_peer, i);
		const struct policy_change *change;

		while (next < n_done &&
		       g_array_index(removed, struct policy_change, next).direction != direction)
			next++;
		change = next < n_done ? &g_array_index(removed, struct policy_change, next) : NULL;
		if (change && change->identity == peer->identity) {
			policy_class_unref(maps, peer->value.class);
			next++;
		} else {
			g_array_index(peers, struct version_peer, n_kept++) = *peer;
		}
	}
	g_array_set_size(peers, n_kept);
}

int policy_version_remove(struct policy_maps *maps, struct version *version, const GArray *removed)
{
	g_autofree struct policy_peer_key *keys = g_new(struct policy_peer_key, removed->len);
	uint32_t n_done;
	int err;

	for (guint i = 0; i < removed->len; i++) {
		const struct policy_change *change =
			&g_array_index(removed, struct policy_change, i);

		keys[i] = (struct policy_peer_key){
			.version = version->number,
			.identity = change->identity,
			.direction = change->direction,
		};
	}
	err = maps->datapath->ops->map_delete_batch(maps->datapath, PLAN_MAP_cilium_policy_peer,
						    keys, removed->len, &n_done);
	for (uint32_t i = 0; i < MIN(n_done + (err != 0), removed->len); i++)
		policy_tell_write(maps, PLAN_MAP_cilium_policy_peer, &keys[i], NULL,
				  i < n_done ? 0 : err);
	for (int direction = 0; n_done && direction < POLICY_DIRECTION__MAX; direction++)
		forget_peers(maps, version, direction, removed, n_done);
	maps->n_peers -= n_done;
	return err;
}
