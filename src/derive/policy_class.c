// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_class.h"

#include <netinet/in.h>
#include <stdlib.h>
#include "src/derive/port_prefix.h"

#define N_PORTS (UINT16_MAX + 1u)

static unsigned int n_ports(const struct policy_clause *clause)
{
	return clause->protocol ? clause->last - clause->first + 1u : N_PORTS;
}

/* Of one rule the clause counts that says most: it is what the rule means. */
static int compare_strength(const void *pointer_a, const void *pointer_b)
{
	const struct policy_clause *a = pointer_a, *b = pointer_b;

	if (a->step != b->step)
		return (int)a->step - (int)b->step;
	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	if (!a->protocol != !b->protocol)
		return a->protocol ? 1 : -1;
	if (n_ports(a) != n_ports(b))
		return n_ports(a) > n_ports(b) ? -1 : 1;
	if (a->protocol != b->protocol)
		return a->protocol - b->protocol;
	return a->first - b->first;
}

static uint8_t verdict_of(const struct policy_clause *clause)
{
	switch (clause->step) {
	case POLICY_STEP_DENY:
		return POLICY_VERDICT_DENY;
	case POLICY_STEP_NEEDS:
		return clause->needs & POLICY_NEEDS_AUTH ? POLICY_VERDICT_NEEDS_AUTH
							 : POLICY_VERDICT_NEEDS_PROXY;
	case POLICY_STEP_ALLOW_LOCALHOST:
	case POLICY_STEP_ALLOW:
	case POLICY_STEP_NOT_ENFORCED:
		break;
	}
	return POLICY_VERDICT_ALLOW;
}

static uint8_t match_of(const struct policy_clause *clause)
{
	if (!clause->protocol)
		return clause->names_peers ? POLICY_MATCH_L3_ONLY : POLICY_MATCH_ALL;
	if (n_ports(clause) == N_PORTS)
		return clause->names_peers ? POLICY_MATCH_L3_PROTO : POLICY_MATCH_PROTO_ONLY;
	return clause->names_peers ? POLICY_MATCH_L3_L4 : POLICY_MATCH_L4_ONLY;
}

/* NULL: nothing covers it. */
static struct policy_leaf leaf_of(const struct policy_clause *clause)
{
	if (!clause)
		return (struct policy_leaf){.verdict = POLICY_VERDICT_DEFAULT_DENY};
	return (struct policy_leaf){
		.rule = clause->rule,
		.verdict = verdict_of(clause),
		.match = match_of(clause),
	};
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Where the answer may change: the first port of each clause, the one behind its last, and 0. */
static GArray *find_borders(const GPtrArray *strongest)
{
	GArray *borders = g_array_new(false, false, sizeof(uint32_t));
	uint32_t zero = 0;
	unsigned int n = 0;

	g_array_append_val(borders, zero);
	for (unsigned int i = 0; i < strongest->len; i++) {
		const struct policy_clause *clause = strongest->pdata[i];
		uint32_t first = clause->protocol ? clause->first : 0;
		uint32_t behind = first + n_ports(clause);

		g_array_append_val(borders, first);
		if (behind < N_PORTS)
			g_array_append_val(borders, behind);
	}
	g_array_sort(borders, compare_numbers);
	for (unsigned int i = 0; i < borders->len; i++) {
		uint32_t border = g_array_index(borders, uint32_t, i);

		if (n == 0 || g_array_index(borders, uint32_t, n - 1) != border)
			g_array_index(borders, uint32_t, n++) = border;
	}
	g_array_set_size(borders, n);
	return borders;
}

static unsigned int find_run(const GArray *borders, uint32_t port)
{
	unsigned int low = 0, high = borders->len;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (g_array_index(borders, uint32_t, middle) < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first run at or behind i that is not decided; next[i] leads there, and is shortened. */
static unsigned int next_open(unsigned int *next, unsigned int i)
{
	while (next[i] != i) {
		next[i] = next[next[i]];
		i = next[i];
	}
	return i;
}

/* The strongest clause decides all runs that it covers, the next what is left, and so on. */
static GArray *decide_runs(const GPtrArray *strongest)
{
	g_autoptr(GArray) borders = find_borders(strongest);
	g_autofree unsigned int *next = g_new(unsigned int, borders->len + 1);
	GArray *runs = g_array_sized_new(false, true, sizeof(struct port_run), borders->len);

	g_array_set_size(runs, borders->len);
	for (unsigned int i = 0; i <= borders->len; i++)
		next[i] = i;
	for (unsigned int i = 0; i < borders->len; i++)
		g_array_index(runs, struct port_run, i).first = g_array_index(borders, uint32_t, i);
	for (unsigned int i = 0; i < strongest->len; i++) {
		const struct policy_clause *clause = strongest->pdata[i];
		uint32_t first = clause->protocol ? clause->first : 0;
		unsigned int end = find_run(borders, first + n_ports(clause));

		for (unsigned int run = next_open(next, find_run(borders, first)); run < end;
		     run = next_open(next, run)) {
			g_array_index(runs, struct port_run, run).leaf = leaf_of(clause);
			next[run] = run + 1;
		}
	}
	return runs;
}

/* What concerns the protocol, strongest first, up to the first that concerns every protocol. */
static GPtrArray *find_strongest(const struct policy_clause *clauses, unsigned int n,
				 uint8_t protocol)
{
	GPtrArray *strongest = g_ptr_array_new();

	for (unsigned int i = 0; i < n; i++) {
		if (clauses[i].protocol && clauses[i].protocol != protocol)
			continue;
		g_ptr_array_add(strongest, (void *)&clauses[i]);
		if (!clauses[i].protocol)
			break;
	}
	return strongest;
}

static void add_protocol(const struct policy_clause *clauses, unsigned int n, uint8_t protocol,
			 const struct policy_leaf *otherwise, GArray *entries)
{
	g_autoptr(GPtrArray) strongest = find_strongest(clauses, n, protocol);
	g_autoptr(GArray) runs = decide_runs(strongest);

	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		port_prefix_add_types(runs, protocol, otherwise, entries);
	else
		port_prefix_add_ports(runs, protocol, otherwise, entries);
}

const struct rule_class *policy_class_new(struct policy_clause *clauses, unsigned int n)
{
	g_autoptr(GArray) entries = g_array_new(false, true, sizeof(struct rule_class_entry));
	const struct policy_clause *everything = NULL;
	struct policy_leaf otherwise;
	bool seen[UINT8_MAX + 1] = {false};

	if (n > 1)
		qsort(clauses, n, sizeof(clauses[0]), compare_strength);
	for (unsigned int i = 0; i < n && !everything; i++)
		if (!clauses[i].protocol)
			everything = &clauses[i];
	otherwise = leaf_of(everything);
	for (unsigned int i = 0; i < n && &clauses[i] != everything; i++) {
		uint8_t protocol = clauses[i].protocol;

		if (!seen[protocol])
			add_protocol(clauses, n, protocol, &otherwise, entries);
		seen[protocol] = true;
	}
	return rule_class_new(&otherwise, (const struct rule_class_entry *)(void *)entries->data,
			      entries->len);
}
