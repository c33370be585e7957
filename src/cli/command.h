/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the program cilium. Each cmd_<noun>.c defines one or more; commands.c lists them. Path,
 * arguments, help and flags are in one table, from which parsing, help and usage errors come.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "src/api/client.h"
#include "src/base/error.h"

enum cli_flag_kind {
	CLI_FLAG_BOOL,  /* bool; --flag or --flag=false */
	CLI_FLAG_COUNT, /* unsigned int; -vv is 2 */
	CLI_FLAG_TEXT,  /* const char * */
	CLI_FLAG_LIST, /* GPtrArray * of const char *, made by the parser; repeated, or with commas */
	CLI_FLAG_NUMBER,   /* unsigned int */
	CLI_FLAG_DURATION, /* int64_t, nanoseconds; "30s", "1m30s", "500ms" */
};

/* What a value or an argument is one of: what a shell completes it with. */
enum cli_words {
	CLI_WORDS_NONE,
	CLI_WORDS_COMMANDS,   /* the paths of commands, a word each */
	CLI_WORDS_ENDPOINTS,  /* their ids; the agent is asked */
	CLI_WORDS_FILES,      /* the shell knows them */
	CLI_WORDS_IDENTITIES, /* their numbers; the agent is asked */
	CLI_WORDS_IPS,        /* prefixes that have an identity; the agent is asked */
	CLI_WORDS_KEYS,       /* of the configuration; the agent is asked */
	CLI_WORDS_LABELS,     /* of endpoints; the agent is asked */
	CLI_WORDS_MAPS,       /* names of BPF maps */
	CLI_WORDS_REQUESTED,  /* numbers of services that were made by hand; the agent is asked */
	CLI_WORDS_SERVICES,   /* numbers of front ends; the agent is asked */
	CLI_WORDS_OPTIONS,    /* name= of what changes at run time; the agent is asked */
};

struct cli_flag {
	const char *name; /* without dashes */
	char short_name;  /* 0: none */
	enum cli_flag_kind kind;
	const char *help;
	void *value;
	const char *choices; /* words for completion, a blank between; NULL: none */
	enum cli_words words;
};

struct cli_command {
	const char *path; /* "bpf ct list": words after the program's name */
	const char *args; /* "global | endpoint ID"; NULL: takes none */
	unsigned int n_args_min;
	unsigned int n_args_max;
	const char *help;             /* one line */
	const struct cli_flag *flags; /* ends with a NULL name; NULL: none */
	bool needs_root;
	/* For completion: the words of the first argument, a blank between, NULL: none; and of any. */
	const char *choices;
	enum cli_words words;
	/* argv: what is left behind flags, n_args_min..n_args_max of them. Returns the exit status. */
	int (*run)(int argc, char *const argv[]);
};

/* NULL at the end. */
extern const struct cli_command *const cli_commands[];

/* Parses the command line of the program, runs the command. Returns the exit status. */
int cli_main(int argc, char *argv[]);

/* "Error: …" on standard error. Returns the exit status 1, for: return cli_fail("…", …); */
int cli_fail(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* As cli_fail with the error's text, then frees it. */
int cli_fail_error(GError *error);
/* The same with the usage of the running command behind it. */
int cli_fail_usage(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* The agent's API: --host, else CILIUM_SOCK, else the default path. Lives until the program ends. */
struct api_client *cli_api(void);
const char *cli_socket_path(void);
