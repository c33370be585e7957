// SPDX-License-Identifier: Apache-2.0
/*
 * What is retired goes when no program can be using it. A program that has read the element of an endpoint
 * may be about to look for a peer of the version before, and then for an entry of its class; were that gone,
 * `otherwise` would decide, which may allow. So it is not time that is waited for, as a virtual CPU may stop
 * for longer than any, but the kernel's word that every program that was running has ended.
 */
#include "src/datapath/policy_private.h"

#include "src/base/clock.h"
#include "src/base/log.h"

#define WAIT_RETRY_NS NSEC_PER_SEC

/* From the end, so that what is left is what the structure says. */
static int delete_peers(struct policy_maps *maps, struct version *version,
			enum policy_direction direction, uint32_t *n_left)
{
	GArray *peers = version->peers[direction];
	uint32_t n = MIN(peers->len, *n_left), n_done;
	g_autofree struct policy_peer_key *keys = g_new(struct policy_peer_key, n);
	int err;

	if (!n)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		keys[i] = (struct policy_peer_key){
			.version = version->number,
			.identity = g_array_index(peers, struct version_peer, peers->len - 1 - i)
					    .identity,
			.direction = direction,
		};
	err = maps->datapath->ops->map_delete_batch(maps->datapath, PLAN_MAP_cilium_policy_peer,
						    keys, n, &n_done);
	for (uint32_t i = 0; i < MIN(n_done + (err != 0), n); i++)
		policy_tell_write(maps, PLAN_MAP_cilium_policy_peer, &keys[i], NULL,
				  i < n_done ? 0 : err);
	g_array_set_size(peers, peers->len - n_done);
	maps->n_peers -= n_done;
	*n_left -= n_done;
	return err;
}

static bool is_free(const struct policy_maps *maps, const struct version *version)
{
	return version->unseen ||
	       (maps->deletion_allowed && version->retired_since < maps->grace.n_ended);
}

static int delete_versions(struct policy_maps *maps, uint32_t *n_left)
{
	struct version *version;
	int err = 0;

	while ((version = g_queue_peek_head(&maps->retired)) && is_free(maps, version)) {
		for (int direction = 0; !err && direction < POLICY_DIRECTION__MAX; direction++)
			err = delete_peers(maps, version, direction, n_left);
		if (err || policy_version_n_peers(version))
			return err;
		g_queue_pop_head(&maps->retired);
		policy_version_free(maps, version);
	}
	return 0;
}

bool policy_reclaim(struct policy_maps *maps)
{
	uint32_t n_left = POLICY_BATCH;
	uint32_t n_before = maps->n_peers + maps->n_class_entries;
	/* Peers first: none may refer to a class that is not there. */
	int err = delete_versions(maps, &n_left);

	if (!err && maps->deletion_allowed)
		err = policy_class_reclaim(maps, &n_left);
	if (err && policy_failing_note(maps, &maps->reclaiming, -err))
		log_warning("datapath", "Old versions of rules cannot be deleted, will try again",
			    "error=%s", g_strerror(-err));
	if (!err)
		maps->reclaiming = (struct policy_failing){0};
	return maps->n_peers + maps->n_class_entries < n_before;
}

/* Something was given up that no wait has begun behind. */
static bool has_waiting(const struct policy_maps *maps)
{
	const struct version *last = g_queue_peek_tail((GQueue *)&maps->retired);

	if (last && last->retired_since >= maps->grace.n_ended)
		return true;
	for (const GList *link = maps->idle.head; link; link = link->next) {
		const struct kernel_class *class = link->data;

		if (!class->n_refs && class->idle_since >= maps->grace.n_ended)
			return true;
	}
	return false;
}

void policy_maps_end_wait(struct policy_maps *maps, int err)
{
	maps->grace.waiting = false;
	if (err) {
		if (policy_failing_note(maps, &maps->reclaiming, -err))
			log_warning("datapath", "Waiting for the programs failed, will try again",
				    "error=%s", g_strerror(-err));
		maps->grace.next_ns = maps->now_ns() + WAIT_RETRY_NS;
		return;
	}
	maps->grace.n_ended = maps->grace.n_begun;
}

static void begin_wait(struct policy_maps *maps)
{
	struct datapath *dp = maps->datapath;

	maps->grace.n_begun++;
	maps->grace.waiting = true;
	if (maps->wait)
		maps->wait(dp->ops->wait_programs, dp, maps->wait_data);
	else
		policy_maps_end_wait(maps, dp->ops->wait_programs(dp));
}

void policy_wait_if_needed(struct policy_maps *maps)
{
	if (maps->deletion_allowed && !maps->grace.waiting &&
	    maps->now_ns() >= maps->grace.next_ns && has_waiting(maps))
		begin_wait(maps);
}

int64_t policy_reclaim_next_ns(const struct policy_maps *maps)
{
	int64_t now_ns = maps->now_ns();

	/* Who ends a wait calls. */
	if (!maps->deletion_allowed || maps->grace.waiting ||
	    (!g_queue_get_length((GQueue *)&maps->retired) &&
	     !g_queue_get_length((GQueue *)&maps->idle)))
		return -1;
	if (maps->reclaiming.error)
		return MAX(maps->reclaiming.next_ns - now_ns, 0);
	return MAX(maps->grace.next_ns - now_ns, 0);
}
