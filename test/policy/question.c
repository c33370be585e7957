/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/question.h"

#include <stdlib.h>
#include <string.h>
#include "src/model/rule_set.h"
#include "test/policy/generate.h"

/* The ports of the generated rules, and those beside them. */
const struct packet_kind packet_kinds[N_PACKET_KINDS] = {
	{IPPROTO_TCP, 0},      {IPPROTO_TCP, 1},     {IPPROTO_TCP, 52},     {IPPROTO_TCP, 53},
	{IPPROTO_TCP, 54},     {IPPROTO_TCP, 79},    {IPPROTO_TCP, 80},     {IPPROTO_TCP, 81},
	{IPPROTO_TCP, 82},     {IPPROTO_TCP, 442},   {IPPROTO_TCP, 443},    {IPPROTO_TCP, 444},
	{IPPROTO_TCP, 8079},   {IPPROTO_TCP, 8080},  {IPPROTO_TCP, 8081},   {IPPROTO_TCP, 8085},
	{IPPROTO_TCP, 8090},   {IPPROTO_TCP, 8091},  {IPPROTO_TCP, 65535},  {IPPROTO_UDP, 0},
	{IPPROTO_UDP, 53},     {IPPROTO_UDP, 80},    {IPPROTO_UDP, 81},     {IPPROTO_UDP, 443},
	{IPPROTO_UDP, 8080},   {IPPROTO_UDP, 8090},  {IPPROTO_UDP, 65535},  {IPPROTO_SCTP, 0},
	{IPPROTO_SCTP, 53},    {IPPROTO_SCTP, 80},   {IPPROTO_SCTP, 443},   {IPPROTO_SCTP, 8080},
	{IPPROTO_SCTP, 8085},  {IPPROTO_SCTP, 8091}, {IPPROTO_SCTP, 65535}, {IPPROTO_ICMP, 0},
	{IPPROTO_ICMP, 3},     {IPPROTO_ICMP, 8},    {IPPROTO_ICMP, 11},    {IPPROTO_ICMP, 255},
	{IPPROTO_ICMPV6, 1},   {IPPROTO_ICMPV6, 3},  {IPPROTO_ICMPV6, 128}, {IPPROTO_ICMPV6, 129},
	{IPPROTO_ICMPV6, 255}, {IPPROTO_GRE, 0},
};

void question_fini(struct question *question)
{
	g_free(question->subject);
	g_free(question->peer);
}

GPtrArray *question_subjects(const json_t *world)
{
	GPtrArray *subjects = g_ptr_array_new_with_free_func(g_free);
	size_t n = json_array_size(json_object_get(world, "endpoints"));

	for (size_t i = 0; i < n; i++)
		g_ptr_array_add(subjects, g_strdup_printf("endpoint/%zu", i));
	/* Without a firewall of its own nobody asks for it. */
	if (!g_strcmp0(object_text(world, "config", "enable-host-firewall"), "true"))
		g_ptr_array_add(subjects, g_strdup("host"));
	return subjects;
}

static void add_text(GPtrArray *peers, const char *text)
{
	if (text)
		g_ptr_array_add(peers, g_strdup(text));
}

GPtrArray *question_peers(const json_t *world)
{
	static const char *const reserved[] = {"reserved:health", "reserved:ingress",
					       "reserved:init", "reserved:unmanaged"};
	bool ipv6 = g_strcmp0(object_text(world, "config", "enable-ipv6"), "false") != 0;
	GPtrArray *peers = g_ptr_array_new_with_free_func(g_free);
	const json_t *object, *address;
	size_t i, k;

	json_array_foreach(json_object_get(world, "endpoints"), i, object)
	{
		add_text(peers, object_text(object, "ipv4", NULL));
		add_text(peers, object_text(object, "ipv6", NULL));
	}
	json_array_foreach(json_object_get(world, "objects"), i, object)
	{
		const json_t *list = json_object_get(
			json_object_get(object, object_is(object, "Pod") ? "status" : "spec"),
			object_is(object, "Pod") ? "podIPs" : "addresses");

		if (!object_is(object, "CiliumNode") && !object_is(object, "Pod"))
			continue;
		json_array_foreach(list, k, address)
		{
			const char *text = object_text(address, "ip", NULL);

			if (ipv6 || !strchr(text, ':'))
				add_text(peers, text);
		}
	}
	for (i = 0; generate_addresses[i]; i++)
		if (ipv6 || !strchr(generate_addresses[i], ':'))
			add_text(peers, generate_addresses[i]);
	for (i = 0; i < G_N_ELEMENTS(reserved); i++)
		add_text(peers, reserved[i]);
	return peers;
}

int subject_endpoint(const char *subject)
{
	return strcmp(subject, "host") != 0 ? atoi(subject + strlen("endpoint/")) : -1;
}

const struct party *subject_party(struct world *world, const char *subject)
{
	const json_t *endpoints = json_object_get(world->json, "endpoints");
	int index = subject_endpoint(subject);
	const char *pod;

	if (index < 0)
		return world_get_party(world, "host");
	pod = object_text(json_array_get(endpoints, index), "pod", NULL);
	return world_get_party(world, pod ? pod : subject);
}

bool question_is_fair(const json_t *world, const struct party *subject, const struct party *peer)
{
	if (party_is_host(subject) &&
	    (party_is_host(peer) ||
	     g_strcmp0(object_text(world, "config", "enable-host-firewall"), "true") != 0))
		return false;
	return !party_is_host(peer) ||
	       g_strcmp0(object_text(world, "config", "policy-cidr-match-mode"), "nodes") != 0;
}

static const enum policy_verdict *verdicts_of(enum reference_step step)
{
	static const enum policy_verdict verdicts[REFERENCE_STEP__MAX][2] = {
		[REFERENCE_DENIED] = {POLICY_VERDICT_DENY, POLICY_VERDICT_DENY},
		[REFERENCE_LOCALHOST] = {POLICY_VERDICT_ALLOW, POLICY_VERDICT_ALLOW},
		[REFERENCE_NEEDS] = {POLICY_VERDICT_NEEDS_PROXY, POLICY_VERDICT_NEEDS_AUTH},
		[REFERENCE_ALLOWED] = {POLICY_VERDICT_ALLOW, POLICY_VERDICT_ALLOW},
		[REFERENCE_NOT_ENFORCED] = {POLICY_VERDICT_ALLOW, POLICY_VERDICT_ALLOW},
		[REFERENCE_DEFAULT_DENY] = {POLICY_VERDICT_DEFAULT_DENY,
					    POLICY_VERDICT_DEFAULT_DENY},
	};

	return verdicts[step];
}

static const char *const rules_of_steps[REFERENCE_STEP__MAX] = {
	[REFERENCE_LOCALHOST] = "1",
	[REFERENCE_NOT_ENFORCED] = "2",
	[REFERENCE_DEFAULT_DENY] = "0",
};

bool answers_agree(const struct plan *plan, const struct reference_answer *expected,
		   const struct policy_leaf *got)
{
	const enum policy_verdict *verdicts = verdicts_of(expected->step);
	g_autofree char *rule = NULL;

	if (got->verdict != verdicts[0] && got->verdict != verdicts[1])
		return false;
	rule = got->rule > RULE_NUMBER_RESERVED_MAX ? plan_get_rule(plan, got->rule)
						    : g_strdup_printf("%u", got->rule);
	/* Where the direction is open nothing is looked up that could tell the two apart. */
	if (expected->step == REFERENCE_LOCALHOST && got->rule == RULE_NUMBER_ALLOW_ANY)
		return true;
	return !g_strcmp0(rule, expected->rule ? expected->rule : rules_of_steps[expected->step]);
}

char *answers_text(const struct plan *plan, const struct reference_answer *expected,
		   const struct policy_leaf *got)
{
	static const char *const verdicts[POLICY_VERDICT__MAX] = {
		[POLICY_VERDICT_DEFAULT_DENY] = "default deny",
		[POLICY_VERDICT_ALLOW] = "allow",
		[POLICY_VERDICT_DENY] = "deny",
		[POLICY_VERDICT_NEEDS_PROXY] = "needs a proxy",
		[POLICY_VERDICT_NEEDS_AUTH] = "needs authentication",
	};
	g_autofree char *rule = plan_get_rule(plan, got->rule);

	return g_strdup_printf("the reference says %s (%s), the plan %s (rule %u %s)",
			       reference_step_text(expected->step),
			       expected->rule ? expected->rule : "-", verdicts[got->verdict],
			       got->rule, rule ? rule : "-");
}

char *question_text(const struct question *question)
{
	return g_strdup_printf("%s of %s, peer %s, protocol %u, port or type %u",
			       question->is_ingress ? "ingress" : "egress", question->subject,
			       question->peer, question->kind.protocol, question->kind.port);
}
