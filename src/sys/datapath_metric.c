/* SPDX-License-Identifier: Apache-2.0 */
#include "src/sys/datapath_metric.h"

#include "src/sys/bpf_map.h"

struct reading {
	struct bpf_map_ref map;
	void (*fn)(const struct datapath_metric *metric, void *data);
	void *data;
};

static void show(const struct reading *reading, struct datapath_metric *metric, const void *values)
{
	for (unsigned int cpu = 0; cpu < reading->map.n_values; cpu++) {
		const struct metric *value = bpf_map_cpu_value(&reading->map, values, cpu);

		metric->sum.packets += value->packets;
		metric->sum.bytes += value->bytes;
	}
	if (metric->sum.packets)
		reading->fn(metric, reading->data);
}

static bool read_reason(const void *key, const void *values, void *data)
{
	uint32_t index = *(const uint32_t *)key;
	struct datapath_metric metric = {
		.reason = index / METRIC_DIR__MAX,
		.dir = index % METRIC_DIR__MAX,
	};

	show(data, &metric, values);
	return true;
}

static bool read_site(const void *key, const void *values, void *data)
{
	const struct drop_site *site = key;
	struct datapath_metric metric = {
		.reason = site->reason,
		.dir = site->dir,
		.file = site->file,
		.line = site->line,
	};

	show(data, &metric, values);
	return true;
}

struct source {
	const char *name;
	size_t n_key_bytes;
	bool (*fn)(const void *key, const void *values, void *data);
};

static int read_open_map(struct reading *reading, const struct source *source, GError **error)
{
	int err;

	if (reading->map.n_key_bytes != source->n_key_bytes ||
	    reading->map.n_value_bytes != sizeof(struct metric))
		return error_set(
			error, EPROTO,
			"the map %s has keys of %u and values of %u bytes, want %zu and %zu: "
			"it is of another version",
			source->name, reading->map.n_key_bytes, reading->map.n_value_bytes,
			source->n_key_bytes, sizeof(struct metric));
	err = bpf_map_foreach(&reading->map, source->fn, reading);
	return err ? error_set_errno(error, -err, "reading the map %s", source->name) : 0;
}

int datapath_metric_foreach(const char *bpf_root,
			    void (*fn)(const struct datapath_metric *metric, void *data),
			    void *data, GError **error)
{
	static const struct source sources[] = {
		{"cilium_metrics", sizeof(uint32_t), read_reason},
		{"cilium_drop_sites", sizeof(struct drop_site), read_site},
	};
	struct reading reading = {.fn = fn, .data = data};
	int err = 0;

	for (size_t i = 0; !err && i < G_N_ELEMENTS(sources); i++) {
		err = bpf_map_open(bpf_root, sources[i].name, &reading.map, error);
		/* An agent before ours knew no places. */
		if (err == -ENOENT && i > 0) {
			g_clear_error(error);
			return 0;
		}
		if (err)
			return err;
		err = read_open_map(&reading, &sources[i], error);
		bpf_map_close(&reading.map);
	}
	return err;
}
