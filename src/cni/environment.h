/* SPDX-License-Identifier: Apache-2.0 */
/* What a runtime says in the environment: the command, the attachment, and CNI_ARGS. */
#pragma once

#include "src/cni/cni.h"
#include "src/model/addr.h"

enum cni_command {
	CNI_COMMAND_ADD,
	CNI_COMMAND_DEL,
	CNI_COMMAND_CHECK,
	CNI_COMMAND_STATUS,
	CNI_COMMAND_GC,
	CNI_COMMAND_VERSION,
	CNI_COMMAND__MAX,
};

struct environment {
	enum cni_command command;
	const char *container_id; /* borrowed from the environment; NULL: not given */
	const char *netns;
	const char *ifname;
	/* From CNI_ARGS, owned; NULL: not given. */
	char *pod_name;
	char *pod_namespace;
	char *pod_uid;
	struct addr addr; /* IP=; zero: not given */
	struct mac mac;   /* MAC=; zero: not given */
};

/* Reads and checks what the command needs. 0 or CNI_ERROR_INVALID_ENVIRONMENT. */
NODISCARD int environment_read(struct environment *ret_environment, GError **error);
/*
 * "K8S_POD_NAME=web;IgnoreUnknown=1": fills the members that come from CNI_ARGS. 0 or
 * CNI_ERROR_INVALID_ENVIRONMENT.
 */
NODISCARD int environment_parse_args(const char *text, struct environment *environment,
				     GError **error);
void environment_fini(struct environment *environment);

/* Is the text a container id or the name of a network, as the specification limits them? */
bool environment_is_identifier(const char *text);
/* Is the text a name that the kernel gives an interface? */
bool environment_is_ifname(const char *text);
