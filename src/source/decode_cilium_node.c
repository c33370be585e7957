// SPDX-License-Identifier: Apache-2.0
#include "src/model/node.h"
#include "src/source/decode_private.h"

struct object *decode_cilium_node(const struct field *object, struct object_meta *take_meta)
{
	struct node *node = node_new("CiliumNode", take_meta->name);
	struct field spec = field_member(object, "spec");
	struct field addresses = field_member(&spec, "addresses");
	struct field ipam = field_member(&spec, "ipam");
	struct field pod_cidrs = field_member(&ipam, "podCIDRs");

	object_meta_fini(&node->meta);
	node->meta = *take_meta;
	for (struct field item = field_first(&addresses); item.value; item = field_next(&item)) {
		struct field type = field_member(&item, "type");
		struct field ip = field_member(&item, "ip");

		decode_node_address(&type, &ip, node->addresses);
	}
	for (struct field item = field_first(&pod_cidrs); item.value; item = field_next(&item))
		decode_cidr(&item, node->pod_cidrs);
	return (struct object *)node;
}
