/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/router.h"

#include "src/base/log.h"

struct router {
	struct router_parts parts;
};

static void log_change(const struct addr *before, const struct addr *now)
{
	char before_text[ADDR_TEXT_BYTES], now_text[ADDR_TEXT_BYTES];

	if (!addr_equal(before, now))
		log_info("ipam", "The pod CIDRs are others, and so is the router", "from=%s to=%s",
			 addr_format(before, before_text), addr_format(now, now_text));
}

/* 0 or −errno: then the addresses stay as they are. */
static int follow_pools(const struct router_parts *parts, GError **error)
{
	struct datapath_config *config = parts->config;
	struct addr router4, router6;
	int err = ipam_take_routers(parts->ipam, &router4, &router6, error);

	if (err)
		return err;
	if (addr_equal(&router4, &config->router4) && addr_equal(&router6, &config->router6))
		return 0;
	/* Where the kernel refuses them they are the ones all the same: ensure() repeats it. */
	err = parts->datapath->ops->set_router(parts->datapath, &router4, &router6, error);
	log_change(&config->router4, &router4);
	log_change(&config->router6, &router6);
	config->router4 = router4;
	config->router6 = router6;
	derive_set_router(parts->derive, &router4, &router6);
	return err;
}

static void update(struct router *router)
{
	struct controller *controller = router->parts.controller;
	g_autoptr(GError) error = NULL;

	controller_begin(controller);
	if (follow_pools(&router->parts, &error) && !controller_is_failing(controller))
		log_error("ipam", "Changing the router's addresses failed, will try again",
			  "error=%s", error->message);
	controller_end(controller, error);
}

static void run(struct watch *watch, void *data)
{
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		continue;
	update(data);
}

void router_retry(struct router *router)
{
	if (controller_is_failing(router->parts.controller))
		update(router);
}

struct router *router_new(const struct router_parts *parts)
{
	struct router *router = g_new0(struct router, 1);

	router->parts = *parts;
	watch_add(watch_new(parts->store, "router", run, router), parts->tables->nodes);
	return router;
}

void router_free(struct router *router)
{
	g_free(router);
}
