// SPDX-License-Identifier: Apache-2.0
/* The vectors are those of test/vectors/services.py. */
#include "src/model/flow_hash.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <glib.h>

static void hashes_are_as_written_down(void **state)
{
	static const struct {
		const char *saddr, *daddr;
		uint16_t sport, dport;
		uint8_t protocol;
		uint32_t seeded, unseeded;
	} vectors[] = {
		{"10.0.0.1", "10.96.0.1", 40000, 80, 6, 0x5239a3f5, 0xb427f3e3},
		{"10.0.0.1", "10.96.0.1", 0, 80, 6, 0x018b4cd2, 0xc6584a93},
		{"fd00::1", "2001:db8::ffff:1", 65535, 53, 17, 0x8d437279, 0xc0bcf329},
		{"192.0.2.1", "198.51.100.9", 1, 65535, 132, 0x9decf208, 0xad5283b1},
	};
	static const uint32_t seeds[2] = {0x71dcda46, 0x92505688}, none[2];

	for (unsigned int i = 0; i < G_N_ELEMENTS(vectors); i++) {
		struct flow_hash_input flow = {
			.sport = vectors[i].sport,
			.dport = vectors[i].dport,
			.protocol = vectors[i].protocol,
		};

		assert_int_equal(addr_parse(vectors[i].saddr, &flow.saddr), 0);
		assert_int_equal(addr_parse(vectors[i].daddr, &flow.daddr), 0);
		assert_int_equal(flow_hash(&flow, seeds), vectors[i].seeded);
		assert_int_equal(flow_hash(&flow, none), vectors[i].unseeded);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_as_written_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
