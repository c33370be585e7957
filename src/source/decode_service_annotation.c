// SPDX-License-Identifier: Apache-2.0
/* Annotations of Services: Kubernetes', Cilium's and our own. */
#include <string.h>
#include "src/base/duration.h"
#include "src/base/intern.h"
#include "src/base/nearest.h"
#include "src/model/service.h"
#include "src/source/decode_private.h"
#include "src/source/syntax.h"

#define CILIUM "service.cilium.io/"
#define OURS   "axoneme.io/"
#define HEALTH OURS "health-check"

#define NS_PER_MS           1000000
#define MIN_INTERVAL_MS     100
#define MAX_INTERVAL_MS     3600000
#define MIN_TIMEOUT_MS      10
#define DEFAULT_INTERVAL_MS 5000
#define DEFAULT_TIMEOUT_MS  1000
#define DEFAULT_N_FAIL      2
#define DEFAULT_N_RECOVER   1
#define MAX_PATH_BYTES      1024

/* The number of the word that the annotation says; 0, which is the default, where it is not there. */
static uint8_t decode_choice(const struct field *annotations, const char *name,
			     const char *const *words, uint8_t first)
{
	struct field field = field_member(annotations, name);
	int word = decode_word(&field, words);

	return word < 0 ? 0 : word + first;
}

static void decode_node_label(const struct field *annotations, struct service *service)
{
	struct field field = field_member(annotations, CILIUM "node");
	const char *text = field_text(&field);

	if (!text)
		return;
	if (!syntax_is_label_value(text))
		field_want(&field, "at most 63 of A-Z, a-z, 0-9, '-', '_' and '.', "
				   "a letter or digit at both ends");
	else
		service->node = intern_new(text);
}

static void decode_node_selector(const struct field *annotations, struct service *service)
{
	struct field field = field_member(annotations, CILIUM "node-selector");
	const char *text = field_text(&field);

	/* An empty one selects all, as none does. */
	if (text && *text)
		service->node_selector = decode_selector_text(&field, text);
}

static void decode_cilium(const struct field *annotations, struct service *service)
{
	static const char *const exposures[] = {"ClusterIP", "NodePort", "LoadBalancer", NULL};
	static const char *const algorithms[] = {"random", "maglev", NULL};
	static const char *const modes[] = {"snat", "dsr", NULL};
	static const char *const ranges[] = {"allow", "deny", NULL};
	static const char *const delegations[] = {"none", "delegate-if-local", NULL};

	service->exposure =
		decode_choice(annotations, CILIUM "type", exposures, SERVICE_EXPOSE_CLUSTER_IP);
	service->choice = decode_choice(annotations, CILIUM "lb-algorithm", algorithms,
					SERVICE_CHOICE_RANDOM);
	service->forwarding = decode_choice(annotations, CILIUM "forwarding-mode", modes,
					    SERVICE_FORWARDING_SNAT);
	service->deny_ranges =
		decode_choice(annotations, CILIUM "src-ranges-policy", ranges, 0) == 1;
	service->delegation = decode_choice(annotations, CILIUM "proxy-delegation", delegations,
					    SERVICE_DELEGATE_NONE);
	decode_node_label(annotations, service);
	decode_node_selector(annotations, service);
}

static bool is_auto(const struct field *annotations, const char *name)
{
	struct field field = field_member(annotations, name);
	const char *text = field_text(&field);

	/* Others may be meant for somebody else, and are as none. */
	return text && g_ascii_strcasecmp(text, "auto") == 0;
}

/* Kubernetes says that the annotations are stronger than trafficDistribution. */
static void decode_topology(const struct field *annotations, struct service *service)
{
	static const char *const booleans[] = {"false", "true", NULL};

	if (is_auto(annotations, "service.kubernetes.io/topology-mode") ||
	    is_auto(annotations, "service.kubernetes.io/topology-aware-hints") ||
	    decode_choice(annotations, CILIUM "topology-aware", booleans, 0) == 1)
		service->distribution = SERVICE_DISTRIBUTION_HINTS;
}

static uint32_t decode_ms(const struct field *annotations, const char *name, uint32_t max_ms,
			  uint32_t otherwise_ms)
{
	struct field field = field_member(annotations, name);
	bool is_interval = strcmp(name, HEALTH "-interval") == 0;
	int64_t min_ms = is_interval ? MIN_INTERVAL_MS : MIN_TIMEOUT_MS;
	const char *text = field_text(&field);
	int64_t ns;

	if (!text)
		return MIN(otherwise_ms, max_ms);
	if (duration_parse(text, &ns) < 0) {
		field_want(&field, "a duration such as 5s or 500ms");
	} else if (ns < min_ms * NS_PER_MS || ns > (int64_t)max_ms * NS_PER_MS) {
		field_add_problem(&field, "got \"%.20s\", want %s", text,
				  is_interval ? "100ms to 1h" : "10ms to the interval");
	} else {
		return ns / NS_PER_MS;
	}
	return otherwise_ms;
}

static uint8_t decode_count(const struct field *annotations, const char *name, uint8_t otherwise)
{
	struct field field = field_member(annotations, name);
	const char *text = field_text(&field);
	int number = text ? syntax_parse_number(text, 100) : otherwise;

	if (number >= 1)
		return number;
	field_want(&field, "a number from 1 to 100");
	return otherwise;
}

static bool is_path(const char *text)
{
	if (*text != '/' || strlen(text) > MAX_PATH_BYTES)
		return false;
	for (; *text; text++)
		if (!g_ascii_isgraph(*text))
			return false;
	return true;
}

/* False: none, or, with a problem noted, none that we know. */
static bool decode_probe(const struct field *annotations, struct service_health *health)
{
	struct field field = field_member(annotations, HEALTH);
	const char *text = field_text(&field);

	if (!text)
		return false;
	if (strcmp(text, "tcp") == 0) {
		health->probe = HEALTH_PROBE_TCP;
		return true;
	}
	if (g_str_has_prefix(text, "http:") && is_path(text + strlen("http:"))) {
		health->probe = HEALTH_PROBE_HTTP;
		health->path = intern_new(text + strlen("http:"));
		return true;
	}
	field_want(&field, "tcp, or http: and a path that begins with /, as in http:/healthz");
	return false;
}

/* Whatever begins with our name is ours alone: what we do not know is misspelt. */
static void check_ours(const struct field *annotations)
{
	static const char *const known[] = {HEALTH,
					    HEALTH "-interval",
					    HEALTH "-timeout",
					    HEALTH "-failures",
					    HEALTH "-successes",
					    NULL};
	struct field health = field_member(annotations, HEALTH);
	bool has_health = field_is_set(&health);

	for (struct field item = field_first_member(annotations); item.value;
	     item = field_next(&item)) {
		struct nearest nearest;

		if (!g_str_has_prefix(item.name, OURS))
			continue;
		if (g_strv_contains(known, item.name)) {
			if (!has_health)
				field_add_problem(&item, "has no effect without %s", HEALTH);
			continue;
		}
		nearest_init(&nearest, item.name);
		for (const char *const *name = known; *name; name++)
			nearest_offer(&nearest, *name);
		field_add_problem(&item, "is not known%s%s%s",
				  nearest.best ? ": did you mean " : "",
				  nearest.best ? nearest.best : "", nearest.best ? "?" : "");
	}
}

/* Whoever says nothing of ports may do so yet. */
static bool has_only_others(const struct service *service)
{
	for (unsigned int i = 0; service->ports && i < service->ports->len; i++)
		if (g_array_index(service->ports, struct service_port, i).protocol == IPPROTO_TCP)
			return false;
	return service->ports;
}

static void decode_health(const struct field *annotations, struct service *service)
{
	struct service_health health = {};

	check_ours(annotations);
	if (!decode_probe(annotations, &health))
		return;
	if (has_only_others(service)) {
		struct field field = field_member(annotations, HEALTH);

		field_add_problem(&field, "has no effect: the service has no port of TCP");
	}
	health.interval_ms =
		decode_ms(annotations, HEALTH "-interval", MAX_INTERVAL_MS, DEFAULT_INTERVAL_MS);
	health.timeout_ms =
		decode_ms(annotations, HEALTH "-timeout", health.interval_ms, DEFAULT_TIMEOUT_MS);
	health.n_fail = decode_count(annotations, HEALTH "-failures", DEFAULT_N_FAIL);
	health.n_recover = decode_count(annotations, HEALTH "-successes", DEFAULT_N_RECOVER);
	service->health = g_new(struct service_health, 1);
	*service->health = health;
}

void decode_service_annotations(const struct field *annotations, struct service *service)
{
	if (field_first_member(annotations).value) {
		decode_cilium(annotations, service);
		decode_topology(annotations, service);
		decode_health(annotations, service);
	}
	/* All that matters of them is now elsewhere in the service. */
	g_clear_pointer(&service->meta.annotations, g_hash_table_unref);
}
