// SPDX-License-Identifier: Apache-2.0
#include "src/api/service_spec.h"

#include <arpa/inet.h>
#include <string.h>
#include "src/base/intern.h"
#include "src/model/connection_text.h"
#include "src/model/lb.h"
#include "src/wire/field.h"

#define DEFAULT_WEIGHT 100
#define NAME_MAX_BYTES 253

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{"TCP", IPPROTO_TCP},
	{"UDP", IPPROTO_UDP},
	{"SCTP", IPPROTO_SCTP},
};

/* A typing error must not make another service than was meant. */
static void check_members(const struct field *mapping, const char *const *known)
{
	for (struct field member = field_first_member(mapping); member.value;
	     member = field_next(&member))
		if (!g_strv_contains(known, member.name))
			field_add_problem(&member, "is not known");
}

/* Not set: TCP. */
static uint8_t decode_protocol(const struct field *parent)
{
	struct field field = field_member(parent, "protocol");
	const char *text = field_text(&field);

	for (size_t i = 0; text && i < G_N_ELEMENTS(protocols); i++)
		if (g_ascii_strcasecmp(text, protocols[i].name) == 0)
			return protocols[i].number;
	if (text)
		field_want(&field, "TCP, UDP or SCTP");
	return IPPROTO_TCP;
}

static uint16_t decode_port(const struct field *parent)
{
	struct field field = field_member(parent, "port");
	int64_t port = 0;

	if (!field_is_set(&field))
		field_add_problem(&field, "is missing");
	return field_int(&field, 1, UINT16_MAX, &port) ? port : 0;
}

/* Zero where there is none. */
static void decode_address(const struct field *parent, struct addr *ret_addr)
{
	struct field field = field_member(parent, "ip");
	const char *text = field_required_text(&field);
	static const struct addr none4 = {.bytes = {[10] = 0xff, [11] = 0xff}};
	struct addr addr;

	if (text && addr_parse(text, &addr) == 0 && !addr_is_zero(&addr) &&
	    !addr_equal(&addr, &none4) && !addr_is_group(&addr))
		*ret_addr = addr;
	else if (text)
		field_want(&field, "an IPv4 or IPv6 address, not 0.0.0.0, :: or that of a group");
}

static void decode_frontend(const struct field *root, struct service_request *request)
{
	static const char *const known[] = {"ip", "port", "protocol", "scope", NULL};
	struct field frontend = field_member(root, "frontend-address");
	struct field scope = field_member(&frontend, "scope");
	const char *text = field_text(&scope);

	if (!field_is_set(&frontend)) {
		field_add_problem(&frontend, "is missing");
		return;
	}
	check_members(&frontend, known);
	decode_address(&frontend, &request->addr);
	request->port = decode_port(&frontend);
	request->protocol = decode_protocol(&frontend);
	if (text && strcmp(text, "external") != 0)
		field_want(&scope, "external, which serves clients inside as well");
}

/* Weight 0 and the state are two words for one thing. */
static void decode_state(const struct field *item, struct service_request_backend *backend)
{
	struct field state = field_member(item, "state");
	struct field weight_field = field_member(item, "weight");
	const char *text = field_text(&state);
	int64_t weight = DEFAULT_WEIGHT;
	unsigned int i;

	field_int(&weight_field, 0, UINT16_MAX, &weight);
	backend->state = weight ? LB_BACKEND_ACTIVE : LB_BACKEND_MAINTENANCE;
	for (i = LB_BACKEND_ACTIVE; text && *text && i <= LB_BACKEND_MAINTENANCE; i++)
		if (strcmp(text, lb_backend_state_name(i)) == 0)
			break;
	if (i > LB_BACKEND_MAINTENANCE)
		field_want(&state, "active, terminating, quarantined or maintenance");
	else if (text && *text && i != LB_BACKEND_ACTIVE)
		backend->state = i;
	backend->weight = backend->state == LB_BACKEND_MAINTENANCE ? 0 : weight;
}

/* ends: those of the back ends before it, "10.0.0.1:80". */
static void decode_backend(const struct field *item, struct service_request *request,
			   GHashTable *ends)
{
	/* The last three are what an answer says of a back end: they come back with it. */
	static const char *const known[] = {"ip",       "port",      "protocol", "state", "weight",
					    "nodeName", "preferred", "zone",     NULL};
	struct field ip = field_member(item, "ip");
	struct field protocol = field_member(item, "protocol");
	struct service_request_backend backend = {};

	check_members(item, known);
	decode_address(item, &backend.addr);
	backend.port = decode_port(item);
	decode_state(item, &backend);
	if (field_is_set(&protocol) && decode_protocol(item) != request->protocol)
		field_add_problem(&protocol, "is not the protocol of the front end");
	if (!addr_is_zero(&backend.addr) && !addr_is_zero(&request->addr) &&
	    addr_is_v4(&backend.addr) != addr_is_v4(&request->addr))
		field_add_problem(&ip, "is not of the front end's family");
	if (g_hash_table_add(ends, connection_format_end(&backend.addr, htons(backend.port))))
		g_array_append_val(request->backends, backend);
	else
		field_add_problem(item, "is a back end before it");
}

static const char *decode_name(const struct field *parent, const char *name)
{
	struct field field = field_member(parent, name);
	const char *text = field_text(&field);

	if (!text || !*text)
		return NULL;
	if (strlen(text) > NAME_MAX_BYTES) {
		field_add_problem(&field, "is longer than %d bytes", NAME_MAX_BYTES);
		return NULL;
	}
	for (const char *p = text; *p; p++)
		if (!g_ascii_isalnum(*p) && !strchr("-._", *p)) {
			field_want(&field, "letters, digits, '-', '.' and '_'");
			return NULL;
		}
	return intern_new(text);
}

static bool decode_policy(const struct field *flags, const char *name, bool otherwise)
{
	struct field field = field_member(flags, name);
	const char *text = field_text(&field);

	if (!text || !*text)
		return otherwise;
	if (strcmp(text, "Cluster") != 0 && strcmp(text, "Local") != 0)
		field_want(&field, "Cluster or Local");
	return strcmp(text, "Local") == 0;
}

static uint8_t decode_type(const struct field *flags)
{
	struct field field = field_member(flags, "type");
	const char *text = field_text(&field);

	if (!text || !*text)
		return LB_TYPE_CLUSTER_IP;
	for (unsigned int type = LB_TYPE_CLUSTER_IP; type <= LB_TYPE_HOST_PORT; type++)
		if (strcmp(text, lb_type_name(type)) == 0)
			return type;
	field_want(&field, "ClusterIP, NodePort, ExternalIPs, LoadBalancer or HostPort");
	return LB_TYPE_CLUSTER_IP;
}

/* What asks for something that is not done: only "no" is accepted. */
static void refuse(const struct field *parent, const char *name, const char *no)
{
	struct field field = field_member(parent, name);
	const struct value *value = field.value;

	if (!field_is_set(&field) || (value->type == VALUE_BOOL && !value->boolean) ||
	    (value->type == VALUE_INT && !value->integer) ||
	    (value->type == VALUE_STRING && (!*value->text || !strcmp(value->text, no))))
		return;
	field_add_problem(&field, "is not possible in a service made by hand: leave it out");
}

static void decode_flags(const struct field *root, struct service_request *request)
{
	static const char *const known[] = {
		"type",      "trafficPolicy", "extTrafficPolicy",    "intTrafficPolicy", "name",
		"namespace", "cluster",       "healthCheckNodePort", "natPolicy",        NULL};
	struct field flags = field_member(root, "flags");
	/* The older name of the one of clients outside. */
	bool local = decode_policy(&flags, "trafficPolicy", false);

	check_members(&flags, known);
	request->type = decode_type(&flags);
	request->external_local = decode_policy(&flags, "extTrafficPolicy", local);
	request->internal_local = decode_policy(&flags, "intTrafficPolicy", false);
	request->namespace = decode_name(&flags, "namespace");
	request->name = decode_name(&flags, "name");
	refuse(&flags, "cluster", "");
	refuse(&flags, "healthCheckNodePort", "");
	refuse(&flags, "natPolicy", "None");
}

static void decode_root(const struct field *root, struct service_request *request)
{
	static const char *const known[] = {"id",    "frontend-address", "backend-addresses",
					    "flags", "updateServices",   NULL};
	struct field id_field = field_member(root, "id");
	struct field backends = field_member(root, "backend-addresses");
	g_autoptr(GHashTable) ends = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	int64_t id = 0;

	check_members(root, known);
	field_int(&id_field, 0, UINT32_MAX, &id);
	if (id && id != request->id)
		field_add_problem(&id_field, "is not %u, which the path names", request->id);
	decode_frontend(root, request);
	for (struct field item = field_first(&backends); item.value; item = field_next(&item))
		decode_backend(&item, request, ends);
	decode_flags(root, request);
	refuse(root, "updateServices", "");
}

struct decoding {
	struct service_request *request;
	GPtrArray *problems; /* struct field_problem */
};

static bool decode_document(const struct value *document, void *data)
{
	struct decoding *decoding = data;
	struct field root = field_root(document, decoding->problems);

	if (document->type == VALUE_MAPPING)
		decode_root(&root, decoding->request);
	else
		field_want(&root, "a JSON object");
	return true;
}

static char *problems_text(const GPtrArray *problems)
{
	GString *text = g_string_new(NULL);

	for (unsigned int i = 0; i < problems->len; i++) {
		const struct field_problem *problem = problems->pdata[i];

		g_string_append_printf(text, "%s%s%s%s", i ? "; " : "", problem->path,
				       *problem->path ? ": " : "", problem->reason);
	}
	return g_string_free(text, FALSE);
}

int service_spec_decode(uint32_t id, const char *body, size_t n_bytes,
			struct service_request **ret_request, GError **error)
{
	g_autoptr(GPtrArray) problems =
		g_ptr_array_new_with_free_func((GDestroyNotify)field_problem_free);
	struct service_request *request = (struct service_request *)row_new(&service_request_class);
	struct decoding decoding = {.request = request, .problems = problems};
	struct value_error failure = {};
	int err;

	request->id = id;
	request->backends = g_array_new(FALSE, FALSE, sizeof(struct service_request_backend));
	err = value_parse_json(body, n_bytes, decode_document, &decoding, &failure);
	if (err) {
		error_set(error, EINVAL, "line %u: %s", failure.line, failure.reason);
	} else if (problems->len) {
		g_autofree char *text = problems_text(problems);

		err = error_set(error, EINVAL, "%s", text);
	}
	g_free(failure.reason);
	if (err)
		row_unref(&request->row);
	else
		*ret_request = request;
	return err;
}

static const char *protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < G_N_ELEMENTS(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	return "TCP";
}

json_t *service_spec_encode(const struct service_request *request)
{
	json_t *backends = json_array();
	char text[ADDR_TEXT_BYTES];

	for (unsigned int i = 0; i < request->backends->len; i++) {
		const struct service_request_backend *backend =
			&g_array_index(request->backends, struct service_request_backend, i);

		json_array_append_new(backends,
				      json_pack("{s:s, s:i, s:i, s:s}", "ip",
						addr_format(&backend->addr, text), "port",
						backend->port, "weight", backend->weight, "state",
						lb_backend_state_name(backend->state)));
	}
	return json_pack("{s:I, s:{s:s, s:i, s:s}, s:o, s:{s:s, s:s, s:s, s:s*, s:s*}}", "id",
			 (json_int_t)request->id, "frontend-address", "ip",
			 addr_format(&request->addr, text), "port", request->port, "protocol",
			 protocol_name(request->protocol), "backend-addresses", backends, "flags",
			 "type", lb_type_name(request->type), "extTrafficPolicy",
			 request->external_local ? "Local" : "Cluster", "intTrafficPolicy",
			 request->internal_local ? "Local" : "Cluster", "namespace",
			 request->namespace, "name", request->name);
}
