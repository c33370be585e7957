/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the service manager is told, where one started the agent (sd_notify(3)): what it does and how it
 * is, that it is ready, reloads or stops, and, as often as WATCHDOG_USEC asks for, that its loop turns.
 * Without NOTIFY_SOCKET every call does nothing.
 */
#pragma once

#include <stdbool.h>

struct agent;
struct notify;

/* Refuses nothing: what cannot be told fails the controller "service-manager". */
struct notify *notify_new(struct agent *agent);
void notify_free(struct notify *notify); /* takes NULL, as the others do */
/* The step of the start that begins, which may take a while. */
void notify_step(struct notify *notify, const char *step);
/* The start, or a reload, is over. From the first time on the status is kept up, and the watchdog quiet. */
void notify_ready(struct notify *notify);
/* The configuration is read anew: notify_ready() follows, however that ends. */
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);
