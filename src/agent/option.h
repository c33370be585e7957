/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of the configuration and the types of their values. A row of a .def file is one struct
 * option; config.c finds values, this module judges and stores them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "src/agent/config.h"

/*
 * What a value may be, the C type of its field in struct settings, and what the column "allowed" of
 * its row means. An empty value of anything but a text or a list stands for the default.
 */
enum option_type {
	OPTION_TYPE_BOOL,     /* bool */
	OPTION_TYPE_UINT,     /* unsigned int; "0 64..512": numbers and ranges */
	OPTION_TYPE_INT,      /* int; as UINT, from −1 on */
	OPTION_TYPE_FLOAT,    /* double; as UINT */
	OPTION_TYPE_DURATION, /* int64_t in ns; ranges; written 1h2m3s, 1.5s, 100ms */
	OPTION_TYPE_STRING,   /* char * */
	OPTION_TYPE_NAME,     /* char *: a DNS label of 32 characters at most */
	OPTION_TYPE_PATH,     /* char *: made absolute from the working directory */
	OPTION_TYPE_LISTEN,   /* char *: host:port, the host may be missing */
	OPTION_TYPE_ENUM,     /* unsigned int, number of the word; the words */
	OPTION_TYPE_FLAGS,    /* unsigned int, bit of each word; the words; "all" is every bit */
	OPTION_TYPE_LIST,     /* char **, NULL at the end; separated by commas or blanks */
	OPTION_TYPE_MAP,      /* char ** of "key=value"; a=1,b=2 or a JSON object */
	OPTION_TYPE_ADDRESS,  /* struct addr */
	OPTION_TYPE_CIDR4,    /* struct optional_cidr; a word that means "not set" */
	OPTION_TYPE_CIDR6,
	OPTION_TYPE_PORTS, /* struct port_range; "30000,32767" or "0-0" */
	OPTION_TYPE__MAX,
};

enum option_state {
	OPTION_STATE_ACTS,
	OPTION_STATE_LATER,    /* known, without effect yet */
	OPTION_STATE_OPERATOR, /* not the agent's */
};

/* Whom a changed value is told while the agent runs: see live.c. */
enum option_live {
	OPTION_LIVE_NONE, /* the key needs a restart */
	OPTION_LIVE_LOG,
	OPTION_LIVE_EVENTS,       /* which events the programs make */
	OPTION_LIVE_POLICY,       /* where policy is enforced */
	OPTION_LIVE_CONNTRACK_GC, /* how often connections are collected */
};

struct option {
	enum option_type type;
	enum option_state state;
	enum option_live live;
	size_t field_offset; /* in struct settings; only of OPTION_STATE_ACTS */
	const char *key;
	const char *default_text;
	const char *allowed;
	const char *help;
};

/* A parsed value: the member is that of the field's C type. */
union option_value {
	bool boolean;
	unsigned int number;
	int integer;
	double real;
	int64_t ns;
	char *text;
	char **list;
	struct addr address;
	struct optional_cidr cidr;
	struct port_range ports;
};

size_t option_n(void);
const struct option *option_get(size_t i);
/* The number of the row, or −1. */
int option_find(const char *key);

/* 0, or −EINVAL and nothing is to be freed: option_format_allowed says what was wanted. */
NODISCARD int option_parse_value(const struct option *option, const char *text,
				 union option_value *ret_value);
void option_fini_value(const struct option *option, union option_value *value);
bool option_equal_values(const struct option *option, const union option_value *a,
			 const union option_value *b);
/* The value moves into the option's field of settings, which must own nothing yet. */
void option_take_value(const struct option *option, union option_value *value,
		       struct settings *settings);
/* The option's field of to becomes that of from, which goes on owning it. */
void option_borrow_field(const struct option *option, const struct settings *from,
			 struct settings *to);
/* Frees what the option's field owns. */
void option_fini_field(const struct option *option, struct settings *settings);

/* Adds a line to problems for each pair of settings that do not fit each other. */
void settings_check(const struct settings *settings, GString *problems);

/* What is allowed, for people: "a number: 0 or 68..65535". Free with g_free. */
char *option_format_allowed(const struct option *option);
/* "CILIUM_ENABLE_IPV4". Free with g_free. */
char *option_format_variable(const struct option *option);
