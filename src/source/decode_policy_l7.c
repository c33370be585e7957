// SPDX-License-Identifier: Apache-2.0
/*
 * What an element of toPorts says beyond ports: L7 rules, TLS, a listener. Nothing acts on it yet, so what it
 * would allow is refused; but what is wrong about it is said today.
 */
#include <string.h>
#include "src/source/decode_policy.h"
#include "src/source/syntax.h"

#define MAX_NAME_BYTES 255

static bool is_of(const char *text, const char *special)
{
	if (strlen(text) > MAX_NAME_BYTES)
		return false;
	for (; *text; text++)
		if (!g_ascii_isalnum(*text) && !strchr(special, *text))
			return false;
	return true;
}

/* Parts with single dots between them; one at the end may be. */
static bool is_dotted(const char *text, const char *special)
{
	return text[0] != '.' && !strstr(text, "..") && is_of(text, special);
}

const char *decode_policy_fqdn(const struct policy_decoder *decoder, const struct field *field,
			       bool *ret_is_pattern)
{
	static const char *const members[] = {"matchName", "matchPattern", NULL};
	struct field name_field = field_member(field, "matchName");
	struct field pattern_field = field_member(field, "matchPattern");
	const char *name = field_text(&name_field);
	const char *pattern = field_text(&pattern_field);
	bool has_name = name && *name, has_pattern = pattern && *pattern;

	decode_policy_members(field, members);
	if (has_name == has_pattern) {
		field_add_problem(field, "want one of matchName and matchPattern");
		return NULL;
	}
	if (has_name && !is_dotted(name, "-_.")) {
		field_want(&name_field, "at most 255 of A-Z, a-z, 0-9, '-', '_' and single '.'");
		return NULL;
	}
	if (has_pattern && !is_dotted(pattern, "-_.*")) {
		field_want(&pattern_field,
			   "at most 255 of A-Z, a-z, 0-9, '-', '_', '*' and single '.'");
		return NULL;
	}
	*ret_is_pattern = has_pattern;
	return has_name ? name : pattern;
}

static void decode_secret(const struct policy_decoder *decoder, const struct field *field)
{
	static const char *const members[] = {"namespace", "name", NULL};
	struct field namespace_field = field_member(field, "namespace");
	struct field name_field = field_member(field, "name");

	decode_policy_members(field, members);
	field_text(&namespace_field);
	field_required_text(&name_field);
}

static void decode_header_match(const struct policy_decoder *decoder, const struct field *item)
{
	static const char *const members[] = {"name", "value", "secret", "mismatch", NULL};
	static const char *const actions[] = {"", "LOG", "ADD", "DELETE", "REPLACE", NULL};
	struct field name = field_member(item, "name");
	struct field value = field_member(item, "value");
	struct field secret = field_member(item, "secret");
	struct field mismatch = field_member(item, "mismatch");
	const char *action = field_text(&mismatch);

	decode_policy_members(item, members);
	field_required_text(&name);
	field_text(&value);
	if (field_is_set(&secret))
		decode_secret(decoder, &secret);
	if (action && !g_strv_contains(actions, action))
		field_want(&mismatch, "LOG, ADD, DELETE or REPLACE");
}

static void decode_http(const struct policy_decoder *decoder, const struct field *item)
{
	static const char *const members[] = {"path",    "method",        "host",
					      "headers", "headerMatches", NULL};
	struct field headers = field_member(item, "headers");
	struct field matches = field_member(item, "headerMatches");

	decode_policy_members(item, members);
	for (size_t i = 0; i < 3; i++) {
		struct field text = field_member(item, members[i]);

		field_text(&text);
	}
	for (struct field header = decode_policy_first(&headers); header.value;
	     header = field_next(&header))
		field_required_text(&header);
	for (struct field match = decode_policy_first(&matches); match.value;
	     match = field_next(&match))
		decode_header_match(decoder, &match);
}

static const char *const kafka_keys[] = {
	"produce",
	"fetch",
	"offsets",
	"metadata",
	"leaderandisr",
	"stopreplica",
	"updatemetadata",
	"controlledshutdown",
	"offsetcommit",
	"offsetfetch",
	"findcoordinator",
	"joingroup",
	"heartbeat",
	"leavegroup",
	"syncgroup",
	"describegroups",
	"listgroups",
	"saslhandshake",
	"apiversions",
	"createtopics",
	"deletetopics",
	"deleterecords",
	"initproducerid",
	"offsetforleaderepoch",
	"addpartitionstotxn",
	"addoffsetstotxn",
	"endtxn",
	"writetxnmarkers",
	"txnoffsetcommit",
	"describeacls",
	"createacls",
	"deleteacls",
	"describeconfigs",
	"alterconfigs",
	NULL,
};

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (g_ascii_strcasecmp(text, *words) == 0)
			return true;
	return false;
}

static bool is_kafka_version(const char *text)
{
	uint64_t version;

	return !*text || g_ascii_string_to_unsigned(text, 10, 0, INT16_MAX, &version, NULL);
}

static void decode_kafka(const struct policy_decoder *decoder, const struct field *item)
{
	static const char *const members[] = {"role",     "apiKey", "apiVersion",
					      "clientID", "topic",  NULL};
	static const char *const roles[] = {"produce", "consume", NULL};
	struct field role_field = field_member(item, "role");
	struct field key_field = field_member(item, "apiKey");
	struct field version_field = field_member(item, "apiVersion");
	struct field client_field = field_member(item, "clientID");
	struct field topic_field = field_member(item, "topic");
	const char *role = field_text(&role_field);
	const char *key = field_text(&key_field);
	const char *version = field_text(&version_field);
	const char *topic = field_text(&topic_field);

	decode_policy_members(item, members);
	field_text(&client_field);
	if (role && *role && key && *key)
		field_add_problem(&key_field, "cannot be combined with role");
	if (role && *role && !is_one_of(role, roles))
		field_want(&role_field, "produce or consume");
	if (key && *key && !is_one_of(key, kafka_keys))
		field_want(&key_field, "the name of a Kafka API such as fetch");
	if (version && !is_kafka_version(version))
		field_want(&version_field, "a number from 0 to 32767");
	if (topic && !is_of(topic, "._-"))
		field_want(&topic_field, "at most 255 of A-Z, a-z, 0-9, '.', '_' and '-'");
}

static void decode_dns(const struct policy_decoder *decoder, const struct field *item)
{
	bool is_pattern;

	(void)decode_policy_fqdn(decoder, item, &is_pattern);
}

static void decode_generic(const struct policy_decoder *decoder, const struct field *item)
{
	for (struct field member = field_first_member(item); member.value;
	     member = field_next(&member)) {
		if (!*member.name)
			field_add_problem(item, "has an empty key");
		field_text(&member);
	}
}

static const struct l7_protocol {
	const char *name;
	void (*decode)(const struct policy_decoder *decoder, const struct field *item);
} l7_protocols[] = {
	{"http", decode_http},
	{"kafka", decode_kafka},
	{"dns", decode_dns},
	{"l7", decode_generic},
};

/* What is said of L7: the name of the protocol. NULL: nothing, or an empty list, which is the same. */
static const char *decode_l7_lists(const struct policy_decoder *decoder, const struct field *rules)
{
	const char *found = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(l7_protocols); i++) {
		struct field list = field_member(rules, l7_protocols[i].name);

		if (!field_is_set(&list))
			continue;
		if (field_is_empty(&list)) {
			decode_policy_note(decoder, &list, false, "is empty: nothing is filtered");
			continue;
		}
		if (found)
			field_add_problem(&list, "cannot be combined with %s", found);
		found = l7_protocols[i].name;
		for (struct field item = decode_policy_first(&list); item.value;
		     item = field_next(&item))
			l7_protocols[i].decode(decoder, &item);
	}
	return found;
}

/* "http", "kafka", "dns" or "l7"; NULL: there are no L7 rules. */
static const char *decode_rules(const struct policy_decoder *decoder, const struct field *rules,
				const struct policy_rule *rule)
{
	static const char *const members[] = {"http", "kafka", "dns", "l7proto", "l7", NULL};
	struct field proto_field = field_member(rules, "l7proto");
	const char *proto = field_text(&proto_field);
	const char *found = decode_l7_lists(decoder, rules);

	decode_policy_members(rules, members);
	if (proto && *proto && found && strcmp(found, "l7") != 0)
		field_add_problem(&proto_field, "cannot be combined with %s", found);
	if (g_strcmp0(found, "l7") == 0 && !(proto && *proto))
		field_add_problem(rules, "has l7, which wants l7proto too");
	if (!found && proto && *proto)
		found = "l7";
	if (!found)
		return NULL;
	if (rule->direction == POLICY_INGRESS && strcmp(found, "dns") == 0)
		field_add_problem(rules, "has dns, which is possible for egress only");
	else if (decoder->is_host && strcmp(found, "dns") != 0)
		field_add_problem(rules, "has %s, but a policy of nodes may have dns only", found);
	return found;
}

static void decode_tls(const struct policy_decoder *decoder, const struct field *field)
{
	static const char *const members[] = {"secret", "trustedCA", "certificate", "privateKey",
					      NULL};
	struct field secret = field_member(field, "secret");

	decode_policy_members(field, members);
	for (size_t i = 1; members[i]; i++) {
		struct field text = field_member(field, members[i]);

		field_text(&text);
	}
	if (field_is_set(&secret))
		decode_secret(decoder, &secret);
	else
		field_add_problem(&secret, "is missing");
}

/* "a.b", "*.b" for one part before it, "**.b" for any number. */
static bool is_server_name(const char *text)
{
	const char *name = text;

	if (g_str_has_prefix(text, "**."))
		name += 3;
	else if (g_str_has_prefix(text, "*."))
		name += 2;
	return *name && strlen(text) <= MAX_NAME_BYTES && is_dotted(name, "-_.");
}

static void decode_server_names(const struct field *list)
{
	for (struct field item = decode_policy_first(list); item.value; item = field_next(&item)) {
		const char *text = field_required_text(&item);

		if (text && !is_server_name(text))
			field_want(&item, "the name of a host, which may begin with *. or **.");
	}
}

static void decode_listener(const struct policy_decoder *decoder, const struct field *field,
			    const struct policy_rule *rule)
{
	static const char *const members[] = {"envoyConfig", "name", "priority", NULL};
	static const char *const config_members[] = {"kind", "name", NULL};
	struct field config = field_member(field, "envoyConfig");
	struct field config_kind = field_member(&config, "kind");
	struct field config_name = field_member(&config, "name");
	struct field name = field_member(field, "name");
	struct field priority = field_member(field, "priority");
	const char *kind = field_text(&config_kind);
	int64_t number;

	decode_policy_members(field, members);
	decode_policy_members(&config, config_members);
	if (rule->direction == POLICY_INGRESS)
		field_add_problem(field, "is possible for egress only");
	if (kind && *kind && strcmp(kind, "CiliumEnvoyConfig") != 0 &&
	    strcmp(kind, "CiliumClusterwideEnvoyConfig") != 0)
		field_want(&config_kind, "CiliumEnvoyConfig or CiliumClusterwideEnvoyConfig");
	field_required_text(&config_name);
	field_required_text(&name);
	(void)field_int(&priority, 0, 100, &number);
}

static void refuse_in_deny(const struct field *field)
{
	if (field_is_set(field))
		field_add_problem(field, "is not possible in a deny rule");
}

static uint8_t decode_needs(const struct policy_decoder *decoder, const struct field *element,
			    const struct policy_rule *rule, const char *l7)
{
	struct field names = field_member(element, "serverNames");
	struct field terminating = field_member(element, "terminatingTLS");
	struct field originating = field_member(element, "originatingTLS");
	struct field listener = field_member(element, "listener");
	bool has_names = field_is_set(&names) && !field_is_empty(&names);
	uint8_t needs = l7 ? POLICY_NEEDS_L7 : 0;

	decode_server_names(&names);
	if (has_names && l7 && !field_is_set(&terminating))
		field_add_problem(&names,
				  "cannot be combined with L7 rules without terminatingTLS");
	if (field_is_set(&terminating))
		decode_tls(decoder, &terminating);
	if (field_is_set(&originating))
		decode_tls(decoder, &originating);
	if (has_names || field_is_set(&terminating) || field_is_set(&originating))
		needs |= POLICY_NEEDS_TLS;
	if (!field_is_set(&listener))
		return needs;
	decode_listener(decoder, &listener, rule);
	if (l7)
		field_add_problem(&listener, "cannot be combined with L7 rules");
	return needs | POLICY_NEEDS_LISTENER;
}

static void note_needs(const struct policy_decoder *decoder, const struct field *element,
		       uint8_t needs)
{
	const char *what = needs & POLICY_NEEDS_L7         ? "L7 rules"
			   : needs & POLICY_NEEDS_LISTENER ? "listeners"
							   : "TLS rules";

	if (needs)
		decode_policy_note(decoder, element, true,
				   "%s are not acted on yet: what they would allow is refused",
				   what);
}

uint8_t decode_policy_l7(const struct policy_decoder *decoder, const struct field *element,
			 const struct policy_rule *rule, bool *ret_has_l7, bool *ret_has_dns)
{
	static const char *const members[] = {"rules",          "serverNames", "terminatingTLS",
					      "originatingTLS", "listener",    NULL};
	struct field rules = field_member(element, "rules");
	const char *l7;
	uint8_t needs;

	*ret_has_l7 = *ret_has_dns = false;
	if (rule->deny) {
		for (const char *const *name = members; *name; name++) {
			struct field field = field_member(element, *name);

			refuse_in_deny(&field);
		}
		return 0;
	}
	l7 = decode_rules(decoder, &rules, rule);
	needs = decode_needs(decoder, element, rule, l7);
	note_needs(decoder, element, needs);
	*ret_has_l7 = l7;
	*ret_has_dns = g_strcmp0(l7, "dns") == 0;
	return needs;
}
