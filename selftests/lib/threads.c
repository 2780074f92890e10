// SPDX-License-Identifier: GPL-2.0-only
/* Memory follows CPUs, not threads. */
#include <pthread.h>
#include "common.h"

#define AT_ONCE		8
#define OBJECTS		20

static struct uslab_pool *pool;

static void *short_life(void *arg)
{
	void *object[OBJECTS];
	int i, n;

	n = uslab_get_bulk(pool, object, OBJECTS / 2);
	for (i = n; i < OBJECTS; i++)
		object[i] = uslab_get(pool);
	for (i = 0; i < OBJECTS; i++)
		uslab_put(pool, object[i]);
	return arg;
}

static void run_threads(int number)
{
	pthread_t thread[AT_ONCE];
	int i, j;

	for (i = 0; i < number; i += AT_ONCE) {
		for (j = 0; j < AT_ONCE; j++)
			ASSERT(!pthread_create(&thread[j], NULL, short_life, NULL));
		for (j = 0; j < AT_ONCE; j++)
			pthread_join(thread[j], NULL);
	}
}

static unsigned long resident_kb(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long kb = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %lu", &kb) == 1)
			break;
	if (file)
		fclose(file);
	return kb;
}

TEST(four_thousand_threads_cost_what_a_hundred_do)
{
	struct uslab_stats before, after;
	unsigned long kb;

	pool = MAKE(1000, NULL);
	run_threads(100);
	kb = resident_kb();
	before = STATS(pool);
	run_threads(4000);
	after = STATS(pool);
	EXPECT_EQ(after.gets, before.gets + 4000 * OBJECTS);
	EXPECT_EQ(after.out_objects, 0);
	EXPECT_EQ(after.bad_puts, 0);
	/* Hands, and a cache that was filled for each CPU. */
	EXPECT_LE(after.idle_objects, (AT_ONCE * OBJECTS + 1000ul * (unsigned int)allowed_cpus()));
	EXPECT_LE(after.backed_bytes,
		  before.backed_bytes + (1ul << 20) * (unsigned int)allowed_cpus());
	EXPECT_LE(after.magazines, before.magazines + 64);
	EXPECT_LE(resident_kb(), kb + 4096);
	uslab_pool_destroy(pool);
}

static void *keep(void *arg)
{
	uslab_put(pool, uslab_get(pool));
	nap_us(300000);
	return arg;
}

TEST(a_thread_that_sleeps_holds_no_objects)
{
	enum { N = 200 };
	pthread_attr_t attr;
	pthread_t thread[N];
	struct uslab_stats stats;
	int i;

	pool = MAKE(4096, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (i = 0; i < N; i++)
		ASSERT(!pthread_create(&thread[i], &attr, keep, NULL));
	nap_us(100000);
	stats = STATS(pool);
	EXPECT_LE(stats.idle_objects, 64ul * (unsigned int)allowed_cpus());
	for (i = 0; i < N; i++)
		pthread_join(thread[i], NULL);
	uslab_pool_destroy(pool);
}

/* A thread that ends in the middle leaves its caches to others. */
static void *get_one(void *arg)
{
	(void)arg;
	return uslab_get(pool);
}

TEST(objects_got_by_threads_that_ended_can_be_put)
{
	struct uslab_stats stats;
	int i;

	pool = MAKE(64, NULL);
	for (i = 0; i < 500; i++) {
		pthread_t thread;
		void *object;

		ASSERT(!pthread_create(&thread, NULL, get_one, NULL));
		pthread_join(thread, &object);
		ASSERT(object);
		uslab_put(pool, object);
	}
	stats = STATS(pool);
	EXPECT_EQ(stats.out_objects, 0);
	EXPECT_EQ(stats.gets, 500);
	EXPECT_EQ(stats.bad_puts, 0);
	uslab_pool_destroy(pool);
}

TEST_MAIN
