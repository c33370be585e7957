/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and parsing a long manifest takes seconds, which the loop has not got. A helper thread does both
 * and hands one document after another to the loop, which decodes it in slices: the thread sees text
 * and value trees, never a row.
 */
#pragma once

#include <uv.h>
#include "src/source/manifest.h"
#include "src/source/stamp.h"

struct big_file;

struct big_file_result {
	int error;                      /* −errno; 0: read */
	const char *reason;             /* of the error; valid during the call */
	bool is_known;                  /* the content is as before; there is no manifest */
	struct content_stamp content;   /* where there is no error */
	struct manifest *take_manifest; /* the receiver's, or NULL */
};

typedef void (*big_file_done)(const struct big_file_result *result, void *data);

/*
 * Starts. done is called once, from the loop, unless it is cancelled before. fd: of the open file, closed here.
 * known: the content read last, or NULL.
 */
struct big_file *big_file_read(uv_loop_t *loop, int take_fd, const char *path,
			       const struct content_stamp *known, big_file_done done, void *data);
/* done will not be called. The loop must run once more, until the thread has noticed. Takes NULL. */
void big_file_cancel(struct big_file *big_file);
