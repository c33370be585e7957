// SPDX-License-Identifier: Apache-2.0
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

struct object *decode_pod(const struct field *object, struct object_meta *take_meta)
{
	struct object *decoded = decode_new(&pod_class, take_meta);
	struct pod *pod = (struct pod *)decoded;
	struct field spec = field_member(object, "spec");
	struct field node_name = field_member(&spec, "nodeName");
	struct field service_account = field_member(&spec, "serviceAccountName");

	pod->node_name = intern_new(decode_reference(&node_name));
	pod->service_account = intern_new(decode_reference(&service_account));
	return decoded;
}
