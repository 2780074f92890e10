// SPDX-License-Identifier: GPL-2.0-only
/* Making pools, and attaching to them. */
#include <fcntl.h>
#include "common.h"

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

TEST_MAIN
