// SPDX-License-Identifier: Apache-2.0
/* The hash of the programs, compiled for this machine. The vectors are those of test/vectors/services.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "bpf/lib/flow_hash.h"
#include "src/model/addr.h"

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

	for (unsigned int i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		__be16 sport = htons(vectors[i].sport), dport = htons(vectors[i].dport);
		struct addr saddr, daddr;

		assert_int_equal(addr_parse(vectors[i].saddr, &saddr), 0);
		assert_int_equal(addr_parse(vectors[i].daddr, &daddr), 0);
		assert_int_equal(
			flow_hash(&saddr, &daddr, sport, dport, vectors[i].protocol, seeds),
			vectors[i].seeded);
		assert_int_equal(flow_hash(&saddr, &daddr, sport, dport, vectors[i].protocol, none),
				 vectors[i].unseeded);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_as_written_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
