/* SPDX-License-Identifier: Apache-2.0 */
/* process_*: the agent as the kernel and the allocator see it. */
#include "src/agent/metrics_private.h"

#include <math.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "src/agent/loop_watch.h"
#include "src/base/clock.h"

/* Fields of /proc/self/stat, counted from the one behind the name, which may hold blanks. */
enum {
	STAT_THREADS = 17,
	STAT_ADDRESS_SPACE = 20,
	STAT_RESIDENT = 21,
	STAT__MAX
};

static void add_stat(struct metric_set *set)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) fields = NULL;
	const char *rest;

	if (!g_file_get_contents("/proc/self/stat", &text, NULL, NULL))
		return;
	rest = strrchr(text, ')');
	if (!rest || !rest[1])
		return;
	fields = g_strsplit(rest + 2, " ", -1);
	if (g_strv_length(fields) < STAT__MAX)
		return;
	metric_set_add(set, AGENT_METRIC_process_threads, METRIC_NO_LABELS,
		       g_ascii_strtoull(fields[STAT_THREADS], NULL, 10));
	metric_set_add(set, AGENT_METRIC_process_virtual_memory_bytes, METRIC_NO_LABELS,
		       g_ascii_strtoull(fields[STAT_ADDRESS_SPACE], NULL, 10));
	metric_set_add(set, AGENT_METRIC_process_resident_memory_bytes, METRIC_NO_LABELS,
		       (double)g_ascii_strtoull(fields[STAT_RESIDENT], NULL, 10) *
			       sysconf(_SC_PAGESIZE));
}

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void add_cpu(struct metric_set *set)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		metric_set_add(set, AGENT_METRIC_process_cpu_seconds_total, METRIC_NO_LABELS,
			       seconds(&usage.ru_utime) + seconds(&usage.ru_stime));
}

static void add_limit(struct metric_set *set, enum agent_metric metric, int resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) == 0)
		metric_set_add(set, metric, METRIC_NO_LABELS,
			       limit.rlim_cur == RLIM_INFINITY ? INFINITY : limit.rlim_cur);
}

static void add_descriptors(struct metric_set *set)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned int n = 0;

	if (!dir)
		return;
	while (g_dir_read_name(dir))
		n++;
	/* One is the directory's. */
	metric_set_add(set, AGENT_METRIC_process_open_fds, METRIC_NO_LABELS, n - 1);
}

static void add_heap(struct metric_set *set)
{
	struct mallinfo2 info = mallinfo2();

	metric_set_add(set, AGENT_METRIC_process_heap_used_bytes, METRIC_NO_LABELS,
		       info.uordblks + info.hblkhd);
	metric_set_add(set, AGENT_METRIC_process_heap_free_bytes, METRIC_NO_LABELS, info.fordblks);
	metric_set_add(set, AGENT_METRIC_process_heap_bytes, METRIC_NO_LABELS,
		       info.arena + info.hblkhd);
}

static void add_loop(const struct loop_watch *watch, struct metric_set *set)
{
	metric_set_add(set, AGENT_METRIC_process_loop_max_lag_seconds, METRIC_NO_LABELS,
		       (double)loop_watch_get_statistics(watch).max_lag_ns / NSEC_PER_SEC);
}

void metrics_collect_process(struct metrics *metrics, struct metric_set *set)
{
	add_stat(set);
	add_cpu(set);
	add_descriptors(set);
	add_limit(set, AGENT_METRIC_process_max_fds, RLIMIT_NOFILE);
	add_limit(set, AGENT_METRIC_process_virtual_memory_max_bytes, RLIMIT_AS);
	add_heap(set);
	add_loop(metrics->agent->loop_watch, set);
	metric_set_add(set, AGENT_METRIC_process_start_time_seconds, METRIC_NO_LABELS,
		       (double)metrics->agent->started_ns / NSEC_PER_SEC);
}
