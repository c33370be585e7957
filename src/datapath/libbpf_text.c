// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/libbpf_text.h"

#include <bpf/libbpf.h>
#include "src/sys/kernel_features.h"

/* Of what libbpf has to say about a failure, the end says why. */
#define LIBBPF_TEXT_BYTES 2000

static GString *kept;

static int collect(enum libbpf_print_level level, const char *format, va_list args)
{
	if (kept && level == LIBBPF_WARN)
		g_string_append_vprintf(kept, format, args);
	return 0;
}

void libbpf_text_begin(void)
{
	g_assert(!kept);
	kept = g_string_new(NULL);
	libbpf_set_print(collect);
}

int libbpf_text_error(GError **error, int err, const char *what)
{
	g_autoptr(GString) missing = g_string_new(NULL);
	GString *text = kept;
	size_t n_skipped = text->len > LIBBPF_TEXT_BYTES ? text->len - LIBBPF_TEXT_BYTES : 0;

	kept = NULL; /* what the probing has to say is no cause */
	kernel_requirements_append_missing(missing);
	kept = text;
	return error_set(error, -err, "%s: %s%s%s\n%s", what, g_strerror(-err),
			 missing->len ? "; missing in this kernel: " : "", missing->str,
			 g_strchomp(text->str + n_skipped));
}

void libbpf_text_end(void)
{
	g_string_free(kept, TRUE);
	kept = NULL;
}
