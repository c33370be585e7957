/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/rest.h"

#include <malloc.h>
#include <string.h>
#include "src/agent/api_statistics.h"
#include "src/agent/rest_private.h"
#include "src/api/call.h"
#include "src/base/clock.h"

#define ERROR_MAX_BYTES 2048
/* The tree of so long an answer leaves so much free memory in the heap that giving it back is worth the time. */
#define TRIM_BYTES (1024 * 1024)

static void (*const handlers[API_CALL__MAX])(struct rest_call *call) = {
#define API_CALL(name, handler, method, path, what) [API_##name] = rest_##handler,
#include "src/api/call.def"
#undef API_CALL
};

void rest_reply(struct rest_call *call, unsigned int status, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	call->response->status = status;
	g_string_append(call->response->body, text);
	g_string_append_c(call->response->body, '\n');
	free(text);
	json_decref(json);
}

void rest_refuse(struct rest_call *call, unsigned int status, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	/* What a request holds may be repeated in it, but not all of a mebibyte. */
	if (strlen(text) > ERROR_MAX_BYTES) {
		char *end = g_utf8_find_prev_char(text, text + ERROR_MAX_BYTES - 4);

		g_strlcpy(end, "…", sizeof("…"));
	}
	rest_reply(call, status, json_string(text));
}

static unsigned int status_of_errno(int err)
{
	switch (err) {
	case -EINVAL:
	case -ENODEV:
	case -EADDRNOTAVAIL:
	case -EAFNOSUPPORT:
	case -ERANGE:
		return 400;
	case -EPERM:
		return 403;
	case -ENOENT:
		return 404;
	case -EEXIST:
		return 409;
	case -EBUSY:
		return 429;
	case -EAGAIN: /* starting */
		return 503;
	default:
		return 500;
	}
}

void rest_refuse_error(struct rest_call *call, int err, const GError *error)
{
	rest_refuse(call, status_of_errno(err), "%s", error ? error->message : g_strerror(-err));
}

bool rest_has_endpoints(struct rest_call *call)
{
	bool is_balancer = call->agent->settings->bpf_lb_only;

	if (is_balancer)
		rest_refuse(call, 403, "this node is a load balancer only: bpf-lb-only is true");
	return !is_balancer;
}

bool rest_get_flag(struct rest_call *call, const char *header, bool *ret_on)
{
	const char *text = http_request_header(call->request, header);

	*ret_on = text && !g_ascii_strcasecmp(text, "true");
	if (!text || *ret_on || !g_ascii_strcasecmp(text, "false"))
		return true;
	rest_refuse(call, 400, "header %s: \"%s\": expected true or false", header, text);
	return false;
}

/* Answers the request. Returns which call it was; API_CALL__MAX: none. */
static enum api_call dispatch(struct rest_call *call)
{
	const struct http_request *request = call->request;
	g_autofree char *allow = NULL;
	struct api_match match;
	int err = api_call_find(request->method, request->path, &match, &allow);

	if (err == -EOPNOTSUPP) {
		rest_refuse(call, 405, "method %s is not allowed, %s is", request->method, allow);
		call->response->allow = g_steal_pointer(&allow);
	} else if (err < 0) {
		rest_refuse(call, 404, "path %s was not found", request->path);
	} else {
		call->arg = match.arg;
		handlers[match.call](call);
		g_free(match.arg);
		return match.call;
	}
	return API_CALL__MAX;
}

void rest_handle(const struct http_request *request, struct http_response *response, void *data)
{
	struct agent *agent = data;
	struct rest_call call = {.agent = agent, .request = request, .response = response};
	int64_t started_ns = clock_monotonic_ns();
	enum api_call number = dispatch(&call);

	api_statistics_add(agent->api_statistics, number, request->method, response->status,
			   clock_monotonic_ns() - started_ns);
	if (response->body->len > TRIM_BYTES)
		malloc_trim(0);
}
