// SPDX-License-Identifier: Apache-2.0
#include "src/agent/status_hint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void assert_says(const char *reconciler, const char *object, int error, const char *words)
{
	const struct reconciler_failure failure = {
		.reconciler = reconciler,
		.object = object,
		.error = error,
	};
	g_autofree char *step = status_next_step(&failure, "/bpf");

	if (!strstr(step, words))
		fail_msg("%s: %s: \"%s\" does not hold \"%s\"", object, g_strerror(error), step,
			 words);
}

static void test_steps_name_the_object(void **state)
{
	assert_says("routes", "10.0.0.0/24 dev cilium_host", EEXIST,
		    "`ip -4 route show 10.0.0.0/24`");
	assert_says("routes", "fd00::/64 dev cilium_host", EEXIST, "`ip -6 route show fd00::/64`");
	assert_says("attachments", "cil_to_netdev on the egress of eth0 (2)", EEXIST,
		    "`tc filter show dev eth0 egress`");
	assert_says("attachments", "cil_from_netdev on the ingress of eth0 (2)", EEXIST,
		    "`tc qdisc show dev eth0`");
	assert_says("map-entries", "cilium_lxc 10.0.0.7", E2BIG, "`cilium map get cilium_lxc`");
	assert_says("policy", "rules of endpoint 3, 2501 peers", ENOSPC, "bpf-policy-map-max");
	assert_says("attachments", "cil_from_netdev on the ingress of eth0 (2)", EROFS,
		    "`mount -o remount,rw /bpf`");
	assert_says("map-entries", "cilium_lxc 10.0.0.7", EPERM, "CAP_BPF");
	assert_says("load", "maps made anew", EIO, "tried again");
	assert_says("attachments", "nothing that anybody knows", EEXIST, "dev DEVICE");
}

static void test_step_is_the_hint(void **state)
{
	const struct reconciler_failure failure = {
		.reconciler = "services",
		.object = "service shop/web:80/TCP/4",
		.hint = "the map is full: raise bpf-lb-service-map-max",
		.error = ENOSPC,
	};
	g_autofree char *step = status_next_step(&failure, "/bpf");

	assert_string_equal(step, "The map is full: raise bpf-lb-service-map-max. "
				  "It is tried again by itself.");
}

static void test_errno_names(void **state)
{
	g_autofree char *known = status_errno_name(ENOSPC);
	g_autofree char *unknown = status_errno_name(4000);

	assert_string_equal(known, "ENOSPC");
	assert_string_equal(unknown, "4000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_name_the_object),
		cmocka_unit_test(test_step_is_the_hint),
		cmocka_unit_test(test_errno_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
