/* SPDX-License-Identifier: Apache-2.0 */
/* The maps of abi/lb.h as text. */
#include "src/model/map_text_lb.h"

#include <stdlib.h>
#include <string.h>
#include "src/model/connection_text.h"
#include "src/model/lb.h"
#include "src/model/map_text.h"

static const char *set_text(uint32_t set)
{
	return set & 1 ? "local" : "all";
}

/* "10.96.0.10:53/UDP", "[fd00::a]:53/UDP", "10.96.0.10:0/ANY". */
static char *format_l4(const struct addr *addr, __be16 port, uint8_t protocol)
{
	GString *text = g_string_new(NULL);

	connection_append_end(text, addr, port);
	g_string_append_printf(text, "/%s", protocol ? protocol_format(protocol) : "ANY");
	return g_string_free(text, FALSE);
}

static char *format_skip_key(const void *key)
{
	struct lb_skip_key skip;
	g_autofree char *l4 = NULL;

	memcpy(&skip, key, sizeof(skip));
	l4 = format_l4(&skip.addr, skip.port, skip.protocol);
	return g_strdup_printf("%s endpoint=%u", l4, skip.endpoint);
}

static char *format_range_key(const void *key)
{
	struct lb_source_range_key range;
	g_autofree char *prefix = NULL;
	struct addr addr;

	memcpy(&range, key, sizeof(range));
	addr = range.addr; /* aligned */
	prefix = map_prefix_format(&addr, range.prefix_len - LB_SOURCE_RANGE_BITS);
	return g_strdup_printf("%u %s", range.service, prefix);
}

char *map_key_format_lb(enum plan_map map, const void *key)
{
	struct lb_frontend_key frontend;
	struct lb_maglev_key chunk;
	struct lb_netns_key netns;
	struct lb_slot_key slot;
	uint32_t number;

	switch (map) {
	case PLAN_MAP_cilium_lb_services:
		memcpy(&frontend, key, sizeof(frontend));
		return format_l4(&frontend.addr, frontend.port, frontend.protocol);
	case PLAN_MAP_cilium_lb_sets:
		memcpy(&number, key, sizeof(number));
		return g_strdup_printf("%u %s", number >> 1, set_text(number));
	case PLAN_MAP_cilium_lb_slots:
		memcpy(&slot, key, sizeof(slot));
		return g_strdup_printf("%u %s %u", slot.set >> 1, set_text(slot.set), slot.slot);
	case PLAN_MAP_cilium_lb_backends:
		memcpy(&number, key, sizeof(number));
		return g_strdup_printf("%u", number);
	case PLAN_MAP_cilium_lb_maglev:
		memcpy(&chunk, key, sizeof(chunk));
		return g_strdup_printf("%u %s chunk=%u", chunk.set >> 1, set_text(chunk.set),
				       chunk.chunk);
	case PLAN_MAP_cilium_lb_source_range:
		return format_range_key(key);
	case PLAN_MAP_cilium_lb_netns:
		memcpy(&netns, key, sizeof(netns));
		return g_strdup_printf("%" G_GUINT64_FORMAT, (guint64)netns.cookie);
	case PLAN_MAP_cilium_skip_lb:
		return format_skip_key(key);
	default:
		g_assert_not_reached();
	}
}

static char *format_frontend(const void *value)
{
	struct lb_frontend frontend;
	GString *text = g_string_new(NULL);

	memcpy(&frontend, value, sizeof(frontend));
	g_string_append_printf(text, "id=%u service=%u type=%s", frontend.id, frontend.service,
			       lb_type_name(frontend.type));
	if (frontend.algorithm)
		g_string_append_printf(text, " algorithm=%s",
				       frontend.algorithm == LB_ALGORITHM_MAGLEV ? "maglev"
										 : "random");
	if (frontend.affinity_timeout)
		g_string_append_printf(text, " affinity=%us", frontend.affinity_timeout);
	lb_frontend_append_flags(text, frontend.flags, " flags=", ",");
	return g_string_free(text, FALSE);
}

static char *format_backend(const void *value)
{
	struct lb_backend backend;
	g_autofree char *l4 = NULL;
	GString *text = g_string_new(NULL);

	memcpy(&backend, value, sizeof(backend));
	l4 = format_l4(&backend.addr, backend.port, backend.protocol);
	g_string_append_printf(text, "%s service=%u state=%s weight=%u zone=%u", l4,
			       backend.service, lb_backend_state_name(backend.state),
			       backend.weight, backend.zone);
	lb_backend_append_flags(text, backend.flags, " flags=", ",");
	return g_string_free(text, FALSE);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static char *format_chunk(const void *value)
{
	struct lb_maglev_chunk chunk;
	unsigned int n_positions = 0, n_backends = 0;

	memcpy(&chunk, value, sizeof(chunk));
	qsort(chunk.backends, LB_MAGLEV_CHUNK, sizeof(*chunk.backends), compare_ids);
	for (unsigned int i = 0; i < LB_MAGLEV_CHUNK; i++) {
		n_positions += chunk.backends[i] != 0;
		n_backends +=
			chunk.backends[i] && (!i || chunk.backends[i] != chunk.backends[i - 1]);
	}
	return g_strdup_printf("positions=%u backends=%u", n_positions, n_backends);
}

static char *format_netns(const void *value)
{
	char text4[ADDR_TEXT_BYTES] = "<none>", text6[ADDR_TEXT_BYTES] = "<none>";
	struct lb_netns netns;

	memcpy(&netns, value, sizeof(netns));
	if (!addr_is_zero(&netns.addr4))
		addr_format(&netns.addr4, text4);
	if (!addr_is_zero(&netns.addr6))
		addr_format(&netns.addr6, text6);
	return g_strdup_printf("endpoint=%u ipv4=%s ipv6=%s", netns.endpoint, text4, text6);
}

char *map_value_format_lb(enum plan_map map, const void *value)
{
	uint32_t number;

	switch (map) {
	case PLAN_MAP_cilium_lb_services:
		return format_frontend(value);
	case PLAN_MAP_cilium_lb_sets:
		memcpy(&number, value, sizeof(number));
		return g_strdup_printf("slots=%u", number);
	case PLAN_MAP_cilium_lb_slots:
		memcpy(&number, value, sizeof(number));
		return g_strdup_printf("backend=%u", number);
	case PLAN_MAP_cilium_lb_backends:
		return format_backend(value);
	case PLAN_MAP_cilium_lb_maglev:
		return format_chunk(value);
	case PLAN_MAP_cilium_lb_source_range:
		return g_strdup("named");
	case PLAN_MAP_cilium_lb_netns:
		return format_netns(value);
	case PLAN_MAP_cilium_skip_lb:
		return g_strdup("not translated");
	default:
		g_assert_not_reached();
	}
}
