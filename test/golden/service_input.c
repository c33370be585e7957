// SPDX-License-Identifier: Apache-2.0
#include "test/golden/service_input.h"

#include <stdlib.h>
#include "src/base/intern.h"
#include "src/model/backend_health.h"
#include "src/model/service_request.h"

/* "10.0.0.1 80", "fd00::1 80" */
static void parse_end(const char *text, struct addr *ret_addr, uint16_t *ret_port)
{
	g_auto(GStrv) words = g_strsplit(text ? text : "", " ", 2);

	if (g_strv_length(words) != 2 || addr_parse(words[0], ret_addr))
		g_error("%s: an address and a port are wanted", text ? text : "(nothing)");
	*ret_port = atoi(words[1]);
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static unsigned int number_of(const json_t *object, const char *name, unsigned int fallback)
{
	const json_t *number = json_object_get(object, name);

	return number ? json_integer_value(number) : fallback;
}

void service_input_put_request(struct store *store, struct tables *tables, const json_t *object)
{
	struct service_request *request = (struct service_request *)row_new(&service_request_class);
	const json_t *backends = json_object_get(object, "backends"), *item;
	struct txn *txn = txn_new(store);
	size_t i;

	request->id = number_of(object, "id", 1);
	parse_end(text_of(object, "frontend"), &request->addr, &request->port);
	request->protocol = number_of(object, "protocol", IPPROTO_TCP);
	request->type = number_of(object, "type", LB_TYPE_CLUSTER_IP);
	request->external_local = json_is_true(json_object_get(object, "local"));
	request->namespace = intern_new(text_of(object, "namespace"));
	request->name = intern_new(text_of(object, "name"));
	request->backends = g_array_new(false, false, sizeof(struct service_request_backend));
	json_array_foreach(backends, i, item)
	{
		struct service_request_backend backend = {
			.weight = number_of(item, "weight", 100),
			.state = number_of(item, "state", LB_BACKEND_ACTIVE),
		};

		parse_end(text_of(item, "addr"), &backend.addr, &backend.port);
		g_array_append_val(request->backends, backend);
	}
	txn_put(txn, tables->service_requests, &request->row);
	txn_commit(txn);
}

void service_input_put_sick(struct store *store, struct tables *tables, const json_t *object)
{
	struct backend_health *health = (struct backend_health *)row_new(&backend_health_class);
	struct txn *txn = txn_new(store);
	struct addr addr;
	uint16_t port;

	parse_end(text_of(object, "addr"), &addr, &port);
	health->key = backend_health_key_new(&addr, port, IPPROTO_TCP, text_of(object, "service"));
	health->reason = g_strdup("connect: Connection refused");
	txn_put(txn, tables->backend_health, &health->row);
	txn_commit(txn);
}
