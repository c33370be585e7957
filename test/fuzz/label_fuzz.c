/* SPDX-License-Identifier: Apache-2.0 */
/* Labels, alone and as the canonical text of a set, which is the key of an identity. */
#include "src/model/label.h"
#include "test/fuzz/fuzz.h"

static void check_label(const char *text)
{
	g_autofree char *first = NULL;
	g_autofree char *second = NULL;
	struct label label;
	struct label again;

	if (label_parse(text, &label))
		return;
	first = label_format(&label);
	g_assert(!label_parse(first, &again));
	second = label_format(&again);
	g_assert_cmpstr(first, ==, second);
	label_fini(&label);
	label_fini(&again);
}

static void check_set(const char *text)
{
	const struct label_set *set;
	const struct label_set *again;

	if (label_set_parse(text, &set))
		return;
	g_assert(!label_set_parse(label_set_text(set), &again));
	/* Equal sets are one set. */
	g_assert(set == again);
	label_set_unref(set);
	label_set_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	g_autofree char *text = fuzz_text(data, n_bytes);

	check_label(text);
	check_set(text);
	return 0;
}
