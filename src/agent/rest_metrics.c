/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics: what a scrape of prometheus-serve-addr shows, as JSON. */
#include "src/agent/rest_private.h"

#include <math.h>
#include "src/agent/metrics.h"

static json_t *labels_of(const struct metric_family *family, const struct metric_sample *sample)
{
	g_auto(GStrv) names = g_strsplit(family->labels, ",", -1);
	json_t *labels = json_object();

	for (unsigned int i = 0; names[i]; i++)
		json_object_set_new(labels, names[i], json_string(sample->values[i]));
	return labels;
}

/* JSON has no number for infinity. */
static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static void append_sample(const struct metric_family *family, const struct metric_sample *sample,
			  void *list)
{
	const struct histogram *histogram = sample->histogram;
	json_t *object = json_pack("{s:s, s:o, s:o}", "name", family->name, "labels",
				   labels_of(family, sample), "value", number(sample->value));

	if (histogram)
		json_object_set_new(object, "histogram",
				    json_pack("{s:I, s:f, s:f, s:f, s:f}", "count",
					      (json_int_t)histogram_n(histogram), "sum",
					      sample->value, "p50",
					      histogram_quantile(histogram, 0.5), "p90",
					      histogram_quantile(histogram, 0.9), "p99",
					      histogram_quantile(histogram, 0.99)));
	json_array_append_new(list, object);
}

/* Cilium's [{name, labels, value}]; of a histogram the value is the sum, and "histogram" is ours. */
void rest_metrics_get(struct rest_call *call)
{
	struct metric_set *set = metrics_collect(call->agent->metrics);
	json_t *list = json_array();

	metric_set_foreach(set, append_sample, list);
	metric_set_free(set);
	rest_reply(call, 200, list);
}
