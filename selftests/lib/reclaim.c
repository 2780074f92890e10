// SPDX-License-Identifier: GPL-2.0-only
/* uslab_pool_reclaim(): what goes back, and what stays. */
#include <fcntl.h>
#include "common.h"

#define MIB	(1ul << 20)

TEST(reclaim_of_an_idle_pool_gives_all_pages_back)
{
	size_t s, i;

	for (s = 0; s < ARRAY_SIZE(object_sizes); s++) {
		size_t room = 4 * MIB / object_sizes[s];
		size_t n = object_sizes[s] > MIB ? 3 : room < 4000 ? room : 4000;
		struct uslab_pool *pool = MAKE(object_sizes[s], NULL);
		struct uslab_stats before, after;
		size_t given;
		void **object = calloc(n, sizeof(*object));

		for (i = 0; i < n; i++) {
			object[i] = uslab_get(pool);
			ASSERT(object[i]);
			memset(object[i], 1, object_sizes[s]);
		}
		for (i = 0; i < n; i++)
			uslab_put(pool, object[i]);
		before = STATS(pool);
		given = uslab_pool_reclaim(pool, SIZE_MAX);
		after = STATS(pool);
		if (!EXPECT_EQ(given, before.backed_bytes) || !EXPECT_EQ(after.backed_bytes, 0) ||
		    !EXPECT_EQ(after.idle_objects, 0) ||
		    !EXPECT_EQ(after.reclaimed_bytes - before.reclaimed_bytes, given))
			printf("# size %zu\n", object_sizes[s]);
		EXPECT_EQ(after.bad_puts, 0);
		EXPECT_EQ(uslab_pool_reclaim(pool, SIZE_MAX), 0);
		uslab_pool_destroy(pool);
		free(object);
	}
}

TEST(reclaim_of_nothing_gives_nothing)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	struct uslab_stats stats;

	EXPECT_EQ(uslab_pool_reclaim(pool, SIZE_MAX), 0);
	EXPECT_EQ(uslab_pool_prewarm(pool, 1000), 1000);
	EXPECT_EQ(uslab_pool_reclaim(pool, 0), 0);
	stats = STATS(pool);
	EXPECT_EQ(stats.idle_objects, 1000);
	uslab_pool_destroy(pool);
}

TEST(reclaim_of_some_bytes_leaves_the_rest)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	struct uslab_stats before, after;
	size_t given;

	EXPECT_EQ(uslab_pool_prewarm(pool, 100000), 100000);
	before = STATS(pool);
	given = uslab_pool_reclaim(pool, MIB);
	after = STATS(pool);
	EXPECT_GE(given, MIB);
	EXPECT_LE(given, 2 * MIB);
	EXPECT_EQ(before.backed_bytes - after.backed_bytes, given);
	EXPECT_GT(after.idle_objects, 0);
	EXPECT_EQ(after.bad_puts, 0);
	given = uslab_pool_reclaim(pool, 1);
	EXPECT_GE(given, PAGE);
	EXPECT_LE(given, MIB / 4);
	uslab_pool_destroy(pool);
}

TEST(a_reclaimed_pool_serves_again)
{
	struct uslab_pool *pool = MAKE(3000, NULL);
	char *object[100];
	int round, i;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 100; i++) {
			object[i] = uslab_get(pool);
			ASSERT(object[i]);
			fill(object[i], 3000, (size_t)i);
		}
		for (i = 0; i < 100; i++) {
			EXPECT(filled(object[i], 3000, (size_t)i));
			uslab_put(pool, object[i]);
		}
		EXPECT_GT(uslab_pool_reclaim(pool, SIZE_MAX), 0);
	}
	uslab_pool_destroy(pool);
}

static size_t pages_of(const char *object, size_t size)
{
	return ((uintptr_t)object + size - 1) / PAGE - (uintptr_t)object / PAGE + 1;
}

static bool share_a_page(const char *a, const char *b, size_t size)
{
	return ((uintptr_t)a + size - 1) / PAGE == (uintptr_t)b / PAGE ||
	       ((uintptr_t)b + size - 1) / PAGE == (uintptr_t)a / PAGE;
}

/* Sizes that are multiples of 8, so that nothing but the object is behind the object. */
TEST(objects_that_are_out_pin_their_pages_and_no_others)
{
	static const size_t some[] = { 64, 1000, 3000, 4096, 5000, 100000 };
	size_t s, i;

	for (s = 0; s < ARRAY_SIZE(some); s++) {
		enum { N = 600 };
		struct uslab_pool *pool = MAKE(some[s], NULL);
		size_t a = N / 3, b = 2 * N / 3 + 1;
		struct uslab_stats stats;
		char *object[N];

		for (i = 0; i < N; i++) {
			object[i] = uslab_get(pool);
			ASSERT(object[i]);
			fill(object[i], some[s], i);
		}
		for (i = 0; i < N; i++)
			if (i != a && i != b)
				uslab_put(pool, object[i]);
		uslab_pool_reclaim(pool, SIZE_MAX);
		stats = STATS(pool);
		EXPECT(filled(object[a], some[s], a));
		EXPECT(filled(object[b], some[s], b));
		if (!share_a_page(object[a], object[b], some[s]) &&
		    !EXPECT_EQ(stats.backed_bytes / PAGE,
			       pages_of(object[a], some[s]) + pages_of(object[b], some[s])))
			printf("# size %zu\n", some[s]);
		EXPECT_EQ(stats.out_objects, 2);
		EXPECT_EQ(stats.idle_objects, 0);
		EXPECT_EQ(stats.bad_puts, 0);
		uslab_put(pool, object[a]);
		uslab_pool_reclaim(pool, SIZE_MAX);
		EXPECT(filled(object[b], some[s], b));
		uslab_put(pool, object[b]);
		uslab_pool_reclaim(pool, SIZE_MAX);
		stats = STATS(pool);
		EXPECT_EQ(stats.backed_bytes, 0);
		uslab_pool_destroy(pool);
	}
}

/* Every other, every third: neighbours in one page keep it, whoever of them goes first. */
TEST(straddling_objects_survive_the_reclaim_of_their_neighbours)
{
	static const size_t some[] = { 24, 3000, 5000, 100000 };
	size_t s, i, step;

	for (s = 0; s < ARRAY_SIZE(some); s++)
		for (step = 2; step < 8; step++) {
			enum { N = 210 };
			struct uslab_pool *pool = MAKE(some[s], NULL);
			bool intact = true;
			char *object[N];

			for (i = 0; i < N; i++) {
				object[i] = uslab_get(pool);
				ASSERT(object[i]);
				fill(object[i], some[s], i);
			}
			for (i = 0; i < N; i++)
				if (i % step)
					uslab_put(pool, object[i]);
			uslab_pool_reclaim(pool, SIZE_MAX);
			for (i = 0; i < N; i += step)
				intact &= filled(object[i], some[s], i);
			if (!EXPECT(intact))
				printf("# size %zu, every %zu\n", some[s], step);
			uslab_pool_destroy(pool);
		}
}

/* Does the process have this page? Bits 63 and 62 of its pagemap entry: present, swapped. */
static bool has_page(const void *address)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	if (fd < 0 || pread(fd, &entry, 8, (off_t)((uintptr_t)address / PAGE * 8)) != 8)
		TEST_FAIL("cannot read pagemap");
	close(fd);
	return entry >> 62;
}

TEST(reclaimed_pages_leave_the_process)
{
	struct uslab_pool *pool = MAKE(4096, NULL);
	char *object[64];
	int i, left = 0;

	for (i = 0; i < 64; i++) {
		object[i] = uslab_get(pool);
		ASSERT(object[i]);
		*object[i] = 1;
		EXPECT(has_page(object[i]));
	}
	uslab_put_bulk(pool, (void **)object, 64);
	uslab_pool_reclaim(pool, SIZE_MAX);
	for (i = 0; i < 64; i++)
		left += has_page(object[i]);
	EXPECT_EQ(left, 0);
	uslab_pool_destroy(pool);
}

TEST_MAIN
