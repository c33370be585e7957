// SPDX-License-Identifier: Apache-2.0
#include "src/base/log_limit.h"

#include <string.h>

/* Sets of a few slots: whatever the keys are, finding one looks at so many. */
#define N_SETS  128
#define N_WAYS  4
#define N_SLOTS (N_SETS * N_WAYS)

/* A bucket: the time at which it is full again, of GCRA. */
struct slot {
	uint64_t key; /* 0: free */
	int64_t full_ns;
	int64_t seen_ns; /* asked for last */
	uint64_t n_suppressed;
	enum log_level level;
	enum log_subsys subsys;
	char *message;
	char *object_text;
};

struct log_limit {
	struct slot objects[N_SLOTS];
	struct slot messages[N_SLOTS];
	int64_t told_ns; /* when the counts of messages were flushed last */
};

struct log_limit *log_limit_new(void)
{
	return g_new0(struct log_limit, 1);
}

static void clear_slot(struct slot *slot)
{
	g_free(slot->message);
	g_free(slot->object_text);
	memset(slot, 0, sizeof(*slot));
}

void log_limit_free(struct log_limit *limit)
{
	if (!limit)
		return;
	for (unsigned int i = 0; i < N_SLOTS; i++) {
		clear_slot(&limit->objects[i]);
		clear_slot(&limit->messages[i]);
	}
	g_free(limit);
}

/* Mixes well enough that what is alike does not fall into one set. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ (hash >> 32);
}

static uint64_t message_key(const struct log_subject *subject)
{
	uint64_t key = mix(subject->level + 1, subject->subsys);

	for (const char *p = subject->message; *p; p++)
		key = mix(key, (unsigned char)*p);
	return key ? key : 1;
}

static uint64_t object_key(uint64_t of_message, const struct log_subject *subject)
{
	uint64_t key = mix(of_message, subject->object);

	return key ? key : 1;
}

static struct slot *find_slot(struct slot *slots, uint64_t key)
{
	struct slot *set = &slots[key % N_SETS * N_WAYS];

	for (unsigned int i = 0; i < N_WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

static struct slot *oldest_slot(struct slot *slots, uint64_t key)
{
	struct slot *set = &slots[key % N_SETS * N_WAYS], *oldest = set;

	for (unsigned int i = 1; i < N_WAYS; i++)
		if (oldest->key && (!set[i].key || set[i].seen_ns < oldest->seen_ns))
			oldest = &set[i];
	return oldest;
}

static struct slot *get_slot(struct log_limit *limit, struct slot *slots, uint64_t key,
			     const struct log_subject *subject)
{
	struct slot *slot = find_slot(slots, key);

	if (slot)
		return slot;
	slot = oldest_slot(slots, key);
	if (slot->n_suppressed && slots == limit->objects) {
		const struct log_subject forgotten = {
			.level = slot->level,
			.subsys = slot->subsys,
			.message = slot->message,
		};
		uint64_t of_message = message_key(&forgotten);

		get_slot(limit, limit->messages, of_message, &forgotten)->n_suppressed +=
			slot->n_suppressed;
	}
	clear_slot(slot);
	slot->key = key;
	slot->level = subject->level;
	slot->subsys = subject->subsys;
	slot->message = g_strdup(subject->message);
	return slot;
}

static bool has_room(const struct slot *slot, int64_t now_ns, int64_t interval_ns, int burst)
{
	return slot->full_ns - now_ns <= (burst - 1) * interval_ns;
}

static void take_one(struct slot *slot, int64_t now_ns, int64_t interval_ns)
{
	slot->full_ns = MAX(slot->full_ns, now_ns) + interval_ns;
}

bool log_limit_admit(struct log_limit *limit, const struct log_subject *subject, int64_t now_ns,
		     uint64_t *ret_n_suppressed)
{
	uint64_t of_message = message_key(subject);
	struct slot *message = get_slot(limit, limit->messages, of_message, subject);
	struct slot *object;

	message->seen_ns = now_ns;
	object = get_slot(limit, limit->objects, object_key(of_message, subject), subject);
	object->seen_ns = now_ns;
	if (!object->object_text && subject->object_text)
		object->object_text = g_strdup(subject->object_text);
	if (!has_room(object, now_ns, LOG_LIMIT_OBJECT_INTERVAL_NS, LOG_LIMIT_OBJECT_BURST) ||
	    !has_room(message, now_ns, LOG_LIMIT_MESSAGE_INTERVAL_NS, LOG_LIMIT_MESSAGE_BURST)) {
		object->n_suppressed++;
		return false;
	}
	take_one(object, now_ns, LOG_LIMIT_OBJECT_INTERVAL_NS);
	take_one(message, now_ns, LOG_LIMIT_MESSAGE_INTERVAL_NS);
	*ret_n_suppressed = object->n_suppressed;
	object->n_suppressed = 0;
	return true;
}

void log_limit_name(struct log_limit *limit, const struct log_subject *subject)
{
	struct slot *slot = find_slot(limit->objects, object_key(message_key(subject), subject));

	if (slot && !slot->object_text)
		slot->object_text = g_strdup(subject->object_text);
}

static void flush_slot(struct slot *slot, bool is_due,
		       void (*fn)(const struct log_subject *subject, uint64_t n_suppressed,
				  void *data),
		       void *data)
{
	const struct log_subject subject = {
		.level = slot->level,
		.subsys = slot->subsys,
		.message = slot->message,
		.object_text = slot->object_text,
	};

	if (!slot->n_suppressed || !is_due)
		return;
	fn(&subject, slot->n_suppressed, data);
	slot->n_suppressed = 0;
}

void log_limit_flush(struct log_limit *limit, int64_t now_ns, bool all,
		     void (*fn)(const struct log_subject *subject, uint64_t n_suppressed,
				void *data),
		     void *data)
{
	/* Objects that were forgotten cannot be known to be silent: their message tells from time to time. */
	bool tell = all || now_ns - limit->told_ns >= LOG_LIMIT_OBJECT_INTERVAL_NS;

	for (unsigned int i = 0; i < N_SLOTS; i++) {
		struct slot *object = &limit->objects[i];
		bool is_silent = now_ns - object->seen_ns >= LOG_LIMIT_OBJECT_INTERVAL_NS;

		flush_slot(object, all || is_silent, fn, data);
		flush_slot(&limit->messages[i], tell, fn, data);
	}
	if (tell)
		limit->told_ns = now_ns;
}
