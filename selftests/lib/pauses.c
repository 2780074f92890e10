// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nobody waits: what reclaim that never ends adds to the longest time of a get or put.
 * Windows with and without it take turns, and the medians of their longest times are
 * compared: what a busy machine does to both cancels out. Figures in microseconds come
 * from uslab-bench-reclaim; here only what would be a wait for a pass fails, which is
 * a thousand times longer than a get.
 */
#include <pthread.h>
#include <stdatomic.h>
#include "common.h"

#define HELD		4096u
#define IDLE		100000u		/* what a pass finds at first */
#define WINDOWS		20u
#define WINDOW_S	0.1

static struct uslab_pool *pool;
static atomic_bool reclaiming, over;
static atomic_ulong passes;

static void *reclaimer(void *unused)
{
	while (!atomic_load(&over)) {
		if (!atomic_load(&reclaiming)) {
			nap_us(1000);
			continue;
		}
		uslab_pool_reclaim(pool, SIZE_MAX);
		atomic_fetch_add(&passes, 1);
	}
	return unused;
}

static int descending(const void *a, const void *b)
{
	double l = *(const double *)a, r = *(const double *)b;

	return l < r ? 1 : l > r ? -1 : 0;
}

/* The time that one of a thousand operations exceeds in a window, in seconds. */
static double window(uint32_t *seed)
{
	static void *held[HELD];
	static double longest[1 << 16];
	double end = now() + WINDOW_S, before = now();
	unsigned int nr = 0;

	while (before < end && nr < 1 << 16) {
		void **object = &held[random_next(seed) % HELD];
		double after;
		int i;

		/* by the hundred: the clock costs more than a get */
		for (i = 0; i < 100; i++, object = &held[random_next(seed) % HELD]) {
			if (*object) {
				uslab_put(pool, *object);
				*object = NULL;
			} else {
				*object = uslab_get(pool);
				ASSERT(*object);
			}
		}
		after = now();
		longest[nr++] = after - before;
		before = after;
	}
	qsort(longest, nr, sizeof(*longest), descending);
	return longest[nr / 1000];
}

TEST(gets_and_puts_do_not_wait_for_reclaim)
{
	static void *object[IDLE];
	double quiet[WINDOWS], busy[WINDOWS];
	pthread_t thread;
	uint32_t seed = 1;
	unsigned int i;

	pool = MAKE(128, NULL);
	ASSERT_EQ(pthread_create(&thread, NULL, reclaimer, NULL), 0);
	window(&seed);
	for (i = 0; i < WINDOWS; i++) {
		ASSERT_EQ(uslab_get_bulk(pool, object, IDLE), IDLE);
		uslab_put_bulk(pool, object, IDLE);
		quiet[i] = window(&seed);
		atomic_store(&reclaiming, true);
		busy[i] = window(&seed);
		atomic_store(&reclaiming, false);
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	qsort(quiet, WINDOWS, sizeof(*quiet), descending);
	qsort(busy, WINDOWS, sizeof(*busy), descending);
	printf("# 100 operations, of which 1 in 1000 takes longer: %.1f us without reclaim,"
	       " %.1f us during %lu passes\n", quiet[WINDOWS / 2] * 1e6, busy[WINDOWS / 2] * 1e6,
	       atomic_load(&passes));
	EXPECT_GT(atomic_load(&passes), 0);
	EXPECT(busy[WINDOWS / 2] < 0.001 || busy[WINDOWS / 2] < 100 * quiet[WINDOWS / 2]);
	uslab_pool_destroy(pool);
}

TEST_MAIN
