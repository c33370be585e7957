/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "src/api/call.h"

static void check_found(const char *method, const char *path, enum api_call call, const char *arg)
{
	struct api_match match = {.call = API_CALL__MAX};
	g_autofree char *allow = NULL;

	assert_int_equal(api_call_find(method, path, &match, &allow), 0);
	assert_int_equal(match.call, call);
	assert_int_equal(g_strcmp0(match.arg, arg), 0);
	g_free(match.arg);
}

static void check_refused(const char *method, const char *path, int err, const char *want_allow)
{
	struct api_match match;
	g_autofree char *allow = NULL;

	assert_int_equal(api_call_find(method, path, &match, &allow), err);
	assert_int_equal(g_strcmp0(allow, want_allow), 0);
}

static void test_find(void **state)
{
	g_autofree char *long_id = g_strnfill(API_ARG_MAX_BYTES + 1, 'x');
	g_autofree char *long_path = g_strconcat("/v1/endpoint/", long_id, NULL);

	check_found("GET", "/v1/healthz", API_HEALTHZ_GET, NULL);
	check_found("GET", "/v1/endpoint", API_ENDPOINT_LIST, NULL);
	check_found("GET", "/v1/endpoint/5", API_ENDPOINT_GET, "5");
	check_found("GET", "/v1/endpoint/5/healthz", API_ENDPOINT_HEALTH_GET, "5");
	check_found("DELETE", "/v1/endpoint/pod-name:ns/web", API_ENDPOINT_DELETE,
		    "pod-name:ns/web");
	check_found("GET", "/v1/endpoint/cep-name:ns/web/labels", API_ENDPOINT_LABELS_GET,
		    "cep-name:ns/web");
	check_found("POST", "/v1/endpoint/pod-name:ns/web/regenerate", API_ENDPOINT_REGENERATE,
		    "pod-name:ns/web");
	check_found("GET", "/v1/endpoint/pod-name:ns/log", API_ENDPOINT_LOG_GET, "pod-name:ns");
	check_found("GET", "/v1/identity/endpoints", API_IDENTITY_ENDPOINTS, NULL);
	check_found("GET", "/v1/identity/256", API_IDENTITY_GET, "256");
	check_found("DELETE", "/v1/ipam/fd00::1", API_IPAM_RELEASE, "fd00::1");

	check_refused("GET", "/healthz", -ENOENT, NULL);
	check_refused("GET", "/v1/nothing", -ENOENT, NULL);
	check_refused("GET", "/v1/endpoint/", -ENOENT, NULL);
	check_refused("GET", "/v1/endpoint/5/nothing", -ENOENT, NULL);
	check_refused("GET", long_path, -ENOENT, NULL);
	check_refused("PUT", "/v1/healthz", -EOPNOTSUPP, "GET");
	check_refused("PUT", "/v1/identity/endpoints", -EOPNOTSUPP, "GET");
	check_refused("POST", "/v1/endpoint/5", -EOPNOTSUPP, "GET, PUT, PATCH, DELETE");
	/* Of a path without {…}, only its own methods: not those of /config/{key}. */
	check_refused("DELETE", "/v1/config/reload", -EOPNOTSUPP, "POST");
	check_refused("PUT", "/v1/config/reload", -EOPNOTSUPP, "POST");
}

/* Every call's own path leads back to it. */
static void test_every_path(void **state)
{
	for (int call = 0; call < API_CALL__MAX; call++) {
		bool has_arg = strchr(api_call_info(call)->path, '{');
		g_autofree char *path = api_call_path(call, "7");

		check_found(api_call_info(call)->method, path, call, has_arg ? "7" : NULL);
	}
}

static void test_path_is_encoded(void **state)
{
	g_autofree char *path = api_call_path(API_ENDPOINT_HEALTH_GET, "pod-name:a/b?c");

	assert_string_equal(path, "/v1/endpoint/pod-name%3Aa%2Fb%3Fc/healthz");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_every_path),
		cmocka_unit_test(test_path_is_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
