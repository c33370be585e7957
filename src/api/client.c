/* SPDX-License-Identifier: Apache-2.0 */
#include "src/api/client.h"

#include <stdlib.h>
#include <string.h>
#include "src/base/log.h"
#include "src/rpc/http_client.h"

#define DEFAULT_TIMEOUT_NS (30 * INT64_C(1000000000))

struct api_client {
	char *socket_path;
	int64_t timeout_ns;
};

const char *api_client_default_socket(void)
{
	const char *path = getenv("CILIUM_SOCK");

	return path && *path ? path : "/var/run/cilium/cilium.sock";
}

struct api_client *api_client_new(const char *socket_path)
{
	struct api_client *client = g_new0(struct api_client, 1);

	if (g_str_has_prefix(socket_path, "unix://"))
		socket_path += strlen("unix://");
	client->socket_path = g_strdup(socket_path);
	client->timeout_ns = DEFAULT_TIMEOUT_NS;
	return client;
}

void api_client_free(struct api_client *client)
{
	if (!client)
		return;
	g_free(client->socket_path);
	g_free(client);
}

void api_client_set_timeout(struct api_client *client, int64_t timeout_ns)
{
	client->timeout_ns = timeout_ns;
}

static int errno_of_status(unsigned int status)
{
	switch (status) {
	case 400:
	case 413:
		return EINVAL;
	case 403:
		return EPERM;
	case 404:
		return ENOENT;
	case 409:
		return EEXIST;
	case 429:
		return EBUSY;
	case 502:
		return ENOSPC;
	case 503:
		return EAGAIN;
	default:
		return EIO;
	}
}

/* What the agent said: a JSON string, or plain text where the HTTP server itself answered. */
static int set_agent_error(const struct http_reply *reply, const json_t *json, GError **error)
{
	const char *text = json_string_value(json);
	int err = errno_of_status(reply->status);

	if (!text && reply->n_body_bytes && g_utf8_validate(reply->body, reply->n_body_bytes, NULL))
		text = g_strchomp(reply->body);
	if (text && *text)
		return error_set(error, err, "%s", text);
	return error_set(error, err, "the agent answered with HTTP status %u", reply->status);
}

int api_client_call(struct api_client *client, const struct api_client_request *request,
		    json_t **ret_json, GError **error)
{
	const struct api_call_info *info = api_call_info(request->call);
	g_autofree char *path = api_call_path(request->call, request->arg);
	g_autofree char *target =
		g_strconcat(path, request->query ? "?" : NULL, request->query, NULL);
	struct http_call call = {
		.socket_path = client->socket_path,
		.method = info->method,
		.target = target,
		.headers = request->headers,
		.body = request->body,
		.timeout_ns = client->timeout_ns,
	};
	__attribute__((cleanup(http_reply_fini))) struct http_reply reply = {0};
	json_auto_t *json = NULL;
	int err = http_client_request(&call, &reply, error);

	/* For whoever wonders what a command asks: silent unless debug is on. */
	log_debug("api", "Asked the agent",
		  "method=%s target=%s socket=%s status=%u bytes=%zu error=%s", info->method,
		  target, client->socket_path, reply.status, reply.n_body_bytes,
		  err < 0 ? g_strerror(-err) : NULL);
	if (err < 0)
		return err;
	if (reply.n_body_bytes)
		json = json_loadb(reply.body, reply.n_body_bytes,
				  JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (reply.status < 200 || reply.status > 299)
		return set_agent_error(&reply, json, error);
	if (reply.n_body_bytes && !json)
		return error_set(error, EPROTO, "the answer to %s %s is not JSON", info->method,
				 path);
	if (ret_json)
		*ret_json = g_steal_pointer(&json);
	return 0;
}

/* object.first.second as text, or NULL. */
static const char *text_at(const json_t *object, const char *first, const char *second)
{
	return json_string_value(json_object_get(json_object_get(object, first), second));
}

/* A missing or empty address stays zero. 0 or −EPROTO. */
static int addr_from_text(const char *text, struct addr *ret_addr, GError **error)
{
	if (!text || !*text)
		return 0;
	if (addr_parse(text, ret_addr) < 0)
		return error_set(error, EPROTO, "the agent's answer holds \"%s\", not an address",
				 text);
	return 0;
}

int api_client_config_get(struct api_client *client, struct api_config *ret_config, GError **error)
{
	const struct api_client_request request = {.call = API_CONFIG_GET};
	struct api_config config = {0};
	const json_t *status, *addressing;
	json_auto_t *root = NULL;
	int err = api_client_call(client, &request, &root, error);

	if (err < 0)
		return err;
	status = json_object_get(root, "status");
	addressing = json_object_get(status, "addressing");
	config.device_mtu = json_integer_value(json_object_get(status, "deviceMTU"));
	config.route_mtu = json_integer_value(json_object_get(status, "routeMTU"));
	err = addr_from_text(text_at(addressing, "ipv4", "ip"), &config.router4, error);
	if (!err)
		err = addr_from_text(text_at(addressing, "ipv6", "ip"), &config.router6, error);
	if (!err && !config.device_mtu)
		err = error_set(error, EPROTO, "the agent's configuration has no deviceMTU");
	if (!err)
		*ret_config = config;
	return err;
}

void api_ipam_reply_fini(struct api_ipam_reply *reply)
{
	g_free(reply->expiration_uuid4);
	g_free(reply->expiration_uuid6);
	*reply = (struct api_ipam_reply){0};
}

static void query_append(GString *query, const char *name, const char *value)
{
	if (!value)
		return;
	g_string_append_printf(query, "%s%s=", query->len ? "&" : "", name);
	http_target_append(query, value);
}

static int decode_ipam(const json_t *root, struct api_ipam_reply *ret_reply, GError **error)
{
	const json_t *address = json_object_get(root, "address");
	struct api_ipam_reply reply = {0};
	int err = addr_from_text(json_string_value(json_object_get(address, "ipv4")), &reply.addr4,
				 error);

	if (!err)
		err = addr_from_text(json_string_value(json_object_get(address, "ipv6")),
				     &reply.addr6, error);
	if (!err && addr_is_zero(&reply.addr4) && addr_is_zero(&reply.addr6))
		err = error_set(error, EPROTO, "the agent's answer holds no address");
	if (err < 0)
		return err;
	reply.expiration_uuid4 = g_strdup(text_at(root, "ipv4", "expiration-uuid"));
	reply.expiration_uuid6 = g_strdup(text_at(root, "ipv6", "expiration-uuid"));
	*ret_reply = reply;
	return 0;
}

int api_client_ipam_allocate(struct api_client *client, const struct api_ipam_request *ipam,
			     struct api_ipam_reply *ret_reply, GError **error)
{
	g_autoptr(GString) query = g_string_new(NULL);
	struct api_client_request request = {
		.call = ipam->addr ? API_IPAM_ALLOCATE_IP : API_IPAM_ALLOCATE,
		.headers = ipam->expires ? "Expiration: true\r\n" : NULL,
	};
	char text[ADDR_TEXT_BYTES];
	json_auto_t *root = NULL;
	int err;

	if (ipam->addr)
		request.arg = addr_format(ipam->addr, text);
	else
		query_append(query, "family", ipam->family);
	query_append(query, "owner", ipam->owner);
	query_append(query, "attachment", ipam->attachment);
	query_append(query, "pool", ipam->pool);
	request.query = query->str;
	err = api_client_call(client, &request, &root, error);
	return err < 0 ? err : decode_ipam(root, ret_reply, error);
}

int api_client_ipam_release(struct api_client *client, const struct addr *addr, GError **error)
{
	char text[ADDR_TEXT_BYTES];
	const struct api_client_request request = {
		.call = API_IPAM_RELEASE,
		.arg = addr_format(addr, text),
	};

	return api_client_call(client, &request, NULL, error);
}

int api_client_endpoint_put(struct api_client *client,
			    const struct endpoint_change_request *endpoint, json_t **ret_endpoint,
			    GError **error)
{
	g_autofree char *body = endpoint_change_request_encode(endpoint);
	g_autofree char *id = g_strdup_printf("%u", endpoint->id);
	const struct api_client_request request = {
		.call = API_ENDPOINT_PUT,
		.arg = id,
		.body = body,
	};

	return api_client_call(client, &request, ret_endpoint, error);
}

int api_client_endpoint_get(struct api_client *client, const char *id, json_t **ret_endpoint,
			    GError **error)
{
	const struct api_client_request request = {.call = API_ENDPOINT_GET, .arg = id};

	return api_client_call(client, &request, ret_endpoint, error);
}

int api_client_endpoint_delete(struct api_client *client, const char *id, GError **error)
{
	const struct api_client_request request = {.call = API_ENDPOINT_DELETE, .arg = id};

	return api_client_call(client, &request, NULL, error);
}

int api_client_endpoint_delete_by_container(struct api_client *client, const char *container_id,
					    GError **error)
{
	json_auto_t *root = json_pack("{s:s}", "container-id", container_id);
	g_autofree char *body = root ? json_dumps(root, JSON_COMPACT) : NULL;
	const struct api_client_request request = {
		.call = API_ENDPOINT_DELETE_MANY,
		.body = body,
	};

	if (!body)
		return error_set(error, EINVAL, "the container id is not UTF-8");
	return api_client_call(client, &request, NULL, error);
}

int api_client_status_get(struct api_client *client, bool brief, json_t **ret_status,
			  GError **error)
{
	const struct api_client_request request = {
		.call = API_HEALTHZ_GET,
		.headers = brief ? "brief: true\r\n" : NULL,
	};

	return api_client_call(client, &request, ret_status, error);
}
