// SPDX-License-Identifier: GPL-2.0-only
/* What is got and put: objects, one by one and in bulk, prewarmed, and counted. */
#include "common.h"

#define MIB	(1ul << 20)

static int by_address(const void *a, const void *b)
{
	char *const *l = a;
	char *const *r = b;

	return *l < *r ? -1 : *l > *r;
}

TEST(objects_do_not_overlap_and_keep_what_is_written)
{
	size_t s, i;

	for (s = 0; s < ARRAY_SIZE(object_sizes); s++) {
		size_t n = 16 * MIB / object_sizes[s];
		struct uslab_pool *pool = MAKE(object_sizes[s], NULL);
		bool intact = true, apart = true;
		char **object;

		n = n > 3000 ? 3000 : n < 3 ? 3 : n;
		object = calloc(n, sizeof(*object));
		for (i = 0; i < n; i++) {
			object[i] = uslab_get(pool);
			ASSERT(object[i]);
			fill(object[i], object_sizes[s], i);
		}
		for (i = 0; i < n; i++)
			intact &= filled(object[i], object_sizes[s], i);
		qsort(object, n, sizeof(*object), by_address);
		for (i = 1; i < n; i++)
			apart &= (size_t)(object[i] - object[i - 1]) >= object_sizes[s];
		if (!EXPECT(intact) || !EXPECT(apart))
			printf("# size %zu\n", object_sizes[s]);
		for (i = 0; i < n; i++)
			uslab_put(pool, object[i]);
		uslab_pool_destroy(pool);
		free(object);
	}
}

static size_t natural_alignment(size_t size)
{
	size_t align = size & -size;

	return align < 8 ? 8 : align > USLAB_ALIGN_MAX ? USLAB_ALIGN_MAX : align;
}

static bool aligned(struct uslab_pool *pool, size_t align)
{
	bool right = true;
	void *object[300];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(object); i++) {
		object[i] = uslab_get(pool);
		ASSERT(object[i]);
		right &= (uintptr_t)object[i] % align == 0;
	}
	uslab_put_bulk(pool, object, ARRAY_SIZE(object));
	return right;
}

TEST(objects_have_the_natural_alignment_of_their_size)
{
	size_t s;

	for (s = 0; s < ARRAY_SIZE(object_sizes) && object_sizes[s] < MIB; s++) {
		struct uslab_pool *pool = MAKE(object_sizes[s], NULL);

		if (!EXPECT(aligned(pool, natural_alignment(object_sizes[s]))))
			printf("# size %zu\n", object_sizes[s]);
		uslab_pool_destroy(pool);
	}
}

TEST(objects_have_the_alignment_asked_for)
{
	static const size_t some[] = { 1, 24, 100, 1000, 5000 };
	struct uslab_attr attr = USLAB_ATTR_INIT;
	size_t s;

	for (s = 0; s < ARRAY_SIZE(some); s++)
		for (attr.align = 1; attr.align <= USLAB_ALIGN_MAX; attr.align *= 2) {
			struct uslab_pool *pool = MAKE(some[s], &attr);

			if (!EXPECT(aligned(pool, attr.align)))
				printf("# size %zu, align %zu\n", some[s], attr.align);
			uslab_pool_destroy(pool);
		}
}

TEST(put_of_null_does_nothing)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	struct uslab_stats stats;

	uslab_put(pool, NULL);
	stats = STATS(pool);
	EXPECT_EQ(stats.puts, 0);
	EXPECT_EQ(stats.idle_objects, 0);
	uslab_pool_destroy(pool);
}

TEST(put_preserves_errno)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	void *object[5000];
	int got = uslab_get_bulk(pool, object, 5000);
	int i;

	EXPECT_EQ(got, 5000);
	errno = 1234;
	uslab_put(pool, NULL);
	EXPECT_EQ(errno, 1234);
	for (i = 0; i < 2500 && errno == 1234; i++)
		uslab_put(pool, object[i]);
	EXPECT_EQ(errno, 1234);
	uslab_put_bulk(pool, object + i, (unsigned int)(got - i));
	EXPECT_EQ(errno, 1234);
	uslab_pool_destroy(pool);
}

TEST(the_last_put_is_the_first_got)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	void *a, *b, *c;

	pin(0);
	a = uslab_get(pool);
	b = uslab_get(pool);
	c = uslab_get(pool);
	EXPECT(a && b && c && a != b && b != c && a != c);
	uslab_put(pool, a);
	uslab_put(pool, c);
	uslab_put(pool, b);
	EXPECT(uslab_get(pool) == b);
	EXPECT(uslab_get(pool) == c);
	EXPECT(uslab_get(pool) == a);
	uslab_pool_destroy(pool);
	pin(-1);
}

/* One home, so that the limit is the pool's. */
static struct uslab_pool *make_limited(size_t size, uint64_t max_bytes)
{
	struct uslab_attr attr = USLAB_ATTR_INIT;

	attr.max_bytes = max_bytes;
	attr.policy = USLAB_POLICY_GLOBAL;
	return MAKE(size, &attr);
}

TEST(a_pool_that_reached_max_bytes_says_enospc_and_recovers)
{
	struct uslab_pool *pool = make_limited(64, MIB);
	static void *object[2 * MIB / 64];
	size_t n = 0, again = 0;
	struct uslab_stats stats;

	pin(0);
	while (n < ARRAY_SIZE(object) && (object[n] = uslab_get(pool)))
		n++;
	EXPECT_ERRNO(!uslab_get(pool), ENOSPC);
	EXPECT_LE(n * 64, MIB);
	EXPECT_GE(n * 64, MIB * 15 / 16);
	stats = STATS(pool);
	EXPECT_GE(stats.refill_failures, 1);
	EXPECT_EQ(stats.out_objects, n);
	EXPECT_LE(stats.backed_bytes, MIB);
	uslab_put(pool, object[n - 1]);
	object[n - 1] = uslab_get(pool);
	EXPECT(object[n - 1]);
	uslab_put_bulk(pool, object, (unsigned int)n);
	while (again < n && (object[again] = uslab_get(pool)))
		again++;
	EXPECT_EQ(again, n);
	EXPECT_ERRNO(!uslab_get(pool), ENOSPC);
	uslab_put_bulk(pool, object, (unsigned int)again);
	uslab_pool_destroy(pool);
	pin(-1);
}

TEST(bulk_get_beyond_max_bytes_returns_what_there_is)
{
	struct uslab_pool *pool = make_limited(64, 256 << 10);
	static void *object[16384];
	int got;

	pin(0);
	errno = 0;
	got = uslab_get_bulk(pool, object, ARRAY_SIZE(object));
	EXPECT_EQ(errno, ENOSPC);
	EXPECT_EQ(got, (256 << 10) / 64);
	uslab_put_bulk(pool, object, (unsigned int)got);
	EXPECT_EQ(uslab_get_bulk(pool, object, (unsigned int)got), got);
	uslab_pool_destroy(pool);
	pin(-1);
}

TEST(a_pool_smaller_than_its_object_holds_one)
{
	struct uslab_pool *pool = make_limited(USLAB_OBJECT_MAX, 4096);
	char *object = uslab_get(pool);

	ASSERT(object);
	memset(object, 1, USLAB_OBJECT_MAX);
	EXPECT_ERRNO(!uslab_get(pool), ENOSPC);
	uslab_put(pool, object);
	uslab_pool_destroy(pool);
}

TEST(bulk_of_every_count)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	uint64_t *object[1000];
	struct uslab_stats stats;
	unsigned int n, i;

	for (n = 0; n <= 1000; n++) {
		bool distinct = true;

		if (!EXPECT_EQ(uslab_get_bulk(pool, (void **)object, n), n))
			break;
		for (i = 0; i < n; i++)
			*object[i] = i;
		for (i = 0; i < n; i++)
			distinct &= *object[i] == i;
		EXPECT(distinct);
		uslab_put_bulk(pool, (void **)object, n);
	}
	stats = STATS(pool);
	EXPECT_EQ(stats.gets, 1000 * 1001 / 2);
	EXPECT_EQ(stats.puts, 1000 * 1001 / 2);
	EXPECT_EQ(stats.bad_puts, 0);
	uslab_pool_destroy(pool);
}

TEST(bulk_put_skips_null)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	uint32_t seed = 1;
	void *object[500];
	struct uslab_stats stats;
	int round, i;

	for (round = 0; round < 50; round++) {
		for (i = 0; i < 500; i++)
			object[i] = random_next(&seed) % 4 ? uslab_get(pool) : NULL;
		uslab_put_bulk(pool, object, 500);
	}
	memset(object, 0, sizeof(object));
	uslab_put_bulk(pool, object, 500);
	stats = STATS(pool);
	EXPECT_EQ(stats.out_objects, 0);
	EXPECT_EQ(stats.bad_puts, 0);
	uslab_pool_destroy(pool);
}

TEST(bulk_and_single_mix)
{
	struct uslab_pool *pool = MAKE(3000, NULL);
	void *object[700];
	struct uslab_stats stats;
	int i;

	EXPECT_EQ(uslab_get_bulk(pool, object, 700), 700);
	for (i = 0; i < 700; i++)
		uslab_put(pool, object[i]);
	for (i = 0; i < 700; i++)
		object[i] = uslab_get(pool);
	uslab_put_bulk(pool, object, 700);
	stats = STATS(pool);
	EXPECT_EQ(stats.gets, 1400);
	EXPECT_EQ(stats.out_objects, 0);
	EXPECT_EQ(stats.bad_puts, 0);
	uslab_pool_destroy(pool);
}

struct point {
	double x, y;
};

USLAB_DEFINE_TYPED(point, struct point);

TEST(typed_pools_give_typed_objects)
{
	struct point_pool points;

	ASSERT_EQ(point_pool_create(&points, "points", NULL), 0);
	point_put(&points, NULL);
	point_put(&points, point_get(&points));
	point_pool_destroy(&points);
	EXPECT(!points.pool);
	EXPECT_EQ(point_pool_create(&points, "", NULL), -1);
	EXPECT_EQ(errno, EINVAL);
}

/* Prewarming and counting */

TEST(prewarmed_objects_are_got_without_refills)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	static void *object[10000];
	struct uslab_stats before, after;

	pin(0);
	EXPECT_EQ(uslab_pool_prewarm(pool, 10000), 10000);
	before = STATS(pool);
	EXPECT_EQ(before.idle_objects, 10000);
	EXPECT_EQ(before.gets, 0);
	EXPECT_EQ(uslab_get_bulk(pool, object, 10000), 10000);
	after = STATS(pool);
	EXPECT_EQ(after.refills, before.refills);
	EXPECT_EQ(after.idle_objects, 0);
	uslab_put_bulk(pool, object, 10000);
	uslab_pool_destroy(pool);
	pin(-1);
}

TEST(prewarm_adds_to_what_is_there)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	struct uslab_stats stats;

	EXPECT_EQ(uslab_pool_prewarm(pool, 0), 0);
	EXPECT_EQ(uslab_pool_prewarm(pool, 1), 1);
	EXPECT_EQ(uslab_pool_prewarm(pool, 999), 999);
	stats = STATS(pool);
	EXPECT_EQ(stats.idle_objects, 1000);
	uslab_pool_destroy(pool);
}

TEST(prewarm_beyond_max_bytes_says_how_far_it_came)
{
	struct uslab_pool *pool = make_limited(64, 64 << 10);

	errno = 0;
	EXPECT_EQ(uslab_pool_prewarm(pool, 5000), (64 << 10) / 64);
	EXPECT_EQ(errno, ENOSPC);
	EXPECT_ERRNO(uslab_pool_prewarm(pool, 1) == 0, ENOSPC);
	uslab_pool_destroy(pool);
}

TEST(stats_of_a_quiet_pool_are_exact)
{
	struct uslab_pool *pool = MAKE(100, NULL);
	struct uslab_stats stats;
	static void *object[1000];
	int i;

	stats = STATS(pool);
	EXPECT_EQ(stats.object_size, 100);
	EXPECT_EQ(stats.backed_bytes + stats.out_objects + stats.idle_objects + stats.gets +
		  stats.puts + stats.refills + stats.returns, 0);
	for (i = 0; i < 1000; i++) {
		object[i] = uslab_get(pool);
		stats = STATS(pool);
		if (!EXPECT_EQ(stats.gets, i + 1) || !EXPECT_EQ(stats.out_objects, i + 1) ||
		    !EXPECT_EQ(stats.puts, 0))
			break;
		EXPECT_EQ(stats.bad_puts, 0);
	}
	EXPECT_GE(stats.backed_bytes, 1000 * 100);
	EXPECT_GT(stats.magazines + stats.refills, 0);
	for (i = 0; i < 1000; i++) {
		uslab_put(pool, object[i]);
		stats = STATS(pool);
		if (!EXPECT_EQ(stats.puts, i + 1) || !EXPECT_EQ(stats.out_objects, 1000 - i - 1) ||
		    !EXPECT_EQ(stats.gets, 1000))
			break;
		EXPECT_EQ(stats.bad_puts, 0);
	}
	EXPECT_EQ(stats.refill_failures, 0);
	uslab_pool_destroy(pool);
}

TEST(stats_fill_what_the_caller_knows)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	struct uslab_stats stats;

	memset(&stats, 0xee, sizeof(stats));
	stats.size = offsetof(struct uslab_stats, gets);
	EXPECT_EQ(uslab_pool_stats(pool, &stats), 0);
	EXPECT_EQ(stats.size, offsetof(struct uslab_stats, gets));
	EXPECT_EQ(stats.object_size, 64);
	EXPECT_EQ(stats.gets, 0xeeeeeeeeeeeeeeeeull);
	stats.size = 0;
	EXPECT_ERRNO(uslab_pool_stats(pool, &stats) == -1, EINVAL);
	uslab_pool_destroy(pool);
}

TEST_MAIN
