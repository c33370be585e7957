/* SPDX-License-Identifier: Apache-2.0 */
#include "src/observe/event_text.h"

#include <net/if.h>
#include "abi/drop.h"
#include "src/model/identity.h"
#include "src/observe/event_policy.h"
#include "src/observe/event_service.h"
#include "src/observe/packet_text.h"

#define SEPARATOR           "------------------------------------------------------------------------------\n"
#define IDENTITY_TEXT_BYTES 32

static const char *const drop_reasons[256] = {
#define DROP_REASON(name, number, text) [number] = text,
#include "abi/drop_reason.def"
#undef DROP_REASON
};

static const char *const forward_reasons[256] = {
#define FORWARD_REASON(number, text) [number] = text,
#include "abi/forward_reason.def"
#undef FORWARD_REASON
};

static const char *const trace_points[256] = {
#define TRACE_POINT(name, number, text, what) [number] = text,
#include "abi/trace_point.def"
#undef TRACE_POINT
};

static const char *const source_files[256] = {
#define SOURCE_FILE(name, number, file) [number] = file,
#include "abi/source_file.def"
#undef SOURCE_FILE
};

static const char *const ct_states[] = {
	[EVENT_CT_NEW] = "new",           [EVENT_CT_ESTABLISHED] = "established",
	[EVENT_CT_REPLY] = "reply",       [EVENT_CT_RELATED] = "related",
	[EVENT_CT_REOPENED] = "reopened", [EVENT_CT_UNKNOWN] = "unknown",
};

static const struct {
	const char *cause, *next;
} drop_help[256] = {
#define DROP_HELP(name, cause_text, next_text) [DROP_##name] = {cause_text, next_text},
#include "abi/drop_help.def"
#undef DROP_HELP
};

static const char *or_unknown(const char *text)
{
	return text ? text : "unknown";
}

const char *event_drop_reason_text(uint8_t reason)
{
	return or_unknown(drop_reasons[reason]);
}

const char *event_drop_cause(uint8_t reason)
{
	return drop_help[reason].cause;
}

const char *event_drop_next(uint8_t reason)
{
	return drop_help[reason].next;
}

const char *event_metric_reason_text(unsigned int reason)
{
	if (reason >= G_N_ELEMENTS(drop_reasons))
		return "unknown";
	return or_unknown(forward_reasons[reason] ? forward_reasons[reason] : drop_reasons[reason]);
}

const char *event_trace_point_text(uint8_t point)
{
	return or_unknown(trace_points[point]);
}

const char *event_source_file_text(uint8_t file)
{
	return or_unknown(source_files[file]);
}

const char *event_ct_state_text(uint8_t state)
{
	return state < G_N_ELEMENTS(ct_states) ? ct_states[state] : "unknown";
}

/* ---- parts ---- */

static const char *identity_text(uint32_t identity, const struct event_format *format,
				 char buffer[static IDENTITY_TEXT_BYTES])
{
	const char *name = format->numeric ? NULL : identity_reserved_name(identity);

	if (name)
		return name;
	g_snprintf(buffer, IDENTITY_TEXT_BYTES, "%u", identity);
	return buffer;
}

static void append_identities(GString *text, const struct event *event,
			      const struct event_format *format)
{
	char src[IDENTITY_TEXT_BYTES], dst[IDENTITY_TEXT_BYTES];

	g_string_append_printf(text, "identity %s->%s",
			       identity_text(event->src_identity, format, src),
			       identity_text(event->dst_identity, format, dst));
}

static const char *ifname_text(const struct event *event, const struct event_format *format,
			       char buffer[static IF_NAMESIZE])
{
	if (event->ifindex && format->ifname && format->ifname(event->ifindex, buffer))
		return buffer;
	g_snprintf(buffer, IF_NAMESIZE, "%u", event->ifindex);
	return buffer;
}

/* "Policy denied", "FIB lookup failed, 12" where a helper said why. */
static void append_reason(GString *text, const struct event *event)
{
	g_string_append(text, event_drop_reason_text(event->subtype));
	if (event->ext_error)
		g_string_append_printf(text, ", %d", event->ext_error);
}

static void append_direction(GString *text, const struct event *event)
{
	switch (event->subtype) {
	case TRACE_TO_ENDPOINT:
		g_string_append_printf(text, "-> endpoint %u", event->dst_endpoint);
		break;
	case TRACE_FROM_ENDPOINT:
		g_string_append_printf(text, "<- endpoint %u", event->src_endpoint);
		break;
	case TRACE_TO_HOST:
		g_string_append(text, "-> host from");
		break;
	case TRACE_FROM_HOST:
		g_string_append(text, "<- host");
		break;
	case TRACE_TO_STACK:
		g_string_append(text, "-> stack");
		break;
	case TRACE_FROM_NETWORK:
		g_string_append(text, "<- network");
		break;
	case TRACE_TO_NETWORK:
		g_string_append(text, "-> network");
		break;
	default:
		g_string_append_printf(text, "%s %u", event_trace_point_text(event->subtype),
				       event->subtype);
	}
}

static void decode(const struct event *event, struct packet *ret_packet)
{
	packet_decode(event->packet, MIN(event->cap_len, EVENT_PACKET_BYTES),
		      event->flags & EVENT_F_L3_DEVICE, ret_packet);
}

static void append_connection(GString *text, const struct event *event)
{
	struct packet packet;

	decode(event, &packet);
	packet_text_append_connection(text, &packet);
}

/* The programs keep no address from before a translation. */
static const char *original_address(const struct event *event)
{
	return event->flags & EVENT_F_IPV6 ? "::" : "0.0.0.0";
}

/* ---- one line ---- */

/* Behind the packet, which has one address of the two. */
static void append_service(GString *text, const struct event *event,
			   const struct event_format *format)
{
	if (!event_is_of_service(event))
		return;
	g_string_append(text, ", ");
	event_service_append(text, event, format);
}

static void append_drop_line(GString *text, const struct event *event,
			     const struct event_format *format)
{
	g_string_append(text, "xx drop (");
	append_reason(text, event);
	g_string_append_printf(text, ") flow 0x%x to endpoint %u, ifindex %u, file %s:%u, , ",
			       event->hash, event->dst_endpoint, event->ifindex,
			       event_source_file_text(event->file), event->line);
	append_identities(text, event, format);
	g_string_append(text, ": ");
	append_connection(text, event);
	append_service(text, event, format);
	if (event_is_of_policy(event)) {
		g_string_append(text, ", ");
		event_policy_append_rule(text, event, format);
	}
	g_string_append_c(text, '\n');
}

static void append_verdict_line(GString *text, const struct event *event,
				const struct event_format *format)
{
	event_policy_append_verdict(text, event, format);
	append_service(text, event, format);
	g_string_append(text, ", ");
	event_policy_append_rule(text, event, format);
	g_string_append_c(text, '\n');
}

static void append_trace_line(GString *text, const struct event *event,
			      const struct event_format *format)
{
	char ifname[IF_NAMESIZE];

	append_direction(text, event);
	g_string_append_printf(text, " flow 0x%x , ", event->hash);
	append_identities(text, event, format);
	g_string_append_printf(
		text, " state %s ifindex %s orig-ip %s: ", event_ct_state_text(event->ct_state),
		ifname_text(event, format, ifname), original_address(event));
	append_connection(text, event);
	append_service(text, event, format);
	g_string_append_c(text, '\n');
}

/* ---- a block ---- */

/* As hexdump -C: offset, two groups of eight bytes, characters. */
static void append_hex(GString *text, const uint8_t *bytes, size_t n_bytes)
{
	for (size_t offset = 0; offset < n_bytes; offset += 16) {
		size_t n = MIN(n_bytes - offset, 16);

		g_string_append_printf(text, "%08zx ", offset);
		for (size_t i = 0; i < 16; i++) {
			g_string_append(text, i == 8 ? "  " : " ");
			if (i < n)
				g_string_append_printf(text, "%02x", bytes[offset + i]);
			else
				g_string_append(text, "  ");
		}
		g_string_append(text, "  |");
		for (size_t i = 0; i < n; i++)
			g_string_append_c(text, g_ascii_isprint(bytes[offset + i])
							? (char)bytes[offset + i]
							: '.');
		g_string_append(text, "|\n");
	}
}

/* What packet that is, and what to do about it; not for those who ask for bytes. */
static void append_drop_help(GString *text, uint8_t reason)
{
	if (event_drop_cause(reason))
		g_string_append_printf(text, "That is a packet %s. %s\n", event_drop_cause(reason),
				       event_drop_next(reason));
}

/* What the block begins with: what happened to the packet. */
static void append_head(GString *text, const struct event *event, const struct event_format *format)
{
	char ifname[IF_NAMESIZE];

	g_string_append_printf(text, SEPARATOR "CPU %02u: MARK 0x%x FROM %u ", event->cpu,
			       event->hash, event->src_endpoint);
	if (event->type == EVENT_DROP) {
		g_string_append_printf(text, "DROP: %u bytes, reason ", event->orig_len);
		append_reason(text, event);
		g_string_append(text, ", ");
		append_identities(text, event, format);
		g_string_append_printf(text, ", to endpoint %u\n", event->dst_endpoint);
		return;
	}
	g_string_append_printf(text, "%s: %u bytes (%u captured), state %s, interface %s, , ",
			       event_trace_point_text(event->subtype), event->orig_len,
			       event->cap_len, event_ct_state_text(event->ct_state),
			       ifname_text(event, format, ifname));
	append_identities(text, event, format);
	g_string_append_printf(text, ", orig-ip %s\n", original_address(event));
}

/* By which rule, and how to learn why. */
static void append_policy(GString *text, const struct event *event,
			  const struct event_format *format)
{
	event_policy_append_rule(text, event, format);
	g_string_append_c(text, '\n');
	event_policy_append_command(text, event);
}

static void append_block(GString *text, const struct event *event,
			 const struct event_format *format)
{
	struct packet packet;

	/* Of a verdict Cilium shows its line, whatever the detail. */
	if (event->type == EVENT_POLICY_VERDICT)
		append_verdict_line(text, event, format);
	else
		append_head(text, event, format);
	if (format->detail == EVENT_HEX) {
		append_hex(text, event->packet, MIN(event->cap_len, EVENT_PACKET_BYTES));
		return;
	}
	if (event->type == EVENT_POLICY_VERDICT) {
		event_policy_append_command(text, event);
		return;
	}
	decode(event, &packet);
	packet_text_append_layers(text, &packet);
	if (event_is_of_service(event)) {
		event_service_append(text, event, format);
		g_string_append_c(text, '\n');
	}
	if (event->type == EVENT_DROP)
		append_drop_help(text, event->subtype);
	if (event_is_of_policy(event))
		append_policy(text, event, format);
}

char *event_format(const struct event *event, const struct event_format *format)
{
	GString *text = g_string_new(NULL);

	if (format->detail != EVENT_BRIEF)
		append_block(text, event, format);
	else if (event->type == EVENT_DROP)
		append_drop_line(text, event, format);
	else if (event->type == EVENT_POLICY_VERDICT)
		append_verdict_line(text, event, format);
	else
		append_trace_line(text, event, format);
	return g_string_free(text, FALSE);
}

char *event_format_connection(const struct event *event)
{
	GString *text = g_string_new(NULL);

	append_connection(text, event);
	return g_string_free(text, FALSE);
}

/* ---- JSON ---- */

static const char *type_text(uint8_t type)
{
	return type == EVENT_DROP ? "drop" : type == EVENT_TRACE ? "trace" : "policy-verdict";
}

static void add_drop(json_t *object, const struct event *event)
{
	json_object_set_new(object, "reason", json_string(event_drop_reason_text(event->subtype)));
	json_object_set_new(object, "Line", json_integer(event->line));
	json_object_set_new(object, "File", json_string(event_source_file_text(event->file)));
	json_object_set_new(object, "ExtError", json_integer(event->ext_error));
	json_object_set_new(object, "Ifindex", json_integer(event->ifindex));
}

static void add_trace(json_t *object, const struct event *event, const struct event_format *format)
{
	g_autoptr(GString) summary = g_string_new(NULL);
	char ifname[IF_NAMESIZE];

	append_direction(summary, event);
	json_object_set_new(object, "ifindex", json_string(ifname_text(event, format, ifname)));
	json_object_set_new(object, "state", json_string(event_ct_state_text(event->ct_state)));
	json_object_set_new(object, "observationPoint",
			    json_string(event_trace_point_text(event->subtype)));
	json_object_set_new(object, "traceSummary", json_string(summary->str));
}

json_t *event_to_json(const struct event *event, const struct event_format *format)
{
	struct packet packet;
	json_t *object;

	decode(event, &packet);
	object = json_pack(
		"{s:i, s:s, s:o, s:i, s:I, s:I, s:I, s:i, s:o}", "cpu", event->cpu, "type",
		type_text(event->type), "mark", json_sprintf("0x%x", event->hash), "source",
		event->src_endpoint, "bytes", (json_int_t)event->orig_len, "srcLabel",
		(json_int_t)event->src_identity, "dstLabel", (json_int_t)event->dst_identity,
		"dstID", event->dst_endpoint, "summary", packet_to_json(&packet));
	if (event->type == EVENT_DROP)
		add_drop(object, event);
	else if (event->type == EVENT_TRACE)
		add_trace(object, event, format);
	if (event_is_of_policy(event))
		event_policy_add_json(object, event, format);
	if (event_is_of_service(event))
		event_service_add_json(object, event, format);
	return object;
}
