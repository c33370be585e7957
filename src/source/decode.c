// SPDX-License-Identifier: Apache-2.0
#include "src/source/decode.h"

#include <string.h>
#include "src/base/intern.h"
#include "src/source/decode_private.h"
#include "src/source/syntax.h"
#include "src/store/tables.h"

static const struct object_kind kinds[] = {
#define KIND(api, other_api, kind, scope, name, table, function) \
	{api,                                                    \
	 other_api,                                              \
	 kind,                                                   \
	 OBJECT_SCOPE_##scope,                                   \
	 syntax_is_##name,                                       \
	 offsetof(struct tables, table),                         \
	 function}
	KIND("v1", NULL, "Namespace", CLUSTER, dns_label, namespaces, decode_namespace),
	KIND("v1", NULL, "Node", KIND, dns_subdomain, nodes, decode_node),
	KIND("cilium.io/v2", NULL, "CiliumNode", KIND, dns_subdomain, nodes, decode_cilium_node),
	KIND("v1", NULL, "Pod", NAMESPACE, dns_subdomain, pods, decode_pod),
	KIND("v1", NULL, "Service", NAMESPACE, dns_label, services, decode_service),
	KIND("discovery.k8s.io/v1", NULL, "EndpointSlice", KIND_NAMESPACE, dns_subdomain,
	     endpoint_slices, decode_endpoint_slice),
	KIND("v1", NULL, "Endpoints", KIND_NAMESPACE, dns_subdomain, endpoint_slices,
	     decode_endpoints),
	KIND("networking.k8s.io/v1", NULL, "NetworkPolicy", KIND_NAMESPACE, dns_subdomain, policies,
	     decode_network_policy),
	KIND("cilium.io/v2", NULL, "CiliumNetworkPolicy", KIND_NAMESPACE, dns_subdomain, policies,
	     decode_cilium_network_policy),
	KIND("cilium.io/v2", NULL, "CiliumClusterwideNetworkPolicy", KIND, dns_subdomain, policies,
	     decode_clusterwide_policy),
	KIND("cilium.io/v2", "cilium.io/v2alpha1", "CiliumCIDRGroup", CLUSTER, dns_subdomain,
	     cidr_groups, decode_cidr_group),
	KIND("cilium.io/v2", NULL, "CiliumLocalRedirectPolicy", NAMESPACE, dns_subdomain,
	     local_redirects, decode_local_redirect),
#undef KIND
};

/* What a person may well put beside Pods, and has to be told that it has no effect. */
static const char *const other_kinds[] = {
	"ConfigMap",
	"CronJob",
	"DaemonSet",
	"Deployment",
	"Gateway",
	"GatewayClass",
	"GRPCRoute",
	"HTTPRoute",
	"Ingress",
	"IngressClass",
	"Job",
	"Lease",
	"LimitRange",
	"PersistentVolume",
	"PersistentVolumeClaim",
	"ReferenceGrant",
	"ReplicaSet",
	"ReplicationController",
	"ResourceQuota",
	"Role",
	"RoleBinding",
	"ClusterRole",
	"ClusterRoleBinding",
	"CustomResourceDefinition",
	"Secret",
	"ServiceAccount",
	"ServiceExport",
	"ServiceImport",
	"StatefulSet",
	"TCPRoute",
	"TLSRoute",
	"UDPRoute",
};

static const struct object_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (strcmp(name, kinds[i].kind) == 0)
			return &kinds[i];
	return NULL;
}

bool decode_is_other_kind(const char *kind)
{
	if (g_str_has_prefix(kind, "Cilium") && !find_kind(kind))
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(other_kinds); i++)
		if (strcmp(kind, other_kinds[i]) == 0)
			return true;
	return false;
}

static void add_unknown_kind(const struct field *field, const char *kind)
{
	g_autoptr(GString) known = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		g_string_append_printf(known, "%s%s", i ? ", " : "", kinds[i].kind);
	field_add_problem(field, "got \"%.100s\", want one of %s", kind, known->str);
}

const struct object_kind *decode_find_kind(const struct field *object)
{
	struct field api_version_field = field_member(object, "apiVersion");
	struct field kind_field = field_member(object, "kind");
	const char *api_version = field_required_text(&api_version_field);
	const char *kind = field_required_text(&kind_field);
	const struct object_kind *found;

	if (!api_version || !kind)
		return NULL;
	if (decode_is_other_kind(kind)) {
		field_add_problem(&kind_field, "%s has no effect: this version does not act on it",
				  kind);
		return NULL;
	}
	found = find_kind(kind);
	if (!found) {
		add_unknown_kind(&kind_field, kind);
		return NULL;
	}
	if (strcmp(api_version, found->api_version) == 0 ||
	    g_strcmp0(api_version, found->other_api_version) == 0)
		return found;
	field_add_problem(&api_version_field, "got \"%.100s\", want %s for a %s", api_version,
			  found->api_version, kind);
	return NULL;
}

/* Of a namespaced object: "default" where it says none. NULL: not a text. */
static const char *namespace_of(const struct field *metadata)
{
	struct field namespace_name = field_member(metadata, "namespace");
	const char *text;

	if (!field_is_set(&namespace_name))
		return "default";
	text = field_text(&namespace_name);
	if (text && !syntax_is_dns_label(text)) {
		field_want(&namespace_name, "1 to 63 of a-z, 0-9 and '-' (RFC 1123)");
		return NULL;
	}
	return text;
}

static bool is_namespaced(const struct object_kind *kind)
{
	return kind->scope == OBJECT_SCOPE_NAMESPACE || kind->scope == OBJECT_SCOPE_KIND_NAMESPACE;
}

bool decode_key_has_kind(const struct object_kind *kind)
{
	return kind->scope == OBJECT_SCOPE_KIND || kind->scope == OBJECT_SCOPE_KIND_NAMESPACE;
}

/* What stands in front of the name, without the slash. NULL: nothing. */
static char *key_prefix(const struct object_kind *kind, const char *namespace_name)
{
	switch (kind->scope) {
	case OBJECT_SCOPE_CLUSTER:
		return NULL;
	case OBJECT_SCOPE_NAMESPACE:
		return g_strdup(namespace_name);
	case OBJECT_SCOPE_KIND:
		return g_strdup(kind->kind);
	case OBJECT_SCOPE_KIND_NAMESPACE:
		return g_strconcat(kind->kind, "/", namespace_name, NULL);
	}
	g_assert_not_reached();
}

char *decode_key(const struct object_kind *kind, const struct field *object)
{
	g_autoptr(GPtrArray) ignored =
		g_ptr_array_new_with_free_func((GDestroyNotify)field_problem_free);
	struct field root = field_root(object->value, ignored);
	struct field metadata = field_member(&root, "metadata");
	struct field name_field = field_member(&metadata, "name");
	const char *name = field_required_text(&name_field);
	const char *namespace_name = is_namespaced(kind) ? namespace_of(&metadata) : "";
	g_autofree char *prefix = NULL;

	if (!name || !namespace_name || !kind->is_name(name))
		return NULL;
	prefix = key_prefix(kind, namespace_name);
	return prefix ? g_strconcat(prefix, "/", name, NULL) : g_strdup(name);
}

const struct label_set *decode_labels(const struct field *labels)
{
	g_autoptr(GArray) array = g_array_new(FALSE, FALSE, sizeof(struct label));

	for (struct field item = field_first_member(labels); item.value; item = field_next(&item)) {
		const char *value = field_text(&item);

		if (!syntax_is_label_key(item.name))
			field_add_problem(&item, "is not the key of a label: want [domain/]name");
		else if (!value && !field_is_set(&item))
			field_want(&item, "a text");
		else if (value && !syntax_is_label_value(value))
			field_want(&item, "at most 63 of A-Z, a-z, 0-9, '-', '_' and '.', "
					  "a letter or digit at both ends");
		else if (value)
			g_array_append_val(array, ((struct label){"k8s", item.name, value}));
	}
	return label_set_new((const struct label *)(void *)array->data, array->len);
}

/* The others may be long (kubectl keeps the whole manifest in one), and nobody reads them. */
static bool annotation_matters(const char *name)
{
	return strstr(name, "cilium.io/") || g_str_has_prefix(name, "io.cilium") ||
	       g_str_has_prefix(name, "kubernetes.io/");
}

static void decode_annotations(const struct field *annotations, struct object_meta *meta)
{
	for (struct field item = field_first_member(annotations); item.value;
	     item = field_next(&item)) {
		const char *value = field_text(&item);

		if (value && annotation_matters(item.name))
			object_meta_put_annotation(meta, item.name, value);
	}
}

/* False where there is no name to make a key of. */
static bool decode_meta(const struct object_kind *kind, const struct field *object,
			struct object_meta *ret_meta)
{
	struct field metadata = field_member(object, "metadata");
	struct field name_field = field_member(&metadata, "name");
	struct field labels = field_member(&metadata, "labels");
	struct field annotations = field_member(&metadata, "annotations");
	struct field uid = field_member(&metadata, "uid");
	const char *name = field_required_text(&name_field);
	const char *namespace_name = is_namespaced(kind) ? namespace_of(&metadata) : "";
	g_autofree char *prefix = NULL;

	if (name && !kind->is_name(name)) {
		field_want(&name_field,
			   kind->is_name == syntax_is_dns_label
				   ? "1 to 63 of a-z, 0-9 and '-' (RFC 1123)"
				   : "at most 253 of a-z, 0-9, '-' and '.' (RFC 1123)");
		name = NULL;
	}
	if (!name || !namespace_name)
		return false;
	prefix = key_prefix(kind, namespace_name);
	object_meta_init(ret_meta, prefix, name);
	if (is_namespaced(kind))
		ret_meta->namespace = intern_new(namespace_name);
	object_meta_take_labels(ret_meta, decode_labels(&labels));
	decode_annotations(&annotations, ret_meta);
	ret_meta->uid = g_strdup(field_text(&uid));
	return true;
}

struct object *decode_new(const struct row_class *class, struct object_meta *take_meta)
{
	struct object *object = (struct object *)row_new(class);

	object->meta = *take_meta;
	return object;
}

struct object *decode_object(const struct object_kind *kind, const struct field *object)
{
	unsigned int n_before = object->problems->len;
	struct object *decoded;
	struct object_meta meta;

	if (!decode_meta(kind, object, &meta))
		return NULL;
	meta.line = object->value->line;
	decoded = kind->decode(object, &meta);
	if (object->problems->len == n_before)
		return decoded;
	row_unref(&decoded->row);
	return NULL;
}
