/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the reclaim policy share: a pool whose tunables are set by words,
 * whose objects are pages, and which is used from one CPU.
 *
 * Guests are slow: what must happen is waited for, and what must not happen is
 * shown not to while, with the same settings, the worker does something else.
 */
#ifndef USLAB_SELFTESTS_POLICY_H
#define USLAB_SELFTESTS_POLICY_H

#include "kmod.h"

#define MAX_OBJECTS	(64 * MIB / PAGE)
#define MINE		0		/* the CPU this runs on */

static struct uslab_pool *pool;
static struct raw raw;			/* the same pool */
static void *objects[MAX_OBJECTS];
static size_t held;

/* Words of tunable=value */
HELPER void tune(const char *settings)
{
	char text[512], *word, *save, *value;

	strcpy(text, settings);
	for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		value = strchr(word, '=');
		*value++ = '\0';
		if (pool_write(raw.name, word, value))
			TEST_FAIL("%s=%s: %s", word, value, strerror(errno));
	}
}

/* No thresholds, no age, and a worker that looks often; and then what else is said. */
HELPER void must_start(const char *settings)
{
	EXPECT(run_on(MINE));
	held = 0;
	pool = must_pool(pool_name("policy"), PAGE, 0);
	ASSERT(raw_attach(&raw, dup(uslab_pool_fd(pool))));
	tune("idle_background_ratio=0 idle_ratio=0 idle_expire_centisecs=8640000 "
	     "idle_aging_centisecs=5 transition_centisecs=10 min_reclaim_bytes=0");
	tune(settings);
}

HELPER void finish(void)
{
	raw_close(&raw);
	uslab_pool_destroy(pool);
	run_anywhere();
}

HELPER void get(size_t bytes)
{
	for (bytes /= PAGE; bytes; bytes--) {
		ASSERT((objects[held] = uslab_get(pool)));
		held++;
	}
}

HELPER void put(size_t bytes)
{
	for (bytes /= PAGE; bytes; bytes--)
		uslab_put(pool, objects[--held]);
}

HELPER void have_idle(size_t bytes)
{
	get(bytes);
	put(bytes);
}

/* Bytes, but for STAT */

#define STAT(field)	((long long)pool_stats(pool).field)

HELPER long long idle(void)
{
	return STAT(idle_objects) * (long long)PAGE;
}

HELPER long long backed(void)
{
	return STAT(backed_bytes);
}

HELPER long long magazines(int n)
{
	return n * (long long)(raw.control->magazine_size * PAGE);
}

/* Objects in CPU caches, in bytes */
HELPER long long cached(void)
{
	long long sum = 0;
	uint32_t cpu;

	for (cpu = 0; cpu < raw.control->nr_cpus; cpu++)
		sum += (long long)((raw_cpu(&raw, cpu)->word & USLAB_WORD_COUNT_MASK) +
				   (raw_cpu(&raw, cpu)->remote_word & USLAB_WORD_COUNT_MASK));
	return sum * (long long)PAGE;
}

#endif /* USLAB_SELFTESTS_POLICY_H */
