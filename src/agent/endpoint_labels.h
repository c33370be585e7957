/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator changes of an endpoint's labels. A label of his own comes and goes; one that a manifest
 * or the runtime gives is disabled, and enabled again by adding it.
 */
#pragma once

#include "src/base/error.h"
#include "src/model/endpoint.h"

/* Labels of his own that an endpoint can have. */
#define ENDPOINT_LABELS_MAX 256
/* Of one label, written out. */
#define ENDPOINT_LABEL_BYTES_MAX 1024

struct endpoint_labels_change {
	const struct label_set *user; /* these and no others are his own; NULL: as they are */
	const struct label_set *add;  /* NULL, as the next: none */
	/* An empty value stands for any, the source "unspec" or "any" for each. */
	const struct label_set *delete;
};

/*
 * Changes endpoint, a copy that is in no table yet; state is that of the original. 0; −EINVAL for a label
 * that nobody can give; −EEXIST for one that is given with another value; −ENOENT for one to delete that is
 * not there. *error names the label.
 */
NODISCARD int endpoint_labels_change(struct endpoint *endpoint, const struct endpoint_state *state,
				     const struct endpoint_labels_change *change, GError **error);
