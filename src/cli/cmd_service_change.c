/* SPDX-License-Identifier: Apache-2.0 */
/* service update, service delete. */
#include <stdio.h>
#include <stdlib.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/service_text.h"

/* ---- service update ---- */

static struct service_update update;
static GPtrArray *arg_backends, *arg_weights, *arg_states;

/* Whether there is such a service: what is said before it is changed. */
static bool is_there(const char *id)
{
	const struct api_client_request request = {.call = API_SERVICE_GET, .arg = id};
	json_t *service = NULL;
	int err = api_client_call(cli_api(), &request, &service, NULL);

	json_decref(service);
	return err == 0;
}

static int put(const char *id, const char *body, GError **error)
{
	const struct api_client_request request = {
		.call = API_SERVICE_PUT, .arg = id, .body = body};

	return api_client_call(cli_api(), &request, NULL, error);
}

static int run_update(int argc, char *const argv[])
{
	g_autofree char *id = g_strdup_printf("%u", update.id);
	json_auto_t *spec = NULL;
	GError *error = NULL;
	bool is_old;
	char *body;
	int err;

	update.backends = arg_backends;
	update.weights = arg_weights;
	update.states = arg_states;
	spec = service_update_to_json(&update, &error);
	if (!spec) {
		err = cli_fail_usage("%s", error->message);
		g_error_free(error);
		return err;
	}
	is_old = is_there(id);
	printf(is_old ? "Updating existing service with id '%s'\n"
		      : "Creating new service with id '%s'\n",
	       id);
	fflush(stdout);
	body = json_dumps(spec, JSON_COMPACT);
	err = put(id, body, &error);
	free(body);
	if (err < 0) {
		g_prefix_error(&error, "Cannot add/update service: ");
		return cli_fail_error(error);
	}
	printf("%s service with %zu backends\n", is_old ? "Updated" : "Added",
	       json_array_size(json_get(spec, "backend-addresses", NULL)));
	return EXIT_SUCCESS;
}

static const struct cli_flag update_flags[] = {
	{"id", 0, CLI_FLAG_NUMBER, "Number of the service", &update.id, NULL, CLI_WORDS_REQUESTED},
	{"frontend", 0, CLI_FLAG_TEXT,
	 "Address and port that clients know, 10.0.0.1:80 or [fd00::1]:80", &update.frontend},
	{"protocol", 0, CLI_FLAG_TEXT, "tcp, udp or sctp (default tcp)", &update.protocol,
	 "tcp udp sctp"},
	{"backends", 0, CLI_FLAG_LIST, "Addresses and ports of back ends, with commas between",
	 &arg_backends},
	{"backend-weights", 0, CLI_FLAG_LIST,
	 "A weight for each of them in Maglev's table; 0: no new connections (default 100)",
	 &arg_weights},
	{"states", 0, CLI_FLAG_LIST,
	 "A state for each of them: active, terminating, quarantined or maintenance", &arg_states,
	 "active terminating quarantined maintenance"},
	{"k8s-node-port", 0, CLI_FLAG_BOOL, "Make it a NodePort", &update.node_port},
	{"k8s-external", 0, CLI_FLAG_BOOL, "Make it an external address", &update.external},
	{"k8s-load-balancer", 0, CLI_FLAG_BOOL, "Make it a LoadBalancer", &update.load_balancer},
	{"k8s-host-port", 0, CLI_FLAG_BOOL, "Make it a HostPort", &update.host_port},
	{"k8s-ext-traffic-policy", 0, CLI_FLAG_TEXT,
	 "Back ends for clients outside: Cluster or Local (default Cluster)",
	 &update.external_policy, "Cluster Local"},
	{"k8s-int-traffic-policy", 0, CLI_FLAG_TEXT,
	 "Back ends for clients inside: Cluster or Local (default Cluster)",
	 &update.internal_policy, "Cluster Local"},
	{NULL},
};

const struct cli_command cmd_service_update = {
	.path = "service update",
	.help = "Make or change a service by hand; the agent keeps it until it is deleted",
	.flags = update_flags,
	.run = run_update,
};

/* ---- service delete ---- */

static bool arg_all;

static int delete_one(const char *id)
{
	const struct api_client_request request = {.call = API_SERVICE_DELETE, .arg = id};
	GError *error = NULL;

	if (api_client_call(cli_api(), &request, NULL, &error) < 0) {
		g_prefix_error(&error, "Cannot delete service %s: ", id);
		return cli_fail_error(error);
	}
	printf("Service %s deleted successfully\n", id);
	return EXIT_SUCCESS;
}

/* Those of manifests are not anybody's to delete here. */
static int delete_all(void)
{
	const struct api_client_request request = {.call = API_SERVICE_LIST};
	json_auto_t *list = NULL;
	GError *error = NULL;
	json_t *service;
	int status = EXIT_SUCCESS;
	size_t i;

	if (api_client_call(cli_api(), &request, &list, &error) < 0) {
		g_prefix_error(&error, "Cannot get services list: ");
		return cli_fail_error(error);
	}
	json_array_foreach(list, i, service)
	{
		g_autofree char *id =
			g_strdup_printf("%lld", json_get_number(service, "spec", "id", NULL));

		if (service_is_requested(service) && delete_one(id) != EXIT_SUCCESS)
			status = EXIT_FAILURE;
	}
	return status;
}

static int run_delete(int argc, char *const argv[])
{
	if (!argc == !arg_all)
		return cli_fail_usage("expected the number of a service, or --all");
	return arg_all ? delete_all() : delete_one(argv[0]);
}

static const struct cli_flag delete_flags[] = {
	{"all", 0, CLI_FLAG_BOOL, "Delete all services that were made by hand", &arg_all},
	{NULL},
};

const struct cli_command cmd_service_delete = {
	.path = "service delete",
	.args = "ID | --all",
	.n_args_max = 1,
	.help = "Delete a service that was made by hand",
	.flags = delete_flags,
	.words = CLI_WORDS_REQUESTED,
	.run = run_delete,
};
