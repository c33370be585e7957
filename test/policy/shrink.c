/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever of the worlds can go while they still contradict the reference, goes. */
#include <string.h>
#include "test/policy/compare.h"

struct shrink {
	json_t *worlds;
	const struct question *question;
	bool is_smaller; /* something went in this round */
};

static bool still_fails(const struct shrink *shrink)
{
	return compare_contradicts(shrink->worlds, shrink->question, NULL);
}

/* What the reference cannot do without; and who is asked about. */
static bool must_stay(const char *key)
{
	static const char *const keys[] = {
		"apiVersion",    "kind",        "metadata",  "name",        "namespace",
		"config",        "objects",     "endpoints", "ipv4",        "ipv6",
		"type",          "key",         "operator",  "cidr",        "fields",
		"ports",         "selector",    "addresses", "addressType", "nodeName",
		"containers",    "serviceName", "podCIDRs",  "podIPs",      "ip",
		"externalCIDRs", "pod",
	};

	for (unsigned int i = 0; i < G_N_ELEMENTS(keys); i++)
		if (!strcmp(keys[i], key))
			return true;
	return false;
}

static void shrink_value(struct shrink *shrink, json_t *value);

static void shrink_member(struct shrink *shrink, json_t *object, const char *name)
{
	json_t *member = json_incref(json_object_get(object, name));

	if (must_stay(name)) {
		shrink_value(shrink, member);
	} else {
		json_object_del(object, name);
		if (still_fails(shrink)) {
			shrink->is_smaller = true;
		} else {
			json_object_set(object, name, member);
			shrink_value(shrink, member);
		}
	}
	json_decref(member);
}

/* What is taken out and put back goes to the end: so the names are listed first. */
static void shrink_object(struct shrink *shrink, json_t *object)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *key;
	json_t *member;

	json_object_foreach(object, key, member) g_ptr_array_add(names, g_strdup(key));
	for (unsigned int i = 0; i < names->len; i++)
		shrink_member(shrink, object, names->pdata[i]);
}

static void shrink_array(struct shrink *shrink, json_t *array, bool keeps_numbers)
{
	for (size_t i = json_array_size(array); i-- > 0;) {
		json_t *element = json_array_get(array, i);

		/* The numbers of endpoints are in the question: only the last one can go. */
		if (keeps_numbers && i + 1 < json_array_size(array))
			break;
		json_incref(element);
		json_array_remove(array, i);
		if (json_array_size(array) && still_fails(shrink)) {
			shrink->is_smaller = true;
		} else {
			json_array_insert(array, i, element);
			shrink_value(shrink, element);
		}
		json_decref(element);
	}
}

static void shrink_value(struct shrink *shrink, json_t *value)
{
	if (json_is_object(value))
		shrink_object(shrink, value);
	else if (json_is_array(value))
		shrink_array(shrink, value, false);
}

static void shrink_world(struct shrink *shrink, json_t *world)
{
	shrink_array(shrink, json_object_get(world, "objects"), false);
	shrink_array(shrink, json_object_get(world, "endpoints"), true);
	shrink_object(shrink, json_object_get(world, "config"));
}

void shrink(json_t *worlds, const struct question *question)
{
	struct shrink shrink = {.worlds = worlds, .question = question};
	json_t *world;
	size_t i;

	if (!still_fails(&shrink))
		return;
	do {
		shrink.is_smaller = false;
		for (i = json_array_size(worlds); i-- > 0;) {
			world = json_incref(json_array_get(worlds, i));
			json_array_remove(worlds, i);
			if (json_array_size(worlds) && still_fails(&shrink))
				shrink.is_smaller = true;
			else
				json_array_insert(worlds, i, world);
			json_decref(world);
		}
		json_array_foreach(worlds, i, world) shrink_world(&shrink, world);
	} while (shrink.is_smaller);
}
