/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/ipam.h"

#include <string.h>
#include "src/agent/persist.h"
#include "src/base/log.h"

struct ipam {
	struct store *store;
	struct tables *tables;
	const struct derive_config *config;
	struct state_dir *dir;
	struct table_index *endpoints_by_addr;
	struct table_index *unclaimed; /* allocations by attachment */
	struct addr cursor4;           /* handed out last; zero: none yet */
	struct addr cursor6;
	struct ipam_statistics statistics;
};

typedef void (*add_key)(const void *key, size_t n_bytes, void *data);

static void key_addrs(const struct row *row, add_key add, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;

	if (!addr_is_zero(&endpoint->addr4))
		add(&endpoint->addr4, sizeof(endpoint->addr4), data);
	if (!addr_is_zero(&endpoint->addr6))
		add(&endpoint->addr6, sizeof(endpoint->addr6), data);
}

static void key_attachment(const struct row *row, add_key add, void *data)
{
	const struct ip_allocation *allocation = (const struct ip_allocation *)row;

	if (allocation->attachment)
		add(allocation->attachment, strlen(allocation->attachment), data);
}

struct ipam *ipam_new(struct store *store, struct tables *tables,
		      const struct derive_config *config, struct state_dir *dir)
{
	struct ipam *ipam = g_new0(struct ipam, 1);

	ipam->store = store;
	ipam->tables = tables;
	ipam->config = config;
	ipam->dir = dir;
	ipam->endpoints_by_addr = table_index_new(tables->endpoints, key_addrs);
	ipam->unclaimed = table_index_new(tables->ip_allocations, key_attachment);
	persist_load_cursor(dir, &ipam->cursor4, &ipam->cursor6);
	return ipam;
}

void ipam_free(struct ipam *ipam)
{
	g_free(ipam);
}

struct ipam_statistics ipam_get_statistics(const struct ipam *ipam)
{
	return ipam->statistics;
}

static struct ipam_family_count *count_of(struct ipam *ipam, const struct addr *addr)
{
	return addr_is_v4(addr) ? &ipam->statistics.ipv4 : &ipam->statistics.ipv6;
}

static const struct ip_allocation *get_allocation(const struct ipam *ipam, const struct addr *addr)
{
	return (const struct ip_allocation *)table_get(ipam->tables->ip_allocations, addr,
						       sizeof(*addr));
}

static bool is_taken(const struct ip_allocation *allocation)
{
	return allocation && !allocation->released_ns;
}

static bool stop_at_first(const struct row *row, void *data)
{
	*(bool *)data = true;
	return false;
}

static bool has_endpoint(const struct ipam *ipam, const struct addr *addr)
{
	bool found = false;

	table_index_foreach(ipam->endpoints_by_addr, addr, sizeof(*addr), stop_at_first, &found);
	return found;
}

static struct ip_allocation *allocation_new(const struct addr *addr, const char *owner)
{
	struct ip_allocation *allocation = (struct ip_allocation *)row_new(&ip_allocation_class);

	allocation->addr = *addr;
	allocation->owner = g_strdup(owner);
	return allocation;
}

static GArray *pools_of(const struct ipam *ipam, bool v4)
{
	return ipam_get_pools(ipam->tables, ipam->config, v4);
}

/* That the address is one to hand out, and nobody has it. */
static int check_free(const struct ipam *ipam, const struct addr *addr, GError **error)
{
	g_autoptr(GArray) pools = pools_of(ipam, addr_is_v4(addr));
	const struct ip_allocation *allocation = get_allocation(ipam, addr);
	g_autofree char *pools_text = ipam_format_pools(pools);
	char text[ADDR_TEXT_BYTES];

	addr_format(addr, text);
	if (!ipam_pools_contain(pools, addr))
		return error_set(error, EADDRNOTAVAIL,
				 "%s is not an address of this node's pool %s", text,
				 *pools_text ? pools_text : "(its family is off)");
	if (is_taken(allocation))
		return error_set(error, EEXIST, "%s is in use by %s", text, allocation->owner);
	if (ipam_is_node_addr(ipam->tables, addr))
		return error_set(error, EEXIST, "%s is an address of a node", text);
	return 0;
}

static int pick(const struct ipam *ipam, bool v4, struct addr *ret_addr, GError **error)
{
	const struct addr *cursor = v4 ? &ipam->cursor4 : &ipam->cursor6;
	g_autoptr(GArray) pools = pools_of(ipam, v4);
	g_autofree char *text = NULL;
	int err = ipam_pick(pools, ipam->tables, cursor, ret_addr);

	if (!err)
		return 0;
	text = ipam_format_pools(pools);
	return error_set(
		error, -err,
		"every address of the IPv%c pool %s is in use: delete endpoints, or give the "
		"node a larger pod CIDR (%s, or its Node or CiliumNode)",
		v4 ? '4' : '6', text, v4 ? "ipv4-range" : "ipv6-range");
}

/* Rows that are on disk but not committed yet. */
struct pending {
	struct ip_allocation *rows[2];
	unsigned int n;
};

/* What is on disk counts at the next start. */
static void log_kept_state_failure(const struct addr *addr, const char *message,
				   const GError *error)
{
	char text[ADDR_TEXT_BYTES];

	log_warning("ipam", message, "address=%s error=%s hint=%s", addr_format(addr, text),
		    error->message, "make state-dir writable again: is its disk full?");
}

static void pending_undo(struct ipam *ipam, struct pending *pending)
{
	for (unsigned int i = 0; i < pending->n; i++) {
		g_autoptr(GError) error = NULL;

		if (persist_remove_ip(ipam->dir, &pending->rows[i]->addr, &error))
			log_kept_state_failure(&pending->rows[i]->addr,
					       "An address stays allocated on disk", error);
		row_unref(&pending->rows[i]->row);
	}
}

static int pending_add(struct ipam *ipam, struct pending *pending,
		       const struct ipam_request *request, const struct addr *addr, GError **error)
{
	struct ip_allocation *allocation = allocation_new(addr, request->owner);
	int err;

	allocation->attachment = g_strdup(request->attachment);
	if (request->expires) {
		allocation->expiration_uuid = g_uuid_string_random();
		allocation->expires_ns = clock_boottime_ns() + IPAM_EXPIRATION_NS;
	}
	err = persist_put_ip(ipam->dir, allocation, error);
	if (err) {
		row_unref(&allocation->row);
		return err;
	}
	pending->rows[pending->n++] = allocation;
	return 0;
}

static void pending_commit(struct ipam *ipam, struct pending *pending,
			   struct ipam_answer *ret_answer)
{
	struct txn *txn = txn_new(ipam->store);

	for (unsigned int i = 0; i < pending->n; i++) {
		struct ip_allocation *allocation = pending->rows[i];

		count_of(ipam, &allocation->addr)->n_allocated++;
		if (addr_is_v4(&allocation->addr)) {
			ret_answer->v4 = allocation;
			ipam->cursor4 = allocation->addr;
		} else {
			ret_answer->v6 = allocation;
			ipam->cursor6 = allocation->addr;
		}
		txn_put(txn, ipam->tables->ip_allocations, &allocation->row);
	}
	txn_commit(txn);
	/* Without it an address may come back early after a restart: no reason to refuse one. */
	(void)!persist_put_cursor(ipam->dir, &ipam->cursor4, &ipam->cursor6, NULL);
}

struct earlier_search {
	const GArray *pools;
	const struct addr *addr; /* NULL: any of the pools */
	const struct ip_allocation *found;
};

static bool find_earlier(const struct row *row, void *data)
{
	const struct ip_allocation *allocation = (const struct ip_allocation *)row;
	struct earlier_search *search = data;

	if (search->addr ? addr_equal(&allocation->addr, search->addr)
			 : ipam_pools_contain(search->pools, &allocation->addr))
		search->found = allocation;
	return !search->found;
}

/* What the attachment was given before, of the family or, where addr is not NULL, this address. */
static const struct ip_allocation *get_earlier(const struct ipam *ipam, const char *attachment,
					       bool v4, const struct addr *addr)
{
	g_autoptr(GArray) pools = pools_of(ipam, v4);
	struct earlier_search search = {.pools = pools, .addr = addr};

	if (attachment)
		table_index_foreach(ipam->unclaimed, attachment, strlen(attachment), find_earlier,
				    &search);
	return search.found;
}

static int allocate_next(struct ipam *ipam, const struct ipam_request *request,
			 struct pending *pending, struct ipam_answer *answer, GError **error)
{
	bool wanted[] = {request->want_v4 && ipam->config->enable_ipv4,
			 request->want_v6 && ipam->config->enable_ipv6};
	const struct ip_allocation **answers[] = {&answer->v4, &answer->v6};

	if (!wanted[0] && !wanted[1])
		return error_set(error, EAFNOSUPPORT, "the wanted address family is off");
	for (unsigned int i = 0; i < G_N_ELEMENTS(wanted); i++) {
		struct addr addr;
		int err;

		if (wanted[i])
			*answers[i] = get_earlier(ipam, request->attachment, i == 0, NULL);
		if (!wanted[i] || *answers[i])
			continue;
		err = pick(ipam, i == 0, &addr, error);
		if (!err)
			err = pending_add(ipam, pending, request, &addr, error);
		if (err)
			return err;
	}
	return 0;
}

static int allocate_given(struct ipam *ipam, const struct ipam_request *request,
			  struct pending *pending, struct ipam_answer *answer, GError **error)
{
	bool v4 = addr_is_v4(request->addr);
	const struct ip_allocation *earlier =
		get_earlier(ipam, request->attachment, v4, request->addr);
	int err;

	if (earlier) {
		*(v4 ? &answer->v4 : &answer->v6) = earlier;
		return 0;
	}
	err = check_free(ipam, request->addr, error);
	return err ? err : pending_add(ipam, pending, request, request->addr, error);
}

int ipam_allocate(struct ipam *ipam, const struct ipam_request *request,
		  struct ipam_answer *ret_answer, GError **error)
{
	struct pending pending = {0};
	struct ipam_answer answer = {0};
	int err;

	if (request->addr)
		err = allocate_given(ipam, request, &pending, &answer, error);
	else
		err = allocate_next(ipam, request, &pending, &answer, error);
	if (err) {
		pending_undo(ipam, &pending);
		return err;
	}
	pending_commit(ipam, &pending, &answer);
	*ret_answer = answer;
	return 0;
}

/* The address rests, in memory alone: on disk it is free, and the cursor is past it. */
static void let_rest(struct ipam *ipam, struct txn *txn, const struct addr *addr)
{
	const struct ip_allocation *before = get_allocation(ipam, addr);
	struct ip_allocation *allocation = allocation_new(addr, before ? before->owner : "nobody");
	g_autoptr(GError) error = NULL;

	allocation->released_ns = clock_boottime_ns();
	count_of(ipam, addr)->n_released++;
	if (persist_remove_ip(ipam->dir, addr, &error))
		log_kept_state_failure(addr, "A released address stays allocated on disk", error);
	txn_put(txn, ipam->tables->ip_allocations, &allocation->row);
}

int ipam_release(struct ipam *ipam, const struct addr *addr, GError **error)
{
	const struct ip_allocation *allocation = get_allocation(ipam, addr);
	char text[ADDR_TEXT_BYTES];
	struct txn *txn;

	addr_format(addr, text);
	if (!is_taken(allocation))
		return error_set(error, ENOENT, "%s is not allocated", text);
	if (!g_strcmp0(allocation->owner, IPAM_OWNER_ROUTER) || has_endpoint(ipam, addr))
		return error_set(error, EBUSY, "%s is in use by %s", text, allocation->owner);
	txn = txn_new(ipam->store);
	let_rest(ipam, txn, addr);
	txn_commit(txn);
	return 0;
}

static void release_all(struct ipam *ipam, const GArray *addrs)
{
	struct txn *txn = txn_new(ipam->store);

	for (unsigned int i = 0; i < addrs->len; i++)
		let_rest(ipam, txn, &g_array_index(addrs, struct addr, i));
	txn_commit(txn);
}

static bool add_addr(const struct row *row, void *data)
{
	g_array_append_val(data, ((const struct ip_allocation *)row)->addr);
	return true;
}

unsigned int ipam_release_attachment(struct ipam *ipam, const char *attachment)
{
	g_autoptr(GArray) addrs = g_array_new(false, false, sizeof(struct addr));

	table_index_foreach(ipam->unclaimed, attachment, strlen(attachment), add_addr, addrs);
	release_all(ipam, addrs);
	return addrs->len;
}

struct container_search {
	const char *prefix; /* "container-id:" */
	GArray *addrs;
};

static bool add_of_container(const struct row *row, void *data)
{
	const struct ip_allocation *allocation = (const struct ip_allocation *)row;
	const struct container_search *search = data;

	if (allocation->attachment && g_str_has_prefix(allocation->attachment, search->prefix))
		g_array_append_val(search->addrs, allocation->addr);
	return true;
}

unsigned int ipam_release_container(struct ipam *ipam, const char *container_id)
{
	g_autoptr(GArray) addrs = g_array_new(false, false, sizeof(struct addr));
	g_autofree char *prefix = g_strconcat(container_id, ":", NULL);
	struct container_search search = {prefix, addrs};

	table_foreach (ipam->tables->ip_allocations, add_of_container, &search)
		;
	release_all(ipam, addrs);
	return addrs->len;
}

struct expiry {
	int64_t now_ns;
	int64_t next_ns; /* INT64_MAX: nothing to wait for */
	GArray *addrs;   /* struct addr: due */
};

static int64_t due_ns(const struct ip_allocation *allocation)
{
	if (allocation->released_ns)
		return allocation->released_ns + IPAM_REST_NS;
	return allocation->expires_ns ? allocation->expires_ns : INT64_MAX;
}

static bool collect_due(const struct row *row, void *data)
{
	const struct ip_allocation *allocation = (const struct ip_allocation *)row;
	struct expiry *expiry = data;
	int64_t due = due_ns(allocation);

	if (due <= expiry->now_ns)
		g_array_append_val(expiry->addrs, allocation->addr);
	else
		expiry->next_ns = MIN(expiry->next_ns, due);
	return true;
}

int64_t ipam_expire(struct ipam *ipam)
{
	struct expiry expiry = {
		.now_ns = clock_boottime_ns(),
		.next_ns = INT64_MAX,
		.addrs = g_array_new(false, false, sizeof(struct addr)),
	};
	struct txn *txn = txn_new(ipam->store);

	table_foreach (ipam->tables->ip_allocations, collect_due, &expiry)
		;
	for (unsigned int i = 0; i < expiry.addrs->len; i++) {
		const struct addr *addr = &g_array_index(expiry.addrs, struct addr, i);

		if (get_allocation(ipam, addr)->released_ns) {
			txn_remove(txn, ipam->tables->ip_allocations, addr, sizeof(*addr));
		} else {
			let_rest(ipam, txn, addr);
			expiry.next_ns = MIN(expiry.next_ns, expiry.now_ns + IPAM_REST_NS);
		}
	}
	g_array_unref(expiry.addrs);
	txn_commit(txn);
	return expiry.next_ns == INT64_MAX ? -1 : expiry.next_ns - expiry.now_ns;
}

struct router_search {
	const GArray *pools;
	bool v4;
	const struct ip_allocation *found;
	GArray *stale; /* struct addr: of pools that are no more */
};

static bool find_router(const struct row *row, void *data)
{
	const struct ip_allocation *allocation = (const struct ip_allocation *)row;
	struct router_search *search = data;

	if (!is_taken(allocation) || addr_is_v4(&allocation->addr) != search->v4 ||
	    g_strcmp0(allocation->owner, IPAM_OWNER_ROUTER) != 0)
		return true;
	if (!search->found && ipam_pools_contain(search->pools, &allocation->addr))
		search->found = allocation;
	else
		g_array_append_val(search->stale, allocation->addr);
	return true;
}

/* The first address, and where a container has it since before a change of the pools, the next. */
static int pick_router(struct ipam *ipam, const GArray *pools, struct addr *ret_addr,
		       GError **error)
{
	static const struct addr start;

	if (ipam_first_addr(pools, ret_addr) && !is_taken(get_allocation(ipam, ret_addr)))
		return 0;
	return ipam_pick(pools, ipam->tables, &start, ret_addr)
		       ? error_set(error, EADDRNOTAVAIL,
				   "no address of the pool is left for the router")
		       : 0;
}

static int take_router(struct ipam *ipam, bool v4, struct addr *ret_router, GError **error)
{
	g_autoptr(GArray) pools = pools_of(ipam, v4);
	g_autoptr(GArray) stale = g_array_new(false, false, sizeof(struct addr));
	struct router_search search = {.pools = pools, .v4 = v4, .stale = stale};
	const struct ipam_request request = {.owner = IPAM_OWNER_ROUTER};
	struct pending pending = {0};
	struct ipam_answer answer = {0};
	int err;

	*ret_router = (struct addr){0};
	table_foreach (ipam->tables->ip_allocations, find_router, &search)
		;
	if (search.found)
		*ret_router = search.found->addr;
	if (pools->len && !search.found) {
		err = pick_router(ipam, pools, ret_router, error);
		if (!err)
			err = pending_add(ipam, &pending, &request, ret_router, error);
		if (err)
			return err;
		pending_commit(ipam, &pending, &answer);
	}
	release_all(ipam, stale);
	return 0;
}

int ipam_take_routers(struct ipam *ipam, struct addr *ret_router4, struct addr *ret_router6,
		      GError **error)
{
	int err = take_router(ipam, true, ret_router4, error);

	return err ? err : take_router(ipam, false, ret_router6, error);
}

int ipam_claim(struct ipam *ipam, struct txn *txn, const struct addr *addr, const char *owner,
	       struct ip_allocation **ret_before, GError **error)
{
	const struct ip_allocation *before = get_allocation(ipam, addr);
	struct ip_allocation *allocation;
	int err;

	if (is_taken(before) &&
	    (!g_strcmp0(before->owner, IPAM_OWNER_ROUTER) || has_endpoint(ipam, addr))) {
		char text[ADDR_TEXT_BYTES];

		return error_set(error, EEXIST, "%s is in use by %s", addr_format(addr, text),
				 before->owner);
	}
	err = is_taken(before) ? 0 : check_free(ipam, addr, error);
	if (err)
		return err;
	allocation = allocation_new(addr, owner);
	err = persist_put_ip(ipam->dir, allocation, error);
	if (err) {
		row_unref(&allocation->row);
		return err;
	}
	if (!is_taken(before))
		count_of(ipam, addr)->n_allocated++;
	*ret_before = before ? (struct ip_allocation *)row_ref(&before->row) : NULL;
	txn_put(txn, ipam->tables->ip_allocations, &allocation->row);
	return 0;
}

void ipam_unclaim(struct ipam *ipam, struct txn *txn, const struct addr *addr,
		  const struct ip_allocation *before)
{
	g_autoptr(GError) error = NULL;

	if (!before || before->released_ns) {
		let_rest(ipam, txn, addr);
		return;
	}
	if (persist_put_ip(ipam->dir, before, &error))
		log_kept_state_failure(addr, "An allocated address is not on disk", error);
	txn_put(txn, ipam->tables->ip_allocations, row_ref(&before->row));
}
