// SPDX-License-Identifier: Apache-2.0
/* The nouns: what makes two rows equal, one field at a time. */
#include "src/model/object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "src/base/intern.h"
#include "src/model/identity.h"
#include "src/model/node.h"
#include "src/model/plan.h"
#include "src/model/pod.h"

static struct pod *new_pod(void)
{
	struct label label = {"k8s", "app", "web"};
	struct pod *pod = (struct pod *)row_new(&pod_class);

	object_meta_init_namespaced(&pod->meta, "default", "web");
	object_meta_take_labels(&pod->meta, label_set_new(&label, 1));
	object_meta_put_annotation(&pod->meta, "a", "1");
	pod->node_name = intern_new("node1");
	return pod;
}

static void keys(void **state)
{
	struct object_meta meta;

	object_meta_init_namespaced(&meta, "default", "web");
	assert_string_equal(meta.key, "default/web");
	assert_string_equal(meta.name, "web");
	assert_string_equal(meta.namespace, "default");
	assert_int_equal(label_set_n(meta.labels), 0);
	object_meta_fini(&meta);

	object_meta_init(&meta, NULL, "default");
	assert_string_equal(meta.key, "default");
	assert_null(meta.namespace);
	assert_null(object_meta_annotation(&meta, "a"));
	object_meta_fini(&meta);
}

static void assert_differs(const struct pod *pod, struct pod *changed)
{
	assert_false(row_equal(&pod->row, &changed->row));
	assert_false(row_equal(&changed->row, &pod->row));
	row_unref(&changed->row);
}

static void pods_differ_by_any_field(void **state)
{
	struct pod *pod = new_pod(), *other = new_pod();

	assert_true(row_equal(&pod->row, &other->row));
	other->meta.line = 7;
	other->meta.file = intern_new("/elsewhere");
	assert_true(row_equal(&pod->row, &other->row));
	other->service_account = intern_new("robot");
	assert_differs(pod, other);

	other = new_pod();
	object_meta_take_labels(&other->meta, label_set_new(NULL, 0));
	assert_differs(pod, other);

	other = new_pod();
	object_meta_put_annotation(&other->meta, "a", "2");
	assert_string_equal(object_meta_annotation(&other->meta, "a"), "2");
	assert_differs(pod, other);

	other = new_pod();
	object_meta_put_annotation(&other->meta, "b", "1");
	assert_differs(pod, other);

	other = new_pod();
	other->meta.uid = g_strdup("u");
	assert_differs(pod, other);

	other = new_pod();
	other->service_account = intern_new("robot");
	assert_differs(pod, other);

	other = new_pod();
	other->host_network = true;
	assert_differs(pod, other);

	other = new_pod();
	pod_add_port(other, "web", IPPROTO_TCP, 80);
	assert_differs(pod, other);
	row_unref(&pod->row);
}

static void assert_ports_differ(const char *name, uint8_t protocol, uint16_t number)
{
	struct pod *a = new_pod(), *b = new_pod(), *c = new_pod();

	pod_add_port(a, "web", IPPROTO_TCP, 80);
	pod_add_port(b, "web", IPPROTO_TCP, 80);
	pod_add_port(c, name, protocol, number);
	assert_true(row_equal(&a->row, &b->row));
	assert_false(row_equal(&a->row, &c->row));
	row_unref(&a->row);
	row_unref(&b->row);
	row_unref(&c->row);
}

static void pods_differ_by_ports(void **state)
{
	assert_ports_differ("wed", IPPROTO_TCP, 80);
	assert_ports_differ("web", IPPROTO_UDP, 80);
	assert_ports_differ("web", IPPROTO_TCP, 81);
}

static struct pod *new_sharing_pod(uint16_t number)
{
	struct pod *pod = new_pod();

	pod_add_port(pod, "web", IPPROTO_TCP, number);
	pod_share_ports(pod);
	return pod;
}

static void pods_share_ports(void **state)
{
	struct pod *a = new_sharing_pod(80), *b = new_sharing_pod(80), *c = new_sharing_pod(81);
	struct pod *own = new_pod(), *none = new_pod();

	pod_add_port(own, "web", IPPROTO_TCP, 80);
	pod_share_ports(none);
	assert_null(none->ports);
	assert_ptr_equal(a->ports, b->ports);
	assert_ptr_not_equal(a->ports, c->ports);
	row_unref(&own->row);
	row_unref(&a->row);
	assert_int_equal(g_array_index(b->ports, struct pod_port, 0).number, 80);
	row_unref(&b->row);
	row_unref(&c->row);
	row_unref(&none->row);
	a = new_sharing_pod(80);
	assert_int_equal(a->ports->len, 1);
	row_unref(&a->row);
}

static void nodes_differ_by_addresses(void **state)
{
	struct node *a = node_new("Node", "n1"), *b = node_new("Node", "n1");
	struct node_address address = {.type = NODE_ADDRESS_INTERNAL};
	struct cidr cidr;

	assert_string_equal(a->meta.key, "Node/n1");
	assert_true(row_equal(&a->row, &b->row));
	g_array_append_val(b->addresses, address);
	assert_false(row_equal(&a->row, &b->row));
	address.type = NODE_ADDRESS_EXTERNAL;
	g_array_append_val(a->addresses, address);
	assert_false(row_equal(&a->row, &b->row));
	g_array_index(a->addresses, struct node_address, 0).type = NODE_ADDRESS_INTERNAL;
	assert_true(row_equal(&a->row, &b->row));
	assert_int_equal(cidr_parse("10.0.0.0/24", &cidr), 0);
	g_array_append_val(a->pod_cidrs, cidr);
	assert_false(row_equal(&a->row, &b->row));
	row_unref(&a->row);
	row_unref(&b->row);
}

static void map_entries_differ_by_bytes(void **state)
{
	uint32_t key = 1, value = 2, other_value = 3;
	struct plan_map_entry *a = plan_map_entry_new(PLAN_MAP_cilium_lxc, &key, 4, &value, 4, 5);
	struct plan_map_entry *b = plan_map_entry_new(PLAN_MAP_cilium_lxc, &key, 4, &value, 4, 5);
	struct plan_map_entry *c =
		plan_map_entry_new(PLAN_MAP_cilium_lxc, &key, 4, &other_value, 4, 5);

	assert_int_equal(a->data[0], PLAN_MAP_cilium_lxc);
	assert_memory_equal(a->data + 1, &key, 4);
	assert_memory_equal(a->data + 5, &value, 4);
	assert_true(row_equal(&a->row, &b->row));
	assert_false(row_equal(&a->row, &c->row));
	row_unref(&a->row);
	row_unref(&b->row);
	row_unref(&c->row);
}

static void reserved_names(void **state)
{
	assert_string_equal(identity_reserved_name(IDENTITY_HOST), "host");
	assert_string_equal(identity_reserved_name(IDENTITY_WORLD_IPV6), "world-ipv6");
	assert_null(identity_reserved_name(100));
	assert_null(identity_reserved_name(UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(pods_differ_by_any_field),
		cmocka_unit_test(pods_differ_by_ports),
		cmocka_unit_test(pods_share_ports),
		cmocka_unit_test(nodes_differ_by_addresses),
		cmocka_unit_test(map_entries_differ_by_bytes),
		cmocka_unit_test(reserved_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
