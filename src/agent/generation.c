/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/generation.h"

#include "src/base/clock.h"
#include "src/base/log.h"

#define FILE_NAME "generation.json"
#define BLOCK     1024

struct generation {
	struct state_dir *dir;
	uint32_t next;
	uint32_t end; /* of the block: on disk; numbers below it may have been handed out */
};

/*
 * Where the file is lost, numbers may still be in conntrack entries: go on from one that counting by one
 * an endpoint has not reached, the seconds since 2020.
 */
static uint32_t unused_number(void)
{
	const int64_t begin = 1577836800;
	int64_t now = clock_realtime_ns() / NSEC_PER_SEC;

	return now > begin ? now - begin : 1;
}

struct generation *generation_new(struct state_dir *dir, GError **error)
{
	g_autoptr(GError) cause = NULL;
	struct generation *generation;
	json_t *object = NULL;
	json_int_t next = 1;
	int err = state_dir_read(dir, FILE_NAME, &object, &cause);

	if (!err)
		next = json_integer_value(json_object_get(object, "next"));
	json_decref(object);
	if (err && err != -ENOENT && err != -EBADMSG) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return NULL;
	}
	if (err == -EBADMSG || next < 1 || next > UINT32_MAX) {
		next = unused_number();
		log_warning("endpoint", "The file of generations is lost; going on elsewhere",
			    "next=%u error=%s", (uint32_t)next,
			    cause ? cause->message : FILE_NAME ": next is out of range");
	}
	generation = g_new0(struct generation, 1);
	generation->dir = dir;
	generation->next = next;
	generation->end = next;
	return generation;
}

void generation_free(struct generation *generation)
{
	g_free(generation);
}

void generation_raise(struct generation *generation, uint32_t used)
{
	if (used >= generation->next) {
		generation->next = used + 1;
		generation->end = used + 1;
	}
}

static int write_end(struct generation *generation, uint32_t end, GError **error)
{
	json_t *object = json_object();

	json_object_set_new(object, "next", json_integer(end));
	return state_dir_write(generation->dir, FILE_NAME, object, error);
}

int generation_mend(struct generation *generation, GError **error)
{
	int err;

	if (generation->end == 1 || state_dir_has(generation->dir, FILE_NAME))
		return 0;
	err = write_end(generation, generation->end, error);
	return err ? err : 1;
}

int generation_take(struct generation *generation, uint32_t *ret_generation, GError **error)
{
	if (generation->next == generation->end) {
		uint32_t end = generation->next + BLOCK;
		int err = write_end(generation, end, error);

		if (err)
			return err;
		generation->end = end;
	}
	*ret_generation = generation->next++;
	return 0;
}
