// SPDX-License-Identifier: GPL-2.0-only
/* Making pools, and what the documentation says of each call on them. */
#include <fcntl.h>
#include "common.h"

#define MIB	(1ul << 20)

static bool refused(const char *name, size_t size, const struct uslab_attr *attr, int number)
{
	struct uslab_pool *pool;

	errno = 0;
	pool = uslab_pool_create(name, size, attr);
	if (pool) {
		uslab_pool_destroy(pool);
		return false;
	}
	return errno == number;
}

/* Creation */

TEST(object_sizes_out_of_range_are_refused)
{
	static const size_t sizes[] = { 0, USLAB_OBJECT_MAX + 1ul, UINT32_MAX, UINT32_MAX + 9ul,
					SIZE_MAX / 2, SIZE_MAX };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		if (!EXPECT(refused("test", sizes[i], NULL, EINVAL)))
			printf("# size %zu\n", sizes[i]);
}

TEST(alignments_that_are_not_powers_of_two_up_to_4096_are_refused)
{
	static const size_t aligns[] = { 3, 6, 12, 4095, 8192, 1ul << 31, 1ul << 32, SIZE_MAX };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(aligns); i++) {
		struct uslab_attr attr = USLAB_ATTR_INIT;

		attr.align = aligns[i];
		if (!EXPECT(refused("test", 64, &attr, EINVAL)))
			printf("# align %zu\n", aligns[i]);
	}
}

TEST(names_are_1_to_63_printable_characters_without_a_slash)
{
	static const char *const bad[] = { "", ".", "..", "...", ".a", "/", "a/b", "a/", "a\nb",
					   "\x1f", "\t", "\x7f", "\xc3\xa4", "\xff" };
	static const char *const good[] = { "a", "a b", "a.b", "~", "-", "%s%n" };
	char longest[USLAB_NAME_MAX + 1];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (!EXPECT(refused(bad[i], 64, NULL, EINVAL)))
			printf("# bad name %zu\n", i);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		struct uslab_pool *pool = uslab_pool_create(good[i], 64, NULL);

		if (!EXPECT(pool))
			printf("# good name %zu\n", i);
		uslab_pool_destroy(pool);
	}
	memset(longest, 'x', sizeof(longest));
	longest[64] = '\0';
	EXPECT(refused(longest, 64, NULL, EINVAL));
	longest[63] = '\0';
	EXPECT(!refused(longest, 64, NULL, 0));
}

TEST(two_pools_may_have_one_name)
{
	struct uslab_pool *a = MAKE(64, NULL);
	struct uslab_pool *b = MAKE(64, NULL);

	EXPECT(a != b);
	uslab_pool_destroy(a);
	uslab_pool_destroy(b);
}

TEST(every_policy_works_and_unknown_ones_are_refused)
{
	static const uint32_t unknown[] = { 4, 5, 255, UINT32_MAX };
	struct uslab_attr attr = USLAB_ATTR_INIT;
	size_t i;

	for (i = USLAB_POLICY_LOCAL; i <= USLAB_POLICY_GLOBAL; i++) {
		struct uslab_pool *pool;
		void *object;

		attr.policy = (uint32_t)i;
		pool = MAKE(64, &attr);
		object = uslab_get(pool);
		EXPECT(object);
		uslab_put(pool, object);
		uslab_pool_destroy(pool);
	}
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		attr.policy = unknown[i];
		EXPECT(refused("test", 64, &attr, EINVAL));
	}
}

TEST(unknown_flags_are_refused)
{
	struct uslab_attr attr = USLAB_ATTR_INIT;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		attr.flags = 1u << bit;
		EXPECT(refused("test", 64, &attr, EINVAL));
	}
}

TEST(more_space_than_handles_can_name_is_efbig)
{
	struct uslab_attr attr = USLAB_ATTR_INIT;

	attr.max_bytes = 1ull << 60;
	EXPECT(refused("test", 64, &attr, EFBIG));
	attr.max_bytes = UINT64_MAX;
	EXPECT(refused("test", 64, &attr, EFBIG));
	EXPECT(refused("test", USLAB_OBJECT_MAX, &attr, EFBIG));
	attr.max_bytes = 1ull << 60;
	EXPECT(refused("test", 4096, &attr, EFBIG));
}

TEST(attributes_of_an_older_header_keep_the_new_defaults)
{
	struct uslab_attr attr = USLAB_ATTR_INIT;
	struct uslab_pool *pool;
	struct uslab_stats stats;

	attr.size = offsetof(struct uslab_attr, prewarm);
	attr.prewarm = 1000;
	pool = MAKE(64, &attr);
	stats = STATS(pool);
	EXPECT_EQ(stats.refills, 0);
	uslab_pool_destroy(pool);
}

TEST(attributes_without_a_sensible_size_are_refused)
{
	struct uslab_attr attr = USLAB_ATTR_INIT;

	attr.size = 0;
	EXPECT(refused("test", 64, &attr, EINVAL));
	attr.size = 8;
	EXPECT(refused("test", 64, &attr, EINVAL));
	attr.size = SIZE_MAX;
	EXPECT(refused("test", 64, &attr, EINVAL));
}

TEST(attribute_prewarm_makes_objects_ready)
{
	struct uslab_attr attr = USLAB_ATTR_INIT;
	struct uslab_stats stats;
	struct uslab_pool *pool;

	attr.prewarm = 1000;
	pool = MAKE(64, &attr);
	stats = STATS(pool);
	EXPECT_EQ(stats.idle_objects, 1000);
	EXPECT_EQ(stats.refills, 1000);
	uslab_pool_destroy(pool);
}

TEST(attribute_prewarm_beyond_max_bytes_is_an_error)
{
	struct uslab_attr attr = USLAB_ATTR_INIT;

	attr.max_bytes = 64 << 10;
	attr.prewarm = 1000000;
	EXPECT(refused("test", 64, &attr, ENOSPC));
}

TEST(uslab_engine_chooses_the_engine)
{
	const char *was = getenv("USLAB_ENGINE");
	char saved[64];
	struct uslab_pool *pool;

	snprintf(saved, sizeof(saved), "%s", was ? was : "");
	setenv("USLAB_ENGINE", "bogus", 1);
	EXPECT(refused("test", 64, NULL, EINVAL));
	setenv("USLAB_ENGINE", "Kernel", 1);
	EXPECT(refused("test", 64, NULL, EINVAL));

	setenv("USLAB_ENGINE", "embedded", 1);
	pool = MAKE(64, NULL);
	EXPECT(engine_is(pool, "embedded"));
	EXPECT_EQ(uslab_pool_fd(pool), -1);
	uslab_pool_destroy(pool);

	setenv("USLAB_ENGINE", "auto", 1);
	pool = MAKE(64, NULL);
	EXPECT(engine_is(pool, access(USLAB_DEVICE, R_OK | W_OK) ? "embedded" : "kernel"));
	uslab_pool_destroy(pool);

	setenv("USLAB_ENGINE", "kernel", 1);
	if (access(USLAB_DEVICE, F_OK)) {
		EXPECT(refused("test", 64, NULL, ENOENT));
	} else {
		pool = MAKE(64, NULL);
		EXPECT(engine_is(pool, "kernel"));
		EXPECT_GE(uslab_pool_fd(pool), 0);
		EXPECT(fcntl(uslab_pool_fd(pool), F_GETFD) & FD_CLOEXEC);
		uslab_pool_destroy(pool);
	}
	if (was)
		setenv("USLAB_ENGINE", saved, 1);
	else
		unsetenv("USLAB_ENGINE");
}

static int count_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	int c, lines = 0;

	while (file && (c = getc(file)) != EOF)
		lines += c == '\n';
	if (file)
		fclose(file);
	return lines;
}

TEST(pools_leave_nothing_behind)
{
	int before = 0, fd_before = 0;
	int i, fd;

	for (i = 0; i < 200; i++) {
		struct uslab_pool *pool = MAKE(1000, NULL);
		void *object = uslab_get(pool);

		EXPECT(object);
		if (i & 1)
			uslab_put(pool, object);
		uslab_pool_destroy(pool);
		fd = open("/dev/null", O_RDONLY);
		close(fd);
		if (i == 20) {
			before = count_lines("/proc/self/maps");
			fd_before = fd;
		}
	}
	EXPECT_LE(count_lines("/proc/self/maps"), before + 4);
	EXPECT_EQ(fd, fd_before);
}

TEST(a_hundred_pools_live_side_by_side)
{
	struct uslab_pool *pool[100];
	uint64_t *object[100];
	int i;

	for (i = 0; i < 100; i++) {
		pool[i] = MAKE(8 + 8 * (size_t)i, NULL);
		object[i] = uslab_get(pool[i]);
		ASSERT(object[i]);
		*object[i] = (uint64_t)i;
	}
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(*object[i], i);
		uslab_put(pool[i], object[i]);
		uslab_pool_destroy(pool[i]);
	}
}

TEST(destroy_of_null_does_nothing)
{
	uslab_pool_destroy(NULL);
}

TEST(attach_needs_the_descriptor_of_a_pool)
{
	int null = open("/dev/null", O_RDWR);
	int file = open("/proc/self/exe", O_RDONLY);
	int pipes[2];

	ASSERT_EQ(pipe(pipes), 0);
	EXPECT_ERRNO(!uslab_pool_attach(-1), EBADF);
	EXPECT_ERRNO(!uslab_pool_attach(1 << 20), EBADF);
	EXPECT_ERRNO(!uslab_pool_attach(null), EINVAL);
	EXPECT_ERRNO(!uslab_pool_attach(file), EINVAL);
	EXPECT_ERRNO(!uslab_pool_attach(pipes[0]), EINVAL);
	close(null);
	EXPECT_ERRNO(!uslab_pool_attach(null), EBADF);
	close(file);
	close(pipes[0]);
	close(pipes[1]);
}

TEST(attach_to_the_device_itself_is_refused)
{
	int device = open(USLAB_DEVICE, O_RDWR);

	if (device < 0)
		SKIP("no " USLAB_DEVICE);
	EXPECT_ERRNO(!uslab_pool_attach(device), EINVAL);
	close(device);
}

TEST(attach_gives_a_second_view_of_the_same_objects)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	struct uslab_pool *view;
	struct uslab_stats stats;
	uint64_t *object;

	if (engine_is(pool, "embedded")) {
		uslab_pool_destroy(pool);
		SKIP("pools of the embedded engine have no descriptor");
	}
	view = uslab_pool_attach(uslab_pool_fd(pool));
	ASSERT(view);
	EXPECT(uslab_pool_fd(view) != uslab_pool_fd(pool));
	pin(0);
	object = uslab_get(pool);
	ASSERT(object);
	*object = 0x1234;
	uslab_put(pool, object);
	object = uslab_get(view);
	ASSERT(object);
	if (path_is_rseq(pool))
		EXPECT_EQ(*object, 0x1234);
	uslab_pool_destroy(pool);
	*object = 0x4321;		/* the other view stays */
	stats = STATS(view);
	EXPECT_EQ(stats.out_objects, 1);
	uslab_put(view, object);
	uslab_pool_destroy(view);
	pin(-1);
}

/* Objects */

static const size_t sizes[] = {
	1, 2, 7, 8, 9, 15, 16, 17, 24, 48, 63, 64, 65, 96, 100, 128, 192, 200, 256, 500, 512, 1000,
	1024, 1360, 2000, 2048, 2056, 3000, 4088, 4095, 4096, 4097, 5000, 8192, 10000, 12288,
	65536, 65537, 100000, 1 << 20, (1 << 20) + 1, 3000000, 4 << 20,
};

static int by_address(const void *a, const void *b)
{
	char *const *l = a;
	char *const *r = b;

	return *l < *r ? -1 : *l > *r;
}

static void fill(char *object, size_t size, size_t number)
{
	memset(object, (int)(number * 7 + 1), size);
}

static bool filled(const char *object, size_t size, size_t number)
{
	char byte = (char)(number * 7 + 1);
	size_t i;

	for (i = 0; i < size; i++)
		if (object[i] != byte)
			return false;
	return true;
}

TEST(objects_do_not_overlap_and_keep_what_is_written)
{
	size_t s, i;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		size_t n = 16 * MIB / sizes[s];
		struct uslab_pool *pool = MAKE(sizes[s], NULL);
		bool intact = true, apart = true;
		char **object;

		n = n > 3000 ? 3000 : n < 3 ? 3 : n;
		object = calloc(n, sizeof(*object));
		for (i = 0; i < n; i++) {
			object[i] = uslab_get(pool);
			ASSERT(object[i]);
			fill(object[i], sizes[s], i);
		}
		for (i = 0; i < n; i++)
			intact &= filled(object[i], sizes[s], i);
		qsort(object, n, sizeof(*object), by_address);
		for (i = 1; i < n; i++)
			apart &= (size_t)(object[i] - object[i - 1]) >= sizes[s];
		if (!EXPECT(intact) || !EXPECT(apart))
			printf("# size %zu\n", sizes[s]);
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

	for (s = 0; s < ARRAY_SIZE(sizes) && sizes[s] < MIB; s++) {
		struct uslab_pool *pool = MAKE(sizes[s], NULL);

		if (!EXPECT(aligned(pool, natural_alignment(sizes[s]))))
			printf("# size %zu\n", sizes[s]);
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
	EXPECT_CONSERVED(stats);
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
	EXPECT_CONSERVED(stats);
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
	EXPECT_CONSERVED(stats);
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
		EXPECT_CONSERVED(stats);
	}
	EXPECT_GE(stats.backed_bytes, 1000 * 100);
	EXPECT_GT(stats.magazines + stats.refills, 0);
	for (i = 0; i < 1000; i++) {
		uslab_put(pool, object[i]);
		stats = STATS(pool);
		if (!EXPECT_EQ(stats.puts, i + 1) || !EXPECT_EQ(stats.out_objects, 1000 - i - 1) ||
		    !EXPECT_EQ(stats.gets, 1000))
			break;
		EXPECT_CONSERVED(stats);
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

/* Reclaim */

TEST(reclaim_of_an_idle_pool_gives_all_pages_back)
{
	size_t s, i;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		size_t room = 4 * MIB / sizes[s];
		size_t n = sizes[s] > MIB ? 3 : room < 4000 ? room : 4000;
		struct uslab_pool *pool = MAKE(sizes[s], NULL);
		struct uslab_stats before, after;
		size_t given;
		void **object = calloc(n, sizeof(*object));

		for (i = 0; i < n; i++) {
			object[i] = uslab_get(pool);
			ASSERT(object[i]);
			memset(object[i], 1, sizes[s]);
		}
		for (i = 0; i < n; i++)
			uslab_put(pool, object[i]);
		before = STATS(pool);
		given = uslab_pool_reclaim(pool, SIZE_MAX);
		after = STATS(pool);
		if (!EXPECT_EQ(given, before.backed_bytes) || !EXPECT_EQ(after.backed_bytes, 0) ||
		    !EXPECT_EQ(after.idle_objects, 0) ||
		    !EXPECT_EQ(after.reclaimed_bytes - before.reclaimed_bytes, given))
			printf("# size %zu\n", sizes[s]);
		EXPECT_CONSERVED(after);
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
	EXPECT_CONSERVED(after);
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
		EXPECT_CONSERVED(stats);
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
