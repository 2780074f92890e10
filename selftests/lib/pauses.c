// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nobody waits: the longest times of gets and puts while passes run all the time are
 * compared with what a pass takes, and shown beside those without reclaim. Medians of
 * windows in turns, with another thread that uses the pool and a CPU in both. Figures in
 * microseconds come from uslab-bench-reclaim; here fails what would be a wait for
 * passes, and a control does wait.
 */
#include <pthread.h>
#include <stdatomic.h>
#include "common.h"

#define HELD		4096u
#define IDLE		32768u		/* what a pass finds */
#define WINDOWS		8u
#define ROUNDS		10u		/* passes in a window */
#define RANK		5u		/* so many are longest */

static struct uslab_pool *pool;
static void *held[HELD];
static atomic_bool reclaiming, over;
static atomic_uint rounds;
static double pass_took[1 << 14];
static unsigned int passes;
static bool wait_for_passes;		/* gets and puts do */
static pthread_mutex_t pass_lock = PTHREAD_MUTEX_INITIALIZER;

static void *reclaimer(void *unused)
{
	static void *object[IDLE];
	double begin;

	while (!atomic_load(&over)) {
		ASSERT_EQ(uslab_get_bulk(pool, object, IDLE), IDLE);
		uslab_put_bulk(pool, object, IDLE);
		atomic_fetch_add(&rounds, 1);
		if (!atomic_load(&reclaiming))
			continue;
		pthread_mutex_lock(&pass_lock);
		begin = now();
		uslab_pool_reclaim(pool, SIZE_MAX);
		if (passes < ARRAY_SIZE(pass_took))
			pass_took[passes++] = now() - begin;
		pthread_mutex_unlock(&pass_lock);
	}
	return unused;
}

static int descending(const void *a, const void *b)
{
	double l = *(const double *)a, r = *(const double *)b;

	return l < r ? 1 : l > r ? -1 : 0;
}

static void operate(uint32_t *seed)
{
	int i;

	/* by the hundred: the clock costs more than a get */
	for (i = 0; i < 100; i++) {
		void **object = &held[random_next(seed) % HELD];

		if (*object) {
			uslab_put(pool, *object);
			*object = NULL;
		} else {
			*object = uslab_get(pool);
			ASSERT(*object);
		}
	}
}

/* The RANKth longest time in a window, which ends with its passes, or at a time. */
static double window(uint32_t *seed, double end)
{
	unsigned int last = atomic_load(&rounds) + ROUNDS, i;
	double longest[RANK + 1] = { 0 }, before, after = now();

	while (end ? after < end : (int)(last - atomic_load(&rounds)) > 0) {
		before = now();
		if (wait_for_passes) {
			pthread_mutex_lock(&pass_lock);
			pthread_mutex_unlock(&pass_lock);
		}
		operate(seed);
		after = now();
		for (i = RANK; i && longest[i - 1] < after - before; i--)
			longest[i] = longest[i - 1];
		longest[i] = after - before;
	}
	return longest[RANK - 1];
}

/* Is the longest during passes about as long as they are? */
static bool waits(void)
{
	double quiet[WINDOWS], busy[WINDOWS], pass, begin;
	pthread_t thread;
	uint32_t seed = 1;
	unsigned int i;

	pool = MAKE(128, NULL);
	atomic_store(&over, false);
	passes = 0;
	ASSERT_EQ(pthread_create(&thread, NULL, reclaimer, NULL), 0);
	window(&seed, 0);
	for (i = 0; i < WINDOWS; i++) {
		atomic_store(&reclaiming, true);
		begin = now();
		busy[i] = window(&seed, 0);
		atomic_store(&reclaiming, false);
		quiet[i] = window(&seed, now() + (now() - begin));
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	ASSERT(passes > 0);
	qsort(quiet, WINDOWS, sizeof(*quiet), descending);
	qsort(busy, WINDOWS, sizeof(*busy), descending);
	qsort(pass_took, passes, sizeof(*pass_took), descending);
	pass = pass_took[passes / 2];
	printf("# 100 operations, %u take longer: %.1f us without reclaim, %.1f us during passes of %.1f us\n",
	       RANK - 1, quiet[WINDOWS / 2] * 1e6, busy[WINDOWS / 2] * 1e6, pass * 1e6);
	uslab_put_bulk(pool, held, HELD);
	memset(held, 0, sizeof(held));
	uslab_pool_destroy(pool);
	return busy[WINDOWS / 2] > pass / 2;
}

TEST(gets_and_puts_do_not_wait_for_reclaim)
{
	EXPECT(!waits());
}

TEST(control_gets_and_puts_that_wait_are_seen)
{
	wait_for_passes = true;
	EXPECT(waits());
	wait_for_passes = false;
}

TEST_MAIN
