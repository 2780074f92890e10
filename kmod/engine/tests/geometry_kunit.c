// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Layouts: whatever is asked for, nothing overlaps and everything can be named. */
#include "fixture.h"

static void check_slab(struct kunit *test, const struct uslab_geometry *geo)
{
	u64 bytes = (u64)geo->slab_pages << PAGE_SHIFT;
	u64 used = (u64)geo->slab_objects * geo->stride;
	u32 pages = DIV_ROUND_UP(geo->stride, (u32)PAGE_SIZE);

	KUNIT_ASSERT_TRUE(test, geo->slab_objects >= 1);
	KUNIT_EXPECT_GE(test, geo->stride, geo->object_size);
	KUNIT_EXPECT_EQ(test, geo->stride % 8, 0u);
	KUNIT_EXPECT_EQ(test, geo->stride % (1u << geo->granule_shift), 0u);
	KUNIT_EXPECT_LE(test, geo->granule_shift, PAGE_SHIFT);
	KUNIT_EXPECT_LE(test, used, bytes);
	KUNIT_EXPECT_LT(test, bytes - used, geo->stride);	/* no room for one more */
	KUNIT_EXPECT_LE(test, geo->slab_pages, pages > 16 ? pages : 16u);
	/* A tenth at most, and that only where objects have 8 pages and more. */
	KUNIT_EXPECT_LE(test, bytes - used, bytes / 9);
	if (pages < 4)
		KUNIT_EXPECT_LE(test, bytes - used, bytes / 16);
}

static void check_caches(struct kunit *test, const struct uslab_geometry *geo)
{
	u32 slots = geo->cpu_capacity + geo->remote_capacity;

	KUNIT_EXPECT_GE(test, geo->magazine_size, 2u);
	KUNIT_EXPECT_EQ(test, geo->cpu_capacity, 2 * geo->magazine_size);
	KUNIT_EXPECT_LE(test, geo->cpu_capacity, 496u);
	KUNIT_EXPECT_EQ(test, geo->remote_capacity, geo->nr_homes > 1 ? geo->magazine_size : 0u);
	KUNIT_EXPECT_TRUE(test, is_power_of_2(geo->cpu_stride));
	KUNIT_EXPECT_LE(test, geo->cpu_stride, 4096u);
	KUNIT_EXPECT_GE(test, geo->cpu_stride, sizeof(struct uslab_cpu) + slots * sizeof(u32));
	KUNIT_EXPECT_TRUE(test, is_power_of_2(geo->magazine_stride));
	KUNIT_EXPECT_LE(test, geo->magazine_stride, 4096u);
	KUNIT_EXPECT_GE(test, geo->magazine_stride,
			sizeof(struct uslab_magazine) + geo->magazine_size * sizeof(u32));
}

static void check_areas(struct kunit *test, const struct uslab_geometry *geo)
{
	u64 tables = ((u64)geo->nr_cpus + geo->nr_homes) * sizeof(u16);
	u64 objects = (u64)geo->nr_slabs * geo->slab_objects * geo->nr_homes;
	u64 cpus_end = geo->cpus_start + (u64)geo->nr_cpus * geo->cpu_stride;
	u64 depots_end = geo->depots_start + (u64)geo->nr_homes * PAGE_SIZE;
	u64 magazines_end = geo->magazines_start +
			    ((u64)geo->nr_magazines + 1) * geo->magazine_stride;

	KUNIT_EXPECT_GE(test, geo->control_size, sizeof(struct uslab_control) + tables);
	KUNIT_EXPECT_LE(test, cpus_end, geo->depots_start);
	KUNIT_EXPECT_LE(test, depots_end, geo->magazines_start);
	KUNIT_EXPECT_LE(test, magazines_end, geo->shared_size);
	KUNIT_EXPECT_EQ(test, (geo->control_size | geo->shared_size | geo->objects_size |
			       geo->depots_start | geo->magazines_start) % PAGE_SIZE, 0u);
	KUNIT_EXPECT_LE(test, geo->nr_magazines, USLAB_HEAD_INDEX_MASK);
	KUNIT_EXPECT_GE(test, geo->nr_magazines, geo->nr_cpus + geo->nr_homes);
	if (geo->nr_magazines < USLAB_HEAD_INDEX_MASK - 4096)
		KUNIT_EXPECT_GE(test, (u64)geo->nr_magazines * geo->magazine_size, objects);
}

static void check_space(struct kunit *test, const struct uslab_geometry *geo)
{
	u64 slab_bytes = (u64)geo->slab_pages << PAGE_SHIFT;
	u64 span = 1ull << (geo->home_shift + geo->granule_shift);
	u64 last_byte = (geo->nr_slabs - 1) * slab_bytes +
			(u64)(geo->slab_objects - 1) * geo->stride;
	u64 base = (u64)(geo->nr_homes - 1) << geo->home_shift;
	u64 last = base + (last_byte >> geo->granule_shift);

	KUNIT_ASSERT_TRUE(test, geo->nr_slabs >= 1);
	KUNIT_EXPECT_LE(test, geo->nr_slabs * slab_bytes, span);
	KUNIT_EXPECT_EQ(test, geo->objects_size, span * geo->nr_homes);
	KUNIT_EXPECT_LE(test, last, (u64)U32_MAX);
	KUNIT_EXPECT_EQ(test, uslab_handle_home(geo, (u32)last), geo->nr_homes - 1);
	KUNIT_EXPECT_EQ(test, uslab_handle_home(geo, (u32)base), geo->nr_homes - 1);
}

static void check(struct kunit *test, const struct uslab_geometry *geo)
{
	check_slab(test, geo);
	check_caches(test, geo);
	check_areas(test, geo);
	check_space(test, geo);
}

static int lay_out(struct uslab_geometry *geo, u32 size, u32 align, u64 max_bytes)
{
	struct uslab_create request = test_request(size, max_bytes);

	request.align = align;
	return uslab_geometry_init(geo, &request, 4, 1, 1ull << 34);
}

static void every_size_is_laid_out(struct kunit *test)
{
	struct uslab_geometry geo;
	u32 size;

	for (size = 1; size <= USLAB_OBJECT_MAX; size += size < 8192 ? 1 : 4093) {
		KUNIT_ASSERT_EQ(test, lay_out(&geo, size, 0, 0), 0);
		KUNIT_ASSERT_EQ(test, geo.object_size, size);
		check(test, &geo);
	}
	KUNIT_ASSERT_EQ(test, lay_out(&geo, USLAB_OBJECT_MAX, 0, 0), 0);
	check(test, &geo);
}

static void every_alignment_is_kept(struct kunit *test)
{
	struct uslab_geometry geo;
	u32 size, align;

	for (size = 1; size <= 70000; size += 1 + size / 16)
		for (align = 1; align <= USLAB_ALIGN_MAX; align *= 2) {
			KUNIT_ASSERT_EQ(test, lay_out(&geo, size, align, 0), 0);
			KUNIT_EXPECT_EQ(test, geo.stride % align, 0u);
			check_space(test, &geo);
			check_caches(test, &geo);
			check_areas(test, &geo);
		}
}

static void machines_of_all_sizes(struct kunit *test)
{
	static const u32 cpus[] = { 1, 2, 3, 64, 1000, 8192 };
	static const u32 nodes[] = { 1, 2, 3, 8, 64 };
	static const u32 sizes[] = { 1, 64, 3000, 100000, USLAB_OBJECT_MAX };
	static const u64 space[] = { 1, 1ull << 20, 1ull << 30, 1ull << 36, 1ull << 46 };
	struct uslab_geometry geo;
	u32 c, n, s, b;

	for (c = 0; c < 6; c++)
		for (n = 0; n < 5; n++)
			for (s = 0; s < 5; s++)
				for (b = 0; b < 5; b++) {
					struct uslab_create request = test_request(sizes[s], 0);

					KUNIT_ASSERT_EQ(test, 0,
							uslab_geometry_init(&geo, &request, cpus[c],
									    nodes[n], space[b]));
					check(test, &geo);
				}
}

static void space_is_limited_to_what_handles_can_name(struct kunit *test)
{
	static const u32 sizes[] = { 8, 64, 4096, 3000, 65536 };
	struct uslab_geometry geo;
	u32 i;

	for (i = 0; i < 5; i++) {
		u64 limit;

		KUNIT_ASSERT_EQ(test, lay_out(&geo, sizes[i], 0, 1 << 20), 0);
		limit = 1ull << (32 + geo.granule_shift);
		KUNIT_EXPECT_EQ(test, lay_out(&geo, sizes[i], 0, limit), 0);
		check_space(test, &geo);
		KUNIT_EXPECT_EQ(test, lay_out(&geo, sizes[i], 0, limit + 1), -EFBIG);
		KUNIT_EXPECT_EQ(test, lay_out(&geo, sizes[i], 0, U64_MAX), -EFBIG);
	}
}

static void max_bytes_is_kept(struct kunit *test)
{
	static const u32 sizes[] = { 8, 1000, 4096, 5000, 100000 };
	struct uslab_geometry geo;
	u64 max_bytes;
	u32 i;

	for (i = 0; i < 5; i++)
		for (max_bytes = 1; max_bytes < 1ull << 33; max_bytes = max_bytes * 3 + 1) {
			u64 slab_bytes, bytes;

			KUNIT_ASSERT_EQ(test, lay_out(&geo, sizes[i], 0, max_bytes), 0);
			slab_bytes = (u64)geo.slab_pages << PAGE_SHIFT;
			bytes = geo.nr_slabs * slab_bytes;
			KUNIT_EXPECT_TRUE(test, bytes <= max_bytes || geo.nr_slabs == 1);
			KUNIT_EXPECT_TRUE(test, bytes + slab_bytes > max_bytes);
		}
}

static void global_pools_have_one_home(struct kunit *test)
{
	struct uslab_create request = test_request(64, 1 << 20);
	struct uslab_geometry geo;

	for (request.policy = 0; request.policy <= USLAB_POLICY_GLOBAL; request.policy++) {
		KUNIT_ASSERT_EQ(test, uslab_geometry_init(&geo, &request, 4, 4, 0), 0);
		KUNIT_EXPECT_EQ(test, geo.nr_homes,
				request.policy == USLAB_POLICY_LOCAL ||
				request.policy == USLAB_POLICY_BIND ? 4u : 1u);
	}
}

static int lay_out_request(struct uslab_create request)
{
	struct uslab_geometry geo;

	return uslab_geometry_init(&geo, &request, 4, 1, 1 << 20);
}

static void nonsense_is_refused(struct kunit *test)
{
	static const u32 sizes[] = { 0, USLAB_OBJECT_MAX + 1, 0x80000000u, U32_MAX };
	static const u32 aligns[] = { 3, 7, 4095, 8192, 0x80000000u, U32_MAX };
	struct uslab_create request;
	u32 i;

	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, lay_out_request(test_request(sizes[i], 0)), -EINVAL);
	for (i = 0; i < 6; i++) {
		request = test_request(64, 0);
		request.align = aligns[i];
		KUNIT_EXPECT_EQ(test, lay_out_request(request), -EINVAL);
	}
	for (i = 0; i < 32; i++) {
		request = test_request(64, 0);
		request.flags = 1u << i;
		KUNIT_EXPECT_EQ(test, lay_out_request(request), -EINVAL);
		request = test_request(64, 0);
		request.reserved = 1u << i;
		KUNIT_EXPECT_EQ(test, lay_out_request(request), -EINVAL);
	}
	request = test_request(64, 0);
	request.policy = USLAB_POLICY_GLOBAL + 1;
	KUNIT_EXPECT_EQ(test, lay_out_request(request), -EINVAL);
	request.policy = U32_MAX;
	KUNIT_EXPECT_EQ(test, lay_out_request(request), -EINVAL);
}

static void control_page_describes_the_layout(struct kunit *test)
{
	struct uslab_create request = test_request(100, 1 << 20);
	struct uslab_control *control;
	struct uslab_geometry geo;
	struct uslab_cpu cpu = { 0 };

	KUNIT_ASSERT_EQ(test, uslab_geometry_init(&geo, &request, 5, 3, 0), 0);
	control = test_alloc(geo.control_size);
	KUNIT_ASSERT_PTR_NE(test, control, NULL);
	uslab_geometry_describe(&geo, control);
	KUNIT_EXPECT_EQ(test, control->magic, USLAB_MAGIC);
	KUNIT_EXPECT_EQ(test, control->abi, USLAB_ABI);
	KUNIT_EXPECT_EQ(test, control->header_size, sizeof(*control));
	KUNIT_EXPECT_EQ(test, control->shared_offset, control->control_size);
	KUNIT_EXPECT_EQ(test, control->objects_offset,
			control->shared_offset + control->shared_size);
	KUNIT_EXPECT_EQ(test, control->objects_size, geo.objects_size);
	KUNIT_EXPECT_EQ(test, control->object_size, 100u);
	KUNIT_EXPECT_EQ(test, control->object_stride, 104u);
	KUNIT_EXPECT_EQ(test, control->nr_homes, 3u);
	KUNIT_EXPECT_EQ(test, control->nr_cpus, 5u);
	KUNIT_EXPECT_EQ(test, control->cpu_home_start, sizeof(*control));
	KUNIT_EXPECT_EQ(test, control->home_node_start, sizeof(*control) + 5 * sizeof(u16));
	KUNIT_EXPECT_LE(test, control->home_node_start + 3 * sizeof(u16), control->control_size);
	test_free(control);

	uslab_cpu_init(&geo, &cpu, 2);
	KUNIT_EXPECT_EQ(test, cpu.capacity, geo.cpu_capacity);
	KUNIT_EXPECT_EQ(test, cpu.remote_capacity, geo.remote_capacity);
	KUNIT_EXPECT_EQ(test, cpu.home, 2);
	KUNIT_EXPECT_EQ(test, cpu.word, 0ull);
}

static int check_name(const char *name)
{
	char buffer[USLAB_NAME_MAX] = { 0 };

	memcpy(buffer, name, min_t(size_t, strlen(name), sizeof(buffer)));
	return uslab_name_check(buffer);
}

static void names_are_checked(struct kunit *test)
{
	char name[USLAB_NAME_MAX];
	int c;

	KUNIT_EXPECT_EQ(test, check_name(""), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_name("."), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_name(".."), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_name(".a"), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_name("a."), 0);
	KUNIT_EXPECT_EQ(test, check_name("a/b"), -EINVAL);
	KUNIT_EXPECT_EQ(test, check_name("a b"), 0);
	memset(name, 'x', sizeof(name));
	KUNIT_EXPECT_EQ(test, uslab_name_check(name), -EINVAL);
	name[USLAB_NAME_MAX - 1] = '\0';
	KUNIT_EXPECT_EQ(test, uslab_name_check(name), 0);
	for (c = 1; c < 256; c++) {
		name[3] = (char)c;
		KUNIT_EXPECT_EQ(test, uslab_name_check(name),
				c < ' ' || c > '~' || c == '/' ? -EINVAL : 0);
	}
}

static struct kunit_case geometry_cases[] = {
	KUNIT_CASE(every_size_is_laid_out),
	KUNIT_CASE(every_alignment_is_kept),
	KUNIT_CASE(machines_of_all_sizes),
	KUNIT_CASE(space_is_limited_to_what_handles_can_name),
	KUNIT_CASE(max_bytes_is_kept),
	KUNIT_CASE(global_pools_have_one_home),
	KUNIT_CASE(nonsense_is_refused),
	KUNIT_CASE(control_page_describes_the_layout),
	KUNIT_CASE(names_are_checked),
	{ }
};

static struct kunit_suite geometry_suite = {
	.name = "uslab_geometry",
	.test_cases = geometry_cases,
};

kunit_test_suite(geometry_suite);
