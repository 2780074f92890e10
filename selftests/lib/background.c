// SPDX-License-Identifier: GPL-2.0-only
/* What lies idle goes back by itself, with age; here within seconds. */
#include "common.h"

static struct uslab_pool *must_make(size_t size)
{
	struct uslab_tunables tunables = { .size = sizeof(tunables) };
	struct uslab_pool *pool = MAKE(size, NULL);

	ASSERT_EQ(uslab_pool_tunables(pool, &tunables), 0);
	tunables.idle_expire_centisecs = 200;
	tunables.idle_aging_centisecs = 20;
	ASSERT_EQ(uslab_pool_tune(pool, &tunables), 0);
	return pool;
}

static bool backed_falls_to(struct uslab_pool *pool, uint64_t bytes)
{
	double end = now() + 100;

	while (STATS(pool).backed_bytes > bytes && now() < end)
		nap_us(50000);
	return STATS(pool).backed_bytes <= bytes;
}

TEST(idle_objects_go_back_and_those_that_are_out_stay)
{
	struct uslab_pool *pool = must_make(4096);
	struct uslab_stats stats;
	char *object[1000];
	int i;

	if (!path_is_rseq(pool)) {
		uslab_pool_destroy(pool);
		SKIP("caches of a process of its own do not age");
	}
	for (i = 0; i < 1000; i++) {
		object[i] = uslab_get(pool);
		ASSERT(object[i]);
		memset(object[i], i, 4096);
	}
	for (i = 1; i < 1000; i++)
		uslab_put(pool, object[i]);
	EXPECT(backed_falls_to(pool, 4096));
	stats = settled(pool, 1);
	EXPECT_EQ(stats.out_objects, 1);
	EXPECT_EQ(stats.backed_bytes, 4096);
	EXPECT_GT(stats.rotations, 0);
	for (i = 0; i < 4096; i++)
		if (!EXPECT_EQ(object[0][i], 0))
			break;
	uslab_put(pool, object[0]);
	EXPECT(backed_falls_to(pool, 0));
	uslab_pool_destroy(pool);
}

/* What is used all the time is not idle. */
TEST(a_working_set_stays)
{
	struct uslab_pool *pool = must_make(64);
	struct uslab_stats before, after;
	void *object[100];
	double end;

	pin(0);
	EXPECT_EQ(uslab_get_bulk(pool, object, 100), 100);
	uslab_put_bulk(pool, object, 100);
	before = STATS(pool);
	for (end = now() + 6; now() < end; nap_us(10000)) {
		EXPECT_EQ(uslab_get_bulk(pool, object, 100), 100);
		uslab_put_bulk(pool, object, 100);
	}
	after = STATS(pool);
	EXPECT_EQ(after.refills, before.refills);
	uslab_pool_destroy(pool);
	pin(-1);
}

TEST_MAIN
