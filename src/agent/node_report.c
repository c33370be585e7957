/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/node_report.h"

#include "src/agent/agent.h"
#include "src/base/log.h"
#include "src/derive/lb.h"
#include "src/derive/node_problem.h"

struct node_report {
	GPtrArray *told; /* char * */
};

struct node_report *node_report_new(void)
{
	struct node_report *report = g_new0(struct node_report, 1);

	report->told = g_ptr_array_new_with_free_func(g_free);
	return report;
}

void node_report_free(struct node_report *report)
{
	if (!report)
		return;
	g_ptr_array_unref(report->told);
	g_free(report);
}

static bool holds(GPtrArray *problems, const char *problem)
{
	return g_ptr_array_find_with_equal_func(problems, problem, g_str_equal, NULL);
}

/* Policies and groups say so of themselves; what a service has got may be nobody's. */
static void add_prefixes(const struct agent *agent, GPtrArray *problems)
{
	char text[CIDR_TEXT_BYTES];
	struct cidr cidr;
	unsigned int n = prefix_derivation_n_without(derive_get_prefixes(agent->derive), &cidr);

	if (n)
		g_ptr_array_add(problems,
				g_strdup_printf("no identity is left for %u prefixes of policies, "
						"CIDR groups and services, as %s: use fewer; until "
						"then rules that deny or except one allow less "
						"than they say",
						n, cidr_format(&cidr, text)));
}

static void add_services(const struct agent *agent, GPtrArray *problems)
{
	GPtrArray *found = lb_derivation_problems(derive_get_lb(agent->derive));

	for (unsigned int i = 0; i < found->len; i++)
		g_ptr_array_add(problems, g_strdup(found->pdata[i]));
	g_ptr_array_unref(found);
}

GPtrArray *node_report_find(const struct agent *agent)
{
	const struct datapath_config *config = &agent->datapath_config;
	struct node_view *view;
	GPtrArray *problems;

	if (!agent->node_report)
		return g_ptr_array_new_with_free_func(g_free);
	view = node_view_new(&agent->tables, &agent->derive_config, &config->router4,
			     &config->router6);
	problems = node_problems(view);
	node_view_free(view);
	add_prefixes(agent, problems);
	add_services(agent, problems);
	return problems;
}

void node_report_update(struct node_report *report, const struct agent *agent)
{
	GPtrArray *problems = node_report_find(agent);

	for (unsigned int i = 0; i < problems->len; i++) {
		if (!holds(report->told, problems->pdata[i]))
			log_warning("agent", "The node and its configuration do not fit together",
				    "problem=%s", (const char *)problems->pdata[i]);
	}
	for (unsigned int i = 0; i < report->told->len; i++) {
		if (!holds(problems, report->told->pdata[i]))
			log_info("agent", "A problem of the node is solved", "problem=%s",
				 (const char *)report->told->pdata[i]);
	}
	g_ptr_array_unref(report->told);
	report->told = problems;
}
