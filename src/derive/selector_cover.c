// SPDX-License-Identifier: Apache-2.0
#include "src/derive/selector_cover.h"

#include <string.h>

static bool has_value(const struct requirement *requirement, const char *value)
{
	for (const char *const *known = requirement->values; *known; known++)
		if (strcmp(*known, value) == 0)
			return true;
	return false;
}

static bool has_values(const struct requirement *wide, const struct requirement *narrow)
{
	for (const char *const *value = narrow->values; *value; value++)
		if (!has_value(wide, *value))
			return false;
	return true;
}

/* Whether labels that meet narrow meet wide. */
static bool requirement_covers(const struct requirement *wide, const struct requirement *narrow)
{
	if (strcmp(wide->key, narrow->key) != 0 || g_strcmp0(wide->source, narrow->source) != 0)
		return false;
	switch (wide->op) {
	case REQUIREMENT_IN:
		return narrow->op == REQUIREMENT_IN && has_values(wide, narrow);
	case REQUIREMENT_NOT_IN:
		return narrow->op == REQUIREMENT_NOT_EXISTS ||
		       (narrow->op == REQUIREMENT_NOT_IN && has_values(narrow, wide));
	case REQUIREMENT_EXISTS:
		return narrow->op == REQUIREMENT_IN || narrow->op == REQUIREMENT_EXISTS;
	case REQUIREMENT_NOT_EXISTS:
		return narrow->op == REQUIREMENT_NOT_EXISTS;
	}
	return false;
}

/* Each requirement of wide follows of one of narrow. */
static bool labels_cover(const struct selector *wide, const struct selector *narrow)
{
	for (size_t i = 0; i < selector_n_requirements(wide); i++) {
		bool follows = false;

		for (size_t j = 0; j < selector_n_requirements(narrow) && !follows; j++)
			follows = requirement_covers(selector_get_requirement(wide, i),
						     selector_get_requirement(narrow, j));
		if (!follows)
			return false;
	}
	return true;
}

bool selector_covers(const struct selector *wide, const struct selector *narrow)
{
	enum selector_kind kind = selector_get_kind(wide);

	if (wide == narrow || selector_is_all(wide))
		return true;
	if (kind != selector_get_kind(narrow))
		return false;
	if (kind == SELECTOR_LABELS)
		return labels_cover(wide, narrow);
	return kind == SELECTOR_CIDR && !selector_get_excepts(wide) &&
	       selector_contains(wide, selector_get_cidr(narrow));
}

static bool covers_peers(const struct policy_rule *wide, const struct policy_rule *narrow)
{
	if (wide->any_peer || narrow->any_peer)
		return wide->any_peer;
	for (unsigned int i = 0; i < narrow->peers->len; i++) {
		bool covered = false;

		for (unsigned int j = 0; j < wide->peers->len && !covered; j++)
			covered = selector_covers(wide->peers->pdata[j], narrow->peers->pdata[i]);
		if (!covered)
			return false;
	}
	/* One that allows nobody anything is not shadowed. */
	return narrow->peers->len;
}

static bool port_covers(const struct policy_port *wide, const struct policy_port *narrow)
{
	if (!wide->protocol)
		return true;
	if (wide->protocol != narrow->protocol)
		return false;
	if (wide->all_ports || wide->name || narrow->name)
		return wide->all_ports || wide->name == narrow->name;
	return !narrow->all_ports && wide->port <= narrow->port &&
	       narrow->end_port <= wide->end_port;
}

static bool covers_ports(const struct policy_rule *wide, const struct policy_rule *narrow)
{
	if (!wide->ports->len)
		return true;
	for (unsigned int i = 0; i < narrow->ports->len; i++) {
		bool covered = false;

		for (unsigned int j = 0; j < wide->ports->len && !covered; j++)
			covered = port_covers(&g_array_index(wide->ports, struct policy_port, j),
					      &g_array_index(narrow->ports, struct policy_port, i));
		if (!covered)
			return false;
	}
	return narrow->ports->len;
}

bool selector_covers_rule(const struct policy_rule *wide, const struct policy_rule *narrow)
{
	return !wide->no_ports && !narrow->no_ports && covers_peers(wide, narrow) &&
	       covers_ports(wide, narrow);
}
