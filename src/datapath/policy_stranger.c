// SPDX-License-Identifier: Apache-2.0
/*
 * Peers for whom a version in force has no entry of their own: whether what it says of others lets them do what the
 * rules deny them.
 */
#include "src/datapath/policy_private.h"

#include "src/model/identity.h"

/* Whether the one allows something that the other does not, at one port. */
static bool allows_more_at(const struct rule_class *a, const struct rule_class *b, uint8_t protocol,
			   uint16_t port)
{
	return rule_class_judge(a, protocol, port).verdict == POLICY_VERDICT_ALLOW &&
	       rule_class_judge(b, protocol, port).verdict != POLICY_VERDICT_ALLOW;
}

/* Looks at the ends of the ranges of one of them: what they say changes nowhere else. */
static bool allows_more_near(const struct rule_class *a, const struct rule_class *b,
			     const struct rule_class *ranges)
{
	for (unsigned int i = 0; i < ranges->n_entries; i++) {
		const struct rule_class_entry *entry = &ranges->entries[i];
		uint32_t last = entry->port | ((1U << (POLICY_PORT_BITS - entry->prefix_len)) - 1);

		if (allows_more_at(a, b, entry->protocol, 0) ||
		    allows_more_at(a, b, entry->protocol, entry->port) ||
		    (last < UINT16_MAX && allows_more_at(a, b, entry->protocol, last + 1)))
			return true;
	}
	return false;
}

bool policy_class_allows_more(const struct rule_class *a, const struct rule_class *b)
{
	if (a == b)
		return false;
	/* Protocols that neither has an entry for. */
	if (a->otherwise.verdict == POLICY_VERDICT_ALLOW &&
	    b->otherwise.verdict != POLICY_VERDICT_ALLOW)
		return true;
	return allows_more_near(a, b, a) || allows_more_near(a, b, b);
}

/* ---- identities that the rules in force have never seen ---- */

struct strangers {
	const struct rule_set *row; /* what the plan says, which does not fit */
	const struct version *version;
	uint64_t known_revision;
	const struct rule_class
		*others[POLICY_DIRECTION__MAX]; /* of version; NULL: deny, or open */
	bool are_let_in;                        /* one of them */
};

static bool is_let_in(const struct strangers *strangers, enum policy_direction direction,
		      uint32_t identity)
{
	const struct rule_class *others = strangers->others[direction];

	return others && !strangers->row->directions[direction].open &&
	       !policy_version_peer(strangers->version, direction, identity) &&
	       policy_class_allows_more(others,
					rule_set_get_class(strangers->row, direction, identity));
}

static bool weigh(const struct row *row, void *data)
{
	const struct identity *identity = (const struct identity *)row;
	struct strangers *strangers = data;

	if (row->revision > strangers->known_revision)
		strangers->are_let_in = is_let_in(strangers, POLICY_INGRESS, identity->number) ||
					is_let_in(strangers, POLICY_EGRESS, identity->number);
	return !strangers->are_let_in;
}

/* NULL where nothing is looked up, or nobody is allowed anything. */
static const struct rule_class *others_of(struct policy_maps *maps, const struct version *version,
					  enum policy_direction direction)
{
	const uint32_t open[] = {POLICY_F_OPEN_INGRESS, POLICY_F_OPEN_EGRESS};
	const struct version_peer *others =
		policy_version_peer(version, direction, POLICY_IDENTITY_OTHERS);

	if (!others || version->flags & open[direction])
		return NULL;
	return policy_class_content(maps, &others->value);
}

bool policy_set_lets_strangers_in(struct policy_maps *maps, struct policy_set *set,
				  const struct version *version)
{
	struct strangers strangers = {
		.row = set->row,
		.version = version,
		.known_revision = set->known_revision,
	};

	if (set->weighed_version == version->number)
		return set->lets_strangers_in;
	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
		strangers.others[direction] = others_of(maps, version, direction);
	set->weighed_version = version->number;
	table_foreach (maps->identities, weigh, &strangers)
		;
	set->lets_strangers_in = strangers.are_let_in;
	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
		rule_class_unref(strangers.others[direction]);
	return set->lets_strangers_in;
}
