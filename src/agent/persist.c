/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/persist.h"

#include <inttypes.h>
#include <string.h>

#define ENDPOINT_FILE "%u/ep_config.json"
#define IPAM_FOLDER   "ipam"
#define CURSOR_FILE   "ipam-cursor.json"
#define BOOT_FILE     "boot.json"

/* The texts of an endpoint, each a member of the same name. */
struct text_member {
	const char *name;
	size_t offset;
};

#define TEXT(member) {#member, offsetof(struct endpoint, member)}
static const struct text_member endpoint_texts[] = {
	TEXT(container_id), TEXT(container_name), TEXT(container_ifname), TEXT(netns),
	TEXT(namespace),    TEXT(pod_name),       TEXT(pod_uid),          TEXT(host_ifname),
};
#undef TEXT

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, json_string(text));
}

static void set_addr(json_t *object, const char *name, const struct addr *addr)
{
	char text[ADDR_TEXT_BYTES];

	if (!addr_is_zero(addr))
		set_text(object, name, addr_format(addr, text));
}

static void set_mac(json_t *object, const char *name, const struct mac *mac)
{
	char text[MAC_TEXT_BYTES];

	set_text(object, name, mac_format(mac, text));
}

static char *get_text(const json_t *object, const char *name)
{
	return g_strdup(json_string_value(json_object_get(object, name)));
}

/* True where the member is absent, or an address. */
static bool get_addr(const json_t *object, const char *name, struct addr *ret_addr)
{
	const char *text = json_string_value(json_object_get(object, name));

	return !text || addr_parse(text, ret_addr) == 0;
}

static bool get_mac(const json_t *object, const char *name, struct mac *ret_mac)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && mac_parse(text, ret_mac) == 0;
}

/* False where the member is no integer within the bounds. */
static bool get_integer(const json_t *object, const char *name, int64_t min, int64_t max,
			int64_t *ret_value)
{
	const json_t *member = json_object_get(object, name);

	if (!json_is_integer(member) || json_integer_value(member) < min ||
	    json_integer_value(member) > max)
		return false;
	*ret_value = json_integer_value(member);
	return true;
}

static const char *const option_texts[] = {
	[ENDPOINT_OPTION_ON] = "Enabled",
	[ENDPOINT_OPTION_OFF] = "Disabled",
};

/* Options that only a newer agent knows stay in the object. */
static void set_options(json_t *object, const struct endpoint *endpoint)
{
	json_t *options = json_object_get(object, "options");

	if (!json_is_object(options)) {
		options = json_object();
		json_object_set_new(object, "options", options);
	}
	for (unsigned int i = 0; i < ENDPOINT_OPTION__MAX; i++) {
		const char *name = endpoint_option_name(i);

		if (endpoint->options[i] == ENDPOINT_OPTION_UNSET)
			json_object_del(options, name);
		else
			set_text(options, name, option_texts[endpoint->options[i]]);
	}
	if (!json_object_size(options))
		json_object_del(object, "options");
}

static void set_labels(json_t *object, const char *name, const struct label_set *labels)
{
	if (label_set_n(labels))
		set_text(object, name, label_set_text(labels));
	else
		json_object_del(object, name);
}

/* Members of object that are none of ours stay. */
static void encode_endpoint(json_t *object, const struct endpoint *endpoint)
{
	for (unsigned int i = 0; i < G_N_ELEMENTS(endpoint_texts); i++)
		set_text(object, endpoint_texts[i].name,
			 G_STRUCT_MEMBER(char *, endpoint, endpoint_texts[i].offset));
	json_object_set_new(object, "id", json_integer(endpoint->id));
	json_object_set_new(object, "generation", json_integer(endpoint->generation));
	json_object_set_new(object, "ifindex", json_integer(endpoint->ifindex));
	json_object_set_new(object, "created_ns", json_integer(endpoint->created_ns));
	set_text(object, "runtime_labels", label_set_text(endpoint->runtime_labels));
	set_labels(object, "user_labels", endpoint->user_labels);
	set_labels(object, "disabled_labels", endpoint->disabled_labels);
	set_options(object, endpoint);
	if (endpoint->netns_cookie)
		json_object_set_new(object, "netns_cookie",
				    json_sprintf("%" PRIu64, endpoint->netns_cookie));
	set_mac(object, "mac", &endpoint->mac);
	set_mac(object, "host_mac", &endpoint->host_mac);
	set_addr(object, "addr4", &endpoint->addr4);
	set_addr(object, "addr6", &endpoint->addr6);
}

int persist_put_endpoint(struct state_dir *dir, const struct endpoint *endpoint, GError **error)
{
	g_autofree char *name = g_strdup_printf(ENDPOINT_FILE, endpoint->id);
	json_t *object = json_object();

	encode_endpoint(object, endpoint);
	return state_dir_write(dir, name, object, error);
}

int persist_update_endpoint(struct state_dir *dir, const struct endpoint *endpoint, GError **error)
{
	g_autofree char *name = g_strdup_printf(ENDPOINT_FILE, endpoint->id);
	json_t *object = NULL;
	int err = state_dir_read(dir, name, &object, error);

	/* One that is lost or damaged is made again from what is known. */
	if (err == -ENOENT || err == -EBADMSG) {
		g_clear_error(error);
		return persist_put_endpoint(dir, endpoint, error);
	}
	if (err)
		return err;
	encode_endpoint(object, endpoint);
	return state_dir_write(dir, name, object, error);
}

int persist_remove_endpoint(struct state_dir *dir, uint16_t id, GError **error)
{
	g_autofree char *name = g_strdup_printf(ENDPOINT_FILE, id);

	return state_dir_remove(dir, name, error);
}

/* True where the member is absent, or labels. */
static bool get_labels(const json_t *object, const char *name, const struct label_set **ret_labels)
{
	const json_t *member = json_object_get(object, name);

	if (!member) {
		*ret_labels = label_set_new(NULL, 0);
		return true;
	}
	return json_is_string(member) &&
	       label_set_parse(json_string_value(member), ret_labels) == 0;
}

/* A value that only a newer agent knows is none. */
static bool get_options(const json_t *object, uint8_t ret_options[ENDPOINT_OPTION__MAX])
{
	const json_t *options = json_object_get(object, "options");

	for (unsigned int i = 0; i < ENDPOINT_OPTION__MAX; i++) {
		const char *text =
			json_string_value(json_object_get(options, endpoint_option_name(i)));

		if (!g_strcmp0(text, option_texts[ENDPOINT_OPTION_ON]))
			ret_options[i] = ENDPOINT_OPTION_ON;
		else if (!g_strcmp0(text, option_texts[ENDPOINT_OPTION_OFF]))
			ret_options[i] = ENDPOINT_OPTION_OFF;
	}
	return !options || json_is_object(options);
}

/* True where the member is absent, or a number as text. */
static bool get_cookie(const json_t *object, const char *name, uint64_t *ret_cookie)
{
	const char *text = json_string_value(json_object_get(object, name));

	return !text || g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, ret_cookie, NULL);
}

static bool decode_endpoint(const json_t *object, struct endpoint *endpoint)
{
	int64_t id, generation, ifindex;

	for (unsigned int i = 0; i < G_N_ELEMENTS(endpoint_texts); i++)
		G_STRUCT_MEMBER(char *, endpoint, endpoint_texts[i].offset) =
			get_text(object, endpoint_texts[i].name);
	if (!json_object_get(object, "runtime_labels") ||
	    !get_labels(object, "runtime_labels", &endpoint->runtime_labels) ||
	    !get_labels(object, "user_labels", &endpoint->user_labels) ||
	    !get_labels(object, "disabled_labels", &endpoint->disabled_labels) ||
	    !get_options(object, endpoint->options) ||
	    !get_integer(object, "id", 1, UINT16_MAX, &id) ||
	    !get_integer(object, "generation", 1, UINT32_MAX, &generation) ||
	    !get_integer(object, "ifindex", 1, INT32_MAX, &ifindex) ||
	    !get_integer(object, "created_ns", 0, INT64_MAX, &endpoint->created_ns))
		return false;
	endpoint->id = id;
	endpoint->generation = generation;
	endpoint->ifindex = ifindex;
	return endpoint->container_id && endpoint->container_ifname && endpoint->host_ifname &&
	       get_cookie(object, "netns_cookie", &endpoint->netns_cookie) &&
	       get_mac(object, "mac", &endpoint->mac) &&
	       get_mac(object, "host_mac", &endpoint->host_mac) &&
	       get_addr(object, "addr4", &endpoint->addr4) &&
	       get_addr(object, "addr6", &endpoint->addr6);
}

static char *ip_file(const struct addr *addr)
{
	char text[ADDR_TEXT_BYTES];

	return g_strdup_printf(IPAM_FOLDER "/%s.json", addr_format(addr, text));
}

static int put_boot(struct state_dir *dir, const char *boot_id, GError **error)
{
	return state_dir_write(dir, BOOT_FILE, json_pack("{s:s}", "boot_id", boot_id), error);
}

int persist_put_ip(struct state_dir *dir, const struct ip_allocation *allocation, GError **error)
{
	g_autofree char *name = ip_file(&allocation->addr);
	json_t *object = json_object();

	set_addr(object, "addr", &allocation->addr);
	set_text(object, "owner", allocation->owner);
	set_text(object, "attachment", allocation->attachment);
	set_text(object, "expiration_uuid", allocation->expiration_uuid);
	json_object_set_new(object, "expires_ns", json_integer(allocation->expires_ns));
	return state_dir_write(dir, name, object, error);
}

int persist_mend_endpoint(struct state_dir *dir, const struct endpoint *endpoint, GError **error)
{
	g_autofree char *name = g_strdup_printf(ENDPOINT_FILE, endpoint->id);
	int err;

	if (state_dir_has(dir, name))
		return 0;
	err = persist_put_endpoint(dir, endpoint, error);
	return err ? err : 1;
}

int persist_mend_ip(struct state_dir *dir, const struct ip_allocation *allocation, GError **error)
{
	g_autofree char *name = ip_file(&allocation->addr);
	int err;

	/* One that rests has no file. */
	if (allocation->released_ns || state_dir_has(dir, name))
		return 0;
	err = persist_put_ip(dir, allocation, error);
	return err ? err : 1;
}

int persist_mend_boot(struct state_dir *dir, const char *boot_id, GError **error)
{
	int err;

	if (state_dir_has(dir, BOOT_FILE))
		return 0;
	err = put_boot(dir, boot_id, error);
	return err ? err : 1;
}

int persist_remove_ip(struct state_dir *dir, const struct addr *addr, GError **error)
{
	g_autofree char *name = ip_file(addr);

	return state_dir_remove(dir, name, error);
}

static bool decode_ip(const json_t *object, struct ip_allocation *allocation)
{
	allocation->owner = get_text(object, "owner");
	allocation->attachment = get_text(object, "attachment");
	allocation->expiration_uuid = get_text(object, "expiration_uuid");
	return allocation->owner && get_addr(object, "addr", &allocation->addr) &&
	       !addr_is_zero(&allocation->addr) &&
	       get_integer(object, "expires_ns", 0, INT64_MAX, &allocation->expires_ns);
}

int persist_put_cursor(struct state_dir *dir, const struct addr *addr4, const struct addr *addr6,
		       GError **error)
{
	json_t *object = json_object();

	set_addr(object, "addr4", addr4);
	set_addr(object, "addr6", addr6);
	return state_dir_write(dir, CURSOR_FILE, object, error);
}

void persist_load_cursor(struct state_dir *dir, struct addr *ret_addr4, struct addr *ret_addr6)
{
	json_t *object = NULL;

	*ret_addr4 = *ret_addr6 = (struct addr){0};
	if (state_dir_read(dir, CURSOR_FILE, &object, NULL))
		return;
	if (!get_addr(object, "addr4", ret_addr4) || !get_addr(object, "addr6", ret_addr6))
		*ret_addr4 = *ret_addr6 = (struct addr){0};
	json_decref(object);
}

static void unref_row(void *row)
{
	row_unref(row);
}

/*
 * Reads one file into a new row of the class. 0 and *ret_row, NULL where the file is set aside; −errno
 * where the agent cannot go on.
 */
static int load_file(struct state_dir *dir, const char *name, const struct row_class *class,
		     struct row **ret_row, GPtrArray *problems, GError **error)
{
	g_autoptr(GError) cause = NULL;
	json_t *object = NULL;
	struct row *row;
	int err = state_dir_read(dir, name, &object, &cause);
	bool is_good;

	*ret_row = NULL;
	if (err == -EBADMSG) {
		g_ptr_array_add(problems, g_strdup(cause->message));
		return 0;
	}
	if (err == -ENOENT)
		return 0;
	if (err) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return err;
	}
	row = row_new(class);
	is_good = class == &endpoint_class ? decode_endpoint(object, (struct endpoint *)row)
					   : decode_ip(object, (struct ip_allocation *)row);
	json_decref(object);
	if (is_good) {
		*ret_row = row;
		return 0;
	}
	row_unref(row);
	state_dir_set_aside(dir, name);
	g_ptr_array_add(problems, g_strdup_printf("%s: not the state of an %s", name, class->name));
	return 0;
}

/* Each file whose name is made from a member of names by format. */
static GPtrArray *load_all(struct state_dir *dir, GPtrArray *names, const struct row_class *class,
			   GPtrArray *problems, GError **error)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(unref_row);

	for (unsigned int i = 0; i < names->len; i++) {
		struct row *row;

		if (load_file(dir, names->pdata[i], class, &row, problems, error))
			return NULL;
		if (row)
			g_ptr_array_add(rows, row);
	}
	return g_steal_pointer(&rows);
}

GPtrArray *persist_load_endpoints(struct state_dir *dir, GPtrArray *problems, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) folders = NULL;

	state_dir_sweep(dir);
	folders = state_dir_list(dir, NULL);
	for (unsigned int i = 0; i < folders->len; i++) {
		uint64_t id;

		if (g_ascii_string_to_unsigned(folders->pdata[i], 10, 1, UINT16_MAX, &id, NULL))
			g_ptr_array_add(names, g_strdup_printf(ENDPOINT_FILE, (unsigned int)id));
	}
	return load_all(dir, names, &endpoint_class, problems, error);
}

GPtrArray *persist_load_ips(struct state_dir *dir, GPtrArray *problems, GError **error)
{
	g_autoptr(GPtrArray) files = state_dir_list(dir, IPAM_FOLDER);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	for (unsigned int i = 0; i < files->len; i++)
		g_ptr_array_add(names, g_strconcat(IPAM_FOLDER "/", files->pdata[i], NULL));
	return load_all(dir, names, &ip_allocation_class, problems, error);
}

/* Removes every endpoint and every address. */
static int forget_all(struct state_dir *dir, GError **error)
{
	g_autoptr(GPtrArray) folders = state_dir_list(dir, NULL);

	for (unsigned int i = 0; i < folders->len; i++) {
		g_autoptr(GPtrArray) files = state_dir_list(dir, folders->pdata[i]);

		for (unsigned int j = 0; j < files->len; j++) {
			g_autofree char *name = g_strdup_printf("%s/%s", (char *)folders->pdata[i],
								(char *)files->pdata[j]);
			int err = state_dir_remove(dir, name, error);

			if (err)
				return err;
		}
	}
	return 0;
}

int persist_check_boot(struct state_dir *dir, const char *boot_id, bool *ret_same_boot,
		       GError **error)
{
	g_autoptr(GError) cause = NULL;
	json_t *object = NULL;
	int err = state_dir_read(dir, BOOT_FILE, &object, &cause);
	bool same =
		!err && !g_strcmp0(json_string_value(json_object_get(object, "boot_id")), boot_id);

	json_decref(object);
	if (err == -EPROTONOSUPPORT) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return err;
	}
	if (!same) {
		err = forget_all(dir, error);
		if (!err)
			err = put_boot(dir, boot_id, error);
		if (err)
			return err;
	}
	*ret_same_boot = same;
	return 0;
}
