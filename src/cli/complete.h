/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion: what the next word of a command line can be. The scripts that cilium completion prints
 * ask "cilium __complete WORD…" and know nothing themselves, so they never grow stale.
 */
#pragma once

#define COMPLETE_WORD "__complete"
/* The line that stands for: names of files, which the shell knows better. */
#define COMPLETE_FILES ":files"

/*
 * argv: the words behind the program's name; the last one is begun, maybe "". Prints a candidate a line,
 * a tab and its help behind it where there is one; one that ends in '=' goes on. An agent that does
 * not answer at once has no candidates. Returns the exit status, always 0.
 */
int complete_print(int argc, char *argv[]);
