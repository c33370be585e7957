/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/reference.h"

#include <string.h>

#define NAMESPACE_LABELS "io.cilium.k8s.namespace.labels."
#define POD_NAMESPACE    "io.kubernetes.pod.namespace"

/* Kubernetes: podSelector and namespaceSelector are of pods, ipBlock is of addresses outside. */
static bool entity_selects(const struct reference_rule *rule, const char *entity,
			   const struct party *peer)
{
	static const char *const of_cluster[] = {
		"host", "remote-node", "init", "ingress", "health", "unmanaged", "kube-apiserver"};

	if (!strcmp(entity, "all"))
		return true;
	if (!strcmp(entity, "none"))
		return false;
	if (!strcmp(entity, "world"))
		return party_label(peer, "reserved", "world") ||
		       party_label(peer, "reserved", "world-ipv4") ||
		       party_label(peer, "reserved", "world-ipv6");
	if (strcmp(entity, "cluster") != 0)
		return party_label(peer, "reserved", entity);
	for (unsigned int i = 0; i < G_N_ELEMENTS(of_cluster); i++)
		if (party_label(peer, "reserved", of_cluster[i]))
			return true;
	return !g_strcmp0(party_label(peer, "k8s", "io.cilium.k8s.policy.cluster"),
			  rule->world->cluster);
}

/* Prefixes are of what is outside of the cluster; of its nodes only where the configuration says so. */
static bool prefixes_mean(const struct reference_rule *rule, const struct party *peer)
{
	const char *mode = world_config(rule->world, "policy-cidr-match-mode", "");

	return peer->has_address &&
	       (peer->is_world || (peer->is_other_node && !strcmp(mode, "nodes")));
}

static bool prefix_selects(const struct reference_rule *rule, const char *prefix,
			   const struct party *peer)
{
	return prefixes_mean(rule, peer) && prefix_contains(prefix, &peer->address);
}

static bool group_is_meant(const json_t *set, const json_t *group)
{
	const char *name = object_text(set, "cidrGroupRef", NULL);
	const json_t *labels = json_object_get(json_object_get(group, "metadata"), "labels");
	const json_t *selector = member_of(set, "cidrGroupSelector");
	struct party stand_in = {.labels = g_array_new(false, false, sizeof(struct world_label))};
	const char *key;
	json_t *value;
	bool holds;

	json_object_foreach((json_t *)labels, key, value)
	{
		struct world_label label = {(char *)"k8s", (char *)key,
					    (char *)json_string_value(value)};

		g_array_append_val(stand_in.labels, label);
	}
	holds = name ? !g_strcmp0(name, object_text(group, "metadata", "name"))
		     : selector && selector_holds(selector, &stand_in, NULL, NULL);
	g_array_unref(stand_in.labels);
	return holds;
}

static bool groups_select(const struct reference_rule *rule, const json_t *set,
			  const struct party *peer)
{
	const json_t *object, *prefix;
	size_t i, k;

	json_array_foreach(json_object_get(rule->world->json, "objects"), i, object)
	{
		if (!object_is(object, "CiliumCIDRGroup") || !group_is_meant(set, object))
			continue;
		json_array_foreach(
			json_object_get(json_object_get(object, "spec"), "externalCIDRs"), k,
			prefix) if (prefix_selects(rule, json_string_value(prefix),
						   peer)) return true;
	}
	return false;
}

static bool cidr_set_selects(const struct reference_rule *rule, const json_t *set,
			     const struct party *peer)
{
	const char *prefix = object_text(set, "cidr", NULL);
	const json_t *except;
	size_t i;

	json_array_foreach(
		member_of(set, "except"), i,
		except) if (prefix_selects(rule, json_string_value(except), peer)) return false;
	return prefix ? prefix_selects(rule, prefix, peer) : groups_select(rule, set, peer);
}

static bool node_selector_holds(const json_t *selector, const struct party *peer)
{
	return peer->is_other_node && selector_holds(selector, peer, NULL, NULL);
}

/* A service without a selector is the addresses that somebody has written down for it. */
static bool slices_have(const struct reference_rule *rule, const char *service,
			const struct party *peer)
{
	const json_t *object, *endpoint, *text;
	size_t i, k, l;

	json_array_foreach(json_object_get(rule->world->json, "objects"), i, object)
	{
		const json_t *labels =
			json_object_get(json_object_get(object, "metadata"), "labels");
		const char *name = object_text(labels, "kubernetes.io/service-name", NULL);
		const char *namespace = object_text(object, "metadata", "namespace");
		g_autofree char *whole = g_strdup_printf("%s/%s", namespace, name);

		if (!object_is(object, "EndpointSlice") || strcmp(whole, service) != 0)
			continue;
		json_array_foreach(json_object_get(object, "endpoints"), k, endpoint)
			json_array_foreach(json_object_get(endpoint, "addresses"), l,
					   text) if (prefix_selects(rule, json_string_value(text),
								    peer)) return true;
	}
	return false;
}

static bool service_selects(const struct reference_rule *rule, const json_t *service,
			    const struct party *peer)
{
	const char *namespace = object_text(service, "metadata", "namespace");
	const json_t *selector = member_of(json_object_get(service, "spec"), "selector");
	g_autofree char *name = object_name(service);
	const char *key;
	json_t *value;

	if (!json_object_size(selector))
		return slices_have(rule, name, peer);
	json_object_foreach((json_t *)selector, key,
			    value) if (g_strcmp0(party_label(peer, "k8s", key),
						 json_string_value(value)) != 0) return false;
	return !g_strcmp0(party_label(peer, "k8s", POD_NAMESPACE), namespace);
}

static bool reference_means_service(const struct reference_rule *rule, const json_t *reference,
				    const json_t *service)
{
	const json_t *by_name = member_of(reference, "k8sService");
	const json_t *by_labels = member_of(reference, "k8sServiceSelector");
	const char *namespace = object_text(by_name ? by_name : by_labels, "namespace", NULL);
	const json_t *labels = json_object_get(json_object_get(service, "metadata"), "labels");
	struct party stand_in = {.labels = g_array_new(false, false, sizeof(struct world_label))};
	const char *key;
	json_t *value;
	bool holds;

	namespace = namespace ? namespace : rule->namespace;
	json_object_foreach((json_t *)labels, key, value)
	{
		struct world_label label = {(char *)"k8s", (char *)key,
					    (char *)json_string_value(value)};

		g_array_append_val(stand_in.labels, label);
	}
	holds = by_name ? !g_strcmp0(object_text(by_name, "serviceName", NULL),
				     object_text(service, "metadata", "name"))
			: selector_holds(member_of(by_labels, "selector"), &stand_in, NULL, NULL);
	g_array_unref(stand_in.labels);
	return holds &&
	       (!namespace || !g_strcmp0(namespace, object_text(service, "metadata", "namespace")));
}

static bool services_select(const struct reference_rule *rule, const json_t *reference,
			    const struct party *peer)
{
	const json_t *object;
	size_t i;

	json_array_foreach(json_object_get(rule->world->json, "objects"), i,
			   object) if (object_is(object, "Service") &&
				       reference_means_service(rule, reference, object) &&
				       service_selects(rule, object, peer)) return true;
	return false;
}

static bool peer_of_kubernetes(const struct reference_rule *rule, const json_t *element,
			       const struct party *peer)
{
	const json_t *pods = member_of(element, "podSelector");
	const json_t *namespaces = member_of(element, "namespaceSelector");
	const char *namespace = party_label(peer, "k8s", POD_NAMESPACE);

	if (member_of(element, "ipBlock"))
		return cidr_set_selects(rule, member_of(element, "ipBlock"), peer);
	if (!namespace)
		return false;
	if (namespaces ? !selector_holds(namespaces, peer, "k8s", NAMESPACE_LABELS)
		       : strcmp(namespace, rule->namespace) != 0)
		return false;
	return !pods || selector_holds(pods, peer, "k8s", NULL);
}

static bool meets(const struct reference_rule *rule, const struct party *peer)
{
	for (unsigned int i = 0; i < rule->requires->len; i++) {
		const struct reference_rule *other = rule->
							     requires
			->pdata[i];
		const json_t *list =
			member_of(other->json, other->is_ingress ? "fromRequires" : "toRequires");
		const json_t *selector;
		size_t k;

		json_array_foreach(
			list, k,
			selector) if (other->is_deny == rule->is_deny &&
				      !endpoint_selector_holds(other, selector, peer)) return false;
	}
	return true;
}

/* One element of the member that is there. */
static bool element_selects(const struct reference_rule *rule, const char *what,
			    const json_t *element, const struct party *peer)
{
	if (!strcmp(what, "Endpoints"))
		return endpoint_selector_holds(rule, element, peer) && meets(rule, peer);
	if (!strcmp(what, "CIDR"))
		return prefix_selects(rule, json_string_value(element), peer);
	if (!strcmp(what, "CIDRSet"))
		return cidr_set_selects(rule, element, peer);
	if (!strcmp(what, "Entities"))
		return entity_selects(rule, json_string_value(element), peer);
	if (!strcmp(what, "Nodes"))
		return node_selector_holds(element, peer);
	if (!strcmp(what, "Services"))
		return services_select(rule, element, peer);
	return false; /* FQDNs, Groups: nobody looks up names, or asks a cloud */
}

static bool list_selects(const struct reference_rule *rule, const json_t *list, const char *what,
			 const struct party *peer)
{
	const json_t *element;
	size_t i;

	json_array_foreach(list, i,
			   element) if (what ? element_selects(rule, what, element, peer)
					     : peer_of_kubernetes(rule, element, peer)) return true;
	return false;
}

bool rule_selects_peer(const struct reference_rule *rule, const struct party *peer)
{
	static const char *const members[] = {"Endpoints", "CIDR",     "CIDRSet", "Entities",
					      "Nodes",     "Services", "FQDNs",   "Groups"};
	const json_t *list;

	if (rule->is_kubernetes) {
		list = member_of(rule->json, rule->is_ingress ? "from" : "to");
		return !json_array_size(list) || list_selects(rule, list, NULL, peer);
	}
	/* Only one is there; where it is there and empty it means nobody. */
	for (unsigned int i = 0; i < G_N_ELEMENTS(members); i++) {
		g_autofree char *name =
			g_strconcat(rule->is_ingress ? "from" : "to", members[i], NULL);

		list = member_of(rule->json, name);
		if (list)
			return list_selects(rule, list, members[i], peer);
	}
	/* Ports alone are those of everybody; an element without anything is nobody's. */
	return json_array_size(member_of(rule->json, "toPorts")) ||
	       json_array_size(member_of(rule->json, "icmps"));
}
