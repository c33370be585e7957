/* SPDX-License-Identifier: Apache-2.0 */
/* The real datapath: what its files share. Each file is one concern of struct datapath_ops. */
#pragma once

#include "src/datapath/conversion.h"
#include "src/datapath/datapath.h"
#include "src/datapath/layout.h"
#include "src/sys/bpf_map.h"
#include "src/sys/jiffies.h"
#include "src/sys/netlink.h"
#include "src/sys/tc.h"

#define REAL_HOST_IFNAME "cilium_host"
#define REAL_NET_IFNAME  "cilium_net"

/* What our filters and pins of programs are recognised by. */
#define REAL_PROGRAM_PREFIX "cil_"

struct real {
	struct datapath datapath;
	char *configured_root; /* as given; the root in use is bpf_root */
	char *bpf_root;
	char *state_dir;
	struct netlink *netlink;       /* NULL before load or purge */
	struct datapath_config config; /* as given, with what load has filled in */
	struct jiffies_clock clock;
	uint32_t net_ifindex; /* cilium_net */
	int cgroup_fd;        /* programs on sockets are attached to it; −1: none are wanted */
	uint64_t cgroup_id;
	GHashTable *xdp_refusals; /* ifindex → errno, where best effort came to nothing */
	int program_fds
		[PLAN_PROGRAM__MAX]; /* −1: not loaded, as the configuration has no use for it */
	uint32_t program_ids[PLAN_PROGRAM__MAX];
	struct bpf_map_ref maps[PLAN_MAP__MAX];
	struct bpf_map_ref old_maps[PLAN_MAP__MAX]; /* replaced by maps; closed by load_finish */
	struct conversion
		*conversions[PLAN_MAP__MAX]; /* of their entries; NULL: not carried over */
	char *digest;                        /* of the program set; NULL before load */
	uint32_t
		sweep_room; /* entries that a sweep reads at once; a bucket that has more raises it */
	struct datapath_statistics statistics;
	/* cilium_policy_endpoint in our memory, POLICY_ENDPOINTS_MAX elements; NULL before load. */
	struct policy_endpoint *policy_endpoints;
	int grace_fd;       /* a map whose update waits for the programs; −1 before load */
	GPtrArray *sysctls; /* struct saved_sysctl: what was before us. NULL: not read yet */
};

static inline struct real *real_get(struct datapath *dp)
{
	return (struct real *)dp;
}

/* Opens the netlink socket and finds the root, where that has not been done. */
NODISCARD int real_open(struct real *real, GError **error);
/* Adds to the list of what was repaired, which may be NULL. */
void real_note(GString *repaired, const char *format, ...) G_GNUC_PRINTF(2, 3);

/*
 * real_state.c: what was before us, for purge, in a file of the state directory. Of another boot of the machine it is
 * nothing.
 */
/* *ret_text: g_free; NULL: nothing. */
NODISCARD int real_state_read(const struct real *real, const char *name, char **ret_text,
			      GError **error);
NODISCARD int real_state_write(const struct real *real, const char *name, const char *text,
			       GError **error);
NODISCARD int real_state_remove(const struct real *real, const char *name, GError **error);

/* real_load.c */
int real_load(struct datapath *dp, struct datapath_config *config, GError **error);
int real_load_catch_up(struct datapath *dp, GError **error);
int real_load_finish(struct datapath *dp, GError **error);
/*
 * The programs anew, with the configuration as it is now and the same maps. What is attached counts as
 * of another set until it is replaced. On failure the set stays the one before.
 */
NODISCARD int real_load_programs_again(struct real *real, GError **error);

/* real_adopt.c: which of the pinned maps the programs can use as they are. */
struct bpf_object;
/*
 * Opens what is pinned as real->maps; the object's maps get their sizes. Maps that are open already
 * stay.
 */
NODISCARD int real_adopt_open(struct real *real, struct bpf_object *object, GError **error);
/* Whether every map is there, and of the type and the sizes that the object wants. */
bool real_adopt_fits(const struct real *real, const struct bpf_object *object);
/*
 * Takes maps whose layout is not the object's for old_maps, and finds out what of their entries can be
 * carried over; the object uses the others.
 */
NODISCARD int real_adopt_maps(struct real *real, struct bpf_object *object, GError **error);

/*
 * real_program.c: the programs stay pinned under a digest of all that they were made of, so that the
 * next start with the same need not have them verified again.
 */
char *real_program_digest(const struct bpf_map_ref maps[PLAN_MAP__MAX], const void *elf,
			  size_t n_elf_bytes, const struct node_config *node);
/* Whether the configuration has a use for the program. */
bool real_program_is_wanted(const struct real *real, enum plan_program program);
/* −ENOENT where the set is not there. */
NODISCARD int real_program_open(struct real *real, const char *digest);
/* Whether all of the set are there. */
bool real_program_is_pinned(const struct real *real, const char *digest);
NODISCARD int real_program_pin(struct real *real, const char *digest, GError **error);
/* Removes all pinned sets but that of the digest; with NULL all. */
void real_program_prune(const struct real *real, const char *digest);

/* real_bpffs.c: what is pinned is in a BPF file system. */
NODISCARD int real_bpffs_ensure(struct real *real, GString *repaired, GError **error);
/* Unmounts it where it is empty and it was us who mounted it. */
NODISCARD int real_bpffs_purge(struct real *real, GError **error);

/* real_node.c: cilium_host and cilium_net, and what else the node needs. */
NODISCARD int real_node_ensure(struct real *real, GString *repaired, GError **error);
int real_ensure(struct datapath *dp, GString *ret_repaired, GError **error);
int real_set_router(struct datapath *dp, const struct addr *router4, const struct addr *router6,
		    GError **error);
/* Deletes cilium_host and with it cilium_net. */
NODISCARD int real_node_purge(struct real *real, GError **error);

/* real_sysctl.c: changed numbers are remembered in the state directory. */
NODISCARD int real_sysctl_ensure_node(struct real *real, GString *repaired, GError **error);
/* Of a device of ours: cilium_host, cilium_net, an endpoint's. These die with their device. */
NODISCARD int real_sysctl_ensure_device(const struct real *real, const char *ifname,
					GString *repaired, GError **error);
NODISCARD int real_sysctl_purge(struct real *real, GError **error);
void real_sysctl_free(struct real *real);

/* real_ports.c: net.ipv4.ip_local_reserved_ports; what others have in it stays. */
NODISCARD int real_ports_ensure(struct real *real, GString *repaired, GError **error);
NODISCARD int real_ports_purge(struct real *real, GError **error);

/* real_map.c */
int real_set_runtime(struct datapath *dp, const struct runtime_config *runtime);
int real_map_foreach(struct datapath *dp, enum plan_map map,
		     bool (*fn)(const void *key, const void *value, void *data), void *data);
int real_map_update(struct datapath *dp, enum plan_map map, const void *key, const void *value);
int real_map_delete(struct datapath *dp, enum plan_map map, const void *key);
int real_map_update_batch(struct datapath *dp, enum plan_map map, const void *keys,
			  const void *values, uint32_t n, uint32_t *ret_n_done);
int real_map_delete_batch(struct datapath *dp, enum plan_map map, const void *keys, uint32_t n,
			  uint32_t *ret_n_done);
uint32_t real_map_max_entries(struct datapath *dp, enum plan_map map);
/* real_policy.c */
/* After load: cilium_policy_endpoint is mapped, waiting is possible. */
NODISCARD int real_policy_open(struct real *real, GError **error);
void real_policy_close(struct real *real);
struct policy_endpoint real_policy_get(struct datapath *dp, uint16_t endpoint_id);
void real_policy_set(struct datapath *dp, uint16_t endpoint_id,
		     const struct policy_endpoint *element);
int real_wait_programs(struct datapath *dp);
/* real_sweep.c */
/* A bucket of the kernel's hash table hardly ever has more. */
#define REAL_SWEEP_ROOM 512
int real_map_get(struct datapath *dp, enum plan_map map, const void *key, void *ret_value);
int real_map_sweep(struct datapath *dp, enum plan_map map, struct map_cursor *cursor,
		   bool (*fn)(const void *key, const void *value, void *data), void *data);
/*
 * Entries of a map that the programs fill, into its statistics: from a sample of some hundred, 5 % more or less.
 * Exact where the map has no more than that.
 */
void real_map_estimate(struct real *real, enum plan_map map);
/* real_statistics.c: an operation that began at started_ns (CLOCK_MONOTONIC) ended with err. */
void real_count(struct real *real, enum plan_map map, enum datapath_map_op op, int64_t started_ns,
		int err);
const struct datapath_statistics *real_get_statistics(struct datapath *dp);
int real_get_memory(struct datapath *dp, uint64_t *ret_map_bytes, uint64_t *ret_program_bytes);
char *real_map_path(const struct real *real, enum plan_map map);
/*
 * Copies the entries of the map that is being replaced; with only_new those that its successor has not
 * got. What does not fit is left behind.
 */
NODISCARD int real_map_carry(struct real *real, enum plan_map map, bool only_new, GError **error);
/* Lets the pin name the map, whatever it named before. */
NODISCARD int real_map_pin(struct real *real, enum plan_map map, GError **error);

/* real_attach.c */
int real_attachment_foreach(struct datapath *dp,
			    bool (*fn)(const struct plan_attachment_key *key,
				       enum plan_program program, void *data),
			    void *data);
int real_attach(struct datapath *dp, const struct plan_attachment *attachment);
int real_detach(struct datapath *dp, const struct plan_attachment_key *key);

/* real_link.c: tcx links under <bpf_root>/cilium/devices/<ifname>/links/<program>. */
struct real_link {
	char *path;
	struct tcx_link_info info;
};

/* Calls fn with each pinned link; it may unpin. Pins of links whose device is gone are removed. */
void real_link_foreach(struct real *real, void (*fn)(const struct real_link *link, void *data),
		       void *data);
NODISCARD int real_link_attach(struct real *real, const struct plan_attachment *attachment);
/* −ENOENT where there is none. */
NODISCARD int real_link_detach(struct real *real, const struct plan_attachment_key *key);

/* What real_xdp.c shares. Without a pin a link ends with its descriptor. */
NODISCARD int real_link_pin(int take_fd, const char *path);
/* At once, and unpins: without a call of its own the program runs until the kernel gets to the last unpin. */
NODISCARD int real_link_end(int fd, const char *path);
/* Where a link is pinned; all pins of a program's links, paths. */
char *real_link_path(const struct real *real, const struct plan_attachment *attachment);
GPtrArray *real_link_list(const struct real *real, enum plan_program program);
/* So that a link can be pinned there. */
NODISCARD int real_link_make_room(const char *path);
/* And the directories that are empty then. */
void real_link_unpin(const char *path);
/* Where the device has been renamed, or the program has changed. */
NODISCARD int real_link_move(const char *from, const char *to);

/* real_xdp.c: links of XDP, pinned beside those of tcx. */
void real_xdp_foreach(struct real *real,
		      void (*fn)(const struct plan_attachment_key *key, enum plan_program program,
				 void *data),
		      void *data);
NODISCARD int real_xdp_attach(struct real *real, const struct plan_attachment *attachment);
NODISCARD int real_xdp_detach(struct real *real, uint32_t ifindex);

/* real_cgroup.c: links of programs on sockets under <bpf_root>/cilium/socketlb/links/cgroup/<program>. */
/* Finds or mounts the hierarchy, where programs on sockets are wanted. */
NODISCARD int real_cgroup_open(struct real *real, GString *repaired, GError **error);
void real_cgroup_close(struct real *real);
void real_cgroup_foreach(struct real *real,
			 void (*fn)(const struct plan_attachment_key *key,
				    enum plan_program program, void *data),
			 void *data);
NODISCARD int real_cgroup_attach(struct real *real, const struct plan_attachment *attachment);
NODISCARD int real_cgroup_detach(struct real *real, const struct plan_attachment_key *key);
/* Unmounts the hierarchy where it was us who mounted it. */
NODISCARD int real_cgroup_purge(struct real *real, GError **error);

/* real_route.c */
int real_route_foreach(struct datapath *dp, bool (*fn)(const struct plan_route *route, void *data),
		       void *data);
int real_route_replace(struct datapath *dp, const struct plan_route *route);
int real_route_remove(struct datapath *dp, const struct cidr *destination);

/* real_purge.c */
int real_purge(struct datapath *dp, GError **error);
