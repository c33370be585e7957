/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "src/agent/agent.h"
#include "src/agent/privilege.h"
#include "src/agent/live.h"
#include "src/base/log.h"

extern char **environ;

/* Runs while it starts, too: then the configuration is read again when it has. */
struct reload {
	struct agent *agent; /* NULL: starting */
	bool is_wanted;
};

static void reload(struct reload *reload)
{
	g_autoptr(GError) error = NULL;

	reload->is_wanted = !reload->agent;
	if (reload->agent && live_reload(reload->agent, NULL, NULL, &error))
		log_error("config", "The configuration was not read again: what was in force stays",
			  "error=%s", error->message);
}

static void on_hangup(uv_signal_t *signal, int number)
{
	reload(signal->data);
}

static void on_signal(uv_signal_t *signal, int number)
{
	log_info("agent", "Stopping; traffic goes on", "signal=%d", number);
	uv_stop(signal->loop);
}

/* The soft limit is kept low for the sake of select(), which nothing here calls. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit, wanted;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	wanted.rlim_cur = wanted.rlim_max = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &wanted))
		log_warning("agent", "The limit of open files stays", "limit=%llu error=%s hint=%s",
			    (unsigned long long)limit.rlim_cur, g_strerror(errno),
			    "raise it for the service (LimitNOFILE=)");
}

/* Runs until a signal comes. What is in the kernel stays as it is. */
static int run(struct config *config)
{
	static const int numbers[] = {SIGTERM, SIGINT};
	uv_signal_t signals[G_N_ELEMENTS(numbers)];
	uv_signal_t hangup;
	uv_loop_t *loop = uv_default_loop();
	g_autoptr(GError) error = NULL;
	struct reload wanted = {0};
	struct agent *agent;

	if (privilege_begin(&error)) {
		log_error("agent", "The agent cannot start", "error=%s", error->message);
		return EXIT_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);
	/* For the loop's watch. */
	uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
	raise_descriptor_limit();
	uv_signal_init(loop, &hangup);
	hangup.data = &wanted;
	uv_signal_start(&hangup, on_hangup, SIGHUP);
	/* Its callbacks do not keep the loop of an agent that ends. */
	uv_unref((uv_handle_t *)&hangup);
	agent = agent_new(loop, config, &error);
	if (!agent) {
		log_error("agent", "The agent cannot start", "error=%s hint=%s", error->message,
			  "traffic goes on as it was; correct the cause and start it again");
		return EXIT_FAILURE;
	}
	wanted.agent = agent;
	if (wanted.is_wanted)
		reload(&wanted);
	for (unsigned int i = 0; i < G_N_ELEMENTS(numbers); i++) {
		uv_signal_init(loop, &signals[i]);
		uv_signal_start(&signals[i], on_signal, numbers[i]);
	}
	uv_run(loop, UV_RUN_DEFAULT);
	for (unsigned int i = 0; i < G_N_ELEMENTS(numbers); i++)
		uv_close((uv_handle_t *)&signals[i], NULL);
	uv_close((uv_handle_t *)&hangup, NULL);
	agent_free(agent);
	uv_loop_close(loop);
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	g_autoptr(GError) error = NULL;
	g_autofree char *help = NULL;
	struct config *config;
	int status = EXIT_SUCCESS;

	if (config_load(argc, argv, environ, &config, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return EXIT_FAILURE;
	}
	settings_apply_log(config_get_settings(config));
	switch (config_get_action(config)) {
	case CONFIG_ACTION_HELP:
		help = config_format_help();
		fputs(help, stdout);
		break;
	case CONFIG_ACTION_VERSION:
		puts("cilium-agent " AXONEME_VERSION);
		break;
	case CONFIG_ACTION_RUN:
		status = run(config);
		break;
	}
	config_free(config);
	log_flush(true);
	return status;
}
