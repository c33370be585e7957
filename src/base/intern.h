/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One copy of a text that many rows have: a namespace, a node's name, a file. Equal texts are the
 * same pointer while anybody holds them. All functions take NULL.
 */
#pragma once

#include <glib.h>

static inline const char *intern_new(const char *text)
{
	return text ? g_ref_string_new_intern(text) : NULL;
}

static inline const char *intern_ref(const char *interned)
{
	return interned ? g_ref_string_acquire((char *)interned) : NULL;
}

static inline void intern_unref(const char *interned)
{
	if (interned)
		g_ref_string_release((char *)interned);
}
