// SPDX-License-Identifier: Apache-2.0
#include "src/sys/jiffies.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <unistd.h>
#include "src/base/clock.h"

/* jiffies64 is 2^32 less this much at boot, so that a wrap of its low half shows early. */
#define INITIAL_SECONDS 300

/* What Kconfig offers on the architectures that have a BPF JIT. */
static const unsigned int candidates_hz[] = {100, 250, 300, 1000};

/* Jiffies that a kernel of this frequency should count, had both clocks begun at the same instant. */
static int64_t expected_jiffies(unsigned int hz, int64_t monotonic_ns)
{
	int64_t seconds = monotonic_ns / NSEC_PER_SEC;
	int64_t rest_ns = monotonic_ns % NSEC_PER_SEC;

	return (INT64_C(1) << 32) + (seconds - INITIAL_SECONDS) * hz + rest_ns * hz / NSEC_PER_SEC;
}

/* How far in time the candidate is off. */
static int64_t misfit_ns(unsigned int hz, uint32_t jiffies, int64_t monotonic_ns)
{
	int32_t difference = jiffies - (uint32_t)expected_jiffies(hz, monotonic_ns);

	return llabs((int64_t)difference) * NSEC_PER_SEC / hz;
}

unsigned int jiffies_guess_hz(uint32_t jiffies, int64_t monotonic_ns)
{
	int64_t best_ns = INT64_MAX;
	int64_t second_ns = INT64_MAX;
	unsigned int best_hz = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(candidates_hz); i++) {
		int64_t ns = misfit_ns(candidates_hz[i], jiffies, monotonic_ns);

		if (ns < best_ns) {
			second_ns = best_ns;
			best_ns = ns;
			best_hz = candidates_hz[i];
		} else if (ns < second_ns) {
			second_ns = ns;
		}
	}
	/* The two clocks begin within a second; five minutes after boot all candidates agree. */
	return best_ns <= NSEC_PER_SEC && second_ns > 3 * NSEC_PER_SEC ? best_hz : 0;
}

/* A program that returns the low half of jiffies64. */
static int load_probe(GError **error)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "jiffies", "GPL", insns,
			       G_N_ELEMENTS(insns), NULL);

	if (fd < 0)
		return error_set_errno(error, -fd, "loading a program that reads jiffies");
	return fd;
}

static int read_jiffies(int prog_fd, uint32_t *ret_jiffies, int64_t *ret_monotonic_ns,
			GError **error)
{
	uint8_t packet[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);
	int err = bpf_prog_test_run_opts(prog_fd, &options);

	if (err)
		return error_set_errno(error, -err, "running a program that reads jiffies");
	*ret_monotonic_ns = clock_monotonic_ns();
	*ret_jiffies = options.retval;
	return 0;
}

/* Counts jiffies for a tenth of a second: enough to tell 250 from 300. */
static int measure_hz(int prog_fd, uint32_t first, int64_t first_ns, unsigned int *ret_hz,
		      GError **error)
{
	uint32_t second = 0;
	int64_t second_ns = 0;
	int64_t best_off = INT64_MAX;
	int64_t hz;
	int err;

	g_usleep(100 * 1000);
	err = read_jiffies(prog_fd, &second, &second_ns, error);
	if (err)
		return err;
	hz = (int64_t)(second - first) * NSEC_PER_SEC / (second_ns - first_ns);
	for (size_t i = 0; i < G_N_ELEMENTS(candidates_hz); i++) {
		int64_t off = llabs(hz - candidates_hz[i]);

		if (off < best_off) {
			best_off = off;
			*ret_hz = candidates_hz[i];
		}
	}
	return 0;
}

static int init_clock(int prog_fd, struct jiffies_clock *ret_clock, GError **error)
{
	struct jiffies_clock clock = {0};
	int64_t monotonic_ns = 0;
	int64_t expected;
	uint32_t jiffies = 0;
	int err = read_jiffies(prog_fd, &jiffies, &monotonic_ns, error);

	if (err)
		return err;
	clock.hz = jiffies_guess_hz(jiffies, monotonic_ns);
	if (!clock.hz)
		err = measure_hz(prog_fd, jiffies, monotonic_ns, &clock.hz, error);
	if (err)
		return err;
	clock.tick_shift = jiffies_tick_shift(clock.hz);
	/* The high half is that of the expected number: the two differ by little. */
	expected = expected_jiffies(clock.hz, monotonic_ns);
	clock.offset = (int32_t)(jiffies - (uint32_t)expected);
	*ret_clock = clock;
	return 0;
}

int jiffies_clock_init(struct jiffies_clock *ret_clock, GError **error)
{
	int prog_fd = load_probe(error);
	int err;

	if (prog_fd < 0)
		return prog_fd;
	err = init_clock(prog_fd, ret_clock, error);
	close(prog_fd);
	return err;
}

unsigned int jiffies_tick_shift(unsigned int hz)
{
	unsigned int shift = 0;

	/* Rounds the logarithm: up where 2^shift * sqrt(2) is below hz. */
	while ((UINT64_C(1) << (2 * shift + 1)) < (uint64_t)hz * hz)
		shift++;
	return shift;
}

uint32_t jiffies_ticks_from_seconds(const struct jiffies_clock *clock, uint32_t seconds)
{
	uint64_t jiffies = (uint64_t)seconds * clock->hz;
	uint64_t tick_jiffies = UINT64_C(1) << clock->tick_shift;

	return MIN((jiffies + tick_jiffies - 1) / tick_jiffies, UINT32_MAX);
}

int64_t jiffies_ns_from_ticks(const struct jiffies_clock *clock, int64_t ticks)
{
	int64_t jiffies = ticks * (INT64_C(1) << clock->tick_shift);

	return jiffies / clock->hz * NSEC_PER_SEC + jiffies % clock->hz * NSEC_PER_SEC / clock->hz;
}

uint32_t jiffies_tick_now(const struct jiffies_clock *clock)
{
	int64_t jiffies = expected_jiffies(clock->hz, clock_monotonic_ns()) + clock->offset;

	return jiffies >> clock->tick_shift;
}
