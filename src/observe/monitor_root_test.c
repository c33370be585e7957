// SPDX-License-Identifier: Apache-2.0
/* A real ring, filled by a program that does nothing else. */
#include "src/observe/monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "src/base/clock.h"

#define RING_BYTES (1024 * 1024)
#define N_EVENTS   20000000
/* A whole event without a packet. */
#define EVENT_BYTES ((int)offsetof(struct event, packet))
/* What logging one, or sending it to a listener, takes. */
#define EVENT_NS 2000
/* More than a turn of the loop may read, and far fewer than the ring holds. */
#define EVENTS_PER_TURN_MAX 4096
/* Skipped, not failed, by those who may not load programs. */
#define EXIT_SKIP 77

#define INSN(opcode, dst, src, offset, immediate) \
	{.code = (opcode), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (immediate)}

struct producer {
	int program_fd;
	volatile bool has_ended;
};

/* bpf_ringbuf_output(ring, the packet's first EVENT_BYTES, EVENT_BYTES, BPF_RB_NO_WAKEUP); return 0. */
static int load_program(int ring_fd)
{
	const struct bpf_insn program[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, -EVENT_BYTES),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, EVENT_BYTES),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes),
		INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, ring_fd),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -EVENT_BYTES),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, EVENT_BYTES),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, BPF_RB_NO_WAKEUP),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "fill_ring", "GPL", program,
			     G_N_ELEMENTS(program), NULL);
}

static void *produce(void *data)
{
	struct producer *producer = data;
	char packet[EVENT_BYTES] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = N_EVENTS);
	int err = bpf_prog_test_run_opts(producer->program_fd, &options);

	producer->has_ended = true;
	return GINT_TO_POINTER(err);
}

static void take_time(const struct event *event, void *data)
{
	int64_t end_ns = clock_monotonic_ns() + EVENT_NS;

	++*(unsigned int *)data;
	while (clock_monotonic_ns() < end_ns)
		continue;
}

/* Turns of the loop go on while the ring is filled faster than it can be read. */
static void a_flood_does_not_keep_the_loop(void **state)
{
	int ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "flood", 0, 0, RING_BYTES, NULL);
	struct producer producer = {.program_fd = load_program(ring_fd)};
	unsigned int n_of_turn = 0, n_most = 0;
	const struct monitor_callbacks callbacks = {.event = take_time, .data = &n_of_turn};
	struct monitor_statistics statistics;
	int listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	const struct sockaddr name = {.sa_family = AF_UNIX};
	struct monitor *monitor;
	GThread *thread;
	uv_loop_t loop;

	assert_true(ring_fd >= 0 && producer.program_fd >= 0 && listen_fd >= 0);
	/* A family alone: the kernel chooses a name. */
	assert_int_equal(bind(listen_fd, &name, sizeof(name.sa_family)), 0);
	assert_int_equal(listen(listen_fd, 1), 0);
	uv_loop_init(&loop);
	monitor = monitor_new(&loop, ring_fd, listen_fd, &callbacks, NULL);
	assert_non_null(monitor);
	thread = g_thread_new("producer", produce, &producer);
	while (!producer.has_ended) {
		n_of_turn = 0;
		uv_run(&loop, UV_RUN_NOWAIT);
		n_most = MAX(n_most, n_of_turn);
		g_usleep(500);
	}
	assert_null(g_thread_join(thread));
	monitor_get_statistics(monitor, &statistics);
	assert_true(statistics.n_events > EVENTS_PER_TURN_MAX);
	assert_int_equal(statistics.n_malformed, 0);
	print_message("events of the longest turn: %u\n", n_most);
	assert_true(n_most <= EVENTS_PER_TURN_MAX);
	monitor_free(monitor);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	close(producer.program_fd);
	close(ring_fd);
}

/* A listener that cannot be let in waits, and costs no turns of the loop meanwhile. */
static void without_descriptors_a_listener_waits(void **state)
{
	int ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "quiet", 0, 0, RING_BYTES, NULL);
	int listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	const struct monitor_callbacks callbacks = {0};
	struct monitor_statistics statistics = {0};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t n_bytes = sizeof(name);
	struct rlimit before, none;
	struct monitor *monitor;
	unsigned int n_turns = 0;
	int64_t begin_ns;
	uv_loop_t loop;

	assert_true(ring_fd >= 0 && listen_fd >= 0 && fd >= 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&name, &n_bytes), 0);
	assert_int_equal(listen(listen_fd, 1), 0);
	uv_loop_init(&loop);
	monitor = monitor_new(&loop, ring_fd, listen_fd, &callbacks, NULL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, n_bytes), 0);
	begin_ns = clock_monotonic_ns();
	for (; clock_monotonic_ns() - begin_ns < 600 * NSEC_PER_MSEC; n_turns++)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(n_turns < 10);
	while (!statistics.n_listeners && clock_monotonic_ns() - begin_ns < 5 * NSEC_PER_SEC) {
		uv_run(&loop, UV_RUN_ONCE);
		monitor_get_statistics(monitor, &statistics);
	}
	assert_int_equal(statistics.n_listeners, 1);
	monitor_free(monitor);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	close(fd);
	close(ring_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_does_not_keep_the_loop),
		cmocka_unit_test(without_descriptors_a_listener_waits),
	};

	return geteuid() ? EXIT_SKIP : cmocka_run_group_tests(tests, NULL, NULL);
}
