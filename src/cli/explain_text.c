/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of cilium explain as text, of its JSON. */
#include <string.h>
#include "abi/drop.h"
#include "src/cli/explain_report.h"
#include "src/cli/explain_service.h"
#include "src/cli/json_get.h"

/* The first column. */
#define LABEL_FORMAT "%-11s "

/* Labels that name an identity; it may have many more. */
#define LABELS_MAX 8

static void G_GNUC_PRINTF(3, 4) append(GString *text, const char *label, const char *format, ...)
{
	va_list args;

	g_string_append_printf(text, LABEL_FORMAT, label);
	va_start(args, format);
	g_string_append_vprintf(text, format, args);
	va_end(args);
	g_string_append_c(text, '\n');
}

static bool is(const json_t *object, const char *name, const char *value)
{
	return !strcmp(json_get_text(object, name, NULL), value);
}

static bool is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

/* ---- who ---- */

/* What every pod has is no name: left out, in the text. */
static bool is_of_every_pod(const char *label)
{
	return g_str_has_prefix(label, "k8s:io.cilium.k8s.") ||
	       g_str_has_prefix(label, "k8s:io.kubernetes.pod.namespace=");
}

/* "identity 300 (k8s:app=web, …)". g_free. */
static char *identity_text(long long number, const json_t *labels)
{
	GString *text = g_string_new(NULL);
	unsigned int n = 0;
	const json_t *label;
	size_t i;

	g_string_printf(text, "identity %lld", number);
	json_array_foreach(labels, i, label)
	{
		const char *name = json_string_value(label);

		if (!name || is_of_every_pod(name) || n > LABELS_MAX)
			continue;
		g_string_append_printf(text, "%s%s", n ? ", " : " (", n == LABELS_MAX ? "…" : name);
		n++;
	}
	if (n)
		g_string_append_c(text, ')');
	return g_string_free(text, FALSE);
}

static void append_end(GString *text, const char *label, const json_t *end)
{
	g_autofree char *identity = identity_text(json_get_number(end, "identity", NULL),
						  json_get(end, "labels", NULL));
	g_autofree char *endpoint = g_strdup_printf("endpoint %lld of this node",
						    json_get_number(end, "endpoint", NULL));
	const char *name = json_get_text(end, "name", NULL);
	const char *where = is(end, "where", "endpoint")     ? endpoint
			    : is(end, "where", "this-node")  ? "this node"
			    : is(end, "where", "other-node") ? "another node"
			    : is(end, "where", "other-pod")  ? "a pod of another node"
			    : is(end, "where", "service")    ? "a service"
							     : "outside";

	append(text, label, "%s%s%s, %s, %s", *name ? name : json_get_text(end, "address", NULL),
	       *name ? " " : "", *name ? json_get_text(end, "address", NULL) : "", where, identity);
	if (json_get_number(end, "stands-for", NULL))
		append(text, "", "where it answers a masqueraded connection: of %s, endpoint %lld",
		       json_get_text(end, "stands-for-name", NULL),
		       json_get_number(end, "stands-for", NULL));
}

/* ---- connection ---- */

static const char *connection_text(const json_t *connection)
{
	static const struct {
		const char *state, *text;
	} texts[] = {
		{"new", "none yet: the rules are asked"},
		{"dead",
		 "one that has expired, or is an earlier endpoint's: the rules are asked anew"},
		{"reopened", "closed, and opened again: the rules are asked anew"},
		{"found",
		 "known and allowed before by the rules in force: the packet passes unasked; "
		 "what the rules say of it follows"},
		{"stale",
		 "known, but rules or identities have changed since: the rules are asked again"},
		{"related", "an ICMP error about a known connection: passes with it"},
		{"related-stale",
		 "an ICMP error about a known connection whose rules or identities have "
		 "changed since: the rules are asked again"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		if (is(connection, "state", texts[i].state))
			return texts[i].text;
	return "not looked for";
}

static void append_connection(GString *text, const json_t *connection)
{
	bool is_answer = !is(connection, "state", "unasked") && !is_true(connection, "from-opener");

	append(text, "connection", "%s%s", connection_text(connection),
	       is_answer ? "; this is a packet of who answers" : "");
}

/* ---- judgements ---- */

/* "CiliumNetworkPolicy default/web" of "CiliumNetworkPolicy/default/web". */
static char *policy_text(const char *key)
{
	char *text = g_strdup(key), *slash = strchr(text, '/');

	if (slash)
		*slash = ' ';
	return text;
}

/*
 * "A, B and C": the policies of the list, once each; only_denying: those that deny what no rule allows. NULL
 * where there is none.
 */
static char *list_policies(const json_t *policies, bool only_denying, unsigned int *ret_n)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	GString *text = g_string_new(NULL);
	const json_t *policy;
	size_t i;

	json_array_foreach(policies, i, policy)
	{
		char *name = policy_text(json_get_text(policy, "policy", NULL));

		if ((only_denying && !is_true(policy, "default-deny")) ||
		    g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
			g_free(name);
		else
			g_ptr_array_add(names, name);
	}
	for (guint j = 0; j < names->len; j++)
		g_string_append_printf(text, "%s%s",
				       !j                    ? ""
				       : j + 1 == names->len ? " and "
							     : ", ",
				       (const char *)names->pdata[j]);
	*ret_n = names->len;
	return g_string_free(text, !names->len);
}

static void append_peer(GString *text, const json_t *judgement)
{
	long long peer = json_get_number(judgement, "peer", NULL);

	if (is(judgement, "entry", "own"))
		append(text, "", "identity %lld has an entry of its own", peer);
	else if (is(judgement, "entry", "others"))
		append(text, "",
		       "identity %lld has no entry of its own: what is said of all others counts",
		       peer);
	else if (is(judgement, "entry", "none") && is_true(judgement, "incomplete"))
		append(text, "",
		       "identity %lld has no entry: the map cilium_policy_peer is full, and who "
		       "has no "
		       "entry is denied; raise bpf-policy-map-max",
		       peer);
	else if (is(judgement, "entry", "none"))
		append(text, "", "identity %lld has no entry, and nothing is said of others", peer);
}

static void append_class(GString *text, const json_t *judgement)
{
	const json_t *ports = json_get(judgement, "ports", NULL);
	const char *protocol = json_get_text(judgement, "protocol", NULL);
	long long class = json_get_number(judgement, "class", NULL);
	long long port = json_get_number(judgement, "port", NULL);
	long long first = json_get_number(ports, "first", NULL);
	long long last = json_get_number(ports, "last", NULL);

	if (is(judgement, "entry", "unasked") || is(judgement, "entry", "none"))
		return;
	if (!class)
		append(text, "", "and that is the same for all protocols and ports");
	else if (!ports)
		append(text, "",
		       "class %lld says nothing of %s %lld: what it says of all else counts", class,
		       protocol, port);
	else if (!json_get_number(ports, "prefix", NULL))
		append(text, "", "class %lld: the entry for all of %s decides", class, protocol);
	else if (first == last)
		append(text, "", "class %lld: the entry for %s %lld decides", class, protocol,
		       first);
	else
		append(text, "",
		       "class %lld: the entry for %s %lld to %lld decides, which holds %lld", class,
		       protocol, first, last, port);
}

/* "CiliumNetworkPolicy default/web spec.ingress[0] (web.yaml:12)". g_free. */
static char *rule_text(const json_t *rule)
{
	GString *text = g_string_new(NULL);
	const char *policy = json_get_text(rule, "policy", NULL);
	const char *file = json_get_text(rule, "file", NULL);
	g_autofree char *name = policy_text(policy);

	if (!*policy)
		g_string_append_printf(text, "%lld", json_get_number(rule, "rule", NULL));
	else
		g_string_append_printf(text, "%s %s", name, json_get_text(rule, "path", NULL));
	if (*file)
		g_string_append_printf(text, " (%s:%lld)", file,
				       json_get_number(rule, "line", NULL));
	return g_string_free(text, FALSE);
}

static void append_default_deny(GString *text, const json_t *judgement)
{
	const json_t *policies = json_get(judgement, "policies", NULL);
	const char *direction = json_get_text(judgement, "direction", NULL);
	unsigned int n_all, n_denying;
	g_autofree char *all = list_policies(policies, false, &n_all);
	g_autofree char *denying = list_policies(policies, true, &n_denying);

	if (!policies)
		append(text, "",
		       "no rule allows it; which policies select the endpoint is not known here");
	else if (denying)
		append(text, "",
		       "no rule of %s matches; %s %s the endpoint for %s, so what no rule allows "
		       "is "
		       "denied",
		       all, denying, n_denying > 1 ? "select" : "selects", direction);
	else if (all)
		append(text, "",
		       "no rule of %s matches, and %s is enforced for the endpoint (policy "
		       "enforcement "
		       "\"always\", or its label reserved:init), so what no rule allows is denied",
		       all, direction);
	else
		append(text, "",
		       "no policy selects the endpoint, and %s is enforced for it (policy "
		       "enforcement "
		       "\"always\", or its label reserved:init), so everything is denied",
		       direction);
}

static void append_notes(GString *text, const json_t *judgement)
{
	const json_t *note;
	const char *log = json_get_text(judgement, "rule", "log", NULL);
	size_t i;

	if (*log)
		append(text, "", "log: %s", log);
	json_array_foreach(json_get(judgement, "notes", NULL), i, note)
		append(text, "", "%s: %s", json_get_text(note, "path", NULL),
		       json_get_text(note, "text", NULL));
}

static void append_decision(GString *text, const json_t *judgement)
{
	const json_t *rule = json_get(judgement, "rule", NULL);
	const char *direction = json_get_text(judgement, "direction", NULL);
	g_autofree char *origin = rule_text(rule);

	if (!json_get_number(judgement, "rule-set", NULL))
		append(text, "",
		       "the kernel has not been told the rules of the endpoint yet: until then "
		       "everything is denied");
	else if (is_true(judgement, "open"))
		append(text, "", "no policy selects the endpoint for %s: everything is allowed",
		       direction);
	else if (is(judgement, "verdict", "allow") && json_get_number(rule, "rule", NULL) == 1)
		append(text, "", "the node may always talk to its endpoints (allow-localhost)");
	else if (is(judgement, "verdict", "allow") && json_get_number(rule, "rule", NULL) == 2)
		append(text, "",
		       "%s is not enforced for the endpoint: what no rule denies is allowed",
		       direction);
	else if (is(judgement, "verdict", "allow"))
		append(text, "", "allowed by rule %s", origin);
	else if (is(judgement, "verdict", "deny"))
		append(text, "", "denied by rule %s", origin);
	else if (is(judgement, "verdict", "needs-proxy"))
		append(text, "", "rule %s allows it only behind a proxy, which does not run here",
		       origin);
	else if (is(judgement, "verdict", "needs-auth"))
		append(text, "",
		       "rule %s allows it only between peers that have authenticated, which "
		       "nothing does "
		       "here",
		       origin);
	else
		append_default_deny(text, judgement);
	append_notes(text, judgement);
}

static void append_judgement(GString *text, const json_t *judgement)
{
	const json_t *policies = json_get(judgement, "policies", NULL);
	const char *name = json_get_text(judgement, "name", NULL);
	long long rule_set = json_get_number(judgement, "rule-set", NULL);
	bool allowed = is(judgement, "verdict", "allow");
	bool audited = !allowed && rule_set && is_true(judgement, "audit");
	g_autofree char *endpoint =
		g_strdup_printf("endpoint %lld", json_get_number(judgement, "endpoint", NULL));
	unsigned int n;
	g_autofree char *all = list_policies(policies, false, &n);

	append(text, json_get_text(judgement, "direction", NULL),
	       "%s: the rules of %s, asked about identity %lld",
	       allowed   ? "allowed"
	       : audited ? "would be denied, but is only audited"
			 : "denied",
	       *name ? name : endpoint, json_get_number(judgement, "peer", NULL));
	if (rule_set)
		append(text, "", "rule set version %lld%s%s", rule_set, all ? ", of " : "",
		       all ? all : "");
	append_peer(text, judgement);
	append_class(text, judgement);
	append_decision(text, judgement);
}

/* ---- result ---- */

static const char *goes_text(const char *point)
{
	static const char *const texts[][2] = {
		{"to-endpoint", "into the pod"},
		{"to-host", "to the node itself"},
		{"to-stack", "to the node's stack"},
		{"to-network", "out through the device"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		if (!strcmp(point, texts[i][0]))
			return texts[i][1];
	return "on, as it is";
}

/* What to do about a denial, of the judgement that denied. */
static void append_next(GString *text, const json_t *report, const json_t *result)
{
	const json_t *judgements = json_get(report, "judgements", NULL);
	const json_t *judgement = json_array_get(judgements, json_array_size(judgements) - 1);
	const char *direction = json_get_text(judgement, "direction", NULL);
	const char *name = json_get_text(judgement, "name", NULL);
	const char *cause = json_get_text(result, "cause", NULL);

	if (json_get_number(result, "reason-number", NULL) == DROP_POLICY_DENY)
		append(text, "",
		       "A deny rule beats every allow rule: to allow it, take the peer or the port "
		       "out "
		       "of that rule.");
	else if (json_get_number(result, "reason-number", NULL) == DROP_POLICY_DENIED && judgement)
		append(text, "",
		       "To allow it, add an %s rule for identity %lld and %s %lld to a policy that "
		       "selects %s.",
		       direction, json_get_number(judgement, "peer", NULL),
		       json_get_text(judgement, "protocol", NULL),
		       json_get_number(judgement, "port", NULL), *name ? name : "the endpoint");
	else if (*cause)
		append(text, "", "That is a packet %s. %s", cause,
		       json_get_text(result, "next", NULL));
}

static void append_result(GString *text, const json_t *report)
{
	const json_t *result = json_get(report, "result", NULL);

	if (!json_get(report, "program", NULL)) {
		append(text, "result", "allowed: no program of this node sees the packet");
	} else if (is_true(result, "allowed")) {
		append(text, "result", "allowed: goes %s",
		       goes_text(json_get_text(result, "goes", NULL)));
	} else {
		append(text, "result", "dropped: %s (%lld), %s:%lld",
		       json_get_text(result, "reason", NULL),
		       json_get_number(result, "reason-number", NULL),
		       json_get_text(result, "file", NULL), json_get_number(result, "line", NULL));
		append_next(text, report, result);
	}
	for (int i = 0; i < 2; i++)
		if (is(json_get(report, i ? "destination" : "source", NULL), "where", "other-pod"))
			append(text, "",
			       "Only this node's half is judged: ask the same on the node of the "
			       "%s",
			       i ? "destination" : "source");
}

static void append_service(GString *text, const json_t *service)
{
	g_autofree char *said = explain_service_text(service);

	if (said)
		append(text, "service", "%s", said);
}

void explain_report_append(GString *text, const json_t *report)
{
	const json_t *program = json_get(report, "program", NULL), *judgement;
	size_t i;

	append(text, "packet", "%s%s", json_get_text(report, "packet", NULL),
	       is_true(report, "truncated") ? ", cut in the capture" : "");
	append_end(text, "from", json_get(report, "source", NULL));
	append_end(text, "to", json_get(report, "destination", NULL));
	if (program) {
		append(text, "program", "%s on %s", json_get_text(program, "name", NULL),
		       json_get_text(program, "device", NULL));
		append_service(text, json_get(report, "service", NULL));
		append_connection(text, json_get(report, "connection", NULL));
	}
	json_array_foreach(json_get(report, "judgements", NULL), i, judgement)
		append_judgement(text, judgement);
	append_result(text, report);
}
