// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of the device and of pools: what they accept and how they refuse.
 */
#include <limits.h>
#include <sys/resource.h>

#include "kmod.h"

/* Every command with arguments that succeed, so that one fault at a time can be added. */

union args {
	uint32_t size;
	struct uslab_create create;
	struct uslab_refill refill;
	struct uslab_return ret;
	struct uslab_grow grow;
	struct uslab_reclaim reclaim;
	struct uslab_stats stats;
	struct uslab_balance balance;
	struct uslab_tunables tunables;
	char room[2 * PAGE];
};

struct command {
	const char *name;
	unsigned int code;
	size_t size;
	size_t first;		/* size of the first version */
	size_t flags;		/* offset, 0: none */
	size_t reserved;
	uint32_t known;		/* flags */
};

#define SIZES(type)	sizeof(struct type), sizeof(struct type)

static const struct command commands[] = {
	{ "CREATE", USLAB_IOC_CREATE, SIZES(uslab_create),
	  offsetof(struct uslab_create, flags), offsetof(struct uslab_create, reserved), 0 },
	{ "REFILL", USLAB_IOC_REFILL,
	  sizeof(struct uslab_refill), offsetof(struct uslab_refill, objects),
	  offsetof(struct uslab_refill, flags), 0, 0 },
	{ "RETURN", USLAB_IOC_RETURN, SIZES(uslab_return),
	  offsetof(struct uslab_return, flags), offsetof(struct uslab_return, reserved), 0 },
	{ "GROW", USLAB_IOC_GROW, SIZES(uslab_grow),
	  offsetof(struct uslab_grow, flags), offsetof(struct uslab_grow, reserved), 0 },
	{ "RECLAIM", USLAB_IOC_RECLAIM, SIZES(uslab_reclaim),
	  offsetof(struct uslab_reclaim, flags), 0,
	  USLAB_RECLAIM_TRIM | USLAB_RECLAIM_DEPOTS },
	{ "STATS", USLAB_IOC_STATS, SIZES(uslab_stats),
	  0, offsetof(struct uslab_stats, reserved), 0 },
	{ "BALANCE", USLAB_IOC_BALANCE, SIZES(uslab_balance),
	  offsetof(struct uslab_balance, flags), 0, 0 },
	{ "GET_TUNABLES", USLAB_IOC_GET_TUNABLES, SIZES(uslab_tunables), 0, 0, 0 },
	{ "SET_TUNABLES", USLAB_IOC_SET_TUNABLES, SIZES(uslab_tunables), 0, 0, 0 },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static struct raw pool;
static int device;
static uint32_t one_handle;

static void prepare(const struct command *command, union args *args)
{
	memset(args, 0, sizeof(*args));
	switch (command->code) {
	case USLAB_IOC_CREATE:
		args->create = create_args(pool_name("ioctl"), 64);
		break;
	case USLAB_IOC_REFILL:
		args->refill.nr = 1;
		args->refill.handles = (uintptr_t)&one_handle;
		break;
	case USLAB_IOC_RETURN:
		raw_refill(pool.fd, 0, &one_handle, 1);
		args->ret.nr = 1;
		args->ret.handles = (uintptr_t)&one_handle;
		break;
	case USLAB_IOC_SET_TUNABLES:
		args->size = sizeof(args->tunables);
		ioctl(pool.fd, USLAB_IOC_GET_TUNABLES, args);
		break;
	}
	args->size = command->size;
}

static int call_code(const struct command *command, unsigned int code, void *args)
{
	return ioctl(command->code == USLAB_IOC_CREATE ? device : pool.fd, code, args);
}

static int call(const struct command *command, void *args)
{
	return call_code(command, command->code, args);
}

/* Undo what a call that succeeded has done. */
static void forget(const struct command *command, int result)
{
	if (command->code == USLAB_IOC_CREATE && result >= 0)
		close(result);
	if (command->code == USLAB_IOC_REFILL && result > 0)
		raw_return(pool.fd, &one_handle, 1);
}

static bool succeeded(const struct command *command, int result)
{
	switch (command->code) {
	case USLAB_IOC_CREATE:
		return result >= 0;
	case USLAB_IOC_REFILL:
	case USLAB_IOC_RETURN:
		return result == 1;
	case USLAB_IOC_GROW:
		return result >= 1;
	}
	return result == 0;
}

static void expect_success(const struct command *command, void *args, const char *what)
{
	int result = call(command, args);

	if (!succeeded(command, result))
		TEST_FAIL("%s, %s: returns %d, errno %d (%s)", command->name, what, result,
			  errno, strerror(errno));
	forget(command, result);
}

static void expect_refusal(const struct command *command, void *args, int expected,
			   const char *what)
{
	int result;

	errno = 0;
	result = call(command, args);
	if (result != -1 || errno != expected)
		TEST_FAIL("%s, %s: returns %d, errno %d (%s), expected %s", command->name, what,
			  result, errno, strerror(errno), strerror(expected));
	forget(command, result);
}

static void open_pool(void)
{
	pool = must_raw_size("ioctl", 64);
	device = open(USLAB_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT(device >= 0);
}

static void close_pool(void)
{
	raw_close(&pool);
	close(device);
}

/* All commands with every argument but one right. */
#define FOR_EACH_COMMAND(command, args)					\
	for (command = commands; command < commands + NR_COMMANDS &&	\
	     (prepare(command, &args), true); command++)

static union args args;
static const struct command *command;

TEST(every_command_accepts_right_arguments)
{
	open_pool();
	FOR_EACH_COMMAND(command, args)
		expect_success(command, &args, "right arguments");
	close_pool();
}

TEST(a_size_below_the_first_version_is_invalid)
{
	static const size_t short_by[] = { 1, 4, 8 };
	size_t i;

	open_pool();
	FOR_EACH_COMMAND(command, args) {
		args.size = 0;
		expect_refusal(command, &args, EINVAL, "size 0");
		args.size = 4;
		expect_refusal(command, &args, EINVAL, "size 4");
		for (i = 0; i < 3; i++) {
			args.size = command->first - short_by[i];
			expect_refusal(command, &args, EINVAL, "a size too small");
		}
	}
	close_pool();
}

/* As an old library has it, which knows of no field that was added later. */
TEST(the_first_versions_struct_is_enough)
{
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT(page != MAP_FAILED);
	mprotect(page + PAGE, PAGE, PROT_NONE);
	open_pool();
	FOR_EACH_COMMAND(command, args) {
		args.size = command->first;
		memcpy(page + PAGE - command->first, &args, command->first);
		expect_success(command, page + PAGE - command->first, "first version");
	}
	munmap(page, 2 * PAGE);
	close_pool();
}

TEST(a_longer_struct_is_accepted_while_its_tail_is_zero)
{
	open_pool();
	FOR_EACH_COMMAND(command, args) {
		args.size = command->size + 8;
		expect_success(command, &args, "8 bytes more");
		prepare(command, &args);
		args.size = PAGE;
		expect_success(command, &args, "a page");
	}
	close_pool();
}

TEST(a_longer_struct_with_something_in_its_tail_is_too_big)
{
	open_pool();
	FOR_EACH_COMMAND(command, args) {
		args.size = command->size + 16;
		args.room[command->size] = 1;
		expect_refusal(command, &args, E2BIG, "first byte of the tail");
		args.room[command->size] = 0;
		args.room[command->size + 15] = 1;
		expect_refusal(command, &args, E2BIG, "last byte of the tail");
		args.size = command->size + 15;
		expect_success(command, &args, "a byte behind the tail");
	}
	close_pool();
}

TEST(a_struct_longer_than_a_page_is_too_big)
{
	open_pool();
	FOR_EACH_COMMAND(command, args) {
		args.size = PAGE + 1;
		expect_refusal(command, &args, E2BIG, "size of a page and 1");
		args.size = UINT_MAX;
		expect_refusal(command, &args, E2BIG, "size UINT_MAX");
	}
	close_pool();
}

/* The command's number has the size in it, and a newer struct is larger. */
TEST(a_newer_librarys_command_is_understood)
{
	open_pool();
	FOR_EACH_COMMAND(command, args) {
		unsigned int newer = _IOC(_IOC_DIR(command->code), _IOC_TYPE(command->code),
					  _IOC_NR(command->code), command->size + 16);
		int result;

		args.size = command->size + 16;
		result = call_code(command, newer, &args);
		if (!succeeded(command, result))
			TEST_FAIL("%s: returns %d, errno %d", command->name, result, errno);
		forget(command, result);
	}
	close_pool();
}

TEST(nothing_is_written_behind_a_struct)
{
	size_t i;

	open_pool();
	FOR_EACH_COMMAND(command, args) {
		int result;

		memset(args.room + command->size, 0x5a, 64);
		result = call(command, &args);
		EXPECT(succeeded(command, result));
		for (i = 0; i < 64; i++)
			if (!EXPECT_EQ(args.room[command->size + i], 0x5a))
				break;
		forget(command, result);
	}
	close_pool();
}

TEST(unknown_flags_are_invalid)
{
	int bit;

	open_pool();
	FOR_EACH_COMMAND(command, args) {
		for (bit = 0; command->flags && bit < 32; bit++) {
			if (command->known & 1u << bit)
				continue;
			*(uint32_t *)(args.room + command->flags) = 1u << bit;
			expect_refusal(command, &args, EINVAL, "a flag");
			*(uint32_t *)(args.room + command->flags) |= command->known;
			expect_refusal(command, &args, EINVAL, "a flag besides known ones");
		}
	}
	close_pool();
}

TEST(reserved_fields_must_be_zero)
{
	open_pool();
	FOR_EACH_COMMAND(command, args) {
		if (!command->reserved)
			continue;
		*(uint32_t *)(args.room + command->reserved) = 1;
		expect_refusal(command, &args, EINVAL, "reserved 1");
		*(uint32_t *)(args.room + command->reserved) = 1u << 31;
		expect_refusal(command, &args, EINVAL, "reserved 1 << 31");
	}
	close_pool();
}

TEST(a_bad_pointer_is_a_fault)
{
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT(page != MAP_FAILED);
	mprotect(page + PAGE, PAGE, PROT_NONE);
	open_pool();
	FOR_EACH_COMMAND(command, args) {
		char *end = page + PAGE - command->size;

		expect_refusal(command, NULL, EFAULT, "NULL");
		expect_refusal(command, (void *)8, EFAULT, "8");
		expect_refusal(command, (void *)0xffff888000000000, EFAULT, "kernel memory");
		expect_refusal(command, (void *)-1ul, EFAULT, "-1");
		expect_refusal(command, page + PAGE, EFAULT, "unmapped");
		memcpy(end + 4, &args, command->size - 4);
		expect_refusal(command, end + 4, EFAULT, "the last bytes unmapped");
		memcpy(end, &args, command->size);
		expect_success(command, end, "all mapped, nothing behind");
		prepare(command, &args);
		memcpy(end, &args, command->size);
		*(uint32_t *)end = command->size + 8;
		expect_refusal(command, end, EFAULT, "tail unmapped");
	}
	munmap(page, 2 * PAGE);
	close_pool();
}

TEST(results_for_read_only_memory_are_a_fault)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(page != MAP_FAILED);
	open_pool();
	FOR_EACH_COMMAND(command, args) {
		mprotect(page, PAGE, PROT_READ | PROT_WRITE);
		memcpy(page, &args, command->size);
		mprotect(page, PAGE, PROT_READ);
		if (command->code == USLAB_IOC_RECLAIM || command->code == USLAB_IOC_STATS ||
		    command->code == USLAB_IOC_GET_TUNABLES)
			expect_refusal(command, page, EFAULT, "read only");
		else
			expect_success(command, page, "read only, as nothing is written");
	}
	munmap(page, PAGE);
	close_pool();
}

TEST(unknown_commands_are_not_typewriters)
{
	static const unsigned int codes[] = {
		_IO(USLAB_IOC_TYPE, 0x7f), _IO(USLAB_IOC_TYPE, 0x01), _IO(USLAB_IOC_TYPE, 0x18),
		_IOWR(USLAB_IOC_TYPE, 0xff, struct uslab_stats),
		_IOC(_IOC_WRITE, 'x', 0x00, sizeof(struct uslab_create)),
		_IOC(_IOC_READ | _IOC_WRITE, 'x', 0x14, sizeof(struct uslab_stats)),
		_IOC(_IOC_READ | _IOC_WRITE, 'T', 0x14, sizeof(struct uslab_stats)),
	};
	size_t i;

	open_pool();
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		EXPECT_ERRNO(ioctl(device, codes[i], &args) == -1, ENOTTY);
		EXPECT_ERRNO(ioctl(pool.fd, codes[i], &args) == -1, ENOTTY);
	}
	close_pool();
}

TEST(commands_of_the_device_and_of_pools_are_not_mixed_up)
{
	open_pool();
	FOR_EACH_COMMAND(command, args)
		EXPECT_ERRNO(ioctl(command->code == USLAB_IOC_CREATE ? pool.fd : device,
				   command->code, &args) == -1, ENOTTY);
	raw_return(pool.fd, &one_handle, 1);
	close_pool();
}

/* CREATE */

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

/* REFILL */

TEST(refill_refuses_a_number_out_of_range)
{
	static const uint32_t wrong[] = { 0, USLAB_BATCH_MAX + 1, 1u << 31, UINT_MAX };
	static uint32_t handles[USLAB_BATCH_MAX];
	size_t i;

	open_pool();
	for (i = 0; i < 4; i++)
		EXPECT_ERRNO(raw_refill(pool.fd, 0, handles, wrong[i]) == -1, EINVAL);
	EXPECT_EQ(raw_stats(pool.fd).refills, 0);
	EXPECT_EQ(raw_refill(pool.fd, 0, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
	EXPECT_EQ(raw_return(pool.fd, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
	close_pool();
}

TEST(refill_and_grow_refuse_a_home_out_of_range)
{
	uint32_t home, handle;

	open_pool();
	for (home = 0; home < pool.control->nr_homes; home++) {
		EXPECT_EQ(raw_refill(pool.fd, home, &handle, 1), 1);
		EXPECT_EQ(handle >> pool.control->home_shift, home);
		EXPECT_GE(raw_grow(pool.fd, home), 1);
	}
	EXPECT_ERRNO(raw_refill(pool.fd, home, &handle, 1) == -1, EINVAL);
	EXPECT_ERRNO(raw_refill(pool.fd, UINT_MAX, &handle, 1) == -1, EINVAL);
	EXPECT_ERRNO(raw_grow(pool.fd, home) == -1, EINVAL);
	EXPECT_ERRNO(raw_grow(pool.fd, 1u << 31) == -1, EINVAL);
	EXPECT_ERRNO(raw_grow(pool.fd, UINT_MAX) == -1, EINVAL);
	close_pool();
}

static int handle_cmp(const void *a, const void *b)
{
	uint32_t l = *(const uint32_t *)a, r = *(const uint32_t *)b;

	return l < r ? -1 : l > r;
}

TEST(refill_gives_every_object_once)
{
	static uint32_t handles[4 * USLAB_BATCH_MAX];
	uint32_t i;

	open_pool();
	for (i = 0; i < 4; i++)
		ASSERT_EQ(raw_refill(pool.fd, 0, handles + i * USLAB_BATCH_MAX, USLAB_BATCH_MAX),
			  USLAB_BATCH_MAX);
	qsort(handles, 4 * USLAB_BATCH_MAX, sizeof(*handles), handle_cmp);
	for (i = 1; i < 4 * USLAB_BATCH_MAX; i++)
		if (!EXPECT_GE(raw_object(&pool, handles[i]),
			       raw_object(&pool, handles[i - 1]) + 64))
			break;
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 4 * USLAB_BATCH_MAX);
	close_pool();
}

/*
 * What the caller has been told of is what is out, however much of the room for
 * the handles could be written.
 */
TEST(refill_to_memory_that_ends_loses_nothing)
{
	static const uint32_t rooms[] = { 0, 1, 10, 127, 128, 129, 200, 700 };
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	uint64_t out = 0;
	size_t i;

	ASSERT(page != MAP_FAILED);
	mprotect(page + PAGE, PAGE, PROT_NONE);
	open_pool();
	for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		uint32_t *handles = (uint32_t *)(page + PAGE) - rooms[i];
		int got;

		errno = 0;
		got = raw_refill(pool.fd, 0, handles, USLAB_BATCH_MAX);
		if (got < 0)
			EXPECT_EQ(errno, EFAULT);
		EXPECT_LE(got, (int)rooms[i]);
		if (got > 0) {
			out += (uint64_t)got;
			EXPECT_EQ(raw_return(pool.fd, handles, got), got);
			out -= (uint64_t)got;
		}
		EXPECT_EQ(raw_stats(pool.fd).out_objects, out);
	}
	EXPECT_EQ(raw_stats(pool.fd).backed_bytes, 0);
	EXPECT_EQ(raw_stats(pool.fd).refills, raw_stats(pool.fd).returns);
	/* read-only room, and the room that is the pool's own object space */
	mprotect(page, PAGE, PROT_READ);
	EXPECT_ERRNO(raw_refill(pool.fd, 0, (uint32_t *)page, 64) == -1, EFAULT);
	EXPECT_ERRNO(raw_refill(pool.fd, 0, (uint32_t *)(pool.objects + MIB), 64) == -1, EFAULT);
	EXPECT_ERRNO(raw_refill(pool.fd, 0, (uint32_t *)(uintptr_t)pool.control, 64) == -1,
		     EFAULT);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 0);
	munmap(page, 2 * PAGE);
	close_pool();
}

TEST(refill_into_an_object_of_the_pool_works)
{
	uint32_t first, *inside;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, &first, 1), 1);
	inside = (uint32_t *)raw_object(&pool, first);
	ASSERT_EQ(raw_refill(pool.fd, 0, inside, 16), 16);
	EXPECT_EQ(raw_return(pool.fd, inside, 16), 16);
	EXPECT_EQ(raw_return(pool.fd, &first, 1), 1);
	close_pool();
}

TEST(a_fresh_object_is_zero)
{
	static uint32_t handles[256];
	uint32_t i, j;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, handles, 256), 256);
	for (i = 0; i < 256; i++)
		for (j = 0; j < 64; j++)
			if (raw_object(&pool, handles[i])[j]) {
				TEST_FAIL("byte %u of object %u is not zero", j, i);
				i = 256;
				break;
			}
	close_pool();
}

/* RETURN */

TEST(return_refuses_a_number_out_of_range)
{
	static const uint32_t wrong[] = { 0, USLAB_BATCH_MAX + 1, 1u << 31, UINT_MAX };
	uint32_t handle;
	size_t i;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, &handle, 1), 1);
	for (i = 0; i < 4; i++)
		EXPECT_ERRNO(raw_return(pool.fd, &handle, wrong[i]) == -1, EINVAL);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 1);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, 0);
	close_pool();
}

TEST(return_from_memory_that_ends_takes_what_it_says)
{
	static const uint32_t rooms[] = { 0, 1, 10, 127, 128, 129, 200, 700 };
	static uint32_t handles[USLAB_BATCH_MAX];
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	size_t i;

	ASSERT(page != MAP_FAILED);
	mprotect(page + PAGE, PAGE, PROT_NONE);
	open_pool();
	for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		uint32_t *from = (uint32_t *)(page + PAGE) - rooms[i];
		int taken;

		ASSERT_EQ(raw_refill(pool.fd, 0, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
		memcpy(from, handles, rooms[i] * sizeof(*handles));
		errno = 0;
		taken = raw_return(pool.fd, from, USLAB_BATCH_MAX);
		if (taken < 0) {
			EXPECT_EQ(errno, EFAULT);
			taken = 0;
		}
		EXPECT_LE(taken, rooms[i]);
		EXPECT_EQ(raw_stats(pool.fd).out_objects, USLAB_BATCH_MAX - taken);
		/* the rest, and what is gone already, a second time */
		EXPECT_EQ(raw_return(pool.fd, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX - taken);
		EXPECT_EQ(raw_stats(pool.fd).out_objects, 0);
	}
	munmap(page, 2 * PAGE);
	close_pool();
}

TEST(returning_twice_is_a_bad_put)
{
	uint32_t handle[2];

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, handle, 2), 2);
	EXPECT_EQ(raw_return(pool.fd, handle, 1), 1);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, 0);
	EXPECT_EQ(raw_return(pool.fd, handle, 1), 0);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, 1);
	EXPECT_EQ(raw_return(pool.fd, handle, 2), 1);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, 2);
	EXPECT_EQ(raw_stats(pool.fd).returns, 2);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 0);
	close_pool();
}

TEST(returning_the_same_handle_many_times_at_once_counts_once)
{
	static uint32_t handles[USLAB_BATCH_MAX];
	uint32_t i;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, handles, 1), 1);
	for (i = 1; i < USLAB_BATCH_MAX; i++)
		handles[i] = handles[0];
	EXPECT_EQ(raw_return(pool.fd, handles, USLAB_BATCH_MAX), 1);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, USLAB_BATCH_MAX - 1);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 0);
	close_pool();
}

TEST(returning_a_handle_that_never_was_is_a_bad_put)
{
	static uint32_t handles[USLAB_BATCH_MAX];
	uint64_t bad = 0;
	uint32_t held, i;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, &held, 1), 1);
	raw_object(&pool, held)[0] = 42;
	for (i = 0; i < USLAB_BATCH_MAX; i++) {
		do
			handles[i] = i < 8 ? (1u << 31) + i : i < 16 ? UINT_MAX - i :
				     (uint32_t)rand() * 2654435761u;
		while (handles[i] == held);
	}
	EXPECT_EQ(raw_return(pool.fd, handles, USLAB_BATCH_MAX), 0);
	bad += USLAB_BATCH_MAX;
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, bad);
	/* one at a time: the neighbours of a handle that is out, and the ends of the space */
	for (i = 0; i < 8; i++) {
		handles[0] = held + 1 + i;
		EXPECT_EQ(raw_return(pool.fd, handles, 1), 0);
		handles[0] = ((uint32_t)(pool.control->objects_size >>
					 pool.control->granule_shift)) - i;
		EXPECT_EQ(raw_return(pool.fd, handles, 1), 0);
		bad += 2;
	}
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, bad);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 1);
	EXPECT_EQ(raw_object(&pool, held)[0], 42);
	close_pool();
}

TEST(returning_the_middle_of_an_object_is_a_bad_put)
{
	struct raw raw = must_raw_size("middle", 24);	/* three granules */
	uint32_t handle[3], wrong;

	ASSERT_EQ(raw_refill(raw.fd, 0, handle, 3), 3);
	EXPECT_EQ(raw.control->granule_shift, 3);
	wrong = handle[0] + 1;
	EXPECT_EQ(raw_return(raw.fd, &wrong, 1), 0);
	wrong = handle[0] + 2;
	EXPECT_EQ(raw_return(raw.fd, &wrong, 1), 0);
	EXPECT_EQ(raw_stats(raw.fd).bad_puts, 2);
	EXPECT_EQ(raw_stats(raw.fd).out_objects, 3);
	raw_close(&raw);
}

TEST(returning_another_pools_handle_hurts_neither)
{
	struct raw other = must_raw_size("other", 64);
	uint32_t mine[2], others[2];

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, mine, 1), 1);
	ASSERT_EQ(raw_refill(other.fd, 0, others, 2), 2);
	raw_return(pool.fd, mine, 1);
	EXPECT_EQ(raw_return(pool.fd, others, 2), 0);
	EXPECT_EQ(raw_stats(other.fd).out_objects, 2);
	raw_close(&other);
	close_pool();
}

/* GROW */

TEST(grow_ends_with_enospc_when_all_magazines_exist)
{
	struct uslab_create request = create_args(pool_name("grow"), 64 * KIB);
	uint64_t magazines = 0;
	struct raw raw;
	int n;

	request.max_bytes = 64 * KIB;
	raw = must_raw(&request);
	EXPECT_EQ(raw_stats(raw.fd).magazines, 0);
	while ((n = raw_grow(raw.fd, 0)) > 0) {
		magazines += (uint64_t)n;
		EXPECT_EQ(raw_stats(raw.fd).magazines, magazines);
	}
	EXPECT_ERRNO(raw_grow(raw.fd, 0) == -1, ENOSPC);
	EXPECT_EQ(magazines, raw.control->nr_magazines);
	raw_close(&raw);
}

TEST(grow_puts_magazines_on_the_empty_stack)
{
	struct uslab_depot *depot;
	uint32_t index, found = 0;
	int n;

	open_pool();
	depot = raw_depot(&pool, 0);
	EXPECT_EQ(depot->empty.head & USLAB_HEAD_INDEX_MASK, 0);
	n = raw_grow(pool.fd, 0);
	ASSERT(n >= 1);
	for (index = depot->empty.head & USLAB_HEAD_INDEX_MASK; index && found < 10000;
	     index = raw_magazine(&pool, index)->next) {
		EXPECT_LE(index, pool.control->nr_magazines);
		EXPECT_EQ(raw_magazine(&pool, index)->count, 0);
		found++;
	}
	EXPECT_EQ(found, n);
	close_pool();
}

/* RECLAIM */

TEST(reclaim_takes_what_is_idle_and_nothing_else)
{
	static uint32_t handles[USLAB_BATCH_MAX];
	struct uslab_stats stats;
	struct raw raw = must_raw_size("reclaim", PAGE);

	ASSERT_EQ(raw_refill(raw.fd, 0, handles, 100), 100);
	EXPECT_EQ(raw_reclaim(raw.fd, UINT64_MAX), 0);
	EXPECT(raw_stash(&raw, 0, handles, 60));
	stats = raw_stats(raw.fd);
	EXPECT_EQ(stats.idle_objects, 60);
	EXPECT_EQ(stats.out_objects, 40);
	EXPECT_EQ(raw_reclaim(raw.fd, 0), 0);
	EXPECT_EQ(raw_stats(raw.fd).idle_objects, 60);
	EXPECT_EQ(raw_reclaim(raw.fd, UINT64_MAX), 60 * PAGE);
	stats = raw_stats(raw.fd);
	EXPECT_EQ(stats.idle_objects, 0);
	EXPECT_EQ(stats.out_objects, 40);
	EXPECT_EQ(stats.backed_bytes, 40 * PAGE);
	EXPECT_EQ(stats.reclaimed_bytes, 60 * PAGE);
	EXPECT_EQ(stats.bad_puts, 0);
	raw_close(&raw);
}

TEST(reclaim_stops_at_what_was_asked_for)
{
	static uint32_t handles[USLAB_BATCH_MAX];
	struct raw raw = must_raw_size("reclaim", PAGE);
	uint64_t magazine = raw.control->magazine_size * PAGE;
	long long taken;

	ASSERT_EQ(raw_refill(raw.fd, 0, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
	EXPECT(raw_stash(&raw, 0, handles, USLAB_BATCH_MAX));
	taken = raw_reclaim(raw.fd, 1);
	EXPECT_GE(taken, PAGE);
	EXPECT_LE(taken, magazine);
	taken = raw_reclaim(raw.fd, magazine);
	EXPECT_GE(taken, magazine);
	EXPECT_LE(taken, 2 * magazine);
	raw_close(&raw);
}

TEST(reclaim_takes_from_cpu_caches)
{
	struct uslab_pool *lib = must_pool(pool_name("caches"), PAGE, 0);
	void *objects[4];
	int i;

	for (i = 0; i < 4; i++)
		ASSERT((objects[i] = uslab_get(lib)));
	for (i = 0; i < 4; i++)
		uslab_put(lib, objects[i]);
	EXPECT_GT(pool_stats(lib).idle_objects, 0);
	EXPECT_GE(raw_reclaim(uslab_pool_fd(lib), UINT64_MAX), 4 * PAGE);
	EXPECT_EQ(pool_stats(lib).idle_objects, 0);
	EXPECT_EQ(pool_stats(lib).backed_bytes, 0);
	uslab_pool_destroy(lib);
}

TEST(reclaim_has_two_flags_and_takes_one_at_a_time)
{
	struct uslab_reclaim request = { .size = sizeof(request), .bytes = UINT64_MAX };

	open_pool();
	request.flags = USLAB_RECLAIM_TRIM;
	EXPECT_EQ(ioctl(pool.fd, USLAB_IOC_RECLAIM, &request), 0);
	request.flags = USLAB_RECLAIM_DEPOTS;
	EXPECT_EQ(ioctl(pool.fd, USLAB_IOC_RECLAIM, &request), 0);
	request.flags = USLAB_RECLAIM_TRIM | USLAB_RECLAIM_DEPOTS;
	EXPECT_ERRNO(ioctl(pool.fd, USLAB_IOC_RECLAIM, &request) == -1, EINVAL);
	EXPECT_EQ(USLAB_RECLAIM_TRIM, 1);
	EXPECT_EQ(USLAB_RECLAIM_DEPOTS, 2);
	close_pool();
}

TEST(a_huge_number_of_bytes_is_everything)
{
	uint32_t handle;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, &handle, 1), 1);
	EXPECT(raw_stash(&pool, 0, &handle, 1));
	EXPECT_EQ(raw_reclaim(pool.fd, UINT64_MAX - 1), PAGE);
	EXPECT_EQ(raw_stats(pool.fd).backed_bytes, 0);
	close_pool();
}

TEST(the_reclaim_file_takes_units_and_refuses_nonsense)
{
	static const char *const wrong[] = { "", "x", "-1", "1T", "1KK", "K", "max!", "1 2",
					     "18446744073709551616", "18446744073709551615G",
					     "trims", "tri", "CPUS", "trim depots" };
	static const char *const right[] = { "0", "1", "4096\n", "1K", "1M\n", "1G", "max",
					     "max\n", "trim", "depots", "cpus\n" };
	size_t i;

	open_pool();
	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		if (pool_reclaim_write(pool.name, right[i]))
			TEST_FAIL("'%s': errno %d", right[i], errno);
	for (i = 1; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (!pool_reclaim_write(pool.name, wrong[i]) || errno != EINVAL)
			TEST_FAIL("'%s': errno %d", wrong[i], errno);
	close_pool();
}

/* BALANCE */

TEST(balance_takes_two_magazines_of_what_is_above_the_limit)
{
	struct uslab_balance balance = { .size = sizeof(balance) };
	struct raw raw = must_raw_size("balance", PAGE);
	static uint32_t handles[USLAB_BATCH_MAX];
	long long idle, magazine = raw.control->magazine_size;

	EXPECT_EQ(pool_write(raw.name, "idle_aging_centisecs", "0"), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_background_ratio", "0"), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_bytes", "2M"), 0);
	EXPECT_EQ(raw.control->idle_limit, 2 * MIB / PAGE);
	ASSERT_EQ(raw_refill(raw.fd, 0, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
	EXPECT(raw_stash(&raw, 0, handles, USLAB_BATCH_MAX));
	EXPECT_EQ(ioctl(raw.fd, USLAB_IOC_BALANCE, &balance), 0);
	idle = (long long)raw_stats(raw.fd).idle_objects;
	EXPECT_LT(idle, USLAB_BATCH_MAX);
	EXPECT_GE(idle, USLAB_BATCH_MAX - 2 * magazine);
	EXPECT_EQ(raw_stats(raw.fd).throttles, 1);
	EXPECT_GT(raw_stats(raw.fd).throttled_us, 0);
	while (raw_stats(raw.fd).idle_objects > raw.control->idle_limit)
		ASSERT_EQ(ioctl(raw.fd, USLAB_IOC_BALANCE, &balance), 0);
	raw_close(&raw);
}

TEST(balance_does_nothing_below_the_limit)
{
	struct uslab_balance balance = { .size = sizeof(balance) };
	struct raw raw = must_raw_size("balance", PAGE);
	static uint32_t handles[USLAB_BATCH_MAX];

	EXPECT_EQ(pool_write(raw.name, "idle_aging_centisecs", "0"), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_background_ratio", "0"), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_bytes", "4M"), 0);
	ASSERT_EQ(raw_refill(raw.fd, 0, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
	EXPECT(raw_stash(&raw, 0, handles, USLAB_BATCH_MAX));
	EXPECT_EQ(ioctl(raw.fd, USLAB_IOC_BALANCE, &balance), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_ratio", "0"), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_bytes", "0"), 0);
	EXPECT_EQ(raw.control->idle_limit, 0);
	EXPECT_EQ(ioctl(raw.fd, USLAB_IOC_BALANCE, &balance), 0);
	EXPECT_EQ(raw_stats(raw.fd).idle_objects, USLAB_BATCH_MAX);
	EXPECT_EQ(raw_stats(raw.fd).throttles, 0);
	EXPECT_EQ(raw_stats(raw.fd).throttled_us, 0);
	raw_close(&raw);
}

/* STATS */

TEST(statistics_and_files_say_the_same)
{
	static uint32_t handles[100];
	struct uslab_stats stats;

	aging(false);
	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, handles, 100), 100);
	EXPECT(raw_stash(&pool, 0, handles, 50));
	raw_return(pool.fd, handles + 50, 10);
	raw_return(pool.fd, handles + 50, 1);
	stats = raw_stats(pool.fd);
#define SAME(field)	EXPECT_EQ(pool_value(pool.name, #field), stats.field)
	SAME(object_size);
	SAME(backed_bytes);
	SAME(out_objects);
	SAME(idle_objects);
	SAME(gets);
	SAME(puts);
	SAME(refills);
	SAME(refill_failures);
	SAME(returns);
	SAME(bad_puts);
	SAME(victim_hits);
	SAME(remote_gets);
	SAME(remote_puts);
	SAME(rotations);
	SAME(reclaimed_bytes);
	SAME(magazines);
	SAME(passes);
	SAME(pass_us);
	SAME(throttles);
	SAME(throttled_us);
	EXPECT_EQ(stats.refills, 100);
	EXPECT_EQ(stats.returns, 10);
	EXPECT_EQ(stats.bad_puts, 1);
	EXPECT_EQ(stats.idle_objects, 50);
	EXPECT_EQ(stats.out_objects, 40);
	close_pool();
	aging(true);
}

/* The sums are right only if the objects are: put one in twice behind the kernel's back. */
TEST(control_conservation_notices_a_double_put)
{
	uint32_t handle[2], twice[2];

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, handle, 2), 2);
	twice[0] = twice[1] = handle[0];
	EXPECT(raw_stash(&pool, 0, twice, 2));
	/* one object is idle and one is held, but the sums say: both idle */
	EXPECT_EQ(raw_stats(pool.fd).idle_objects, 2);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 0);
	raw_reclaim(pool.fd, UINT64_MAX);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, 1);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 1);
	close_pool();
}

TEST_MAIN
