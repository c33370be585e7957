// SPDX-License-Identifier: Apache-2.0
#include "src/wire/pcap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* A file under construction, in either byte order. */
struct writer {
	GByteArray *bytes;
	bool is_big;
};

static struct writer begin(bool is_big)
{
	return (struct writer){g_byte_array_new(), is_big};
}

static void put32(struct writer *writer, uint32_t number)
{
	uint32_t ordered = writer->is_big ? GUINT32_TO_BE(number) : GUINT32_TO_LE(number);

	g_byte_array_append(writer->bytes, (const uint8_t *)&ordered, sizeof(ordered));
}

static void put16(struct writer *writer, uint16_t number)
{
	uint16_t ordered = writer->is_big ? GUINT16_TO_BE(number) : GUINT16_TO_LE(number);

	g_byte_array_append(writer->bytes, (const uint8_t *)&ordered, sizeof(ordered));
}

static void put(struct writer *writer, const void *bytes, size_t n_bytes)
{
	g_byte_array_append(writer->bytes, bytes, n_bytes);
	while (writer->bytes->len % 4)
		g_byte_array_append(writer->bytes, (const uint8_t *)"", 1);
}

static void put_header(struct writer *writer, uint32_t magic, uint32_t link)
{
	put32(writer, magic);
	put16(writer, 2);
	put16(writer, 4);
	put32(writer, 0);
	put32(writer, 0);
	put32(writer, 65535);
	put32(writer, link);
}

static void put_record(struct writer *writer, const uint8_t *bytes, uint32_t n_bytes,
		       uint32_t n_full_bytes)
{
	put32(writer, 1);
	put32(writer, 2);
	put32(writer, n_bytes);
	put32(writer, n_full_bytes);
	g_byte_array_append(writer->bytes, bytes, n_bytes);
}

static void put_section(struct writer *writer)
{
	put32(writer, 0x0a0d0d0a);
	put32(writer, 28);
	put32(writer, 0x1a2b3c4d);
	put16(writer, 1);
	put16(writer, 0);
	put32(writer, UINT32_MAX);
	put32(writer, UINT32_MAX);
	put32(writer, 28);
}

static void put_interface(struct writer *writer, uint16_t link)
{
	put32(writer, 1);
	put32(writer, 20);
	put16(writer, link);
	put16(writer, 0);
	put32(writer, 0);
	put32(writer, 20);
}

static void put_enhanced(struct writer *writer, uint32_t interface, const uint8_t *bytes,
			 uint32_t n_bytes)
{
	uint32_t n_block = 32 + (n_bytes + 3) / 4 * 4;

	put32(writer, 6);
	put32(writer, n_block);
	put32(writer, interface);
	put32(writer, 0);
	put32(writer, 0);
	put32(writer, n_bytes);
	put32(writer, n_bytes + 100);
	put(writer, bytes, n_bytes);
	put32(writer, n_block);
}

static const uint8_t frame4[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x08, 0x00, 0x45, 0xaa};
static const uint8_t vlan6[] = {1,  2,  3,    4, 5, 6, 7,    8,    9,   10,
				11, 12, 0x81, 0, 0, 7, 0x86, 0xdd, 0x60};

static void test_pcap(void **state)
{
	static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d};

	for (int i = 0; i < 4; i++) {
		struct writer writer = begin(i & 1);
		struct pcap_packet packet;
		struct pcap pcap;

		put_header(&writer, magics[i / 2], 1);
		put_record(&writer, frame4, sizeof(frame4), 1000);
		put_record(&writer, vlan6, sizeof(vlan6), sizeof(vlan6));
		assert_int_equal(pcap_open(writer.bytes->data, writer.bytes->len, &pcap, NULL), 0);
		assert_int_equal(pcap_next(&pcap, &packet, NULL), 1);
		assert_int_equal(packet.ether_type, 0x0800);
		assert_int_equal(packet.n_bytes, 2);
		assert_int_equal(packet.n_full_bytes, 986);
		assert_int_equal(packet.bytes[1], 0xaa);
		assert_int_equal(packet.n_ethernet_bytes, sizeof(frame4));
		assert_int_equal(pcap_next(&pcap, &packet, NULL), 1);
		assert_int_equal(packet.ether_type, 0x86dd);
		assert_int_equal(packet.n_bytes, 1);
		assert_int_equal(packet.bytes[0], 0x60);
		assert_int_equal(pcap_next(&pcap, &packet, NULL), 0);
		g_byte_array_unref(writer.bytes);
	}
}

static void test_links(void **state)
{
	static const struct {
		uint32_t link;
		size_t n_header, type_off;
	} links[] = {{101, 0, 0}, {113, 16, 14}, {276, 20, 0}};

	for (size_t i = 0; i < G_N_ELEMENTS(links); i++) {
		struct writer writer = begin(false);
		uint8_t bytes[64] = {0};
		struct pcap_packet packet;
		struct pcap pcap;

		if (links[i].n_header) {
			bytes[links[i].type_off] = 0x86;
			bytes[links[i].type_off + 1] = 0xdd;
		}
		bytes[links[i].n_header] = 0x60;
		put_header(&writer, 0xa1b2c3d4, links[i].link);
		put_record(&writer, bytes, sizeof(bytes), sizeof(bytes));
		assert_int_equal(pcap_open(writer.bytes->data, writer.bytes->len, &pcap, NULL), 0);
		assert_int_equal(pcap_next(&pcap, &packet, NULL), 1);
		assert_int_equal(packet.ether_type, 0x86dd);
		assert_int_equal(packet.bytes[0], 0x60);
		assert_int_equal(packet.n_bytes, sizeof(bytes) - links[i].n_header);
		assert_null(packet.ethernet);
		g_byte_array_unref(writer.bytes);
	}
}

static void test_pcapng(void **state)
{
	for (int is_big = 0; is_big < 2; is_big++) {
		struct writer writer = begin(is_big);
		const uint8_t raw[] = {0x45, 1, 2};
		struct pcap_packet packet;
		struct pcap pcap;

		put_section(&writer);
		put_interface(&writer, 1);
		put_interface(&writer, 101);
		put_enhanced(&writer, 1, raw, sizeof(raw));
		put_enhanced(&writer, 0, frame4, sizeof(frame4));
		/* Another section forgets the interfaces. */
		put_section(&writer);
		put_interface(&writer, 101);
		put_enhanced(&writer, 1, raw, sizeof(raw));
		assert_int_equal(pcap_open(writer.bytes->data, writer.bytes->len, &pcap, NULL), 0);
		assert_int_equal(pcap_next(&pcap, &packet, NULL), 1);
		assert_int_equal(packet.ether_type, 0x0800);
		assert_int_equal(packet.n_bytes, sizeof(raw));
		assert_int_equal(packet.n_full_bytes, sizeof(raw) + 100);
		assert_int_equal(pcap_next(&pcap, &packet, NULL), 1);
		assert_int_equal(packet.n_bytes, 2);
		assert_int_equal(pcap_next(&pcap, &packet, NULL), -EINVAL);
		g_byte_array_unref(writer.bytes);
	}
}

/* Cut anywhere, a file ends with an error, or before its second packet; never beyond its end. */
static void test_cut(void **state)
{
	for (int is_ng = 0; is_ng < 2; is_ng++) {
		struct writer writer = begin(false);

		if (is_ng) {
			put_section(&writer);
			put_interface(&writer, 1);
			put_enhanced(&writer, 0, frame4, sizeof(frame4));
		} else {
			put_header(&writer, 0xa1b2c3d4, 1);
			put_record(&writer, frame4, sizeof(frame4), sizeof(frame4));
		}
		for (size_t n = 0; n < writer.bytes->len; n++) {
			g_autofree uint8_t *cut = g_memdup2(writer.bytes->data, n);
			g_autoptr(GError) error = NULL;
			struct pcap_packet packet;
			struct pcap pcap;

			if (pcap_open(cut, n, &pcap, &error) == 0)
				assert_int_not_equal(pcap_next(&pcap, &packet, &error), 1);
		}
		g_byte_array_unref(writer.bytes);
	}
}

static void test_refused(void **state)
{
	static const uint8_t text[] = "this is a text and no capture of packets";
	struct writer writer = begin(false);
	g_autoptr(GError) error = NULL;
	struct pcap_packet packet;
	struct pcap pcap;

	assert_int_equal(pcap_open(text, sizeof(text), &pcap, NULL), -EINVAL);
	put_header(&writer, 0xa1b2c3d4, 127);
	put_record(&writer, frame4, sizeof(frame4), sizeof(frame4));
	assert_int_equal(pcap_open(writer.bytes->data, writer.bytes->len, &pcap, NULL), 0);
	assert_int_equal(pcap_next(&pcap, &packet, &error), -EINVAL);
	assert_non_null(strstr(error->message, "link type 127"));
	g_byte_array_unref(writer.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap),    cmocka_unit_test(test_links),
		cmocka_unit_test(test_pcapng),  cmocka_unit_test(test_cut),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
