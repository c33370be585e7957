// SPDX-License-Identifier: Apache-2.0
#include "src/cni/netconf.h"

#include <string.h>
#include "src/cni/environment.h"

#define LABELS_MAX 256

/* Sets *ret_text where the member is there and not empty. */
static int get_text(const json_t *object, const char *name, const char **ret_text, GError **error)
{
	const json_t *value = json_object_get(object, name);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG, "%s: want text", name);
	if (json_string_length(value))
		*ret_text = json_string_value(value);
	return 0;
}

static int decode_version(const json_t *root, enum cni_version *ret_version, GError **error)
{
	const char *text = "0.1.0"; /* of a configuration that names none */
	int status = get_text(root, "cniVersion", &text, error);

	if (!status && cni_version_parse(text, ret_version))
		status = cni_fail(error, CNI_ERROR_INCOMPATIBLE_VERSION,
				  "cniVersion: got %s, want 0.3.0, 0.3.1, 0.4.0, 1.0.0 or 1.1.0",
				  text);
	return status;
}

static int decode_texts(struct netconf *netconf, GError **error)
{
	const struct {
		const char *name;
		const char **place;
	} members[] = {
		{"name", &netconf->name},
		{"socket-path", &netconf->socket_path},
		{"log-file", &netconf->log_file},
		{"log-format", &netconf->log_format},
	};
	int status = 0;

	for (size_t i = 0; !status && i < G_N_ELEMENTS(members); i++)
		status = get_text(netconf->root, members[i].name, members[i].place, error);
	if (!status && netconf->name && !environment_is_identifier(netconf->name))
		status = cni_fail(error, CNI_ERROR_INVALID_CONFIG,
				  "name: got \"%s\", want letters, digits, '_', '.', '-'",
				  netconf->name);
	return status;
}

static int decode_debug(struct netconf *netconf, GError **error)
{
	const json_t *debug = json_object_get(netconf->root, "enable-debug");

	if (debug && !json_is_boolean(debug))
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG,
				"enable-debug: want true or false");
	netconf->enable_debug = json_is_true(debug);
	return 0;
}

static int decode_mtu(struct netconf *netconf, GError **error)
{
	const json_t *mtu = json_object_get(netconf->root, "mtu");

	if (!mtu || (json_is_integer(mtu) && !json_integer_value(mtu)))
		return 0;
	/* What the kernel takes for a veth. */
	if (!json_is_integer(mtu) || json_integer_value(mtu) < 68 ||
	    json_integer_value(mtu) > 65535)
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG, "mtu: want 68..65535");
	netconf->mtu = (uint32_t)json_integer_value(mtu);
	return 0;
}

/* What would change who hands out addresses or makes the interface, and is not done here. */
static int refuse_other_modes(const struct netconf *netconf, GError **error)
{
	const char *ipam = NULL;
	const char *chaining = NULL;
	int status = get_text(json_object_get(netconf->root, "ipam"), "type", &ipam, error);

	if (!status)
		status = get_text(netconf->root, "chaining-mode", &chaining, error);
	if (status)
		return status;
	if (ipam)
		return cni_fail(error, CNI_ERROR_UNSUPPORTED_FIELD,
				"ipam.type: got \"%s\"; addresses come from the agent", ipam);
	/* In mode portmap the plugin does what it always does, and portmap comes behind it. */
	if (chaining && strcmp(chaining, "none") && strcmp(chaining, "portmap"))
		return cni_fail(error, CNI_ERROR_UNSUPPORTED_FIELD,
				"chaining-mode: got \"%s\", want none or portmap", chaining);
	return 0;
}

/* "10.0.0.5" or "10.0.0.5/24": the length is the network's, and an endpoint has its address alone. */
static int decode_wanted_ip(struct netconf *netconf, const json_t *value, GError **error)
{
	g_autofree char *text = g_strdup(json_string_value(value));
	char *slash = text ? strchr(text, '/') : NULL;
	struct addr addr;
	struct addr *place;

	if (slash)
		*slash = '\0';
	if (!text || addr_parse(text, &addr) < 0)
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG, "ips: got \"%s\", want an address",
				text ? json_string_value(value) : "");
	place = addr_is_v4(&addr) ? &netconf->addr4 : &netconf->addr6;
	if (!addr_is_zero(place))
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG,
				"ips: got \"%s\", want one address of each family", text);
	*place = addr;
	return 0;
}

static int decode_wanted_ips(struct netconf *netconf, const json_t *list, GError **error)
{
	const json_t *value;
	size_t i;
	int status = 0;

	if (list && !json_is_null(list) && !json_is_array(list))
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG, "ips: want a list of addresses");
	json_array_foreach(list, i, value)
	{
		status = decode_wanted_ip(netconf, value, error);
		if (status)
			break;
	}
	return status;
}

/* args.cni.labels: [{"key": "app", "value": "web"}], as the CNI conventions have it. */
static int decode_labels(struct netconf *netconf, const json_t *list, GError **error)
{
	size_t n_labels = json_array_size(list);
	g_autofree struct label *labels = NULL;

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list) || n_labels > LABELS_MAX)
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG,
				"args.cni.labels: want a list of at most %d", LABELS_MAX);
	labels = g_new0(struct label, n_labels + 1);
	for (size_t i = 0; i < n_labels; i++) {
		const json_t *label = json_array_get(list, i);
		const char *key = NULL;
		const char *value = "";
		int status = get_text(label, "key", &key, error);

		if (!status)
			status = get_text(label, "value", &value, error);
		if (!status && !key)
			status = cni_fail(error, CNI_ERROR_INVALID_CONFIG,
					  "args.cni.labels: element %zu has no key", i);
		if (status)
			return status;
		labels[i] = (struct label){"cni", key, value};
	}
	netconf->labels = label_set_new(labels, n_labels);
	return 0;
}

int netconf_decode_wishes(struct netconf *netconf, GError **error)
{
	const json_t *runtime = json_object_get(netconf->root, "runtimeConfig");
	const json_t *args = json_object_get(json_object_get(netconf->root, "args"), "cni");
	const char *mac = NULL;
	int status = refuse_other_modes(netconf, error);

	if (!status)
		status = decode_mtu(netconf, error);
	if (!status)
		status = decode_wanted_ips(netconf, json_object_get(runtime, "ips"), error);
	if (!status && addr_is_zero(&netconf->addr4) && addr_is_zero(&netconf->addr6))
		status = decode_wanted_ips(netconf, json_object_get(args, "ips"), error);
	if (!status)
		status = get_text(runtime, "mac", &mac, error);
	if (!status && mac && mac_parse(mac, &netconf->mac) < 0)
		status = cni_fail(error, CNI_ERROR_INVALID_CONFIG,
				  "runtimeConfig.mac: got \"%s\", want 02:00:00:00:00:01", mac);
	if (!status)
		status = decode_labels(netconf, json_object_get(args, "labels"), error);
	return status;
}

static int decode_attachments(struct netconf *netconf, GError **error)
{
	const json_t *list = json_object_get(netconf->root, "cni.dev/valid-attachments");
	size_t n = json_array_size(list);

	if (!list)
		return 0;
	/* null is how Go writes an empty list. */
	if (!json_is_array(list) && !json_is_null(list))
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG,
				"cni.dev/valid-attachments: want a list");
	netconf->valid_attachments =
		g_array_sized_new(FALSE, FALSE, sizeof(struct netconf_attachment), (guint)n);
	for (size_t i = 0; i < n; i++) {
		const json_t *element = json_array_get(list, i);
		struct netconf_attachment attachment = {};
		int status = get_text(element, "containerID", &attachment.container_id, error);

		if (!status)
			status = get_text(element, "ifname", &attachment.ifname, error);
		/* Leaving one out would remove a living container. */
		if (!status && (!attachment.container_id || !attachment.ifname))
			status = cni_fail(error, CNI_ERROR_INVALID_CONFIG,
					  "cni.dev/valid-attachments: element %zu: want "
					  "containerID and ifname",
					  i);
		if (status)
			return status;
		g_array_append_val(netconf->valid_attachments, attachment);
	}
	return 0;
}

static int decode_members(struct netconf *netconf, GError **error)
{
	int status = decode_texts(netconf, error);

	netconf->prev_result = json_object_get(netconf->root, "prevResult");
	if (json_is_null(netconf->prev_result))
		netconf->prev_result = NULL;
	if (!status && netconf->prev_result && !json_is_object(netconf->prev_result))
		status = cni_fail(error, CNI_ERROR_INVALID_CONFIG, "prevResult: want an object");
	if (!status)
		status = decode_debug(netconf, error);
	if (!status)
		status = decode_attachments(netconf, error);
	return status;
}

int netconf_decode(const char *text, size_t n_bytes, struct netconf *ret_netconf,
		   enum cni_version *ret_version, GError **error)
{
	struct netconf netconf = {};
	json_error_t problem;
	int status;

	*ret_version = CNI_VERSION__MAX - 1;
	netconf.root = json_loadb(text, n_bytes, 0, &problem);
	if (!netconf.root)
		return cni_fail(error, CNI_ERROR_DECODING, "network configuration, line %d: %s",
				problem.line, problem.text);
	if (!json_is_object(netconf.root)) {
		netconf_fini(&netconf);
		return cni_fail(error, CNI_ERROR_DECODING,
				"network configuration: want a JSON object");
	}
	status = decode_version(netconf.root, ret_version, error);
	netconf.version = *ret_version;
	if (!status)
		status = decode_members(&netconf, error);
	if (status)
		netconf_fini(&netconf);
	else
		*ret_netconf = netconf;
	return status;
}

void netconf_fini(struct netconf *netconf)
{
	g_clear_pointer(&netconf->valid_attachments, g_array_unref);
	label_set_unref(netconf->labels);
	netconf->labels = NULL;
	json_decref(netconf->root);
	netconf->root = NULL;
}
