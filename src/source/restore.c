// SPDX-License-Identifier: Apache-2.0
#include "src/source/restore.h"

#include <string.h>

struct restore {
	const char *root;
	struct file_set *files;
	struct file_reader *reader;
	last_good_keep keep;
	void *data;
};

static void restore_file(const struct restore *restore, struct last_good *const *goods,
			 unsigned int n)
{
	const char *file = goods[0]->file;
	size_t n_root = strlen(restore->root);
	struct manifest *manifest = last_good_parse(goods, n);
	bool is_ours = g_str_has_prefix(file, restore->root) && file[n_root] == '/';

	for (unsigned int i = 0; i < manifest->objects->len; i++) {
		const struct manifest_object *object =
			&g_array_index(manifest->objects, struct manifest_object, i);

		/* Of another directory: no scan would ever find out that it is gone. */
		if (!is_ours || !object->object)
			restore->keep(file, object->kind, object->key, object->line, NULL,
				      restore->data);
	}
	if (!is_ours) {
		manifest_free(manifest);
		return;
	}
	file_reader_know(restore->reader, file + n_root + 1);
	file_set_put_manifest(restore->files, file, manifest);
}

void restore_last_good(const GPtrArray *goods, const char *root, struct file_set *files,
		       struct file_reader *reader, last_good_keep keep, void *data)
{
	struct restore restore = {root, files, reader, keep, data};
	unsigned int n_all = goods ? goods->len : 0;
	unsigned int n;

	for (unsigned int i = 0; i < n_all; i += n) {
		struct last_good *const *list = (struct last_good *const *)goods->pdata + i;

		for (n = 1; i + n < n_all && !strcmp(list[0]->file, list[n]->file);)
			n++;
		restore_file(&restore, list, n);
	}
	file_set_set_keeper(files, keep, data);
}
