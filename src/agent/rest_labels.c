/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/rest_private.h"

#define LABELS_MAX 1024

/* Free with g_strfreev. What is no text becomes an empty one, which is no label. */
static char **list_texts(const json_t *list)
{
	GPtrArray *texts = g_ptr_array_new();
	json_t *value;
	size_t i;

	json_array_foreach(list, i, value)
	{
		const char *text = json_string_value(value);

		g_ptr_array_add(texts, g_strdup(text ? text : ""));
	}
	g_ptr_array_add(texts, NULL);
	return (char **)g_ptr_array_free(texts, FALSE);
}

/* The texts of the labels, or NULL where the request names none or *error says what is wrong. */
static char **label_texts(const struct http_request *request, GError **error)
{
	const char *query = http_request_query(request, "labels");
	json_auto_t *list = NULL;

	if (query)
		return g_strsplit(query, ",", LABELS_MAX);
	if (!request->n_body_bytes)
		return NULL;
	list = json_loadb(request->body, request->n_body_bytes, 0, NULL);
	if (!json_is_array(list)) {
		error_set(error, EINVAL, "the body is not a JSON list of labels");
		return NULL;
	}
	return list_texts(list);
}

static int parse_texts(char *const *texts, const struct label_set **ret_labels, GError **error)
{
	GArray *labels = g_array_new(FALSE, TRUE, sizeof(struct label));
	int err = 0;

	g_array_set_clear_func(labels, (GDestroyNotify)label_fini);
	for (char *const *text = texts; *text && !err; text++) {
		struct label label;

		if (label_parse(*text, &label) < 0)
			err = error_set(error, EINVAL, "\"%s\" is not a label: source:key=value",
					*text);
		else
			g_array_append_val(labels, label);
	}
	if (!err)
		*ret_labels = label_set_new((const struct label *)labels->data, labels->len);
	g_array_unref(labels);
	return err;
}

int rest_parse_labels(const struct http_request *request, const struct label_set **ret_labels,
		      GError **error)
{
	GError *text_error = NULL;
	g_auto(GStrv) texts = label_texts(request, &text_error);

	if (text_error) {
		g_propagate_error(error, text_error);
		return -EINVAL;
	}
	return texts ? parse_texts(texts, ret_labels, error) : 0;
}

int rest_decode_labels(const json_t *list, const char *name, const struct label_set **ret_labels,
		       GError **error)
{
	g_auto(GStrv) texts = NULL;
	int err;

	if (!json_is_array(list) || json_array_size(list) > LABELS_MAX)
		return error_set(error, EINVAL, "%s: expected a list of at most %d labels", name,
				 LABELS_MAX);
	texts = list_texts(list);
	err = parse_texts(texts, ret_labels, error);
	if (err)
		error_prefix(error, "%s", name);
	return err;
}
