// SPDX-License-Identifier: Apache-2.0
/* The programs and the agent have the same number for a flow: the header of the programs, compiled for this machine. */
#include <stdio.h>
#include <stdlib.h>
#include "src/model/flow_hash.h"
#include "test/policy/random.h"

#define flow_hash program_flow_hash
#include "bpf/lib/flow_hash.h"
#undef flow_hash

#define N_FLOWS 100000

static struct addr random_addr(struct random *random)
{
	struct addr addr;

	for (unsigned int i = 0; i < G_N_ELEMENTS(addr.words); i++)
		addr.words[i] = random_next(random);
	return addr;
}

int main(void)
{
	struct random random = {1};

	for (unsigned int i = 0; i < N_FLOWS; i++) {
		const uint32_t seeds[2] = {random_next(&random), random_next(&random)};
		const struct flow_hash_input flow = {
			.saddr = random_addr(&random),
			.daddr = random_addr(&random),
			.sport = random_next(&random),
			.dport = random_next(&random),
			.protocol = random_next(&random),
		};
		uint32_t program = program_flow_hash(&flow.saddr, &flow.daddr, htons(flow.sport),
						     htons(flow.dport), flow.protocol, seeds);

		if (flow_hash(&flow, seeds) == program)
			continue;
		fprintf(stderr, "flow %u: the programs say %u, the agent %u\n", i, program,
			flow_hash(&flow, seeds));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
