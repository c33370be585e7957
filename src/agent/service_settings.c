/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/service_settings.h"

#include <string.h>
#include "src/agent/config_private.h"

/* An old name counts where the new one says nothing but the default, which is 0. */
static unsigned int either(unsigned int number, unsigned int old_name)
{
	return number ? number : old_name;
}

/* 0, or −EINVAL where the text is not base64 of so many bytes. */
static int parse_seed(const char *text, uint8_t ret_seed[static MAGLEV_SEED_BYTES])
{
	g_autofree guchar *bytes = NULL;
	g_autofree char *again = NULL;
	gsize n;

	bytes = g_base64_decode(text, &n);
	again = g_base64_encode(bytes, n);
	if (n != MAGLEV_SEED_BYTES || strcmp(again, text) != 0)
		return -EINVAL;
	memcpy(ret_seed, bytes, n);
	return 0;
}

static uint32_t read_be32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static void get_choice(const struct settings *settings, struct service_settings *ret)
{
	uint8_t seed[MAGLEV_SEED_BYTES];
	int err = parse_seed(settings->bpf_lb_maglev_hash_seed, seed);

	g_assert(!err); /* service_settings_check() */
	ret->algorithm = either(settings->bpf_lb_algorithm, settings->node_port_algorithm);
	if (ret->algorithm == CHOICE_MAGLEV || settings->bpf_lb_algorithm_annotation)
		ret->maglev_size = settings->bpf_lb_maglev_table_size;
	ret->maglev_seed = read_be32(seed);
	ret->packet_seeds[0] = read_be32(seed + 4);
	ret->packet_seeds[1] = read_be32(seed + 8);
}

void service_settings_get(const struct settings *settings, struct service_settings *ret)
{
	enum kube_proxy_replacement word = settings->kube_proxy_replacement;
	bool all = word == KUBE_PROXY_REPLACEMENT_TRUE || word == KUBE_PROXY_REPLACEMENT_STRICT ||
		   word == KUBE_PROXY_REPLACEMENT_PROBE;
	bool none = word == KUBE_PROXY_REPLACEMENT_DISABLED;

	*ret = (struct service_settings){
		.replaces_kube_proxy = all,
		.node_port = all || settings->bpf_lb_only || (!none && settings->enable_node_port),
		.socket_lb = all || (!none && settings->bpf_lb_sock),
		.session_affinity = all || settings->enable_session_affinity,
		.mode = either(settings->bpf_lb_mode, settings->node_port_mode),
		.acceleration =
			either(settings->bpf_lb_acceleration, settings->node_port_acceleration),
	};
	ret->external_ips = all || (ret->node_port && settings->enable_external_ips);
	ret->host_port =
		(all || (ret->node_port && settings->enable_host_port)) && !settings->bpf_lb_only;
	ret->socket_lb_pods = ret->socket_lb && !settings->bpf_lb_sock_hostns_only;
	get_choice(settings, ret);
}

static void check_old_name(unsigned int number, unsigned int old_number, const char *key,
			   const char *old_key, GString *problems)
{
	if (number && old_number && number != old_number)
		config_add_problem(
			problems,
			"%s: says something else than %s, whose old name it is: leave it out",
			old_key, key);
}

static void check_old_names(const struct settings *settings, GString *problems)
{
	check_old_name(settings->bpf_lb_algorithm, settings->node_port_algorithm,
		       "bpf-lb-algorithm", "node-port-algorithm", problems);
	check_old_name(settings->bpf_lb_mode, settings->node_port_mode, "bpf-lb-mode",
		       "node-port-mode", problems);
	check_old_name(settings->bpf_lb_acceleration, settings->node_port_acceleration,
		       "bpf-lb-acceleration", "node-port-acceleration", problems);
}

static void check_mode(const struct settings *settings, enum forwarding_word mode,
		       GString *problems)
{
	bool ipip = settings->bpf_lb_dsr_dispatch == DISPATCH_IPIP;

	if (settings->bpf_lb_dsr_dispatch == DISPATCH_GENEVE)
		config_add_problem(problems,
				   "bpf-lb-dsr-dispatch: got \"geneve\", want opt or ipip: this "
				   "version makes no tunnels");
	if (mode == FORWARDING_HYBRID && settings->bpf_lb_mode_annotation)
		config_add_problem(problems, "bpf-lb-mode: got \"hybrid\", want snat or dsr where "
					     "bpf-lb-mode-annotation is true");
	if (ipip && mode == FORWARDING_SNAT && !settings->bpf_lb_mode_annotation)
		config_add_problem(problems,
				   "bpf-lb-dsr-dispatch: got \"ipip\", want opt where bpf-lb-mode "
				   "is snat: no packet takes that way");
	/* It would forward packets whose source, the outer one, is its own: it takes them for forged. */
	if (ipip && settings->enable_host_legacy_routing)
		config_add_problem(problems,
				   "bpf-lb-dsr-dispatch: got \"ipip\", want opt where "
				   "enable-host-legacy-routing is true: the host's stack does not "
				   "forward what was wrapped");
	if (!ipip && (settings->bpf_lb_rss_ipv4_src_cidr.is_set ||
		      settings->bpf_lb_rss_ipv6_src_cidr.is_set))
		config_add_problem(problems,
				   "bpf-lb-rss-ipv4-src-cidr, bpf-lb-rss-ipv6-src-cidr: want "
				   "nothing unless bpf-lb-dsr-dispatch is ipip");
}

static void check_cidrs(char *const *list, const char *key, GString *problems)
{
	struct cidr cidr;

	for (; list && *list; list++)
		if (cidr_parse(*list, &cidr))
			config_add_problem(problems,
					   "%s: got \"%s\", want a prefix such as 192.0.2.0/24 or "
					   "2001:db8::/64, without host bits",
					   key, *list);
}

bool service_settings_parse_zone(const char *pair, char **ret_name, uint8_t *ret_number)
{
	const char *equals = strrchr(pair, '=');
	guint64 number;

	if (!equals || equals == pair ||
	    !g_ascii_string_to_unsigned(equals + 1, 10, 1, UINT8_MAX, &number, NULL))
		return false;
	*ret_name = g_strndup(pair, equals - pair);
	*ret_number = (uint8_t)number;
	return true;
}

static void check_zones(const struct settings *settings, GString *problems)
{
	for (char **pair = settings->fixed_zone_mapping; pair && *pair; pair++) {
		g_autofree char *name = NULL;
		uint8_t number;

		if (!service_settings_parse_zone(*pair, &name, &number))
			config_add_problem(
				problems,
				"fixed-zone-mapping: got \"%s\", want zone=N with N in 1..255",
				*pair);
	}
}

static void check_addresses(const struct settings *settings, GString *problems)
{
	const struct addr *addr4 = &settings->ipv4_service_loopback_address;
	const struct addr *addr6 = &settings->ipv6_service_loopback_address;

	if (!addr_is_v4(addr4))
		config_add_problem(problems, "ipv4-service-loopback-address: want an IPv4 address");
	if (addr_is_v4(addr6))
		config_add_problem(problems, "ipv6-service-loopback-address: want an IPv6 address");
	check_cidrs(settings->nodeport_addresses, "nodeport-addresses", problems);
	check_cidrs(settings->lrp_address_matcher_cidrs, "lrp-address-matcher-cidrs", problems);
}

void service_settings_check(const struct settings *settings, GString *problems)
{
	uint8_t seed[MAGLEV_SEED_BYTES];
	struct service_settings services;

	if (parse_seed(settings->bpf_lb_maglev_hash_seed, seed)) {
		config_add_problem(
			problems,
			"bpf-lb-maglev-hash-seed: got \"%.60s\", want %d bytes in base64, as "
			"\"head -c%d /dev/urandom | base64\" makes them",
			settings->bpf_lb_maglev_hash_seed, MAGLEV_SEED_BYTES, MAGLEV_SEED_BYTES);
		return;
	}
	service_settings_get(settings, &services);
	check_old_names(settings, problems);
	check_mode(settings, services.mode, problems);
	check_addresses(settings, problems);
	check_zones(settings, problems);
	if (services.acceleration && !services.node_port)
		config_add_problem(problems,
				   "bpf-lb-acceleration: want disabled where nothing is served to "
				   "clients outside: kube-proxy-replacement, enable-node-port and "
				   "bpf-lb-only are false");
	if (services.node_port && !settings->node_port_range.min)
		config_add_problem(problems, "node-port-range: got a start of 0, want at least 1");
	if (settings->bpf_lb_only &&
	    settings->kube_proxy_replacement == KUBE_PROXY_REPLACEMENT_DISABLED)
		config_add_problem(problems,
				   "bpf-lb-only: want false where kube-proxy-replacement is "
				   "\"disabled\"");
}

bool service_settings_is_overridden(const struct settings *settings, const char *key)
{
	/* On by themselves: who says false is not heard where everything is on. */
	static const char *const switched_off[] = {"enable-external-ips", "enable-host-port",
						   "enable-session-affinity", NULL};
	static const char *const switched_on[] = {"enable-node-port", "bpf-lb-sock", NULL};
	struct service_settings services;

	service_settings_get(settings, &services);
	if (services.replaces_kube_proxy)
		return g_strv_contains(switched_off, key);
	return settings->kube_proxy_replacement == KUBE_PROXY_REPLACEMENT_DISABLED &&
	       g_strv_contains(switched_on, key);
}

void service_settings_foreach_warning(const struct settings *settings,
				      void (*fn)(const char *key, const char *hint, void *data),
				      void *data)
{
	static const char *const words[] = {
		[KUBE_PROXY_REPLACEMENT_STRICT] = "strict is an old word: write true",
		[KUBE_PROXY_REPLACEMENT_PARTIAL] =
			"partial is an old word: write false, beside the keys of single features",
		[KUBE_PROXY_REPLACEMENT_PROBE] =
			"probe is an old word: write true, as every kernel has what it takes",
		[KUBE_PROXY_REPLACEMENT_DISABLED] =
			"disabled is an old word: write false, and no key of a single feature",
	};

	if (words[settings->kube_proxy_replacement])
		fn("kube-proxy-replacement", words[settings->kube_proxy_replacement], data);
	if (settings->node_port_algorithm)
		fn("node-port-algorithm", "an old name: write bpf-lb-algorithm", data);
	if (settings->node_port_mode)
		fn("node-port-mode", "an old name: write bpf-lb-mode", data);
	if (settings->node_port_acceleration)
		fn("node-port-acceleration", "an old name: write bpf-lb-acceleration", data);
}
