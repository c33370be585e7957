// SPDX-License-Identifier: Apache-2.0
/* What the kernel has of what the datapath depends on or chooses by, what was chosen, and why. */
#include "src/agent/status_private.h"

static void append_feature(json_t *list, const char *name, bool available, const char *mode,
			   const char *reason)
{
	json_array_append_new(list, json_pack("{s:s, s:b, s:s, s:s}", "name", name, "available",
					      available, "mode", mode, "reason", reason));
}

/* setting: as in "enable-tcx=true". g_free. */
static char *tcx_reason(const struct kernel_features *kernel, const char *setting)
{

	if (!kernel->has_tcx)
		return g_strdup_printf("this kernel, %s, has no tcx: Linux 6.6 or newer",
				       kernel->release);
	return g_strdup_printf("Linux %s has tcx; %s", kernel->release, setting);
}

static void append_attach_modes(const struct agent *agent, json_t *list)
{
	const struct settings *settings = agent->settings;
	const struct datapath_config *config = &agent->datapath_config;
	bool pods = settings->pod_attach_mode == POD_ATTACH_MODE_TCX;
	g_autofree char *node_reason = tcx_reason(
		&config->kernel, settings->enable_tcx ? "enable-tcx=true" : "enable-tcx=false");
	g_autofree char *pod_reason = tcx_reason(&config->kernel, pods ? "pod-attach-mode=tcx"
								       : "pod-attach-mode=clsact");

	append_feature(list, "tcx", config->kernel.has_tcx,
		       config->enable_tcx ? "TCX" : "Legacy TC", node_reason);
	append_feature(list, "tcx of pods", config->kernel.has_tcx,
		       config->enable_pod_tcx ? "TCX" : "Legacy TC", pod_reason);
}

static void append_memory(const struct datapath_config *config, json_t *list)
{
	g_autofree char *reason = NULL;

	if (config->kernel.has_memcg_accounting)
		reason = g_strdup("Linux 5.11 or newer: the agent's cgroup counts it");
	else if (config->memlock_error)
		reason = g_strdup_printf("before Linux 5.11; the limit stays: %s. Give "
					 "CAP_SYS_RESOURCE, or LimitMEMLOCK=infinity",
					 g_strerror(config->memlock_error));
	else
		reason = g_strdup("before Linux 5.11; the limit was raised");
	append_feature(list, "BPF memory", config->kernel.has_memcg_accounting,
		       config->kernel.has_memcg_accounting ? "cgroup" : "RLIMIT_MEMLOCK", reason);
}

/* The programs that were loaded need all of it. */
static void append_requirements(json_t *list)
{
	const struct kernel_requirement *requirement;

	for (unsigned int i = 0; (requirement = kernel_requirement_get(i)); i++) {
		g_autofree char *reason = g_strdup_printf(
			"Linux %s or newer; %s", requirement->since, requirement->used_for);

		append_feature(list, requirement->name, true, "used", reason);
	}
}

json_t *status_kernel_to_json(const struct agent *agent)
{
	const struct datapath_config *config = &agent->datapath_config;
	json_t *list;

	if (!*config->kernel.release)
		return NULL;
	list = json_array();
	append_attach_modes(agent, list);
	append_memory(config, list);
	append_requirements(list);
	return json_pack("{s:s, s:o}", "release", config->kernel.release, "features", list);
}
