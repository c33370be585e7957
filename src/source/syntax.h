/* SPDX-License-Identifier: Apache-2.0 */
/* How Kubernetes spells names and labels. */
#pragma once

#include <stdbool.h>

/* RFC 1123 label: 1..63 of a-z 0-9 '-', an alphanumeric at both ends. */
bool syntax_is_dns_label(const char *text);
/* RFC 1123 subdomain: such labels with dots between them, at most 253 characters. */
bool syntax_is_dns_subdomain(const char *text);
/* [subdomain/]name; the name 1..63 of A-Z a-z 0-9 '-' '_' '.', an alphanumeric at both ends. */
bool syntax_is_label_key(const char *text);
/* As the name of a key, or empty. */
bool syntax_is_label_value(const char *text);
/* RFC 6335: at most 15 letters, digits and single hyphens inside, at least one of them a letter. */
bool syntax_is_port_name(const char *text);
/* Digits without leading zeros, for "010" is eight to some. −1: no number from 0 to max. */
int syntax_parse_number(const char *text, int max);
