// SPDX-License-Identifier: Apache-2.0
#include "src/source/masquerade_config.h"

#include <string.h>
#include "src/model/addr.h"
#include "src/wire/field.h"

#define LINK_LOCAL4 "169.254.0.0/16"
#define LINK_LOCAL6 "fe80::/10"
/* A longer list is a mistake; each is compared with those before it. */
#define MAX_RANGES 4096

static const char *const builtin_ranges[] = {
	"10.0.0.0/8",   "172.16.0.0/12",   "192.168.0.0/16", "100.64.0.0/10",
	"192.0.0.0/24", "192.0.2.0/24",    "192.88.99.0/24", "198.18.0.0/15",
	"240.0.0.0/4",  "198.51.100.0/24", "203.0.113.0/24",
};

struct reading {
	GPtrArray *problems; /* struct field_problem */
	GArray *ranges;
	unsigned int n_documents;
};

static bool contains(const GArray *ranges, const struct cidr *cidr)
{
	for (unsigned int i = 0; i < ranges->len; i++)
		if (cidr_equal(&g_array_index(ranges, struct cidr, i), cidr))
			return true;
	return false;
}

static void add_builtin(GArray *ranges, const char *text)
{
	struct cidr cidr;
	int err = cidr_parse(text, &cidr);

	g_assert(!err);
	if (!contains(ranges, &cidr))
		g_array_append_val(ranges, cidr);
}

/* Ranges may overlap here: they only add up. */
static void read_range(const struct field *field, GArray *ranges)
{
	const char *text = field_required_text(field);
	char correct[CIDR_TEXT_BYTES];
	struct cidr cidr;
	int err;

	if (!text)
		return;
	err = cidr_parse(text, &cidr);
	if (err == -ERANGE)
		field_add_problem(field, "got \"%s\", whose host bits are not zero, want %s", text,
				  cidr_format(&cidr, correct));
	else if (err < 0 || !strchr(text, '/'))
		field_want(field, "an IPv4 or IPv6 prefix such as 10.0.0.0/24");
	else if (!contains(ranges, &cidr))
		g_array_append_val(ranges, cidr);
}

static bool read_document(const struct value *value, void *data)
{
	struct reading *reading = data;
	struct field root = field_root(value, reading->problems);
	struct field ranges, link_local4, link_local6;

	reading->n_documents++;
	if (value->type == VALUE_NULL)
		return true;
	if (reading->n_documents > 1) {
		field_add_problem(&root, "a second document, want one");
		return false;
	}
	/* Said, perhaps as an empty list, the list takes the place of the built-in one. */
	g_array_set_size(reading->ranges, 0);
	ranges = field_member(&root, "nonMasqueradeCIDRs");
	link_local4 = field_member(&root, "masqLinkLocal");
	link_local6 = field_member(&root, "masqLinkLocalIPv6");
	for (struct field item = field_first(&ranges); item.value; item = field_next(&item)) {
		if (reading->ranges->len == MAX_RANGES)
			break;
		read_range(&item, reading->ranges);
	}
	if (ranges.value && reading->ranges->len == MAX_RANGES)
		field_add_problem(&ranges, "more than %u prefixes", MAX_RANGES - 1);
	if (!field_bool(&link_local4, false))
		add_builtin(reading->ranges, LINK_LOCAL4);
	if (!field_bool(&link_local6, false))
		add_builtin(reading->ranges, LINK_LOCAL6);
	return true;
}

static void add_problems(const char *file, const GPtrArray *found, GPtrArray *problems)
{
	for (unsigned int i = 0; i < found->len; i++) {
		const struct field_problem *problem = found->pdata[i];

		g_ptr_array_add(problems, manifest_problem_new(file, problem->line, NULL,
							       problem->path, problem->reason));
	}
}

GArray *masquerade_config_parse(const char *file, const char *text, size_t n_bytes,
				GPtrArray *problems)
{
	g_autoptr(GPtrArray) found =
		g_ptr_array_new_with_free_func((GDestroyNotify)field_problem_free);
	g_autoptr(GArray) ranges = g_array_new(false, false, sizeof(struct cidr));
	struct reading reading = {.problems = found, .ranges = ranges};
	struct value_error error;

	for (unsigned int i = 0; i < G_N_ELEMENTS(builtin_ranges); i++)
		add_builtin(ranges, builtin_ranges[i]);
	add_builtin(ranges, LINK_LOCAL4);
	add_builtin(ranges, LINK_LOCAL6);
	/* Every JSON text that makes sense here is YAML too. */
	if (value_parse_yaml(text, n_bytes, read_document, &reading, &error)) {
		g_ptr_array_add(problems,
				manifest_problem_new(file, error.line, NULL, NULL, error.reason));
		g_free(error.reason);
		return NULL;
	}
	add_problems(file, found, problems);
	return found->len ? NULL : g_steal_pointer(&ranges);
}
