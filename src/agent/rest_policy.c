/* SPDX-License-Identifier: Apache-2.0 */
/* /policy: what Cilium answers about the rules in force, and where they come from. */
#include "src/agent/rest_private.h"

#include <string.h>
#include "src/api/policy_json.h"
#include "src/agent/policy_selectors.h"
#include "src/agent/policy_view.h"

/* ---- GET /policy ---- */

/* Whether the rule's labels hold all that were asked for. */
static bool has_labels(const struct policy_spec *spec, const struct label_set *labels)
{
	for (size_t i = 0; labels && i < label_set_n(labels); i++) {
		const struct label *label = label_set_get(labels, i);
		bool any = !strcmp(label->source, "any") || !strcmp(label->source, "unspec");
		const char *value =
			label_set_find(spec->labels, any ? NULL : label->source, label->key);

		if (!value || strcmp(value, label->value) != 0)
			return false;
	}
	return true;
}

static json_t *rules_to_json(const struct agent *agent, const struct label_set *labels)
{
	g_autoptr(GPtrArray) policies = policy_view_get_active(agent);
	json_t *list = json_array();

	for (guint i = 0; i < policies->len; i++) {
		const struct policy *policy = policies->pdata[i];

		for (guint j = 0; j < policy->specs->len; j++)
			if (has_labels(policy->specs->pdata[j], labels))
				json_array_append_new(list,
						      policy_spec_to_json(policy->specs->pdata[j]));
	}
	return list;
}

json_t *policy_to_json(const struct agent *agent, const struct label_set *labels)
{
	json_t *rules = rules_to_json(agent, labels), *answer;
	/* The rules are one text inside, laid out as a person reads it: so Cilium's clients want it. */
	char *text = json_dumps(rules, JSON_INDENT(2));

	answer = json_pack("{s:s, s:I}", "policy", text, "revision",
			   (json_int_t)policy_view_get_revision(agent));
	free(text);
	json_decref(rules);
	return answer;
}

void rest_policy_get(struct rest_call *call)
{
	const struct label_set *labels = NULL;
	g_autoptr(GError) error = NULL;

	if (rest_parse_labels(call->request, &labels, &error) < 0) {
		rest_refuse_error(call, -EINVAL, error);
		return;
	}
	rest_reply(call, 200, policy_to_json(call->agent, labels));
	label_set_unref(labels);
}

void rest_policy_selectors(struct rest_call *call)
{
	rest_reply(call, 200, policy_selectors_to_json(call->agent));
}

/* ---- GET /policy/rules ---- */

static json_t *origin_to_json(const struct rule_origin *origin)
{
	g_autofree char *file = origin->file ? g_utf8_make_valid(origin->file, -1) : NULL;
	json_t *json = json_pack("{s:I, s:s*, s:s*, s:s*, s:s*}", "rule",
				 (json_int_t)origin->number, "policy", origin->policy, "path",
				 origin->path, "file", file, "log", origin->log);

	if (origin->line)
		json_object_set_new(json, "line", json_integer(origin->line));
	return json;
}

static bool append_row(const struct row *row, void *data)
{
	g_ptr_array_add(data, (void *)row);
	return true;
}

static int compare_origins(const void *a, const void *b)
{
	const struct rule_origin *left = *(struct rule_origin *const *)a;
	const struct rule_origin *right = *(struct rule_origin *const *)b;

	return (left->number > right->number) - (left->number < right->number);
}

static void reply_rule(struct rest_call *call, const char *text)
{
	const struct rule_origin *origin;
	guint64 number = 0;
	uint32_t key;

	if (!g_ascii_string_to_unsigned(text, 10, 1, UINT32_MAX, &number, NULL)) {
		rest_refuse(call, 400, "rule \"%s\": expected the number of a rule", text);
		return;
	}
	key = number;
	origin = (const struct rule_origin *)table_get(call->agent->tables.rule_origins, &key,
						       sizeof(key));
	if (origin)
		rest_reply(call, 200, json_pack("[o]", origin_to_json(origin)));
	else
		rest_refuse(call, 404,
			    "no rule has the number %s now: the policy that had it is gone or "
			    "changed",
			    text);
}

void rest_policy_rules(struct rest_call *call)
{
	const char *number = http_request_query(call->request, "rule");
	g_autoptr(GPtrArray) origins = NULL;
	json_t *list;

	if (number) {
		reply_rule(call, number);
		return;
	}
	origins = g_ptr_array_new();
	list = json_array();
	table_foreach (call->agent->tables.rule_origins, append_row, origins)
		;
	g_ptr_array_sort(origins, compare_origins);
	for (guint i = 0; i < origins->len; i++)
		json_array_append_new(list, origin_to_json(origins->pdata[i]));
	rest_reply(call, 200, list);
}

/* ---- GET /policy/endpoint/{id} ---- */

static json_t *direction_to_json(const struct rule_set *set, enum policy_direction direction)
{
	return json_pack("{s:b, s:[]}", "enforced", set && set->directions[direction].enforced,
			 "policies");
}

struct spec_lists {
	json_t *directions[POLICY_DIRECTION__MAX];
};

static bool has_rules(const struct policy_spec *spec, enum policy_direction direction)
{
	for (guint i = 0; i < spec->rules->len; i++)
		if (((const struct policy_rule *)spec->rules->pdata[i])->direction == direction)
			return true;
	return false;
}

static void add_spec(const struct policy *policy, const struct policy_spec *spec, const char *path,
		     void *data)
{
	struct spec_lists *lists = data;
	g_autofree char *file = policy->meta.file ? g_utf8_make_valid(policy->meta.file, -1) : NULL;

	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		if (spec->default_deny[i] || has_rules(spec, i))
			json_array_append_new(json_object_get(lists->directions[i], "policies"),
					      json_pack("{s:s, s:s, s:s*, s:i, s:b}", "policy",
							policy->meta.key, "path", path, "file",
							file, "line", policy->meta.line,
							"default-deny", spec->default_deny[i]));
}

/* "0" and "reserved:host" are the host, which is none of the table's endpoints. */
static bool find_id(struct rest_call *call, uint16_t *ret_id)
{
	const struct endpoint *endpoint;

	if (!strcmp(call->arg, "0") || !strcmp(call->arg, "reserved:host")) {
		*ret_id = POLICY_ENDPOINT_HOST;
		return true;
	}
	endpoint = rest_find_endpoint(call);
	if (endpoint)
		*ret_id = endpoint->id;
	return endpoint;
}

void rest_policy_endpoint(struct rest_call *call)
{
	const struct endpoint_policy *policy;
	const struct rule_set *set;
	struct reconciler_policy applied = {0};
	struct spec_lists lists;
	uint16_t id;

	if (!find_id(call, &id))
		return;
	policy = policy_view_get(call->agent, id);
	set = policy_view_get_rule_set(call->agent, id);
	if (!policy || !set) {
		rest_refuse(call, 404,
			    id ? "no policy is derived for endpoint %s yet"
			       : "the host has no policy: enable-host-firewall is off",
			    call->arg);
		return;
	}
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		lists.directions[i] = direction_to_json(set, i);
	policy_view_foreach_spec(call->agent, id, add_spec, &lists);
	(void)!reconcilers_policy_get(call->agent->reconcilers, id, &applied);
	rest_reply(call, 200,
		   json_pack("{s:i, s:I, s:I, s:I, s:b, s:o, s:o}", "endpoint-id", id, "rule-set",
			     (json_int_t)set->number, "version", (json_int_t)applied.version,
			     "policy-revision", (json_int_t)policy->policy_revision, "audit",
			     policy->audit, "ingress", lists.directions[POLICY_INGRESS], "egress",
			     lists.directions[POLICY_EGRESS]));
}
