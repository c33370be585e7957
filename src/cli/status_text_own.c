// SPDX-License-Identifier: Apache-2.0
/* What only this agent has: its nodes, the kernel, its problems. */
#include "src/cli/status_text_private.h"

#include <string.h>
#include "src/cli/json_get.h"

static void append_nodes(struct status_text *text)
{
	json_t *node;
	size_t i;

	if (!text->format->all_nodes)
		return;
	g_string_append_printf(text->out, "Nodes:\t%zu\n",
			       json_array_size(json_get(text->status, "cluster", "nodes", NULL)));
	json_array_foreach(json_get(text->status, "cluster", "nodes", NULL), i, node)
		g_string_append_printf(text->out, "  %s\t%s\t%s\n",
				       json_get_text(node, "name", NULL),
				       json_get_text(node, "primary-address", "ipv4", "ip", NULL),
				       json_get_text(node, "primary-address", "ipv6", "ip", NULL));
}

static void append_problems(struct status_text *text, const json_t *own)
{
	const json_t *list = json_get(own, "source-problems", NULL);
	json_t *problem;
	size_t i;

	if (json_array_size(list))
		g_string_append_printf(text->out, "Source problems:\t%zu\n", json_array_size(list));
	json_array_foreach(list, i, problem)
	{
		const char *object = json_get_text(problem, "object", NULL);
		const char *field = json_get_text(problem, "field", NULL);
		long long line = json_get_number(problem, "line", NULL);

		g_string_append_printf(text->out, "  %s", json_get_text(problem, "file", NULL));
		if (line)
			g_string_append_printf(text->out, ":%lld", line);
		g_string_append_printf(text->out, ": %s%s%s%s%s\n", object, *object ? ": " : "",
				       field, *field ? ": " : "",
				       json_get_text(problem, "reason", NULL));
	}
	list = json_get(own, "state-problems", NULL);
	if (json_array_size(list))
		g_string_append_printf(text->out, "State problems:\t%zu\n", json_array_size(list));
	json_array_foreach(list, i, problem)
		g_string_append_printf(text->out, "  %s\n", json_string_value(problem));
	list = json_get(own, "node-problems", NULL);
	if (json_array_size(list))
		g_string_append_printf(text->out, "Node problems:\t%zu\n", json_array_size(list));
	json_array_foreach(list, i, problem)
		g_string_append_printf(text->out, "  %s\n", json_string_value(problem));
}

static void append_privileges(struct status_text *text, const json_t *own)
{
	const json_t *list = json_get(own, "privileges", "lacking", NULL);
	json_t *lack;
	size_t i;

	if (text->format->verbose && own)
		g_string_append_printf(text->out, "Privileges:\t%s\n",
				       json_get_text(own, "privileges", "held", NULL));
	if (json_array_size(list))
		g_string_append_printf(text->out, "Missing privileges:\t%zu\n",
				       json_array_size(list));
	json_array_foreach(list, i, lack) g_string_append_printf(
		text->out, "  %s: %s\n", json_get_text(lack, "capability", NULL),
		json_get_text(lack, "for", NULL));
}

static void append_failing(struct status_text *text, const json_t *own)
{
	const json_t *list = json_get(own, "failing-objects", NULL);
	json_t *object;
	size_t i;

	if (!json_array_size(list))
		return;
	g_string_append_printf(text->out, "Failing objects:\t%zu\n", json_array_size(list));
	json_array_foreach(list, i, object)
	{
		const char *step = json_get_text(object, "next-step", NULL);

		g_string_append_printf(text->out, "  %s: %s (%s, since %s, %lld tries)\n",
				       json_get_text(object, "object", NULL),
				       json_get_text(object, "error", NULL),
				       json_get_text(object, "reconciler", NULL),
				       json_get_text(object, "since", NULL),
				       json_get_number(object, "tries", NULL));
		if (*step)
			g_string_append_printf(text->out, "    %s\n", step);
	}
}

static const json_t *find_feature(const struct status_text *text, const char *name)
{
	json_t *feature;
	size_t i;

	json_array_foreach(
		json_get(text->status, "axoneme", "kernel", "features", NULL), i,
		feature) if (!strcmp(json_get_text(feature, "name", NULL), name)) return feature;
	return NULL;
}

void status_append_reason(struct status_text *text, const char *name)
{
	const json_t *feature = find_feature(text, name);

	if (feature)
		g_string_append_printf(text->out, "   (%s)",
				       json_get_text(feature, "reason", NULL));
}

static void append_kernel(struct status_text *text, const json_t *own)
{
	const json_t *kernel = json_get(own, "kernel", NULL);
	json_t *feature;
	size_t i;

	if (!kernel || !text->format->verbose)
		return;
	g_string_append_printf(text->out, "Kernel:\tLinux %s\n  Feature\tThere\tUsed\tWhy\n",
			       json_get_text(kernel, "release", NULL));
	json_array_foreach(json_get(kernel, "features", NULL), i, feature) g_string_append_printf(
		text->out, "  %s\t%s\t%s\t%s\n", json_get_text(feature, "name", NULL),
		json_is_true(json_get(feature, "available", NULL)) ? "yes" : "no",
		json_get_text(feature, "mode", NULL), json_get_text(feature, "reason", NULL));
}

static void append_health_checks(struct status_text *text, const json_t *own)
{
	const json_t *checks = json_get(own, "health-checks", NULL);
	long long n = json_get_number(checks, "back-ends", NULL);
	long long n_down = json_get_number(checks, "down", NULL);

	/* Who does not ask for them has no need of the line. */
	if (n && (n_down || text->format->verbose))
		g_string_append_printf(text->out, "Health checks:\t%lld back end%s, %lld down\n", n,
				       n == 1 ? "" : "s", n_down);
}

static void append_loop(struct status_text *text, const json_t *own)
{
	const json_t *loop = json_get(own, "loop", NULL);
	double seconds = json_number_value(json_get(loop, "max-lag-seconds", NULL));

	if (!loop || !text->format->verbose)
		return;
	g_string_append_printf(text->out, "Event loop:\tlongest hold-up %.1fms (", seconds * 1000);
	status_append_ago(text, json_get_text(loop, "max-lag-timestamp", NULL));
	g_string_append(text->out, ")\n");
}

static void append_keys(struct status_text *text, const json_t *own)
{
	const json_t *list = json_get(own, "without-effect", NULL);
	json_t *key;
	size_t i;

	if (json_array_size(list))
		g_string_append(text->out, "Keys without effect:\t");
	json_array_foreach(list, i, key) g_string_append_printf(text->out, "%s%s=%s", i ? ", " : "",
								json_get_text(key, "key", NULL),
								json_get_text(key, "value", NULL));
	if (json_array_size(list))
		g_string_append_c(text->out, '\n');
	list = json_get(own, "unknown-keys", NULL);
	if (json_array_size(list))
		g_string_append(text->out, "Unknown keys:\t");
	json_array_foreach(list, i, key)
		g_string_append_printf(text->out, "%s%s", i ? ", " : "", json_string_value(key));
	if (json_array_size(list))
		g_string_append_c(text->out, '\n');
}

static void append_policy_maps(struct status_text *text, const json_t *policy)
{
	json_t *map;
	size_t i;

	if (!text->format->verbose || !json_array_size(json_get(policy, "maps", NULL)))
		return;
	g_string_append(text->out, "  Map\tEntries\tRoom for\n");
	json_array_foreach(json_get(policy, "maps", NULL), i, map) g_string_append_printf(
		text->out, "  %s\t%lld\t%lld\n", json_get_text(map, "name", NULL),
		json_get_number(map, "entries", NULL), json_get_number(map, "size", NULL));
}

static void append_policy(struct status_text *text, const json_t *own)
{
	const json_t *policy = json_get(own, "policy", NULL);
	long long n_refused = json_get_number(policy, "refused", NULL);
	long long n_closed = json_get_number(policy, "fail-closed", NULL);

	if (!policy)
		return;
	g_string_append_printf(
		text->out,
		"Policy:\tEnforcement: %s%s   Revision: %lld   %lld policies with %lld rules   "
		"%lld/%lld endpoints enforced\n",
		json_get_text(policy, "enforcement", NULL),
		json_is_true(json_get(policy, "audit", NULL)) ? " (Audit)" : "",
		json_get_number(policy, "revision", NULL),
		json_get_number(policy, "policies", NULL), json_get_number(policy, "rules", NULL),
		json_get_number(policy, "enforced-endpoints", NULL),
		json_get_number(policy, "endpoints", NULL));
	if (n_refused || n_closed)
		g_string_append_printf(text->out,
				       "  refused: %lld, refusing more than they say: %lld; "
				       "\"cilium policy list\" says why\n",
				       n_refused, n_closed);
	if (json_get_number(policy, "unfit", NULL) || json_get_number(policy, "incomplete", NULL))
		g_string_append_printf(text->out,
				       "  rule sets that do not fit: %lld, incomplete: %lld, "
				       "endpoints denied all: "
				       "%lld; raise bpf-policy-map-max\n",
				       json_get_number(policy, "unfit", NULL),
				       json_get_number(policy, "incomplete", NULL),
				       json_get_number(policy, "locked-down", NULL));
	append_policy_maps(text, policy);
}

static void append_metrics(struct status_text *text, const json_t *own)
{
	const char *error = json_get_text(own, "metrics-error", NULL);

	if (*error)
		g_string_append_printf(text->out, "Metrics:\tnot served: %s\n", error);
}

void status_append_own(struct status_text *text)
{
	const json_t *own = json_get(text->status, "axoneme", NULL);

	append_nodes(text);
	append_policy(text, own);
	append_kernel(text, own);
	append_loop(text, own);
	append_health_checks(text, own);
	append_problems(text, own);
	append_privileges(text, own);
	append_failing(text, own);
	append_metrics(text, own);
	append_keys(text, own);
}
