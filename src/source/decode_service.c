// SPDX-License-Identifier: Apache-2.0
/* Services, and the addresses behind them. */
#include "src/model/service.h"

#include <string.h>
#include "src/base/intern.h"
#include "src/source/decode_private.h"

struct object *decode_service(const struct field *object, struct object_meta *take_meta)
{
	struct object *decoded = decode_new(&service_class, take_meta);
	struct service *service = (struct service *)decoded;
	struct field spec = field_member(object, "spec");
	struct field selector = field_member(&spec, "selector");

	/* An empty one is as none: somebody else says what is behind the service. */
	if (field_first_member(&selector).value)
		service->selector = decode_labels(&selector);
	return decoded;
}

static struct object *new_slice(struct object_meta *take_meta, const char *service)
{
	struct object *decoded = decode_new(&endpoint_slice_class, take_meta);
	struct endpoint_slice *slice = (struct endpoint_slice *)decoded;

	endpoint_slice_init(slice, service);
	return decoded;
}

static void decode_addr(const struct field *field, struct endpoint_slice *slice, uint8_t flags)
{
	const char *text = field_required_text(field);
	struct slice_endpoint endpoint = {.weight = SLICE_DEFAULT_WEIGHT, .flags = flags};

	if (!text)
		return;
	if (addr_parse(text, &endpoint.addr) < 0)
		field_want(field, "an IPv4 or IPv6 address");
	else
		endpoint_slice_add(slice, &endpoint);
}

/* It serves, or will: also what is to end and still answers. */
static bool is_serving(const struct field *endpoint)
{
	struct field conditions = field_member(endpoint, "conditions");
	struct field ready = field_member(&conditions, "ready");
	struct field serving = field_member(&conditions, "serving");

	return field_bool(&ready, true) || field_bool(&serving, false);
}

/* False: of host names, which are no addresses. */
static bool has_addresses(const struct field *object)
{
	struct field type = field_member(object, "addressType");
	const char *text = field_required_text(&type);

	if (text && strcmp(text, "IPv4") != 0 && strcmp(text, "IPv6") != 0 &&
	    strcmp(text, "FQDN") != 0)
		field_want(&type, "IPv4, IPv6 or FQDN");
	return g_strcmp0(text, "FQDN") != 0;
}

struct object *decode_endpoint_slice(const struct field *object, struct object_meta *take_meta)
{
	struct object *decoded = new_slice(
		take_meta, label_set_find(take_meta->labels, "k8s", "kubernetes.io/service-name"));
	struct endpoint_slice *slice = (struct endpoint_slice *)decoded;
	struct field endpoints = field_member(object, "endpoints");
	bool wanted = has_addresses(object);

	for (struct field item = field_first(&endpoints); wanted && item.value;
	     item = field_next(&item)) {
		struct field addresses = field_member(&item, "addresses");

		if (!is_serving(&item))
			continue;
		for (struct field address = field_first(&addresses); address.value;
		     address = field_next(&address))
			decode_addr(&address, slice, SLICE_ENDPOINT_READY | SLICE_ENDPOINT_SERVING);
	}
	return decoded;
}

struct object *decode_endpoints(const struct field *object, struct object_meta *take_meta)
{
	struct object *decoded = new_slice(take_meta, take_meta->name);
	struct endpoint_slice *slice = (struct endpoint_slice *)decoded;
	struct field subsets = field_member(object, "subsets");

	for (struct field subset = field_first(&subsets); subset.value;
	     subset = field_next(&subset)) {
		struct field addresses = field_member(&subset, "addresses");

		for (struct field item = field_first(&addresses); item.value;
		     item = field_next(&item)) {
			struct field ip = field_member(&item, "ip");

			decode_addr(&ip, slice, SLICE_ENDPOINT_READY | SLICE_ENDPOINT_SERVING);
		}
	}
	return decoded;
}
