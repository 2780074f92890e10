// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of a pool: what they show, what is refused, and that whatever is
 * done to them neither frees what is out nor keeps what is idle.
 */
#include "kmod.h"

static bool power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* The control page */

TEST(the_control_page_describes_the_pool)
{
	struct uslab_create request = create_args(pool_name("control"), 200);
	const struct uslab_control *c;
	struct raw raw;

	request.align = 64;
	raw = must_raw(&request);
	c = raw.control;
	EXPECT_EQ(c->magic, USLAB_MAGIC);
	EXPECT_EQ(c->abi, USLAB_ABI);
	EXPECT_GE(c->header_size, sizeof(*c));
	EXPECT_EQ(c->flags, 0);
	EXPECT_EQ(c->features, 0);
	EXPECT_EQ(c->id, pool_value(raw.name, "id"));
	EXPECT(!strcmp(c->name, request.name));
	EXPECT_EQ(c->object_size, 200);
	EXPECT_EQ(c->object_stride, 256);
	EXPECT_EQ(c->object_stride, pool_value(raw.name, "object_stride"));
	EXPECT_EQ(c->object_stride % (1u << c->granule_shift), 0);
	EXPECT_EQ(c->policy, USLAB_POLICY_LOCAL);
	EXPECT_EQ(c->pressure, 0);
	raw_close(&raw);
}

TEST(areas_lie_on_pages_and_do_not_overlap)
{
	struct raw raw = must_raw_size("areas", 64);
	const struct uslab_control *c = raw.control;

	EXPECT_EQ(c->control_size % PAGE, 0);
	EXPECT_GE(c->control_size, c->header_size);
	EXPECT_EQ(c->shared_offset % PAGE, 0);
	EXPECT_EQ(c->shared_size % PAGE, 0);
	EXPECT_EQ(c->objects_offset % PAGE, 0);
	EXPECT_EQ(c->objects_size % PAGE, 0);
	EXPECT_GE(c->shared_offset, c->control_size);
	EXPECT_GE(c->objects_offset, c->shared_offset + c->shared_size);
	raw_close(&raw);
}

TEST(the_parts_of_the_shared_area_lie_inside_it)
{
	struct raw raw = must_raw_size("parts", 64);
	const struct uslab_control *c = raw.control;
	uint64_t slots = sizeof(struct uslab_cpu) + c->cpu_capacity * sizeof(uint32_t);

	EXPECT(power_of_two(c->cpu_stride) && c->cpu_stride <= 4096);
	EXPECT_GE(c->cpu_stride, slots);
	EXPECT(power_of_two(c->magazine_stride) && c->magazine_stride <= 4096);
	EXPECT_GE(c->magazine_stride, sizeof(struct uslab_magazine) +
		  c->magazine_size * sizeof(uint32_t));
	EXPECT_GE(c->depot_stride, sizeof(struct uslab_depot));
	EXPECT_GE(c->magazine_size, 1);
	EXPECT_GE(c->cpu_capacity, c->magazine_size);
	EXPECT_LE(c->cpus_start + (uint64_t)c->nr_cpus * c->cpu_stride, c->depots_start);
	EXPECT_LE(c->depots_start + (uint64_t)c->nr_homes * c->depot_stride, c->magazines_start);
	EXPECT_LE(c->magazines_start + ((uint64_t)c->nr_magazines + 1) * c->magazine_stride,
		  c->shared_size);
	raw_close(&raw);
}

TEST(the_tables_name_a_home_for_each_cpu_and_a_node_for_each_home)
{
	struct raw raw = must_raw_size("tables", 64);
	const struct uslab_control *c = raw.control;
	const uint16_t *cpu_home = (const void *)((const char *)c + c->cpu_home_start);
	const uint16_t *home_node = (const void *)((const char *)c + c->home_node_start);
	char path[64];
	uint32_t i;

	EXPECT_GE(c->nr_cpus, sysconf(_SC_NPROCESSORS_ONLN));
	EXPECT_LE(c->cpu_home_start + c->nr_cpus * 2, c->control_size);
	EXPECT_LE(c->home_node_start + c->nr_homes * 2, c->control_size);
	for (i = 0; i < c->nr_cpus; i++) {
		EXPECT_LT(cpu_home[i], c->nr_homes);
		EXPECT_EQ(raw_cpu(&raw, i)->home, cpu_home[i]);
		EXPECT_EQ(raw_cpu(&raw, i)->capacity, c->cpu_capacity);
	}
	for (i = 0; i < c->nr_homes; i++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", home_node[i]);
		EXPECT(!access(path, F_OK));
	}
	raw_close(&raw);
}

TEST(pools_of_one_home_say_so)
{
	uint32_t policy;

	for (policy = USLAB_POLICY_INTERLEAVE; policy <= USLAB_POLICY_GLOBAL; policy++) {
		struct uslab_create request = create_args(pool_name("one"), 64);
		struct raw raw;

		request.policy = policy;
		raw = must_raw(&request);
		EXPECT_EQ(raw.control->nr_homes, 1);
		EXPECT_EQ(raw.control->policy, policy);
		raw_close(&raw);
	}
}

/* What cannot be mapped */

static struct raw pool;

static void refused(uint64_t offset, uint64_t size, int prot, int flags, int expected,
		    const char *what)
{
	void *address;

	errno = 0;
	address = mmap(NULL, size, prot, flags, pool.fd, (off_t)offset);
	if (address != MAP_FAILED || errno != expected)
		TEST_FAIL("%s: %p, errno %d (%s), expected %s", what, address, errno,
			  strerror(errno), strerror(expected));
	if (address != MAP_FAILED)
		munmap(address, size);
}

#define RW	(PROT_READ | PROT_WRITE)

TEST(the_control_page_cannot_be_written)
{
	pool = must_raw_size("mmap", 64);
	refused(0, PAGE, RW, MAP_SHARED, EPERM, "writable control page");
	refused(0, PAGE, PROT_WRITE, MAP_SHARED, EPERM, "write-only control page");
	EXPECT_ERRNO(mprotect((void *)(uintptr_t)pool.control, PAGE, RW), EACCES);
	EXPECT_EQ(fault_of((char *)(uintptr_t)pool.control, false), 0);
	EXPECT_EQ(fault_of((char *)(uintptr_t)pool.control, true), SIGSEGV);
	raw_close(&pool);
}

TEST(private_mappings_are_refused)
{
	const struct uslab_control *c;

	pool = must_raw_size("mmap", 64);
	c = pool.control;
	refused(0, PAGE, PROT_READ, MAP_PRIVATE, EINVAL, "control");
	refused(c->shared_offset, PAGE, RW, MAP_PRIVATE, EINVAL, "shared");
	refused(c->objects_offset, PAGE, RW, MAP_PRIVATE, EINVAL, "objects");
	raw_close(&pool);
}

TEST(nothing_is_executable_or_becomes_so)
{
	const struct uslab_control *c;

	pool = must_raw_size("mmap", 64);
	c = pool.control;
	refused(0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, EPERM, "control");
	refused(c->shared_offset, PAGE, RW | PROT_EXEC, MAP_SHARED, EPERM, "shared");
	refused(c->objects_offset, PAGE, PROT_EXEC, MAP_SHARED, EPERM, "objects");
	EXPECT_ERRNO(mprotect(pool.objects, PAGE, RW | PROT_EXEC), EACCES);
	EXPECT_ERRNO(mprotect(pool.shared, PAGE, PROT_READ | PROT_EXEC), EACCES);
	EXPECT_ERRNO(mprotect((void *)(uintptr_t)c, PAGE, PROT_READ | PROT_EXEC), EACCES);
	EXPECT_EQ(mprotect(pool.objects, PAGE, RW), 0);
	raw_close(&pool);
}

TEST(a_mapping_lies_inside_one_area)
{
	const struct uslab_control *c;
	uint64_t end;

	pool = must_raw_size("mmap", 64);
	c = pool.control;
	end = c->objects_offset + c->objects_size;
	refused(0, c->control_size + PAGE, PROT_READ, MAP_SHARED, EINVAL, "control and shared");
	refused(c->shared_offset - PAGE, 2 * PAGE, PROT_READ, MAP_SHARED, EINVAL,
		"the end of control and shared");
	refused(c->shared_offset, c->shared_size + PAGE, RW, MAP_SHARED, EINVAL,
		"shared and objects");
	refused(c->objects_offset - PAGE, 2 * PAGE, RW, MAP_SHARED, EINVAL,
		"the end of shared and objects");
	refused(0, end, PROT_READ, MAP_SHARED, EINVAL, "everything");
	refused(c->objects_offset, c->objects_size + PAGE, RW, MAP_SHARED, EINVAL,
		"objects and beyond");
	refused(end - PAGE, 2 * PAGE, RW, MAP_SHARED, EINVAL, "the last page and beyond");
	refused(end, PAGE, RW, MAP_SHARED, EINVAL, "beyond");
	refused(1ull << 52, PAGE, RW, MAP_SHARED, EINVAL, "far beyond");
	refused(c->objects_offset + 1, PAGE, RW, MAP_SHARED, EINVAL, "an odd offset");
	raw_close(&pool);
}

TEST(offsets_near_the_end_of_all_files_are_refused)
{
	static const uint64_t offsets[] = {
		0x7ffffffffffff000, 0x8000000000000000, 0xfffffffffffff000, 0xffffffff00000000,
	};
	size_t i;

	pool = must_raw_size("mmap", 64);
	for (i = 0; i < 4; i++) {
		void *address = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, pool.fd,
				     (off_t)offsets[i]);

		EXPECT_EQ(address, MAP_FAILED);
		EXPECT(errno == EINVAL || errno == EOVERFLOW);
	}
	EXPECT_EQ(mmap(NULL, 1ull << 50, RW, MAP_SHARED, pool.fd,
		       (off_t)pool.control->objects_offset), MAP_FAILED);
	raw_close(&pool);
}

TEST(parts_of_areas_can_be_mapped)
{
	const struct uslab_control *c;
	uint32_t handle;
	char *part;

	pool = must_raw_size("mmap", PAGE);
	c = pool.control;
	ASSERT_EQ(raw_refill(pool.fd, 0, &handle, 1), 1);
	raw_object(&pool, handle)[5] = 55;
	part = raw_map(pool.fd, c->objects_offset + ((uint64_t)handle << c->granule_shift), PAGE,
		       PROT_READ);
	ASSERT(part != MAP_FAILED);
	EXPECT_EQ(part[5], 55);
	munmap(part, PAGE);
	part = raw_map(pool.fd, c->objects_offset + c->objects_size - PAGE, PAGE, RW);
	EXPECT_NE(part, MAP_FAILED);
	munmap(part, PAGE);
	raw_close(&pool);
}

TEST(a_pools_file_is_neither_read_nor_written)
{
	char c = 0;

	pool = must_raw_size("mmap", 64);
	EXPECT(read(pool.fd, &c, 1) < 0);
	EXPECT(write(pool.fd, &c, 1) < 0);
	EXPECT(ftruncate(pool.fd, 0) < 0);
	EXPECT(fallocate(pool.fd, 0, 0, 4096) < 0);
	raw_close(&pool);
}

/* What faults */

TEST(only_objects_that_are_out_can_be_touched)
{
	uint32_t handle[2];

	pool = must_raw_size("touch", PAGE);
	ASSERT_EQ(raw_refill(pool.fd, 0, handle, 2), 2);
	EXPECT_EQ(fault_of(raw_object(&pool, handle[0]), false), 0);
	EXPECT_EQ(fault_of(raw_object(&pool, handle[1]), true), 0);
	EXPECT_EQ(raw_return(pool.fd, handle, 1), 1);
	EXPECT_EQ(fault_of(raw_object(&pool, handle[0]), false), SIGBUS);
	EXPECT_EQ(fault_of(raw_object(&pool, handle[0]), true), SIGBUS);
	EXPECT_EQ(fault_of(raw_object(&pool, handle[1]), true), 0);
	EXPECT_EQ(fault_of(pool.objects + pool.control->objects_size - 1, false), SIGBUS);
	raw_close(&pool);
}

TEST(a_page_stays_while_one_of_its_objects_is_out)
{
	static uint32_t handles[64];
	uint32_t i;

	pool = must_raw_size("share", 64);
	ASSERT_EQ(raw_refill(pool.fd, 0, handles, 64), 64);
	for (i = 0; i < 64; i++)
		memset(raw_object(&pool, handles[i]), (int)i + 1, 64);
	ASSERT_EQ(raw_return(pool.fd, handles, 63), 63);
	EXPECT_EQ(raw_stats(pool.fd).backed_bytes, PAGE);
	for (i = 0; i < 64; i++)
		EXPECT_EQ(raw_object(&pool, handles[63])[i], 64);
	ASSERT_EQ(raw_return(pool.fd, handles + 63, 1), 1);
	EXPECT_EQ(fault_of(raw_object(&pool, handles[63]), false), SIGBUS);
	raw_close(&pool);
}

TEST(a_magazine_without_memory_cannot_be_touched)
{
	pool = must_raw_size("magazines", 64);
	EXPECT_EQ(fault_of((char *)raw_magazine(&pool, 1), false), SIGBUS);
	ASSERT(raw_grow(pool.fd, 0) >= 1);
	EXPECT_EQ(fault_of((char *)raw_magazine(&pool, 1), true), 0);
	EXPECT_EQ(fault_of((char *)raw_magazine(&pool, pool.control->nr_magazines), false),
		  SIGBUS);
	/* CPU caches and depots are always there */
	EXPECT_EQ(fault_of((char *)raw_cpu(&pool, pool.control->nr_cpus - 1), true), 0);
	EXPECT_EQ(fault_of((char *)raw_depot(&pool, pool.control->nr_homes - 1), true), 0);
	raw_close(&pool);
}

/* What else is done to mappings */

static uint32_t held[16], idle[64];

/* 16 objects of a page that are out, 64 that are idle; all hold their index. */
static void fill_pool(void)
{
	uint32_t i;

	pool = must_raw_size("vma", PAGE);
	ASSERT_EQ(raw_refill(pool.fd, 0, held, 16), 16);
	ASSERT_EQ(raw_refill(pool.fd, 0, idle, 64), 64);
	for (i = 0; i < 16; i++)
		memset(raw_object(&pool, held[i]), (int)i + 1, PAGE);
	for (i = 0; i < 64; i++)
		memset(raw_object(&pool, idle[i]), 77, PAGE);
	ASSERT(raw_stash(&pool, 0, idle, 64));
}

static void expect_held(const char *objects)
{
	uint32_t i;

	for (i = 0; i < 16; i++) {
		const char *object = objects + ((size_t)held[i] << pool.control->granule_shift);

		EXPECT_EQ(object[0], i + 1);
		EXPECT_EQ(object[PAGE - 1], i + 1);
	}
}

static void expect_idle_gone(char *objects)
{
	uint32_t i;

	EXPECT_EQ(raw_reclaim(pool.fd, UINT64_MAX), 64 * PAGE);
	for (i = 0; i < 64; i++)
		EXPECT_EQ(fault_of(objects + ((size_t)idle[i] << pool.control->granule_shift),
				   false), SIGBUS);
}

TEST(control_reclaim_unmaps_what_is_idle_and_keeps_what_is_out)
{
	fill_pool();
	EXPECT_EQ(fault_of(raw_object(&pool, idle[0]), false), 0);
	expect_idle_gone(pool.objects);
	expect_held(pool.objects);
	raw_close(&pool);
}

TEST(a_moved_mapping_works_and_is_reclaimed_from)
{
	uint64_t size;
	char *moved;
	void *hole;

	fill_pool();
	size = pool.control->objects_size;
	hole = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT(hole != MAP_FAILED);
	moved = mremap(pool.objects, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
	ASSERT(moved != MAP_FAILED);
	EXPECT_EQ(moved, hole);
	EXPECT_EQ(fault_of(pool.objects, false), SIGSEGV);
	pool.objects = moved;
	expect_held(moved);
	EXPECT_EQ(fault_of(raw_object(&pool, idle[3]), true), 0);
	expect_idle_gone(moved);
	expect_held(moved);
	raw_close(&pool);
}

TEST(a_mapping_cannot_grow)
{
	void *address;

	fill_pool();
	address = raw_map(pool.fd, pool.control->objects_offset, 4 * PAGE, RW);
	ASSERT(address != MAP_FAILED);
	EXPECT_EQ(mremap(address, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	EXPECT_EQ(mremap(address, 4 * PAGE, 8 * PAGE, 0), MAP_FAILED);
	EXPECT_EQ(mremap(address, 0, 4 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	EXPECT_EQ(mremap(address, 4 * PAGE, 2 * PAGE, 0), address);	/* shrinking is fine */
	munmap(address, 2 * PAGE);
	raw_close(&pool);
}

TEST(a_mapping_with_a_hole_works_around_it)
{
	char *middle;

	fill_pool();
	middle = raw_object(&pool, held[7]);
	ASSERT_EQ(munmap(middle, PAGE), 0);
	EXPECT_EQ(fault_of(middle, false), SIGSEGV);
	EXPECT_EQ(fault_of(raw_object(&pool, held[6]), true), 0);
	expect_idle_gone(pool.objects);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 16);
	/* the object is still out, and there when its place is mapped again */
	ASSERT(mmap(middle, PAGE, RW, MAP_SHARED | MAP_FIXED, pool.fd,
		    (off_t)(pool.control->objects_offset + (uint64_t)(middle - pool.objects))) ==
	       middle);
	expect_held(pool.objects);
	raw_close(&pool);
}

TEST(two_mappings_show_the_same_and_are_both_reclaimed_from)
{
	char *second;

	fill_pool();
	second = raw_map(pool.fd, pool.control->objects_offset, pool.control->objects_size, RW);
	ASSERT(second != MAP_FAILED);
	expect_held(second);
	EXPECT_EQ(fault_of(second + ((size_t)idle[0] << pool.control->granule_shift), true), 0);
	expect_idle_gone(pool.objects);
	EXPECT_EQ(fault_of(second + ((size_t)idle[0] << pool.control->granule_shift), false),
		  SIGBUS);
	expect_held(second);
	munmap(second, pool.control->objects_size);
	raw_close(&pool);
}

TEST(madv_dontneed_keeps_contents)
{
	fill_pool();
	EXPECT_EQ(madvise(pool.objects, pool.control->objects_size, MADV_DONTNEED), 0);
	expect_held(pool.objects);
	EXPECT_EQ(raw_object(&pool, idle[0])[0], 77);
	EXPECT_EQ(madvise(pool.shared, PAGE, MADV_DONTNEED), 0);
	EXPECT_GT(raw_cpu(&pool, 0)->capacity, 0);
	expect_idle_gone(pool.objects);
	raw_close(&pool);
}

TEST(madv_remove_is_refused)
{
	fill_pool();
	EXPECT(madvise(pool.objects, PAGE, MADV_REMOVE));
	expect_held(pool.objects);
	raw_close(&pool);
}

TEST(mlock_does_not_keep_idle_memory)
{
	fill_pool();
	/* the object space is larger than memory, and not all of it can be touched */
	if (mlock(raw_object(&pool, idle[0]), PAGE))
		printf("# mlock: %s\n", strerror(errno));
	expect_idle_gone(pool.objects);
	expect_held(pool.objects);
	raw_close(&pool);
}

TEST(mlockall_does_not_keep_idle_memory)
{
	fill_pool();
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		printf("# mlockall: %s\n", strerror(errno));
	expect_idle_gone(pool.objects);
	munlockall();
	expect_held(pool.objects);
	raw_close(&pool);
}

TEST(writing_to_what_was_made_read_only_faults)
{
	char *object;

	fill_pool();
	object = raw_object(&pool, held[0]);
	ASSERT_EQ(mprotect(object, PAGE, PROT_READ), 0);
	EXPECT_EQ(fault_of(object, false), 0);
	EXPECT_EQ(fault_of(object, true), SIGSEGV);
	ASSERT_EQ(mprotect(object, PAGE, PROT_NONE), 0);
	EXPECT_EQ(fault_of(object, false), SIGSEGV);
	expect_idle_gone(pool.objects);
	ASSERT_EQ(mprotect(object, PAGE, RW), 0);
	EXPECT_EQ(fault_of(object, true), 0);
	expect_held(pool.objects);
	raw_close(&pool);
}

static void touch_as_child(void *arg)
{
	EXPECT_EQ(fault_of(arg, false), SIGSEGV);
	EXPECT_EQ(fault_of(pool.shared, false), SIGSEGV);
	EXPECT_EQ(fault_of((char *)(uintptr_t)pool.control, false), SIGSEGV);
	/* the descriptor is inherited, and good for a mapping of its own */
	EXPECT(raw_attach(&pool, pool.fd));
	expect_held(pool.objects);
}

TEST(a_forked_child_does_not_inherit_mappings)
{
	fill_pool();
	EXPECT(child_ok(spawn(touch_as_child, raw_object(&pool, held[0]))));
	expect_held(pool.objects);
	raw_close(&pool);
}

static void touch_after_dofork(void *arg)
{
	(void)arg;
	expect_held(pool.objects);
	EXPECT_EQ(fault_of(raw_object(&pool, idle[0]), true), 0);
	expect_idle_gone(pool.objects);
	expect_held(pool.objects);
}

/* Up to 6.12 one may ask for the mapping to be inherited; then it must be as good as another. */
TEST(a_mapping_that_is_inherited_nevertheless_is_reclaimed_from)
{
	fill_pool();
	if (madvise(pool.objects, pool.control->objects_size, MADV_DOFORK)) {
		EXPECT_EQ(errno, EINVAL);
		raw_close(&pool);
		SKIP("MADV_DOFORK is refused");
	}
	madvise((void *)(uintptr_t)pool.control, pool.control->control_size, MADV_DOFORK);
	EXPECT_EQ(fault_of(raw_object(&pool, idle[0]), true), 0);
	EXPECT(child_ok(spawn(touch_after_dofork, NULL)));
	EXPECT_EQ(fault_of(raw_object(&pool, idle[0]), false), SIGBUS);
	expect_held(pool.objects);
	raw_close(&pool);
}

TEST(a_mapping_outlives_the_descriptor)
{
	uint32_t i;

	fill_pool();
	close(pool.fd);
	expect_held(pool.objects);
	EXPECT(pool_listed(pool.name));
	EXPECT_EQ(pool_reclaim_write(pool.name, "max"), 0);
	for (i = 0; i < 64; i++)
		EXPECT_EQ(fault_of(raw_object(&pool, idle[i]), false), SIGBUS);
	expect_held(pool.objects);
	pool.fd = -1;
	raw_close(&pool);
	EXPECT(!pool_listed(pool.name));
}

TEST_MAIN
