/* SPDX-License-Identifier: Apache-2.0 */
#include "src/api/endpoint_request.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <jansson.h>

#define TEXT_MAX_BYTES         4096
#define CONTAINER_ID_MAX_BYTES 256 /* those of runtimes have 64 */
#define LABELS_MAX             1024

enum member_kind {
	MEMBER_TEXT,
	MEMBER_MAC,
	MEMBER_INDEX,
	MEMBER_BOOL,
	MEMBER_ADDR4,
	MEMBER_ADDR6,
	MEMBER_ADDRESSING, /* an object with members of its own */
	MEMBER_DATAPATH,
	MEMBER_LABELS,
	MEMBER_ID,
	MEMBER_COOKIE,  /* a number as text: it may be greater than a number in JSON */
	MEMBER_IGNORED, /* says nothing that this agent does not know by itself */
	MEMBER_REFUSED, /* something that is not done: only "no" is accepted */
};

struct member {
	const char *name;
	enum member_kind kind;
	size_t offset;
};

#define FIELD(member) offsetof(struct endpoint_change_request, member)

static const struct member members[] = {
	{"id", MEMBER_ID, FIELD(id)},
	{"addressing", MEMBER_ADDRESSING},
	{"container-id", MEMBER_TEXT, FIELD(container_id)},
	{"container-name", MEMBER_TEXT, FIELD(container_name)},
	{"container-interface-name", MEMBER_TEXT, FIELD(container_interface_name)},
	{"container-netns-path", MEMBER_TEXT, FIELD(container_netns_path)},
	{"k8s-namespace", MEMBER_TEXT, FIELD(k8s_namespace)},
	{"k8s-pod-name", MEMBER_TEXT, FIELD(k8s_pod_name)},
	{"k8s-uid", MEMBER_TEXT, FIELD(k8s_uid)},
	{"interface-name", MEMBER_TEXT, FIELD(interface_name)},
	{"interface-index", MEMBER_INDEX, FIELD(interface_index)},
	{"mac", MEMBER_MAC, FIELD(mac)},
	{"host-mac", MEMBER_MAC, FIELD(host_mac)},
	{"labels", MEMBER_LABELS, FIELD(labels)},
	{"netns-cookie", MEMBER_COOKIE, FIELD(netns_cookie)},
	{"sync-build-endpoint", MEMBER_BOOL, FIELD(sync_build_endpoint)},
	{"datapath-configuration", MEMBER_DATAPATH},
	{"state", MEMBER_IGNORED},
	{"pid", MEMBER_IGNORED},
	{"docker-endpoint-id", MEMBER_IGNORED},
	{"docker-network-id", MEMBER_IGNORED},
	{"disable-legacy-identifiers", MEMBER_IGNORED},
	{"policy-enabled", MEMBER_REFUSED},
	{"properties", MEMBER_REFUSED},
	{"datapath-map-id", MEMBER_REFUSED},
	{"parent-interface-index", MEMBER_REFUSED},
};

static const struct member addressing_members[] = {
	{"ipv4", MEMBER_ADDR4, FIELD(addr4)},
	{"ipv6", MEMBER_ADDR6, FIELD(addr6)},
	{"ipv4-expiration-uuid", MEMBER_TEXT, FIELD(expiration_uuid4)},
	{"ipv6-expiration-uuid", MEMBER_TEXT, FIELD(expiration_uuid6)},
	{"ipv4-pool-name", MEMBER_IGNORED},
	{"ipv6-pool-name", MEMBER_IGNORED},
};

static const struct member datapath_members[] = {
	{"require-egress-prog", MEMBER_IGNORED},    /* every endpoint has one */
	{"require-routing", MEMBER_IGNORED},        /* always on */
	{"install-endpoint-route", MEMBER_IGNORED}, /* enable-endpoint-routes decides */
	{"external-ipam", MEMBER_IGNORED},          /* an address outside the pools is accepted */
	{"require-arp-passthrough", MEMBER_REFUSED},
	{"disable-sip-verification", MEMBER_BOOL, FIELD(disable_source_verification)},
};

struct decode {
	struct endpoint_change_request *request;
	GString *problems; /* all of them, "; " between */
};

static void G_GNUC_PRINTF(3, 4)
	problem(struct decode *decode, const char *name, const char *format, ...)
{
	va_list args;

	g_string_append_printf(decode->problems, "%s%s: ", decode->problems->len ? "; " : "", name);
	va_start(args, format);
	g_string_append_vprintf(decode->problems, format, args);
	va_end(args);
}

static bool value_says_no(const json_t *value)
{
	return json_is_null(value) || json_is_false(value) ||
	       (json_is_integer(value) && !json_integer_value(value)) ||
	       (json_is_string(value) && !json_string_length(value)) ||
	       (json_is_object(value) && !json_object_size(value)) ||
	       (json_is_array(value) && !json_array_size(value));
}

/* Such text goes to terminals and logs. */
static bool has_control(const char *text, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		if (g_ascii_iscntrl(text[i]))
			return true;
	return false;
}

static void decode_text(struct decode *decode, const struct member *member, const json_t *value,
			void *field)
{
	const char *text = json_string_value(value);
	size_t n_bytes_max =
		field == &decode->request->container_id ? CONTAINER_ID_MAX_BYTES : TEXT_MAX_BYTES;
	struct addr addr;

	if (!text || json_string_length(value) > n_bytes_max) {
		problem(decode, member->name, "expected text of at most %zu bytes", n_bytes_max);
	} else if (has_control(text, json_string_length(value))) {
		problem(decode, member->name, "expected text without control characters");
	} else if (!*text) {
		return; /* the same as not given */
	} else if (member->kind == MEMBER_TEXT) {
		*(char **)field = g_strdup(text);
	} else if (member->kind == MEMBER_MAC) {
		if (mac_parse(text, field) < 0)
			problem(decode, member->name, "\"%s\" is not a MAC address", text);
	} else if (addr_parse(text, &addr) < 0 ||
		   addr_is_v4(&addr) != (member->kind == MEMBER_ADDR4)) {
		problem(decode, member->name, "\"%s\" is not an %s address", text,
			member->kind == MEMBER_ADDR4 ? "IPv4" : "IPv6");
	} else {
		*(struct addr *)field = addr;
	}
}

static void decode_number(struct decode *decode, const struct member *member, const json_t *value,
			  void *field)
{
	json_int_t max = member->kind == MEMBER_ID ? UINT16_MAX : INT32_MAX;
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > max)
		problem(decode, member->name, "expected a number in 0..%" JSON_INTEGER_FORMAT, max);
	else if (member->kind == MEMBER_ID)
		*(uint16_t *)field = number;
	else
		*(uint32_t *)field = number;
}

static void decode_cookie(struct decode *decode, const struct member *member, const json_t *value,
			  uint64_t *field)
{
	const char *text = json_string_value(value);
	guint64 number = 0;

	if (!text || (*text && !g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, &number, NULL)))
		problem(decode, member->name, "expected a number of at most 64 bits as text");
	*field = number;
}

static void decode_labels(struct decode *decode, const struct member *member, const json_t *value,
			  const struct label_set **field)
{
	g_autofree struct label *labels = NULL;
	size_t n_labels = json_array_size(value), n_parsed = 0;

	if (json_is_null(value))
		return;
	if (!json_is_array(value) || n_labels > LABELS_MAX) {
		problem(decode, member->name, "expected a list of at most %d labels", LABELS_MAX);
		return;
	}
	labels = g_new0(struct label, n_labels);
	for (size_t i = 0; i < n_labels; i++) {
		const char *text = json_string_value(json_array_get(value, i));

		if (!text || label_parse(text, &labels[n_parsed]) < 0)
			problem(decode, member->name, "element %zu is not source:key=value", i);
		else if (!strcmp(labels[n_parsed++].source, "reserved"))
			/* They make an identity that only the agent gives: the host's, the world's. */
			problem(decode, member->name,
				"element %zu: \"reserved\" is no source to give", i);
	}
	*field = label_set_new(labels, n_parsed);
	for (size_t i = 0; i < n_parsed; i++)
		label_fini(&labels[i]);
}

static void decode_members(struct decode *decode, const json_t *object, const char *prefix,
			   const struct member *list, size_t n);

static void decode_object(struct decode *decode, const struct member *member, const json_t *value)
{
	if (json_is_null(value))
		return;
	if (!json_is_object(value))
		problem(decode, member->name, "expected an object");
	else if (member->kind == MEMBER_ADDRESSING)
		decode_members(decode, value, "addressing.", addressing_members,
			       G_N_ELEMENTS(addressing_members));
	else
		decode_members(decode, value, "datapath-configuration.", datapath_members,
			       G_N_ELEMENTS(datapath_members));
}

static void decode_member(struct decode *decode, const struct member *member, const json_t *value)
{
	void *field = (char *)decode->request + member->offset;

	switch (member->kind) {
	case MEMBER_TEXT:
	case MEMBER_MAC:
	case MEMBER_ADDR4:
	case MEMBER_ADDR6:
		decode_text(decode, member, value, field);
		break;
	case MEMBER_INDEX:
	case MEMBER_ID:
		decode_number(decode, member, value, field);
		break;
	case MEMBER_COOKIE:
		decode_cookie(decode, member, value, field);
		break;
	case MEMBER_BOOL:
		if (!json_is_boolean(value))
			problem(decode, member->name, "expected true or false");
		*(bool *)field = json_is_true(value);
		break;
	case MEMBER_LABELS:
		decode_labels(decode, member, value, field);
		break;
	case MEMBER_ADDRESSING:
	case MEMBER_DATAPATH:
		decode_object(decode, member, value);
		break;
	case MEMBER_REFUSED:
		if (!value_says_no(value))
			problem(decode, member->name, "not supported by this agent");
		break;
	case MEMBER_IGNORED:
		break;
	}
}

static void decode_members(struct decode *decode, const json_t *object, const char *prefix,
			   const struct member *list, size_t n)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
	{
		g_autofree char *full_name = g_strconcat(prefix, name, NULL);
		size_t i = 0;

		while (i < n && strcmp(list[i].name, name))
			i++;
		if (i == n) {
			problem(decode, full_name, "unknown member");
		} else {
			struct member member = list[i];

			member.name = full_name;
			decode_member(decode, &member, value);
		}
	}
}

int endpoint_change_request_decode(const char *body, size_t n_bytes,
				   struct endpoint_change_request *ret_request, GError **error)
{
	struct endpoint_change_request request = {0};
	struct decode decode = {.request = &request};
	json_error_t json_error;
	json_auto_t *root = json_loadb(body, n_bytes, JSON_REJECT_DUPLICATES, &json_error);
	int err = 0;

	if (!root)
		return error_set(error, EINVAL, "the body is not JSON: line %d: %s",
				 json_error.line, json_error.text);
	if (!json_is_object(root))
		return error_set(error, EINVAL, "the body is not a JSON object");
	decode.problems = g_string_new(NULL);
	decode_members(&decode, root, "", members, G_N_ELEMENTS(members));
	if (decode.problems->len)
		err = error_set(error, EINVAL, "%s", decode.problems->str);
	g_string_free(decode.problems, TRUE);
	if (err)
		endpoint_change_request_fini(&request);
	else
		*ret_request = request;
	return err;
}

static json_t *encode_labels(const struct label_set *set)
{
	json_t *list = json_array();

	for (size_t i = 0; i < label_set_n(set); i++) {
		g_autofree char *text = label_format(label_set_get(set, i));

		json_array_append_new(list, json_string(text));
	}
	return list;
}

static void encode_text(json_t *object, const struct member *member, const void *field)
{
	char text[ADDR_TEXT_BYTES];

	if (member->kind == MEMBER_TEXT) {
		if (*(char *const *)field)
			json_object_set_new(object, member->name,
					    json_string(*(char *const *)field));
	} else if (member->kind == MEMBER_MAC) {
		if (!mac_is_zero(field))
			json_object_set_new(object, member->name,
					    json_string(mac_format(field, text)));
	} else if (!addr_is_zero(field)) {
		json_object_set_new(object, member->name, json_string(addr_format(field, text)));
	}
}

static void encode_cookie(json_t *object, const char *name, uint64_t cookie)
{
	if (cookie)
		json_object_set_new(object, name, json_sprintf("%" PRIu64, cookie));
}

static json_t *encode_members(const struct endpoint_change_request *request,
			      const struct member *list, size_t n)
{
	json_t *object = json_object();

	for (size_t i = 0; i < n; i++) {
		const void *field = (const char *)request + list[i].offset;
		const char *name = list[i].name;

		switch (list[i].kind) {
		case MEMBER_TEXT:
		case MEMBER_MAC:
		case MEMBER_ADDR4:
		case MEMBER_ADDR6:
			encode_text(object, &list[i], field);
			break;
		case MEMBER_ID:
			json_object_set_new(object, name, json_integer(*(const uint16_t *)field));
			break;
		case MEMBER_INDEX:
			json_object_set_new(object, name, json_integer(*(const uint32_t *)field));
			break;
		case MEMBER_COOKIE:
			encode_cookie(object, name, *(const uint64_t *)field);
			break;
		case MEMBER_BOOL:
			json_object_set_new(object, name, json_boolean(*(const bool *)field));
			break;
		case MEMBER_LABELS:
			if (request->labels)
				json_object_set_new(object, name, encode_labels(request->labels));
			break;
		case MEMBER_ADDRESSING:
			json_object_set_new(object, name,
					    encode_members(request, addressing_members,
							   G_N_ELEMENTS(addressing_members)));
			break;
		case MEMBER_DATAPATH:
			json_object_set_new(object, name,
					    encode_members(request, datapath_members,
							   G_N_ELEMENTS(datapath_members)));
			break;
		case MEMBER_IGNORED:
		case MEMBER_REFUSED:
			break;
		}
	}
	return object;
}

char *endpoint_change_request_encode(const struct endpoint_change_request *request)
{
	json_auto_t *root = encode_members(request, members, G_N_ELEMENTS(members));

	return json_dumps(root, JSON_COMPACT);
}

void endpoint_change_request_fini(struct endpoint_change_request *request)
{
	for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
		if (members[i].kind == MEMBER_TEXT)
			g_free(*(char **)((char *)request + members[i].offset));
	g_free(request->expiration_uuid4);
	g_free(request->expiration_uuid6);
	label_set_unref(request->labels);
	*request = (struct endpoint_change_request){0};
}
