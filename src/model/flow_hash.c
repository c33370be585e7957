// SPDX-License-Identifier: Apache-2.0
#include "src/model/flow_hash.h"

#define START 0xdeadbeefU

/* Bob Jenkins' lookup3 (public domain) over the words of a flow, three at a time. */
struct state {
	uint32_t a, b, c;
};

static uint32_t rotate(uint32_t value, unsigned int bits)
{
	return value << bits | value >> (32 - bits);
}

static void mix(struct state *s)
{
	s->a = (s->a - s->c) ^ rotate(s->c, 4);
	s->c += s->b;
	s->b = (s->b - s->a) ^ rotate(s->a, 6);
	s->a += s->c;
	s->c = (s->c - s->b) ^ rotate(s->b, 8);
	s->b += s->a;
	s->a = (s->a - s->c) ^ rotate(s->c, 16);
	s->c += s->b;
	s->b = (s->b - s->a) ^ rotate(s->a, 19);
	s->a += s->c;
	s->c = (s->c - s->b) ^ rotate(s->b, 4);
	s->b += s->a;
}

static void finish(struct state *s)
{
	s->c = (s->c ^ s->b) - rotate(s->b, 14);
	s->a = (s->a ^ s->c) - rotate(s->c, 11);
	s->b = (s->b ^ s->a) - rotate(s->a, 25);
	s->c = (s->c ^ s->b) - rotate(s->b, 16);
	s->a = (s->a ^ s->c) - rotate(s->c, 4);
	s->b = (s->b ^ s->a) - rotate(s->a, 14);
	s->c = (s->c ^ s->b) - rotate(s->b, 24);
}

uint32_t flow_hash(const struct flow_hash_input *flow, const uint32_t seeds[static 2])
{
	uint32_t words[9] = {0};
	struct state s;

	for (int i = 0; i < 4; i++) {
		words[i] = ntohl(flow->saddr.words[i]);
		words[4 + i] = ntohl(flow->daddr.words[i]);
	}
	s.a = s.b = s.c = START + seeds[0];
	for (int i = 0; i < 9; i += 3) {
		s.a += words[i];
		s.b += words[i + 1];
		s.c += words[i + 2];
		mix(&s);
	}
	s.a += (uint32_t)flow->sport << 16 | flow->dport;
	s.b += flow->protocol;
	s.c += seeds[1];
	finish(&s);
	return s.c;
}
