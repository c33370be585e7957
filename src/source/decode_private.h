/* SPDX-License-Identifier: Apache-2.0 */
/* The decoders of the kinds, and what they share. */
#pragma once

#include "src/model/addr.h"
#include "src/model/selector.h"
#include "src/source/decode.h"

struct service;

struct object *decode_namespace(const struct field *object, struct object_meta *take_meta);
struct object *decode_node(const struct field *object, struct object_meta *take_meta);
struct object *decode_cilium_node(const struct field *object, struct object_meta *take_meta);
struct object *decode_pod(const struct field *object, struct object_meta *take_meta);
struct object *decode_service(const struct field *object, struct object_meta *take_meta);
struct object *decode_endpoint_slice(const struct field *object, struct object_meta *take_meta);
struct object *decode_endpoints(const struct field *object, struct object_meta *take_meta);
struct object *decode_network_policy(const struct field *object, struct object_meta *take_meta);
struct object *decode_cilium_network_policy(const struct field *object,
					    struct object_meta *take_meta);
struct object *decode_clusterwide_policy(const struct field *object, struct object_meta *take_meta);
struct object *decode_cidr_group(const struct field *object, struct object_meta *take_meta);
struct object *decode_local_redirect(const struct field *object, struct object_meta *take_meta);

/* A row of the class with the meta moved into it. */
struct object *decode_new(const struct row_class *class, struct object_meta *take_meta);

/* The members of a mapping as labels of source k8s. */
const struct label_set *decode_labels(const struct field *labels);
/* IPPROTO_TCP for "TCP", …; 0, with a problem noted, for what is none of TCP, UDP and SCTP. */
uint8_t decode_protocol(const struct field *field);
/* Of a container's port, an EndpointSlice's, …: 1 to 65535. 0, with a problem noted, for others. */
uint16_t decode_port_number(const struct field *field);
/*
 * Appends an address to node addresses: type and address are the texts of two fields. Types that hold
 * no address (Hostname, InternalDNS, …) are skipped.
 */
void decode_node_address(const struct field *type, const struct field *address, GArray *addresses);
/* Appends a prefix; notes a problem where it is none, or overlaps one that is there. */
void decode_cidr(const struct field *field, GArray *cidrs);
/*
 * An address that packets can be sent to from elsewhere: not 0.0.0.0, nor one of loopback, of the link or of a
 * group. False, with a problem noted, for others and where there is none.
 */
bool decode_host_address(const struct field *field, struct addr *ret_addr);
/* Ports of a Service, or behind one: each is compared with all before it. */
#define DECODE_PORTS_MAX 4096
/* False, with a problem noted, where the list has more than max items. */
bool decode_check_length(const struct field *list, unsigned int max);
/*
 * The number of the word in words, which ends in NULL. −1 where the field is not set, or, with a problem
 * noted, for another word.
 */
int decode_word(const struct field *field, const char *const *words);
/*
 * "app=web,tier in (a,b),!old": a selector as text, of labels of source k8s. NULL, with a problem noted, where
 * it is none.
 */
const struct selector *decode_selector_text(const struct field *field, const char *text);
/* What the annotations of a Service say. */
void decode_service_annotations(const struct field *annotations, struct service *service);
