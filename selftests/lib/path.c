// SPDX-License-Identifier: GPL-2.0-only
/* The fast path that a runner expects here: USLAB_EXPECT_PATH is rseq or portable. */
#include "common.h"

TEST(get_and_put_use_the_expected_path)
{
	const char *expected = getenv("USLAB_EXPECT_PATH");
	struct uslab_pool *pool = MAKE(64, NULL);

	EXPECT(path_is_rseq(pool) || !strcmp(uslab_pool_path(pool), "portable"));
	if (expected && !EXPECT(!strcmp(uslab_pool_path(pool), expected)))
		printf("# path %s\n", uslab_pool_path(pool));
	uslab_pool_destroy(pool);
	if (!expected)
		SKIP("USLAB_EXPECT_PATH is not set");
}

TEST(get_and_put_work_through_pointers)
{
	void *(*volatile get)(struct uslab_pool *) = uslab_get;
	void (*volatile put)(struct uslab_pool *, void *) = uslab_put;
	struct uslab_pool *pool = MAKE(64, NULL);
	struct uslab_stats stats;
	int i;

	for (i = 0; i < 1000; i++)
		put(pool, get(pool));
	stats = STATS(pool);
	EXPECT_EQ(stats.gets, 1000);
	EXPECT_EQ(stats.out_objects, 0);
	uslab_pool_destroy(pool);
}

TEST_MAIN
