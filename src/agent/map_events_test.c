/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/map_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "src/agent/map_event_buffer.h"

static void pairs_are_cilium_s(void **state)
{
	static const char *const bad[] = {
		"",
		"cilium_lxc",
		"=enabled_1_0",
		"a=enabled_1",
		"a=enabled_x_0",
		"a=enabled_-1_0",
		"a=enabled_65537_0",
		"a=maybe_1_0",
		"a=enabled_1_1x",
		"a=enabled_1_",
		"a=enabled_1_0_0",
	};
	struct map_event_buffer buffer;
	g_autofree char *first = NULL, *second = NULL;

	assert_int_equal(map_event_buffer_parse("cilium_lxc=enabled_65536_1h30m", &first, &buffer),
			 0);
	assert_string_equal(first, "cilium_lxc");
	assert_int_equal(buffer.n_events_max, 65536);
	assert_true(buffer.age_max_ns == INT64_C(5400000000000));
	assert_int_equal(map_event_buffer_parse("x=disabled_128_0", &second, &buffer), 0);
	assert_int_equal(buffer.n_events_max, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		char *name = NULL;

		assert_int_equal(map_event_buffer_parse(bad[i], &name, &buffer), -EINVAL);
		assert_null(name);
	}
}

static void write_to(struct map_events *events, enum plan_map map, uint32_t key, int error)
{
	const uint32_t value = 5;
	struct plan_map_entry *entry =
		plan_map_entry_new(map, &key, sizeof(key), &value, sizeof(value), 0);

	map_events_record(&(const struct reconciler_entry){entry, key != 9, error}, events);
	row_unref(&entry->row);
}

struct seen {
	unsigned int n;
	struct map_event last;
	uint64_t first_number;
};

static void see(const struct map_event *event, void *data)
{
	struct seen *seen = data;

	if (!seen->n++)
		seen->first_number = event->number;
	seen->last = *event;
}

static struct seen read_since(const struct map_events *events, enum plan_map map, uint64_t since)
{
	struct seen seen = {0};

	map_events_foreach(events, map, since, see, &seen);
	return seen;
}

static void the_last_are_kept(void **state)
{
	const char *pairs[] = {"cilium_devices=enabled_3_0", "cilium_lxc_device=disabled_0_0",
			       "cilium_not_ours=enabled_5_0", "cilium_ipcache_v2=enabled_2_0",
			       NULL};
	const struct settings settings = {.bpf_map_event_buffers = (char **)pairs};
	struct map_events *events = map_events_new(&settings);
	struct seen seen;

	assert_true(map_events_kept(events, PLAN_MAP_cilium_lxc));
	assert_false(map_events_kept(events, PLAN_MAP_cilium_lxc_device));
	assert_false(map_events_kept(events, PLAN_MAP_cilium_metrics));
	for (uint32_t key = 5; key <= 9; key++)
		write_to(events, PLAN_MAP_cilium_devices, key, key == 9 ? ENOSPC : 0);
	write_to(events, PLAN_MAP_cilium_lxc_device, 1, 0);
	seen = read_since(events, PLAN_MAP_cilium_devices, 0);
	assert_int_equal(seen.n, 3);
	assert_true(seen.last.number == seen.first_number + 2);
	assert_true(seen.last.removed);
	assert_int_equal(seen.last.error, ENOSPC);
	assert_int_equal(seen.last.entry->data[1], 9);
	assert_int_equal(read_since(events, PLAN_MAP_cilium_devices, seen.first_number).n, 2);
	assert_int_equal(read_since(events, PLAN_MAP_cilium_devices, seen.last.number).n, 0);
	assert_int_equal(read_since(events, PLAN_MAP_cilium_lxc_device, 0).n, 0);
	for (uint32_t key = 0; key < 5; key++)
		write_to(events, PLAN_MAP_cilium_ipcache, key, 0);
	assert_int_equal(read_since(events, PLAN_MAP_cilium_ipcache, 0).n, 2);
	map_events_free(events);
}

static void old_ones_are_not_shown(void **state)
{
	const char *pairs[] = {"cilium_devices=enabled_3_1ns", NULL};
	const struct settings settings = {.bpf_map_event_buffers = (char **)pairs};
	struct map_events *events = map_events_new(&settings);

	write_to(events, PLAN_MAP_cilium_devices, 1, 0);
	g_usleep(10);
	assert_int_equal(read_since(events, PLAN_MAP_cilium_devices, 0).n, 0);
	map_events_free(events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_are_cilium_s),
		cmocka_unit_test(the_last_are_kept),
		cmocka_unit_test(old_ones_are_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
