/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the files of a corpus through a fuzz target once: the stand-in for libFuzzer's main. */
#include <glib.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static unsigned int run_directory(const char *path, GError **error)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, error);
	unsigned int n_files = 0;
	const char *name;

	if (!dir)
		return 0;
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *file = g_build_filename(path, name, NULL);
		g_autofree char *data = NULL;
		size_t n_bytes;

		if (!g_file_get_contents(file, &data, &n_bytes, error))
			return 0;
		LLVMFuzzerTestOneInput((const uint8_t *)data, n_bytes);
		n_files++;
	}
	return n_files;
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	unsigned int n_files;

	if (argc != 2) {
		g_printerr("usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 2;
	}
	n_files = run_directory(argv[1], &error);
	/* An empty corpus would be a test that cannot fail. */
	if (!n_files) {
		g_printerr("%s: %s\n", argv[1], error ? error->message : "no files");
		return 1;
	}
	g_print("%u files\n", n_files);
	return 0;
}
