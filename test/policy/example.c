/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/example.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/wire/value.h"
#include "test/policy/question.h"

struct example {
	const char *path;
	unsigned int n_checked, n_wrong;
};

static bool has_rules(const struct party *party)
{
	return party->endpoint >= 0 || party_is_host(party);
}

static bool end_allows(struct world *world, const struct party *subject, bool is_ingress,
		       const struct party *peer, const struct packet_kind *kind)
{
	struct reference_view *view;
	struct reference_answer answer;

	if (!has_rules(subject))
		return true;
	view = reference_view_new(world, subject, is_ingress, peer);
	answer = reference_judge(view, kind->protocol, kind->port);
	reference_view_free(view);
	return reference_step_allows(answer.step);
}

static const struct party *need_party(struct world *world, const char *name)
{
	const struct party *party = world_get_party(world, name);

	if (!party)
		g_error("no such party: %s", name);
	return party;
}

bool example_passes(struct world *world, const char *from, const char *to, uint8_t protocol,
		    uint16_t port)
{
	const struct party *source = need_party(world, from);
	const struct party *destination = need_party(world, to);
	struct packet_kind kind = {protocol, port};

	return end_allows(world, source, false, destination, &kind) &&
	       end_allows(world, destination, true, source, &kind);
}

/* The plan knows addresses, not names. */
static const char *address_of(struct world *world, const struct party *party)
{
	const json_t *endpoints = json_object_get(world->json, "endpoints");

	if (party->endpoint >= 0)
		return object_text(json_array_get(endpoints, party->endpoint), "ipv4", NULL);
	return party_is_host(party) ? WORLD_NODE_IPV4 : party->name;
}

static bool plan_end_allows(const struct plan *plan, struct world *world,
			    const struct party *subject, bool is_ingress, const struct party *peer,
			    const struct packet_kind *kind)
{
	struct policy_leaf leaf;

	if (subject->endpoint < 0)
		return true;
	leaf = plan_judge(plan, subject->endpoint, is_ingress ? POLICY_INGRESS : POLICY_EGRESS,
			  plan_get_identity(plan, address_of(world, peer)), kind->protocol,
			  kind->port);
	return leaf.verdict == POLICY_VERDICT_ALLOW;
}

static bool plan_passes(const struct plan *plan, struct world *world, const char *from,
			const char *to, const struct packet_kind *kind)
{
	const struct party *source = need_party(world, from);
	const struct party *destination = need_party(world, to);

	return plan_end_allows(plan, world, source, false, destination, kind) &&
	       plan_end_allows(plan, world, destination, true, source, kind);
}

static json_t *json_of(const struct value *value)
{
	json_t *json;

	switch (value->type) {
	case VALUE_NULL:
		return json_null();
	case VALUE_BOOL:
		return json_boolean(value->boolean);
	case VALUE_INT:
		return json_integer(value->integer);
	case VALUE_FLOAT:
		return json_real(value->number);
	case VALUE_STRING:
		return json_string(value->text);
	case VALUE_SEQUENCE:
		json = json_array();
		for (const struct value *each = value->first; each; each = each->next)
			json_array_append_new(json, json_of(each));
		return json;
	case VALUE_MAPPING:
		json = json_object();
		for (const struct value *each = value->first; each; each = each->next)
			json_object_set_new(json, each->key, json_of(each));
		return json;
	}
	return NULL;
}

static struct packet_kind parse_kind(const char *protocol, const char *port)
{
	static const struct {
		const char *text;
		uint8_t protocol;
	} protocols[] = {{"tcp", IPPROTO_TCP},   {"udp", IPPROTO_UDP},       {"sctp", IPPROTO_SCTP},
			 {"icmp", IPPROTO_ICMP}, {"icmpv6", IPPROTO_ICMPV6}, {"gre", IPPROTO_GRE}};

	for (unsigned int i = 0; i < G_N_ELEMENTS(protocols); i++)
		if (!strcmp(protocols[i].text, protocol))
			return (struct packet_kind){protocols[i].protocol, port ? atoi(port) : 0};
	g_error("no protocol: %s", protocol);
}

static void check_line(struct example *example, const struct plan *plan, struct world *world,
		       const char *line, const char *wanted)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 5);
	struct packet_kind kind = parse_kind(words[3], words[4]);
	bool allowed = !strcmp(wanted, "allow");
	bool reference = example_passes(world, words[0], words[2], kind.protocol, kind.port);
	bool got = plan_passes(plan, world, words[0], words[2], &kind);

	example->n_checked++;
	if (reference == allowed && got == allowed)
		return;
	example->n_wrong++;
	printf("%s: %s: %s: want %s, the reference says %s, the plan %s\n", example->path,
	       object_text(world->json, "name", NULL), line, wanted, reference ? "allow" : "deny",
	       got ? "allow" : "deny");
}

static bool check_world(const struct value *root, void *data)
{
	struct example *example = data;
	json_t *json = json_of(root), *value;
	struct plan *plan;
	struct world *world;
	g_autofree char *problem = NULL;
	const char *line;

	if (!json_is_object(json)) {
		json_decref(json);
		return true;
	}
	plan = plan_new(json);
	world = world_new(json);
	problem = plan_get_problem(plan);
	if (problem) {
		example->n_wrong++;
		printf("%s: %s: refused: %s\n", example->path, object_text(json, "name", NULL),
		       problem);
	}
	json_object_foreach(json_object_get(json, "expect"), line, value)
		check_line(example, plan, world, line, json_string_value(value));
	world_free(world);
	plan_free(plan);
	json_decref(json);
	return true;
}

unsigned int example_check(const char *path)
{
	struct example example = {.path = path};
	struct value_error error = {};
	g_autofree char *text = NULL;
	size_t n_bytes;

	if (!g_file_get_contents(path, &text, &n_bytes, NULL) ||
	    value_parse_yaml(text, n_bytes, check_world, &example, &error))
		g_error("%s:%u: %s", path, error.line, error.reason ? error.reason : "not read");
	printf("%s: %u questions, %u wrong\n", path, example.n_checked, example.n_wrong);
	return example.n_wrong + !example.n_checked;
}
