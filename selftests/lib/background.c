// SPDX-License-Identifier: GPL-2.0-only
/* What lies idle goes back by itself. Takes a minute: only with USLAB_TEST_LONG=1. */
#include "common.h"

static void need_long(void)
{
	const char *set = getenv("USLAB_TEST_LONG");

	if (!set || strcmp(set, "1"))
		SKIP("USLAB_TEST_LONG is not 1");
}

static bool backed_falls_to(struct uslab_pool *pool, uint64_t bytes, double seconds)
{
	double end = now() + seconds;

	for (;;) {
		struct uslab_stats stats = STATS(pool);

		if (stats.backed_bytes <= bytes)
			return true;
		if (now() > end)
			return false;
		nap_us(500000);
	}
}

TEST(idle_objects_go_back_and_those_that_are_out_stay)
{
	struct uslab_pool *pool;
	struct uslab_stats stats;
	char *object[1000];
	int i;

	need_long();
	pool = MAKE(4096, NULL);
	for (i = 0; i < 1000; i++) {
		object[i] = uslab_get(pool);
		ASSERT(object[i]);
		memset(object[i], i, 4096);
	}
	for (i = 1; i < 1000; i++)
		uslab_put(pool, object[i]);
	EXPECT(backed_falls_to(pool, 4096, 100));
	stats = STATS(pool);
	EXPECT_EQ(stats.out_objects, 1);
	EXPECT_EQ(stats.backed_bytes, 4096);
	EXPECT_GT(stats.rotations, 0);
	for (i = 0; i < 4096; i++)
		if (!EXPECT_EQ(object[0][i], 0))
			break;
	uslab_put(pool, object[0]);
	EXPECT(backed_falls_to(pool, 0, 100));
	uslab_pool_destroy(pool);
}

/* What is used all the time is not idle. */
TEST(a_working_set_stays)
{
	struct uslab_stats before, after;
	struct uslab_pool *pool;
	void *object[100];
	double end;

	need_long();
	pool = MAKE(64, NULL);
	pin(0);
	EXPECT_EQ(uslab_get_bulk(pool, object, 100), 100);
	uslab_put_bulk(pool, object, 100);
	before = STATS(pool);
	for (end = now() + 60; now() < end; nap_us(10000)) {
		EXPECT_EQ(uslab_get_bulk(pool, object, 100), 100);
		uslab_put_bulk(pool, object, 100);
	}
	after = STATS(pool);
	EXPECT_EQ(after.refills, before.refills);
	uslab_pool_destroy(pool);
	pin(-1);
}

TEST_MAIN
