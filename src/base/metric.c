/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/metric.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct metric_set {
	const struct metric_family *families;
	unsigned int n_families;
	const bool *on;
	GArray **samples;      /* of each family struct metric_sample; NULL: none */
	GStringChunk *strings; /* values of labels */
};

struct metric_set *metric_set_new(const struct metric_family *families, unsigned int n_families,
				  const bool *on)
{
	struct metric_set *set = g_new0(struct metric_set, 1);

	set->families = families;
	set->n_families = n_families;
	set->on = on;
	set->samples = g_new0(GArray *, n_families);
	set->strings = g_string_chunk_new(4096);
	return set;
}

void metric_set_free(struct metric_set *set)
{
	if (!set)
		return;
	for (unsigned int i = 0; i < set->n_families; i++)
		if (set->samples[i])
			g_array_unref(set->samples[i]);
	g_free(set->samples);
	g_string_chunk_free(set->strings);
	g_free(set);
}

bool metric_set_wants(const struct metric_set *set, unsigned int family)
{
	g_assert(family < set->n_families);
	return set->on[family];
}

static unsigned int count_labels(const struct metric_family *family)
{
	unsigned int n = *family->labels ? 1 : 0;

	for (const char *c = family->labels; *c; c++)
		n += *c == ',';
	return n;
}

static void add(struct metric_set *set, unsigned int family, const char *const *values,
		struct metric_sample sample)
{
	unsigned int n_labels = count_labels(&set->families[family]);

	g_assert(g_strv_length((char **)values) == n_labels && n_labels <= METRIC_LABELS_MAX);
	for (unsigned int i = 0; i < n_labels; i++) {
		g_autofree char *valid = g_utf8_make_valid(values[i], -1);

		sample.values[i] = g_string_chunk_insert_const(set->strings, valid);
	}
	if (!set->samples[family])
		set->samples[family] = g_array_new(false, false, sizeof(sample));
	g_array_append_val(set->samples[family], sample);
}

void metric_set_add(struct metric_set *set, unsigned int family, const char *const *values,
		    double value)
{
	g_assert(family < set->n_families);
	g_assert(set->families[family].type != METRIC_TYPE_HISTOGRAM);
	if (set->on[family])
		add(set, family, values, (struct metric_sample){.value = value});
}

void metric_set_add_histogram(struct metric_set *set, unsigned int family,
			      const char *const *values, const struct histogram *histogram)
{
	g_assert(family < set->n_families);
	g_assert(set->families[family].type == METRIC_TYPE_HISTOGRAM);
	if (set->on[family] && histogram_n(histogram))
		add(set, family, values,
		    (struct metric_sample){.value = histogram->sum, .histogram = histogram});
}

void metric_set_foreach(const struct metric_set *set,
			void (*fn)(const struct metric_family *family,
				   const struct metric_sample *sample, void *data),
			void *data)
{
	for (unsigned int i = 0; i < set->n_families; i++)
		for (unsigned int j = 0; set->samples[i] && j < set->samples[i]->len; j++)
			fn(&set->families[i],
			   &g_array_index(set->samples[i], struct metric_sample, j), data);
}

/* ---- Prometheus' text format ---- */

void metric_format_number(GString *out, double number)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	if (isnan(number)) {
		g_string_append(out, "NaN");
		return;
	}
	if (isinf(number)) {
		g_string_append(out, number > 0 ? "+Inf" : "-Inf");
		return;
	}
	/* Most are counts. */
	if (fabs(number) < 1e15 && number == (double)(int64_t)number) {
		g_string_append_printf(out, "%" PRId64, (int64_t)number);
		return;
	}
	g_ascii_formatd(text, sizeof(text), "%.15g", number);
	if (g_ascii_strtod(text, NULL) != number)
		g_ascii_dtostr(text, sizeof(text), number);
	g_string_append(out, text);
}

/* Of a help text the quotation mark stays as it is. */
static void append_escaped(GString *out, const char *text, bool is_quoted)
{
	for (; *text; text++) {
		if (*text == '\\')
			g_string_append(out, "\\\\");
		else if (*text == '\n')
			g_string_append(out, "\\n");
		else if (*text == '"' && is_quoted)
			g_string_append(out, "\\\"");
		else
			g_string_append_c(out, *text);
	}
}

struct formatting {
	GString *out;
	const struct metric_family *family; /* whose head has been written */
	char **names;                       /* of its labels */
};

/* name_suffix{a="1",b="2",le="0.1"} 3; bound NULL: without le. */
static void append_line(const struct formatting *formatting, const char *suffix,
			const struct metric_sample *sample, const char *bound, double value)
{
	GString *out = formatting->out;
	char separator = '{';

	g_string_append(out, formatting->family->name);
	g_string_append(out, suffix);
	for (unsigned int i = 0; formatting->names[i]; i++) {
		g_string_append_c(out, separator);
		g_string_append(out, formatting->names[i]);
		g_string_append(out, "=\"");
		append_escaped(out, sample->values[i], true);
		g_string_append_c(out, '"');
		separator = ',';
	}
	if (bound) {
		g_string_append_c(out, separator);
		g_string_append(out, "le=\"");
		g_string_append(out, bound);
		g_string_append_c(out, '"');
		separator = ',';
	}
	if (separator == ',')
		g_string_append_c(out, '}');
	g_string_append_c(out, ' ');
	metric_format_number(out, value);
	g_string_append_c(out, '\n');
}

/* Each bucket counts what is in those before it, too. */
static void append_histogram(const struct formatting *formatting,
			     const struct metric_sample *sample)
{
	g_autoptr(GString) bound = g_string_new(NULL);
	uint64_t n = 0;

	for (unsigned int i = 0; i <= HISTOGRAM_N_BOUNDS; i++) {
		n += sample->histogram->counts[i];
		g_string_truncate(bound, 0);
		metric_format_number(bound, i < HISTOGRAM_N_BOUNDS ? histogram_bounds[i]
								   : (double)INFINITY);
		append_line(formatting, "_bucket", sample, bound->str, n);
	}
	append_line(formatting, "_sum", sample, NULL, sample->value);
	append_line(formatting, "_count", sample, NULL, n);
}

static void begin_family(struct formatting *formatting, const struct metric_family *family)
{
	static const char *const types[METRIC_TYPE__MAX] = {
		[METRIC_TYPE_GAUGE] = "gauge",
		[METRIC_TYPE_COUNTER] = "counter",
		[METRIC_TYPE_HISTOGRAM] = "histogram",
	};

	formatting->family = family;
	g_strfreev(formatting->names);
	formatting->names = g_strsplit(family->labels, ",", -1);
	g_string_append_printf(formatting->out, "# HELP %s ", family->name);
	append_escaped(formatting->out, family->help, false);
	g_string_append_printf(formatting->out, "\n# TYPE %s %s\n", family->name,
			       types[family->type]);
}

static void format_sample(const struct metric_family *family, const struct metric_sample *sample,
			  void *data)
{
	struct formatting *formatting = data;

	if (formatting->family != family)
		begin_family(formatting, family);
	if (sample->histogram)
		append_histogram(formatting, sample);
	else
		append_line(formatting, "", sample, NULL, sample->value);
}

void metric_set_format(const struct metric_set *set, GString *out)
{
	struct formatting formatting = {.out = out};

	metric_set_foreach(set, format_sample, &formatting);
	g_strfreev(formatting.names);
}
