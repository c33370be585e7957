// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include "src/base/intern.h"
#include "src/model/pod.h"
#include "src/source/decode_private.h"
#include "src/source/syntax.h"

/* The name of another object; NULL where there is none, or it is bad. */
static const char *decode_reference(const struct field *field)
{
	const char *text = field_text(field);

	if (!text || !*text)
		return NULL;
	if (!syntax_is_dns_subdomain(text)) {
		field_want(field, "at most 253 of a-z, 0-9, '-' and '.' (RFC 1123)");
		return NULL;
	}
	return text;
}

/* A status is the cluster's to write: what makes no sense there is as if it were not said. */
static bool decode_address(const struct field *field, struct addr *ret_addr)
{
	const char *text = field_text(field);

	return text && *text && addr_parse(text, ret_addr) == 0;
}

static void take_address(const struct field *field, struct pod *pod)
{
	struct addr addr;

	if (!decode_address(field, &addr))
		return;
	if (addr_is_v4(&addr))
		pod->addr4 = addr;
	else
		pod->addr6 = addr;
}

/* One that has ended keeps its addresses in the status, and they are another's already. */
static bool has_ended(const struct field *status)
{
	struct field phase = field_member(status, "phase");
	const char *text = field_text(&phase);

	return text && (!strcmp(text, "Succeeded") || !strcmp(text, "Failed"));
}

static void decode_addresses(const struct field *object, struct pod *pod)
{
	struct field status = field_member(object, "status");
	struct field first = field_member(&status, "podIP");
	struct field list = field_member(&status, "podIPs");
	struct field host = field_member(&status, "hostIP");

	if (has_ended(&status))
		return;
	take_address(&first, pod);
	for (struct field item = field_first(&list); item.value; item = field_next(&item)) {
		struct field ip = field_member(&item, "ip");

		take_address(&ip, pod);
	}
	decode_address(&host, &pod->host);
}

struct object *decode_pod(const struct field *object, struct object_meta *take_meta)
{
	struct object *decoded = decode_new(&pod_class, take_meta);
	struct pod *pod = (struct pod *)decoded;
	struct field spec = field_member(object, "spec");
	struct field node_name = field_member(&spec, "nodeName");
	struct field service_account = field_member(&spec, "serviceAccountName");

	pod->node_name = intern_new(decode_reference(&node_name));
	pod->service_account = intern_new(decode_reference(&service_account));
	decode_addresses(object, pod);
	return decoded;
}
