/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the REST API: which one a request is, and which path asks for one. */
#pragma once

#include <stdbool.h>
#include "src/base/error.h"

#define API_BASE_PATH "/v1"
/* A segment in place of {…} is at most so long; longer ones match nothing. */
#define API_ARG_MAX_BYTES 512

enum api_call {
#define API_CALL(name, handler, method, path, what) API_##name,
#include "src/api/call.def"
#undef API_CALL
	API_CALL__MAX,
};

struct api_call_info {
	const char *name; /* "ENDPOINT_GET" */
	const char *method;
	const char *path; /* template, without API_BASE_PATH */
	const char *what;
};

const struct api_call_info *api_call_info(enum api_call call);

struct api_match {
	enum api_call call;
	char *arg; /* what stands for {…}; NULL where the path has none */
};

/*
 * Finds the call of a decoded path. 0; −ENOENT: no such path; −EOPNOTSUPP: the path exists, with
 * other methods: *ret_allow says which ("GET, PUT"; g_free). ret_match->arg is the caller's to
 * g_free.
 */
NODISCARD int api_call_find(const char *method, const char *path, struct api_match *ret_match,
			    char **ret_allow);

/* The encoded path of a call, with API_BASE_PATH and arg in place of {…}. g_free. */
char *api_call_path(enum api_call call, const char *arg);
