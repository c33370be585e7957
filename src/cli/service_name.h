/* SPDX-License-Identifier: Apache-2.0 */
/* Whose front ends are, in events. */
#pragma once

/*
 * "default/web" of "10.96.0.1:80"; NULL where no agent answers or has it. g_free. What was told is believed for
 * some seconds: a front end may get another service.
 */
char *service_name_find(const char *frontend);
