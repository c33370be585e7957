// SPDX-License-Identifier: Apache-2.0
#include "src/base/controller.h"

#include "src/base/clock.h"

/* How late a run may be, beside its interval, and how long it may take without a sign of life. */
#define GRACE_NS (10 * NSEC_PER_SEC)

struct controller {
	struct controllers *controllers;
	const char *name;
	const char *group;
	char *uuid;
	int64_t interval_ns;
	int64_t sign_ns;  /* CLOCK_MONOTONIC: of the last sign of life */
	int64_t begun_ns; /* CLOCK_MONOTONIC: of the run under way */
	int64_t last_duration_ns;
	/* CLOCK_BOOTTIME, so that setting the clock makes no age of them; 0: never. */
	int64_t last_success_ns, last_failure_ns, failing_since_ns;
	bool is_running;
	GError *error; /* of the last failure, or NULL */
	unsigned int n_consecutive_failures;
	uint64_t n_successes, n_failures;
};

struct controllers {
	GPtrArray *list;
	int64_t (*now_ns)(void);
	void (*observer)(const struct controller_info *info, void *data);
	void *observer_data;
};

static void controller_free(void *data)
{
	struct controller *controller = data;

	g_clear_error(&controller->error);
	g_free(controller->uuid);
	g_free(controller);
}

struct controllers *controllers_new(void)
{
	struct controllers *controllers = g_new0(struct controllers, 1);

	controllers->list = g_ptr_array_new_with_free_func(controller_free);
	controllers->now_ns = clock_monotonic_ns;
	return controllers;
}

void controllers_free(struct controllers *controllers)
{
	if (!controllers)
		return;
	g_ptr_array_unref(controllers->list);
	g_free(controllers);
}

void controllers_set_clock(struct controllers *controllers, int64_t (*now_ns)(void))
{
	controllers->now_ns = now_ns;
}

void controllers_set_observer(struct controllers *controllers,
			      void (*fn)(const struct controller_info *info, void *data),
			      void *data)
{
	controllers->observer = fn;
	controllers->observer_data = data;
}

/* A job that runs on demand is late only while it runs. */
static int64_t stale_since(const struct controller *controller)
{
	int64_t silent_ns = controller->controllers->now_ns() - controller->sign_ns;
	int64_t allowed_ns = GRACE_NS;

	if (!controller->is_running && !controller->interval_ns)
		return 0;
	if (!controller->is_running)
		allowed_ns += 2 * controller->interval_ns;
	return silent_ns > allowed_ns ? clock_realtime_ns() - silent_ns : 0;
}

static struct controller_info controller_info(const struct controller *controller)
{
	return (struct controller_info){
		.name = controller->name,
		.group = controller->group,
		.uuid = controller->uuid,
		.interval_ns = controller->interval_ns,
		.last_success_ns = clock_realtime_of_ns(controller->last_success_ns),
		.last_failure_ns = clock_realtime_of_ns(controller->last_failure_ns),
		.failing_since_ns = clock_realtime_of_ns(controller->failing_since_ns),
		.stale_since_ns = stale_since(controller),
		.last_duration_ns = controller->last_duration_ns,
		.is_running = controller->is_running,
		.error = controller->error ? controller->error->code : 0,
		.error_text = controller->error ? controller->error->message : NULL,
		.n_consecutive_failures = controller->n_consecutive_failures,
		.n_successes = controller->n_successes,
		.n_failures = controller->n_failures,
	};
}

void controllers_foreach(const struct controllers *controllers,
			 void (*fn)(const struct controller_info *info, void *data), void *data)
{
	for (guint i = 0; i < controllers->list->len; i++) {
		struct controller_info info = controller_info(controllers->list->pdata[i]);

		fn(&info, data);
	}
}

struct controller *controller_new(struct controllers *controllers, const char *name,
				  const char *group, int64_t interval_ns)
{
	struct controller *controller = g_new0(struct controller, 1);

	controller->controllers = controllers;
	controller->name = name;
	controller->group = group;
	controller->uuid = g_uuid_string_random();
	controller->interval_ns = interval_ns;
	controller->sign_ns = controllers->now_ns();
	g_ptr_array_add(controllers->list, controller);
	return controller;
}

void controller_set_interval(struct controller *controller, int64_t interval_ns)
{
	if (controller)
		controller->interval_ns = interval_ns;
}

void controller_begin(struct controller *controller)
{
	if (!controller)
		return;
	controller->sign_ns = controller->controllers->now_ns();
	if (controller->is_running)
		return;
	controller->begun_ns = controller->sign_ns;
	controller->is_running = true;
}

static void note_failure(struct controller *controller, const GError *error)
{
	g_clear_error(&controller->error);
	controller->error = g_error_copy(error);
	controller->last_failure_ns = clock_boottime_ns();
	if (!controller->n_consecutive_failures++)
		controller->failing_since_ns = controller->last_failure_ns;
	controller->n_failures++;
}

void controller_end(struct controller *controller, const GError *error)
{
	struct controllers *controllers;

	if (!controller)
		return;
	controllers = controller->controllers;
	controller->sign_ns = controllers->now_ns();
	if (controller->is_running)
		controller->last_duration_ns = controller->sign_ns - controller->begun_ns;
	controller->is_running = false;
	if (error) {
		note_failure(controller, error);
	} else {
		controller->last_success_ns = clock_boottime_ns();
		controller->n_consecutive_failures = 0;
		controller->failing_since_ns = 0;
		controller->n_successes++;
	}
	if (controllers->observer) {
		struct controller_info info = controller_info(controller);

		controllers->observer(&info, controllers->observer_data);
	}
}

bool controller_is_failing(const struct controller *controller)
{
	return controller && controller->n_consecutive_failures;
}
