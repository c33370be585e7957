/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/service_requests.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "src/api/service_spec.h"
#include "src/model/connection_text.h"

struct service_requests {
	uv_loop_t *loop;
	struct store *store;
	const struct tables *tables;
	struct state_dir *dir;
};

static char *file_name(uint32_t id)
{
	return g_strdup_printf("%u.json", id);
}

/* 0: it is no name of ours. */
static uint32_t parse_name(const char *name)
{
	g_autofree char *expected = NULL;
	guint64 id = strtoul(name, NULL, 10);

	if (id > UINT32_MAX)
		return 0;
	expected = file_name(id);
	return strcmp(expected, name) == 0 ? id : 0;
}

static const struct service_request *get(const struct service_requests *requests, uint32_t id)
{
	return (const struct service_request *)table_get(requests->tables->service_requests, &id,
							 sizeof(id));
}

struct search {
	const struct service_request *wanted;
	const struct service_request *found;
};

static bool has_same_frontend(const struct service_request *a, const struct service_request *b)
{
	return addr_equal(&a->addr, &b->addr) && a->port == b->port && a->protocol == b->protocol;
}

static bool compare_frontend(const struct row *row, void *data)
{
	const struct service_request *request = (const struct service_request *)row;
	struct search *search = data;

	if (request->id != search->wanted->id && has_same_frontend(request, search->wanted))
		search->found = request;
	return !search->found;
}

static int check_free(const struct service_requests *requests,
		      const struct service_request *request, GError **error)
{
	const struct service_request *before = get(requests, request->id);
	struct search search = {.wanted = request};
	g_autofree char *text = NULL;

	if (before && !has_same_frontend(before, request)) {
		text = connection_format_end(&before->addr, htons(before->port));
		return error_set(error, EEXIST,
				 "the number %u is of the service %s: delete it first, or take "
				 "another number",
				 request->id, text);
	}
	table_foreach (requests->tables->service_requests, compare_frontend, &search)
		;
	if (!search.found)
		return 0;
	text = connection_format_end(&request->addr, htons(request->port));
	return error_set(error, EEXIST, "%s is the service %u: change that one, or delete it first",
			 text, search.found->id);
}

static void commit_put(struct service_requests *requests, struct service_request *take_request)
{
	struct txn *txn = txn_new(requests->store);

	txn_put(txn, requests->tables->service_requests, &take_request->row);
	txn_commit(txn);
}

/* NULL and *error: it makes no sense. */
static struct service_request *decode(const struct service_requests *requests, const char *name,
				      const json_t *object, GError **error)
{
	char *text = json_dumps(json_object_get(object, "service"), 0);
	struct service_request *request = NULL;
	uint32_t id = parse_name(name);

	if (!id || !text)
		error_set(error, EINVAL, "no service is in it");
	else if (!service_spec_decode(id, text, strlen(text), &request, error) &&
		 check_free(requests, request, error))
		g_clear_pointer((struct row **)&request, row_unref);
	free(text);
	return request;
}

static int read_one(struct service_requests *requests, const char *name, GPtrArray *problems,
		    GError **error)
{
	g_autoptr(GError) cause = NULL;
	struct service_request *request = NULL;
	json_t *object = NULL;
	int err = state_dir_read(requests->dir, name, &object, &cause);

	if (!err) {
		request = decode(requests, name, object, &cause);
		json_decref(object);
		if (!request)
			state_dir_set_aside(requests->dir, name);
	}
	if (request) {
		commit_put(requests, request);
	} else if (!err || err == -EBADMSG) {
		g_ptr_array_add(problems,
				g_strdup_printf("services: %s: %s", name, cause->message));
	} else if (err != -ENOENT) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return err;
	}
	return 0;
}

static int read_all(struct service_requests *requests, GPtrArray *problems, GError **error)
{
	g_autoptr(GPtrArray) names = NULL;
	int err = 0;

	state_dir_sweep(requests->dir);
	names = state_dir_list(requests->dir, NULL);
	for (unsigned int i = 0; !err && i < names->len; i++)
		err = read_one(requests, names->pdata[i], problems, error);
	return err;
}

struct service_requests *service_requests_new(uv_loop_t *loop, struct store *store,
					      const struct tables *tables, const char *path,
					      GPtrArray *problems, GError **error)
{
	struct state_dir *dir = state_dir_new(path, error);
	struct service_requests *requests;

	if (!dir)
		return NULL;
	requests = g_new0(struct service_requests, 1);
	requests->loop = loop;
	requests->store = store;
	requests->tables = tables;
	requests->dir = dir;
	if (read_all(requests, problems, error)) {
		service_requests_free(requests);
		return NULL;
	}
	table_set_synced(tables->service_requests);
	return requests;
}

void service_requests_free(struct service_requests *requests)
{
	if (!requests)
		return;
	state_dir_free(requests->dir);
	g_free(requests);
}

static int put(struct service_requests *requests, struct service_request *request, GError **error)
{
	g_autofree char *name = file_name(request->id);
	int err = check_free(requests, request, error);

	if (err)
		return err;
	err = state_dir_write(requests->dir, name,
			      json_pack("{s:o}", "service", service_spec_encode(request)), error);
	if (err)
		error_prefix(error, "the service cannot be kept");
	return err;
}

int service_requests_put(struct service_requests *requests, struct service_request *take_request,
			 bool *ret_created, GError **error)
{
	int err = put(requests, take_request, error);

	if (err) {
		row_unref(&take_request->row);
		return err;
	}
	*ret_created = !get(requests, take_request->id);
	commit_put(requests, take_request);
	store_settle(requests->store);
	state_dir_sync_soon(requests->dir, requests->loop);
	return 0;
}

int service_requests_remove(struct service_requests *requests, uint32_t id, GError **error)
{
	g_autofree char *name = file_name(id);
	struct txn *txn;
	int err;

	if (!get(requests, id))
		return error_set(error, ENOENT, "no service with the number %u was made by hand",
				 id);
	err = state_dir_remove(requests->dir, name, error);
	if (err)
		return err;
	txn = txn_new(requests->store);
	txn_remove(txn, requests->tables->service_requests, &id, sizeof(id));
	txn_commit(txn);
	store_settle(requests->store);
	state_dir_sync_soon(requests->dir, requests->loop);
	return 0;
}

void service_requests_run(struct service_requests *requests)
{
	if (!requests)
		return;
	/* Where somebody has deleted it. */
	(void)!state_dir_ensure(requests->dir, NULL);
	state_dir_retry(requests->dir);
	state_dir_sync_soon(requests->dir, requests->loop);
}
