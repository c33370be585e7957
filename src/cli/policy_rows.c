/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/policy_rows.h"

#include <arpa/inet.h>
#include <string.h>
#include "src/model/connection_text.h"
#include "src/model/rule_set.h"

struct peer {
	struct policy_peer_key key;
	struct policy_peer value;
};

struct class_entry {
	struct policy_class_key key;
	struct policy_leaf leaf;
};

struct policy_rows {
	uint32_t version;    /* 0: all */
	GHashTable *peers;   /* version to GArray of struct peer */
	GHashTable *classes; /* number to GArray of struct class_entry; those that a peer has */
};

static void unref_array(void *array)
{
	g_array_unref(array);
}

struct policy_rows *policy_rows_new(uint32_t version)
{
	struct policy_rows *rows = g_new0(struct policy_rows, 1);

	rows->version = version;
	rows->peers = g_hash_table_new_full(NULL, NULL, NULL, unref_array);
	rows->classes = g_hash_table_new_full(NULL, NULL, NULL, unref_array);
	return rows;
}

void policy_rows_free(struct policy_rows *rows)
{
	g_hash_table_unref(rows->peers);
	g_hash_table_unref(rows->classes);
	g_free(rows);
}

static GArray *ensure_array(GHashTable *table, uint32_t number, size_t n_bytes)
{
	GArray *array = g_hash_table_lookup(table, GUINT_TO_POINTER(number));

	if (!array) {
		array = g_array_new(FALSE, FALSE, n_bytes);
		g_hash_table_insert(table, GUINT_TO_POINTER(number), array);
	}
	return array;
}

void policy_rows_add_peer(struct policy_rows *rows, const struct policy_peer_key *key,
			  const struct policy_peer *peer)
{
	const struct peer both = {*key, *peer};

	if (rows->version && key->version != rows->version)
		return;
	g_array_append_val(ensure_array(rows->peers, key->version, sizeof(both)), both);
	if (peer->class)
		ensure_array(rows->classes, peer->class, sizeof(struct class_entry));
}

void policy_rows_add_class(struct policy_rows *rows, const struct policy_class_key *key,
			   const struct policy_leaf *leaf)
{
	const struct class_entry entry = {*key, *leaf};
	GArray *entries = g_hash_table_lookup(rows->classes, GUINT_TO_POINTER(key->class));

	if (entries)
		g_array_append_val(entries, entry);
}

static void add_row(GArray *list, const struct policy_row *row)
{
	if (row->leaf.verdict != POLICY_VERDICT_DEFAULT_DENY)
		g_array_append_vals(list, row, 1);
}

static void add_peer(const struct policy_rows *rows, const struct peer *peer, GArray *list)
{
	struct policy_row row = {
		.direction = peer->key.direction,
		.identity = peer->key.identity,
		.leaf = peer->value.otherwise,
	};
	const GArray *entries =
		g_hash_table_lookup(rows->classes, GUINT_TO_POINTER(peer->value.class));

	add_row(list, &row);
	for (guint i = 0; entries && i < entries->len; i++) {
		const struct class_entry *entry = &g_array_index(entries, struct class_entry, i);

		row.protocol = entry->key.protocol;
		row.prefix_len = entry->key.prefix_len;
		row.port = ntohs(entry->key.port);
		row.leaf = entry->leaf;
		add_row(list, &row);
	}
}

static int compare(unsigned int a, unsigned int b)
{
	return (a > b) - (a < b);
}

static int compare_rows(const void *a_, const void *b_)
{
	const struct policy_row *a = a_, *b = b_;

	if (a->direction != b->direction)
		return compare(a->direction, b->direction);
	if (a->identity != b->identity)
		return compare(a->identity, b->identity);
	if (a->protocol != b->protocol)
		return compare(a->protocol, b->protocol);
	if (a->port != b->port)
		return compare(a->port, b->port);
	return compare(a->prefix_len, b->prefix_len);
}

GArray *policy_rows_get(const struct policy_rows *rows, const struct policy_endpoint *endpoint)
{
	static const uint32_t open_flags[POLICY_DIRECTION__MAX] = {POLICY_F_OPEN_INGRESS,
								   POLICY_F_OPEN_EGRESS};
	const GArray *peers = g_hash_table_lookup(rows->peers, GUINT_TO_POINTER(endpoint->version));
	GArray *list = g_array_new(FALSE, FALSE, sizeof(struct policy_row));

	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++) {
		const struct policy_row open = {
			.direction = i,
			.leaf = {.rule = RULE_NUMBER_ALLOW_ANY,
				 .verdict = POLICY_VERDICT_ALLOW,
				 .match = POLICY_MATCH_ALL},
		};

		if (endpoint->version && endpoint->flags & open_flags[i])
			add_row(list, &open);
	}
	for (guint i = 0; peers && i < peers->len; i++) {
		const struct peer *peer = &g_array_index(peers, struct peer, i);

		/* Of an open direction nothing is looked up, whatever the map holds. */
		if (peer->key.direction < POLICY_DIRECTION__MAX &&
		    !(endpoint->flags & open_flags[peer->key.direction]))
			add_peer(rows, peer, list);
	}
	g_array_sort(list, compare_rows);
	return list;
}

const char *policy_row_verdict(const struct policy_row *row)
{
	return row->leaf.verdict == POLICY_VERDICT_ALLOW ? "Allow" : "Deny";
}

char *policy_row_ports(const struct policy_row *row)
{
	const char *protocol = row->protocol ? protocol_format(row->protocol) : "ANY";
	unsigned int n = 1U << (POLICY_PORT_BITS - row->prefix_len);

	if (!row->protocol || !row->prefix_len)
		return g_strdup(protocol);
	if (n > 1)
		return g_strdup_printf("%u-%u/%s", row->port, row->port + n - 1, protocol);
	return g_strdup_printf("%u/%s", row->port, protocol);
}

const char *policy_row_proxy(const struct policy_row *row)
{
	return row->leaf.verdict == POLICY_VERDICT_NEEDS_PROXY ? "MISSING" : "NONE";
}

const char *policy_row_auth(const struct policy_row *row)
{
	return row->leaf.verdict == POLICY_VERDICT_NEEDS_AUTH ? "MISSING" : "disabled";
}
