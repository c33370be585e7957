// SPDX-License-Identifier: Apache-2.0
/* The ports of services are kept from the kernel, which gives free ones to clients of the host. */
#include "src/datapath/real_private.h"

#include <stdio.h>
#include <string.h>
#include "src/sys/port_set.h"
#include "src/sys/sysctl.h"

#define SYSCTL "net/ipv4/ip_local_reserved_ports"
/* Which of our range others had reserved before us, below the range: a line each. */
#define STATE_FILE "reserved-ports"

/* What is ours of the set, and what of that was there before. */
struct reservation {
	bool is_there;
	uint16_t first;
	uint16_t last;
	struct port_set before;
};

static bool parse_reservation(const char *text, struct reservation *ret)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	unsigned int first, last;

	*ret = (struct reservation){0};
	if (!lines[0] || !lines[1] || sscanf(lines[0], "%u-%u", &first, &last) != 2 ||
	    first > last || last > UINT16_MAX || !port_set_parse(&ret->before, lines[1]))
		return false;
	ret->is_there = true;
	ret->first = first;
	ret->last = last;
	return true;
}

static int read_reservation(const struct real *real, struct reservation *ret, GError **error)
{
	g_autofree char *text = NULL;
	int err = real_state_read(real, STATE_FILE, &text, error);

	*ret = (struct reservation){0};
	if (text && !parse_reservation(text, ret))
		*ret = (struct reservation){0};
	return err;
}

static int write_reservation(const struct real *real, const struct reservation *reservation,
			     GError **error)
{
	g_autofree char *before = port_set_format(&reservation->before);
	g_autofree char *text =
		g_strdup_printf("%u-%u\n%s\n", reservation->first, reservation->last, before);

	return real_state_write(real, STATE_FILE, text, error);
}

static int get_ports(struct port_set *ret_set, GError **error)
{
	g_autofree char *text = NULL;
	int err = sysctl_get_text(SYSCTL, &text);

	if (err)
		return error_set_errno(error, -err, "reading %s", SYSCTL);
	*ret_set = (struct port_set){0};
	if (!port_set_parse(ret_set, text))
		return error_set(error, EINVAL, "%s: \"%s\" is no list of ports", SYSCTL, text);
	return 0;
}

static int put_ports(const struct port_set *set, GError **error)
{
	g_autofree char *text = port_set_format(set);
	int err = sysctl_put_text(SYSCTL, text);

	return err ? error_set_errno(error, -err, "setting %s to %s", SYSCTL, text) : 0;
}

static void keep_range(struct port_set *set, uint16_t first, uint16_t last)
{
	if (first)
		port_set_remove(set, 0, first - 1);
	if (last < UINT16_MAX)
		port_set_remove(set, last + 1, UINT16_MAX);
}

/* The set as it would be without us. */
static void take_back(struct port_set *set, const struct reservation *reservation)
{
	if (!reservation->is_there)
		return;
	port_set_remove(set, reservation->first, reservation->last);
	for (size_t i = 0; i < G_N_ELEMENTS(set->words); i++)
		set->words[i] |= reservation->before.words[i];
}

int real_ports_ensure(struct real *real, GString *repaired, GError **error)
{
	uint16_t first = real->config.node.node_port_min;
	uint16_t last = real->config.node.node_port_max;
	struct port_set there, wanted;
	struct reservation before;
	int err;

	if (!real->config.reserve_node_ports)
		return real_ports_purge(real, error);
	err = read_reservation(real, &before, error);
	if (!err)
		err = get_ports(&there, error);
	if (err)
		return err;
	wanted = there;
	if (!before.is_there || before.first != first || before.last != last) {
		take_back(&wanted, &before);
		before = (struct reservation){true, first, last, wanted};
		keep_range(&before.before, first, last);
		err = write_reservation(real, &before, error);
	}
	port_set_add(&wanted, first, last);
	if (err || !memcmp(&there, &wanted, sizeof(there)))
		return err;
	real_note(repaired, "ports %u-%u were not reserved", first, last);
	return put_ports(&wanted, error);
}

int real_ports_purge(struct real *real, GError **error)
{
	struct reservation before;
	struct port_set set;
	int err = read_reservation(real, &before, error);

	if (err || !before.is_there)
		return err;
	err = get_ports(&set, error);
	if (err)
		return err;
	take_back(&set, &before);
	err = put_ports(&set, error);
	return err ? err : real_state_remove(real, STATE_FILE, error);
}
