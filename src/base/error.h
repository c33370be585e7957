/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors for people. A function that can fail returns 0 or −errno and, where a person can do something
 * about it, fills a GError: what, where, got, expected. Context is put in front on the way out.
 */
#pragma once

#include <errno.h>
#include <glib.h>

#define NODISCARD __attribute__((warn_unused_result))

/* The domain of every GError of this project; its code is a positive errno. */
GQuark error_quark(void);

/*
 * Sets *error (may be NULL) to the formatted text with code err, a positive errno; what was there is
 * freed. Returns −err, so that a caller writes:
 *	return error_set(error, EINVAL, "mtu: got %d, want 68..65535", mtu);
 */
int error_set(GError **error, int err, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* As error_set, with ": " and the text of err appended: for system calls. */
int error_set_errno(GError **error, int err, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Puts "<formatted>: " in front of *error's text, if there is one. */
void error_prefix(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
