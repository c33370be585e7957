/* SPDX-License-Identifier: Apache-2.0 */
#include "test/golden/print_policy.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "src/model/rule_set.h"

struct printing {
	const struct tables *tables;
	GPtrArray *lines;
	const struct rule_set *set;
	GString *endpoints; /* that have the set */
	enum policy_direction direction;
};

static const char *protocol_text(uint8_t protocol, char buffer[static 8])
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_SCTP:
		return "SCTP";
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	}
	snprintf(buffer, 8, "%u", protocol);
	return buffer;
}

static char *leaf_text(const struct printing *printing, const struct policy_leaf *leaf)
{
	static const char *const verdicts[] = {"default deny", "allow", "deny", "needs proxy",
					       "needs authentication"};
	static const char *const matches[] = {"none", "L3",           "L3, port", "port",
					      "all",  "L3, protocol", "protocol"};
	const struct rule_origin *origin = (const struct rule_origin *)table_get(
		printing->tables->rule_origins, &leaf->rule, sizeof(leaf->rule));

	if (!leaf->rule)
		return g_strdup(verdicts[leaf->verdict]);
	return g_strdup_printf("%s by %s %s (%s)", verdicts[leaf->verdict],
			       origin ? origin->policy : "?", origin ? origin->path : "?",
			       matches[leaf->match]);
}

G_GNUC_PRINTF(2, 3)
static void add_line(struct printing *printing, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(
		printing->lines,
		g_strdup_printf("%s %s %s", printing->endpoints->str,
				printing->direction == POLICY_INGRESS ? "ingress" : "egress",
				text));
}

static void add_class(struct printing *printing, const char *peers, const struct rule_class *class)
{
	g_autofree char *otherwise = leaf_text(printing, &class->otherwise);

	for (unsigned int i = 0; i < class->n_entries; i++) {
		const struct rule_class_entry *entry = &class->entries[i];
		g_autofree char *leaf = leaf_text(printing, &entry->leaf);
		unsigned int last = entry->port + (1u << (16 - entry->prefix_len)) - 1;
		char buffer[8];

		if (entry->prefix_len == 16)
			add_line(printing, "%s %s %05u: %s", peers,
				 protocol_text(entry->protocol, buffer), entry->port, leaf);
		else
			add_line(printing, "%s %s %05u-%05u: %s", peers,
				 protocol_text(entry->protocol, buffer), entry->port, last, leaf);
	}
	add_line(printing, "%s otherwise: %s", peers, otherwise);
}

/* Peers of one class on one line, at the first of them. */
static void add_peers(struct printing *printing, const struct rule_set_direction *direction,
		      unsigned int first)
{
	const struct rule_class *class = direction->peers[first].class;
	g_autoptr(GString) peers = g_string_new("from or to");

	for (unsigned int i = 0; i < first; i++)
		if (direction->peers[i].class == class)
			return;
	for (unsigned int i = first; i < direction->n_peers; i++)
		if (direction->peers[i].class == class)
			g_string_append_printf(peers, " %u", direction->peers[i].identity);
	add_class(printing, peers->str, class);
}

static void add_direction(struct printing *printing)
{
	const struct rule_set_direction *direction =
		&printing->set->directions[printing->direction];

	if (direction->open) {
		add_line(printing, "open");
		return;
	}
	if (direction->enforced)
		add_line(printing, "enforced");
	for (unsigned int i = 0; i < direction->n_peers; i++)
		add_peers(printing, direction, i);
	add_class(printing, "from or to others", direction->others);
}

static bool collect_endpoint(const struct row *row, void *data)
{
	const struct endpoint_policy *policy = (const struct endpoint_policy *)row;
	struct printing *printing = data;

	if (policy->rule_set == printing->set->number)
		g_ptr_array_add(printing->lines, g_strdup_printf("%u%s", policy->endpoint_id,
								 policy->audit ? " (audit)" : ""));
	return true;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static GString *find_endpoints(const struct printing *printing)
{
	struct printing endpoints = *printing;
	GString *text = g_string_new("endpoints");

	endpoints.lines = g_ptr_array_new_with_free_func(g_free);
	table_foreach (printing->tables->endpoint_policies, collect_endpoint, &endpoints)
		;
	g_ptr_array_sort(endpoints.lines, compare_texts);
	for (unsigned int i = 0; i < endpoints.lines->len; i++)
		g_string_append_printf(text, " %s", (char *)endpoints.lines->pdata[i]);
	g_ptr_array_unref(endpoints.lines);
	return text;
}

static bool add_set(const struct row *row, void *data)
{
	struct printing *printing = data;
	const struct rule_set *set = (const struct rule_set *)row;

	printing->set = set;
	if (!set->policies->len && set->directions[POLICY_INGRESS].open &&
	    set->directions[POLICY_EGRESS].open)
		return true;
	printing->endpoints = find_endpoints(printing);
	for (unsigned int i = 0; i < set->policies->len; i++)
		g_ptr_array_add(printing->lines,
				g_strdup_printf("%s are selected by %s", printing->endpoints->str,
						(char *)set->policies->pdata[i]));
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++) {
		printing->direction = i;
		add_direction(printing);
	}
	g_string_free(printing->endpoints, true);
	return true;
}

static bool add_origin(const struct row *row, void *data)
{
	const struct rule_origin *origin = (const struct rule_origin *)row;

	if (origin->number <= RULE_NUMBER_RESERVED_MAX)
		return true;
	g_ptr_array_add(data,
			g_strdup_printf("%s %s %s:%u%s%s", origin->policy, origin->path,
					origin->file, origin->line, origin->log ? " log " : "",
					origin->log ? origin->log : ""));
	return true;
}

void print_policy_rule_sets(const struct tables *tables, GPtrArray *lines)
{
	struct printing printing = {.tables = tables, .lines = lines};

	table_foreach (tables->rule_sets, add_set, &printing)
		;
}

void print_policy_origins(const struct tables *tables, GPtrArray *lines)
{
	table_foreach (tables->rule_origins, add_origin, lines)
		;
}
