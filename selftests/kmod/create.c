// SPDX-License-Identifier: GPL-2.0-only
/* CREATE: what a pool may be, what it may be called, and how it is refused. */
#include <limits.h>
#include <sys/resource.h>

#include "kmod.h"

static void expect_create(struct uslab_create request, int expected, const char *what)
{
	int fd;

	errno = 0;
	fd = raw_create(&request);
	if (expected ? fd >= 0 || errno != expected : fd < 0)
		TEST_FAIL("%s: returns %d, errno %d (%s), expected %s", what, fd, errno,
			  strerror(errno), expected ? strerror(expected) : "success");
	if (fd >= 0)
		close(fd);
}

TEST(a_new_pool_is_closed_on_exec)
{
	struct uslab_create request = create_args(pool_name("ioctl"), 64);
	int fd = raw_create(&request);

	ASSERT(fd >= 0);
	EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

TEST(object_sizes)
{
	static const struct {
		uint32_t size;
		int expected;
	} cases[] = {
		{ 0, EINVAL }, { 1, 0 }, { 7, 0 }, { 8, 0 }, { 9, 0 }, { 4095, 0 }, { 4097, 0 },
		{ USLAB_OBJECT_MAX - 1, 0 }, { USLAB_OBJECT_MAX, 0 },
		{ USLAB_OBJECT_MAX + 1, EINVAL }, { 1u << 31, EINVAL }, { UINT_MAX, EINVAL },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char what[32];

		snprintf(what, sizeof(what), "object size %u", cases[i].size);
		expect_create(create_args(pool_name("ioctl"), cases[i].size), cases[i].expected,
			      what);
	}
}

TEST(the_largest_object_can_be_written_all_over)
{
	struct raw raw = must_raw_size("largest", USLAB_OBJECT_MAX);
	uint32_t handle;
	size_t i;

	ASSERT_EQ(raw_refill(raw.fd, 0, &handle, 1), 1);
	for (i = 0; i < USLAB_OBJECT_MAX; i += PAGE)
		raw_object(&raw, handle)[i + i / PAGE % PAGE] = 1;
	raw_object(&raw, handle)[USLAB_OBJECT_MAX - 1] = 2;
	EXPECT_EQ(raw_stats(raw.fd).backed_bytes, USLAB_OBJECT_MAX);
	EXPECT_EQ(raw_return(raw.fd, &handle, 1), 1);
	EXPECT_EQ(raw_stats(raw.fd).backed_bytes, 0);
	raw_close(&raw);
}

TEST(alignments)
{
	static const uint32_t wrong[] = { 3, 6, 24, 4097, 8192, 1u << 31, UINT_MAX };
	uint32_t align;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct uslab_create request = create_args(pool_name("ioctl"), 64);

		request.align = wrong[i];
		expect_create(request, EINVAL, "a wrong alignment");
	}
	for (align = 1; align <= USLAB_ALIGN_MAX; align *= 2) {
		struct uslab_create request = create_args(pool_name("ioctl"), 24);
		uint32_t handle[20];
		struct raw raw;

		request.align = align;
		raw = must_raw(&request);
		ASSERT_EQ(raw_refill(raw.fd, 0, handle, 20), 20);
		for (i = 0; i < 20; i++)
			EXPECT_EQ((uintptr_t)raw_object(&raw, handle[i]) % align, 0);
		EXPECT_GE(raw.control->object_stride, 24);
		raw_close(&raw);
	}
}

TEST(policies)
{
	uint32_t policy;

	for (policy = 0; policy < 6; policy++) {
		struct uslab_create request = create_args(pool_name("ioctl"), 64);

		request.policy = policy;
		expect_create(request, policy > USLAB_POLICY_GLOBAL ? EINVAL : 0, "a policy");
		request.policy = UINT_MAX - policy;
		expect_create(request, EINVAL, "a wrong policy");
	}
}

TEST(names_that_are_refused)
{
	static const char *const wrong[] = { "", ".", "..", ".a", "/", "a/b", "/a", "a/", "a\nb", "\t" };
	struct uslab_create request;
	size_t i;
	int c;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_create(create_args(wrong[i], 64), EINVAL, wrong[i]);
	for (c = 1; c < 256; c++) {
		if (c >= ' ' && c <= '~')
			continue;
		request = create_args("name", 64);
		request.name[2] = (char)c;
		expect_create(request, EINVAL, "not printable ASCII");
	}
	request = create_args("", 64);
	memset(request.name, 'n', sizeof(request.name));
	expect_create(request, EINVAL, "no end");
}

TEST(names_that_are_accepted)
{
	static const char *const right[] = {
		"a", "a b", "!", "%s%n", "~", "a.1", "-",
	};
	char longest[USLAB_NAME_MAX];
	size_t i;

	memset(longest, 'l', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	expect_create(create_args(longest, 64), 0, "63 characters");
	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct uslab_create request = create_args(right[i], 64);
		int fd = raw_create(&request);

		if (EXPECT_GE(fd, 0) && !pool_listed(right[i]))
			TEST_FAIL("no directory %s", right[i]);
		close(fd);
	}
}

TEST(a_name_in_use_gets_the_pools_id_appended)
{
	struct uslab_create request = create_args(pool_name("twin"), 64);
	struct raw first = must_raw(&request), second = must_raw(&request);
	char dir[USLAB_NAME_MAX + 24];

	EXPECT(pool_listed(request.name));
	EXPECT_EQ(pool_value(request.name, "id"), first.control->id);
	snprintf(dir, sizeof(dir), "%s.%llu", request.name,
		 (unsigned long long)second.control->id);
	EXPECT(pool_listed(dir));
	EXPECT_EQ(pool_value(dir, "id"), second.control->id);
	EXPECT_NE(first.control->id, second.control->id);
	EXPECT(!strcmp(second.control->name, request.name));
	raw_close(&first);
	EXPECT(!pool_listed(request.name));
	EXPECT(pool_listed(dir));
	raw_close(&second);
	EXPECT(!pool_listed(dir));
}

TEST(a_name_that_looks_like_a_twins_is_no_obstacle)
{
	struct uslab_create request = create_args(pool_name("twin"), 64), like;
	struct raw first = must_raw(&request), second, third;
	char name[USLAB_NAME_MAX + 24];

	/* what the pool after the next would be called */
	snprintf(name, sizeof(name), "%s.%llu", request.name,
		 (unsigned long long)first.control->id + 2);
	like = create_args(name, 64);
	second = must_raw(&like);
	third = must_raw(&request);
	EXPECT_EQ(pool_value(name, "id"), second.control->id);
	raw_close(&third);
	raw_close(&second);
	raw_close(&first);
}

TEST(max_bytes_beyond_32_bit_handles_is_too_big)
{
	static const uint64_t wrong[] = { 1ull << 36, 1ull << 62, 1ull << 63, UINT64_MAX };
	struct uslab_create request;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		request = create_args(pool_name("ioctl"), 8);
		request.max_bytes = wrong[i];
		expect_create(request, EFBIG, "max_bytes");
	}
	request = create_args(pool_name("ioctl"), 8);
	request.max_bytes = 1ull << 30;
	expect_create(request, 0, "max_bytes of 1 GiB");
}

/* As many slabs as handles can name: the number of their tables is nothing that wraps. */
TEST(the_largest_max_bytes_makes_a_pool_that_works)
{
	struct uslab_create request = create_args(pool_name("largest"), PAGE);
	struct raw raw;
	uint32_t handle;

	request.max_bytes = 1ull << 44;
	request.policy = USLAB_POLICY_GLOBAL;
	raw = must_raw(&request);
	EXPECT_EQ(fault_of(raw.objects, false), SIGBUS);
	EXPECT_EQ(fault_of(raw.objects + request.max_bytes - 2 * PAGE, false), SIGBUS);
	ASSERT_EQ(raw_refill(raw.fd, 0, &handle, 1), 1);
	raw_object(&raw, handle)[0] = 1;
	EXPECT_EQ(raw_return(raw.fd, &handle, 1), 1);
	EXPECT_EQ(raw_stats(raw.fd).bad_puts, 0);
	raw_close(&raw);
}

TEST(max_bytes_is_a_limit)
{
	struct uslab_create request = create_args(pool_name("limit"), 1024);
	static uint32_t handles[USLAB_BATCH_MAX];
	struct raw raw;
	uint32_t got = 0;
	int n;

	request.max_bytes = 256 * KIB;
	raw = must_raw(&request);
	while ((n = raw_refill(raw.fd, 0, handles + got, USLAB_BATCH_MAX - got)) > 0)
		got += n;
	EXPECT_ERRNO(raw_refill(raw.fd, 0, handles + got, 1) == -1, ENOSPC);
	EXPECT_EQ(got, 256);
	EXPECT_GE(raw_stats(raw.fd).refill_failures, 1);
	EXPECT_EQ(raw_return(raw.fd, handles, 1), 1);
	EXPECT_EQ(raw_refill(raw.fd, 0, handles, 1), 1);
	raw_close(&raw);
}

TEST(a_tiny_max_bytes_makes_a_pool_that_works)
{
	struct uslab_create request = create_args(pool_name("tiny"), 8192);
	struct raw raw;
	uint32_t handle;

	request.max_bytes = 1;
	raw = must_raw(&request);
	EXPECT_EQ(raw_refill(raw.fd, 0, &handle, 1), 1);
	raw_object(&raw, handle)[8191] = 1;
	raw_close(&raw);
}

static void create_without_descriptors(void *arg)
{
	const char *name = arg;
	struct uslab_create request = create_args(name, 64);
	struct rlimit limit = { 0, 0 };
	int fd = open(USLAB_DEVICE, O_RDWR);

	limit.rlim_cur = limit.rlim_max = (rlim_t)fd + 1;
	EXPECT(!setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_ERRNO(ioctl(fd, USLAB_IOC_CREATE, &request) == -1, EMFILE);
	limit.rlim_cur = (rlim_t)fd;
	close(fd);
	fd = open(USLAB_DEVICE, O_RDWR);
	EXPECT_GE(fd, 0);
}

TEST(without_a_free_descriptor_no_pool_is_made)
{
	const char *name = pool_name("emfile");

	EXPECT(child_ok(spawn(create_without_descriptors, (void *)(uintptr_t)name)));
	EXPECT(!pool_listed(name));
}

static void create_without_files(void *arg)
{
	struct uslab_create request = create_args(arg, 64);
	int fd = open(USLAB_DEVICE, O_RDWR);

	EXPECT(!setuid(65534));
	EXPECT_ERRNO(ioctl(fd, USLAB_IOC_CREATE, &request) == -1, ENFILE);
}

static void create_as_nobody(void *arg)
{
	struct uslab_create request = create_args(arg, 64);
	int fd = open(USLAB_DEVICE, O_RDWR);

	EXPECT(!setuid(65534));
	EXPECT_GE(ioctl(fd, USLAB_IOC_CREATE, &request), 0);
	EXPECT(pool_listed(arg));
}

TEST(without_a_free_file_no_pool_is_made)
{
	char name[USLAB_NAME_MAX], before[64];
	bool ok;

	strcpy(name, pool_name("enfile"));
	EXPECT(child_ok(spawn(create_as_nobody, name)));
	read_file("/proc/sys/fs/file-max", before, sizeof(before));
	ASSERT_EQ(write_file("/proc/sys/fs/file-max", "0"), 0);
	ok = child_ok(spawn(create_without_files, name));
	write_file("/proc/sys/fs/file-max", before);
	EXPECT(ok);
	EXPECT(!pool_listed(name));
}

TEST_MAIN
