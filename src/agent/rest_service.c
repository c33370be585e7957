/* SPDX-License-Identifier: Apache-2.0 */
/* GET /service, /service/{id} and /lrp. */
#include <arpa/inet.h>
#include "src/agent/rest_private.h"
#include "src/agent/service_json.h"
#include "src/model/connection_text.h"

static void reply_all(struct rest_call *call)
{
	struct http_response *response = call->response;

	response->next = service_stream_append;
	response->free = service_stream_free;
	response->data = service_stream_new(call->agent);
}

void rest_service_list(struct rest_call *call)
{
	const char *frontend = http_request_query(call->request, "frontend");
	struct service_end end;
	__be16 port;

	if (!frontend) {
		reply_all(call);
	} else if (connection_parse_end(frontend, &end.addr, &port)) {
		rest_refuse(call, 400, "frontend \"%s\" is no address with a port", frontend);
	} else {
		end.port = ntohs(port);
		rest_reply(call, 200, services_at_to_json(call->agent, &end));
	}
}

void rest_service_get(struct rest_call *call)
{
	json_t *service;
	guint64 id;

	if (!g_ascii_string_to_unsigned(call->arg, 10, 1, UINT32_MAX, &id, NULL)) {
		rest_refuse(call, 400, "service \"%s\" is not a number from 1 on", call->arg);
		return;
	}
	service = service_to_json(call->agent, id);
	if (service)
		rest_reply(call, 200, service);
	else
		rest_refuse(call, 404, "service %s was not found", call->arg);
}

void rest_lrp_list(struct rest_call *call)
{
	rest_reply(call, 200, local_redirects_to_json(call->agent));
}
