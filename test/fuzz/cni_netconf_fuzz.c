/* SPDX-License-Identifier: Apache-2.0 */
/* The network configuration that a container runtime writes to the plugin. */
#include "src/cni/netconf.h"
#include "src/cni/result.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	g_autoptr(GError) error = NULL;
	struct netconf netconf = {0};
	struct result_expectation expectation;
	enum cni_version version;

	if (netconf_decode((const char *)data, n_bytes, &netconf, &version, &error)) {
		g_assert(error);
		return 0;
	}
	if (netconf_decode_wishes(&netconf, &error))
		g_assert(error);
	if (netconf.prev_result && !result_decode(netconf.prev_result, "eth0", &expectation, NULL))
		result_expectation_fini(&expectation);
	netconf_fini(&netconf);
	return 0;
}
