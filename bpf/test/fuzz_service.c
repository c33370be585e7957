/* SPDX-License-Identifier: Apache-2.0 */
/* Services for random frames to meet: on every port that frames like, each with its own kind of back end. */
#include "bpf/test/fuzz.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "bpf/test/service_world.h"

static const __u8 protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

static void put_service(struct harness *harness, const struct service_addrs *w, __u32 service,
			const char *front, __u16 port, __u8 protocol)
{
	/* By port: all four, one of another node, nobody. */
	const char *const backends[] = {w->b, w->remote, w->node, w->a};
	__u32 n_backends = port == 1000 ? 0 : port == 443 ? 2 : 4, ids[4];
	const struct service_front value = {
		.service = service,
		.addr = front,
		.port = port,
		.protocol = protocol,
		.flags = LB_FRONTEND_F_EXTERNAL,
		.affinity = port == 53 ? 60 : 0,
	};

	for (__u32 i = 0; i < n_backends; i++) {
		ids[i] = service * 4 + i;
		service_put_backend(harness, service, protocol,
				    &(struct service_backend){
					    .id = ids[i],
					    .addr = backends[i],
					    .port = protocol == IPPROTO_SCTP ? port : BACKEND_PORT,
				    });
	}
	service_put_set(harness, LB_SET(service, 0), ids, n_backends);
	service_put_front(harness, &value);
}

void fuzz_put_services(struct harness *harness)
{
	static const __u16 ports[] = {53, 80, 443, 1000};
	__u32 service = 0;

	service_world_clear(harness);
	for (int i = 0; i < 2; i++) {
		const struct service_addrs *w = &service_addrs[i];
		const char *const fronts[] = {w->cluster, w->node};

		for (size_t j = 0; j < 2; j++)
			for (size_t k = 0; k < sizeof(ports) / sizeof(ports[0]); k++)
				for (size_t l = 0; l < sizeof(protocols); l++)
					put_service(harness, w, ++service, fronts[j], ports[k],
						    protocols[l]);
		service_put_wildcard(harness, w->cluster, LB_FRONTEND_F_EXTERNAL);
	}
}

/* Back ends come and go under their connections. */
void fuzz_change_services(struct harness *harness)
{
	__u32 id = 4 + random() % 200;

	if (random() % 2)
		bpf_map_delete_elem(bpf_map__fd(harness->skel->maps.cilium_lb_backends), &id);
	else
		fuzz_put_services(harness);
}
