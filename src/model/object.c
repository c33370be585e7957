// SPDX-License-Identifier: Apache-2.0
#include "src/model/object.h"

#include <string.h>
#include "src/base/intern.h"

void object_meta_init(struct object_meta *meta, const char *prefix, const char *name)
{
	memset(meta, 0, sizeof(*meta));
	meta->key = prefix ? g_strconcat(prefix, "/", name, NULL) : g_strdup(name);
	meta->name = meta->key + strlen(meta->key) - strlen(name);
	meta->labels = label_set_new(NULL, 0);
}

void object_meta_init_namespaced(struct object_meta *meta, const char *namespace, const char *name)
{
	object_meta_init(meta, namespace, name);
	meta->namespace = intern_new(namespace);
}

void object_meta_fini(struct object_meta *meta)
{
	g_free(meta->key);
	intern_unref(meta->namespace);
	g_free(meta->uid);
	label_set_unref(meta->labels);
	g_clear_pointer(&meta->annotations, g_hash_table_unref);
	intern_unref(meta->file);
	memset(meta, 0, sizeof(*meta));
}

void object_meta_take_labels(struct object_meta *meta, const struct label_set *labels)
{
	label_set_unref(meta->labels);
	meta->labels = labels;
}

void object_meta_put_annotation(struct object_meta *meta, const char *name, const char *value)
{
	if (!meta->annotations)
		meta->annotations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_hash_table_replace(meta->annotations, g_strdup(name), g_strdup(value));
}

const char *object_meta_annotation(const struct object_meta *meta, const char *name)
{
	return meta->annotations ? g_hash_table_lookup(meta->annotations, name) : NULL;
}

static bool annotations_equal(const struct object_meta *a, const struct object_meta *b)
{
	GHashTableIter iter;
	gpointer name, value;

	if (!a->annotations || !b->annotations)
		return a->annotations == b->annotations;
	if (g_hash_table_size(a->annotations) != g_hash_table_size(b->annotations))
		return false;
	g_hash_table_iter_init(&iter, a->annotations);
	while (g_hash_table_iter_next(&iter, &name, &value))
		if (g_strcmp0(value, object_meta_annotation(b, name)) != 0)
			return false;
	return true;
}

bool object_meta_equal(const struct object_meta *a, const struct object_meta *b)
{
	return strcmp(a->key, b->key) == 0 && a->namespace == b->namespace &&
	       a->labels == b->labels && g_strcmp0(a->uid, b->uid) == 0 && annotations_equal(a, b);
}
