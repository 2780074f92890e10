// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of the device and of pools: their structs, flags and pointers, right
 * and wrong. What each does is in create.c and commands.c.
 */
#include <limits.h>

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

TEST_MAIN
