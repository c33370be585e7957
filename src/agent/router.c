/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/router.h"

#include "src/base/log.h"

struct router {
	struct router_parts parts;
};

/* The next change of a manifest, or the next start, tries again. */
static void log_failure(const GError *error)
{
	log_error("ipam", "The router keeps its addresses: changing them failed", "error=%s",
		  error->message);
}

static void log_change(const struct addr *before, const struct addr *now)
{
	char before_text[ADDR_TEXT_BYTES], now_text[ADDR_TEXT_BYTES];

	if (!addr_equal(before, now))
		log_info("ipam", "The pod CIDRs are others, and so is the router", "from=%s to=%s",
			 addr_format(before, before_text), addr_format(now, now_text));
}

static void run(struct watch *watch, void *data)
{
	const struct router_parts *parts = &((struct router *)data)->parts;
	struct datapath_config *config = parts->config;
	g_autoptr(GError) error = NULL;
	struct addr router4, router6;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		continue;
	if (ipam_take_routers(parts->ipam, &router4, &router6, &error)) {
		log_failure(error);
		return;
	}
	if (addr_equal(&router4, &config->router4) && addr_equal(&router6, &config->router6))
		return;
	/* Where that fails, ensure() repeats it. */
	if (parts->datapath->ops->set_router(parts->datapath, &router4, &router6, &error))
		log_failure(error);
	log_change(&config->router4, &router4);
	log_change(&config->router6, &router6);
	config->router4 = router4;
	config->router6 = router6;
	derive_set_router(parts->derive, &router4, &router6);
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
