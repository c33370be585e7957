/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs in the kernel say of a packet: drop reasons, trace points, counters. */
#include "abi/drop.h"
#include "src/reference/page.h"

static const struct drop_help {
	unsigned int number;
	const char *cause, *next;
} helps[] = {
#define DROP_HELP(name, cause, next) {DROP_##name, cause, next},
#include "abi/drop_help.def"
#undef DROP_HELP
};

static const struct drop_row {
	unsigned int number;
	const char *name, *text;
} reasons[] = {
#define DROP_REASON(name, number, text) {number, #name, text},
#include "abi/drop_reason.def"
#undef DROP_REASON
};

static const struct drop_help *find_help(unsigned int number)
{
	for (size_t i = 0; i < G_N_ELEMENTS(helps); i++)
		if (helps[i].number == number)
			return &helps[i];
	return NULL;
}

void page_append_drop_reasons(GString *page)
{
	g_string_append(page,
			"# Drop reasons\n\n"
			"`cilium monitor --type drop` shows drops as they happen, `cilium bpf "
			"metrics list` counts them. Numbers and texts are Cilium's; the name "
			"is Hubble's.\n\n## Reasons that occur\n\n");
	page_append_heading(page, "Number", "Reason", "A packet", "What to do", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++) {
		const struct drop_help *help = find_help(reasons[i].number);
		g_autofree char *number = g_strdup_printf("%u", reasons[i].number);
		g_autofree char *text =
			g_strdup_printf("*%s* `%s`", reasons[i].text, reasons[i].name);

		if (help)
			page_append_row(page, number, text, help->cause, help->next, NULL);
	}
	g_string_append(page, "\n## Reasons that do not occur\n\n"
			      "Cilium has them; no program of this agent drops for them.\n\n");
	page_append_heading(page, "Number", "Reason", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++) {
		g_autofree char *number = g_strdup_printf("%u", reasons[i].number);
		g_autofree char *text =
			g_strdup_printf("*%s* `%s`", reasons[i].text, reasons[i].name);

		if (!find_help(reasons[i].number))
			page_append_row(page, number, text, NULL);
	}
}

static const struct {
	const char *number, *text, *what;
} trace_points[] = {
#define TRACE_POINT(name, number, text, what) {#number, text, what},
#include "abi/trace_point.def"
#undef TRACE_POINT
};

static const struct {
	const char *number, *text;
} forward_reasons[] = {
#define FORWARD_REASON(number, text) {#number, text},
#include "abi/forward_reason.def"
#undef FORWARD_REASON
};

static const struct {
	const char *number, *file;
} source_files[] = {
#define SOURCE_FILE(name, number, file) {#number, file},
#include "abi/source_file.def"
#undef SOURCE_FILE
};

static const struct {
	const char *number, *text, *what;
} agent_events[] = {
#define AGENT_EVENT(name, number, text, what) {#number, text, what},
#include "src/observe/agent_event.def"
#undef AGENT_EVENT
};

void page_append_events(GString *page)
{
	g_string_append(page, "# Events\n\n"
			      "What `cilium monitor` shows. An event of a drop names its reason "
			      "([drop-reasons.md](drop-reasons.md)) and the place in the source. A "
			      "trace event names the point where the packet was seen.\n\n"
			      "## Trace points\n\n");
	page_append_heading(page, "Number", "Point", "The packet", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(trace_points); i++)
		page_append_row(page, trace_points[i].number, trace_points[i].text,
				trace_points[i].what, NULL);
	g_string_append(page, "\n## Reasons of packets that go on\n\n"
			      "In `cilium bpf metrics list`, beside the drop reasons. 0 and 3 "
			      "occur; the others are Cilium's.\n\n");
	page_append_heading(page, "Number", "Reason", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(forward_reasons); i++)
		page_append_row(page, forward_reasons[i].number, forward_reasons[i].text, NULL);
	g_string_append(page, "\n## Agent events\n\n"
			      "What the agent tells of itself: `cilium monitor --type agent`.\n\n");
	page_append_heading(page, "Number", "Event", "It says", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(agent_events); i++)
		page_append_row(page, agent_events[i].number, agent_events[i].text,
				agent_events[i].what, NULL);
	g_string_append(page, "\n## Files that drops name\n\n");
	page_append_heading(page, "Number", "File", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(source_files); i++) {
		g_autofree char *file = g_strdup_printf("`%s`", source_files[i].file);

		page_append_row(page, source_files[i].number, file, NULL);
	}
}
