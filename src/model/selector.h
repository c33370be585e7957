/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors: which peers or subjects a rule means. Immutable, reference-counted and interned: equal
 * selectors are the same pointer, however many rules use them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <glib.h>
#include "src/model/addr.h"
#include "src/model/label.h"

enum selector_kind {
	SELECTOR_LABELS,     /* identities whose labels meet all requirements; without any: all */
	SELECTOR_CIDR,       /* identities of prefixes inside cidr and in none of the exceptions */
	SELECTOR_CIDR_GROUP, /* prefixes of CiliumCIDRGroups: by name, or by their labels */
	SELECTOR_SERVICE,    /* the endpoints of services: by name, or by their labels */
	SELECTOR_FQDN,       /* addresses of names: nobody, as long as no name is looked up */
	SELECTOR_NOBODY,
};

/* In the order of their texts. */
enum requirement_operator {
	REQUIREMENT_IN,
	REQUIREMENT_NOT_IN,
	REQUIREMENT_EXISTS,
	REQUIREMENT_NOT_EXISTS,
};

/* NotIn and DoesNotExist hold where the key is not there. Texts of a selector live as long as it. */
struct requirement {
	const char *source; /* NULL: any source */
	const char *key;
	enum requirement_operator op;
	const char *const
		*values; /* NULL-terminated, sorted, no value twice; NULL for (Not)Exists */
};

struct selector;

/* The requirements are copied; their order does not matter. */
const struct selector *selector_new_labels(const struct requirement *requirements, size_t n);
/* excepts: struct cidr, may be NULL. */
const struct selector *selector_new_cidr(const struct cidr *cidr, const GArray *excepts);
/* name: of a group; or NULL, and labels (SELECTOR_LABELS) says which groups. */
const struct selector *selector_new_cidr_group(const char *name, const struct selector *labels,
					       const GArray *excepts);
/* name: of a service in the namespace; or NULL, and labels says which. namespace NULL: all. */
const struct selector *selector_new_service(const char *namespace, const char *name,
					    const struct selector *labels);
/* pattern false: text is a name. */
const struct selector *selector_new_fqdn(const char *text, bool pattern);
const struct selector *selector_new_nobody(void);
const struct selector *selector_ref(const struct selector *selector);
void selector_unref(const struct selector *selector); /* takes NULL */

enum selector_kind selector_get_kind(const struct selector *selector);
/* SELECTOR_LABELS without a requirement. */
bool selector_is_all(const struct selector *selector);
size_t selector_n_requirements(const struct selector *selector);
const struct requirement *selector_get_requirement(const struct selector *selector, size_t i);
/* Of SELECTOR_CIDR. */
const struct cidr *selector_get_cidr(const struct selector *selector);
/* struct cidr; borrowed, may be NULL. Of SELECTOR_CIDR and SELECTOR_CIDR_GROUP. */
const GArray *selector_get_excepts(const struct selector *selector);
/* Of SELECTOR_CIDR_GROUP, SELECTOR_SERVICE and SELECTOR_FQDN (its text); may be NULL. */
const char *selector_get_name(const struct selector *selector);
const char *selector_get_namespace(const struct selector *selector);
const struct selector *selector_get_labels(const struct selector *selector);

/* Of SELECTOR_LABELS: whether the labels meet all requirements. */
bool selector_matches(const struct selector *selector, const struct label_set *labels);
/*
 * Of SELECTOR_CIDR: whether the prefix is inside, and inside no exception. A prefix around an exception is
 * contained: the exception is a prefix with an identity of its own, so the one around it stands for the
 * addresses beside it.
 */
bool selector_contains(const struct selector *selector, const struct cidr *cidr);
/* Both of two SELECTOR_LABELS must match. */
const struct selector *selector_and(const struct selector *a, const struct selector *b);
/*
 * The text of a selector as cilium policy selectors prints it, which is Cilium's:
 * "&LabelSelector{MatchLabels:map[string]string{any.app: web,},MatchExpressions:[]…{},}", of a prefix
 * with "cidr.10.0.0.0/8" in it, of a name "MatchName: a.b, MatchPattern: ". A service, for which Cilium has
 * no text: "service:namespace/name". Lives as long as the selector.
 */
const char *selector_text(const struct selector *selector);
