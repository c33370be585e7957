/* SPDX-License-Identifier: Apache-2.0 */
/* Services and local redirects of the API as texts and tables, and the flags of `cilium service update` as a service. Pure. */
#pragma once

#include <stdbool.h>
#include <glib.h>
#include <jansson.h>
#include "src/base/error.h"

/* "default/web": whose front end it is; NULL: nobody's who has a name. g_free. */
char *service_format_name(const json_t *service);
/* "10.96.0.1:80/TCP default/web"; g_free. */
char *service_format_frontend(const json_t *service);
/* Whether it was made by hand, so that it can be changed and deleted so. */
bool service_is_requested(const json_t *service);

/* Lines with tabs. preferred: name the back ends that topology prefers. */
void service_append_table(GString *table, const json_t *services, bool preferred);
void redirect_append_table(GString *table, const json_t *redirects);

/* What the command line says; texts may be NULL. */
struct service_update {
	unsigned int id;
	const char *frontend;      /* "10.0.0.1:80" */
	const char *protocol;      /* NULL: tcp */
	const GPtrArray *backends; /* "10.0.0.5:80", as frontend; NULL: none */
	const GPtrArray *weights;  /* one a back end, or NULL */
	const GPtrArray *states;   /* one a back end, or NULL */
	bool node_port;            /* at most one of these: the type; none: ClusterIP */
	bool external;
	bool load_balancer;
	bool host_port;
	const char *external_policy; /* NULL: Cluster */
	const char *internal_policy;
};

/* The ServiceSpec; json_decref. NULL and *error where it is none. */
json_t *service_update_to_json(const struct service_update *update, GError **error);
