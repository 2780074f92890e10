// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "geometry.h"

/* A CPU cache holds about this much, within the limits of its slots. */
#define CACHE_BYTES		(512u << 10)
#define CAPACITY_MAX		496u		/* two CPU caches, or one with a stash, a page */
#define CAPACITY_MIN		4u

#define SLAB_PAGES_MAX		16u		/* but for objects that are larger */
#define SLAB_WASTE_SHIFT	4		/* a sixteenth is good enough */

#define HANDLE_BITS		32

static void geometry_slab(struct uslab_geometry *geo)
{
	u32 pages = DIV_ROUND_UP(geo->stride, (u32)PAGE_SIZE);
	u32 last = max_t(u32, pages, SLAB_PAGES_MAX);
	u64 best_waste = U64_MAX;

	for (; pages <= last; pages++) {
		u64 bytes = (u64)pages << PAGE_SHIFT;
		u32 objects = (u32)bytes / geo->stride;
		u64 waste = bytes - (u64)objects * geo->stride;

		/* compare waste per page without dividing */
		if (best_waste != U64_MAX &&
		    waste * geo->slab_pages >= best_waste * pages)
			continue;
		best_waste = waste;
		geo->slab_pages = pages;
		geo->slab_objects = objects;
		if (waste <= bytes >> SLAB_WASTE_SHIFT)
			break;
	}
}

static int geometry_space(struct uslab_geometry *geo, u64 max_bytes, u64 default_bytes)
{
	u64 slab_bytes = (u64)geo->slab_pages << PAGE_SHIFT;
	u32 home_bits = ilog2(roundup_pow_of_two(geo->nr_homes));
	u64 limit = 1ull << (HANDLE_BITS - home_bits + geo->granule_shift);
	u64 bytes = max_bytes ? max_bytes : min_t(u64, default_bytes, limit);
	u64 span;

	bytes = max_t(u64, bytes, slab_bytes);
	if (bytes > limit)
		return -EFBIG;
	/* whole slabs, and a span that a shift can find */
	geo->nr_slabs = (u32)min_t(u64, bytes / slab_bytes, U32_MAX - 1);
	span = roundup_pow_of_two((u64)geo->nr_slabs * slab_bytes);
	geo->home_shift = ilog2(span) - geo->granule_shift;
	geo->objects_size = span * geo->nr_homes;
	return 0;
}

static void geometry_caches(struct uslab_geometry *geo)
{
	u32 capacity = clamp_t(u32, CACHE_BYTES / geo->stride, CAPACITY_MIN, CAPACITY_MAX);
	u32 slots;

	geo->magazine_size = capacity / 2;
	geo->cpu_capacity = geo->magazine_size * 2;
	geo->remote_capacity = geo->nr_homes > 1 ? geo->magazine_size : 0;
	slots = geo->cpu_capacity + geo->remote_capacity;
	geo->cpu_stride = (u32)roundup_pow_of_two(sizeof(struct uslab_cpu) + slots * sizeof(u32));
	geo->magazine_stride = (u32)roundup_pow_of_two(sizeof(struct uslab_magazine) +
						      geo->magazine_size * sizeof(u32));
}

static void geometry_shared(struct uslab_geometry *geo)
{
	u64 objects = (u64)geo->nr_slabs * geo->slab_objects * geo->nr_homes;
	u64 tables = ((u64)geo->nr_cpus + geo->nr_homes) * sizeof(u16);
	/* all objects in full magazines, and room for some that are not full */
	u64 magazines = objects / geo->magazine_size * 2 + 64 * ((u64)geo->nr_cpus + geo->nr_homes);
	u32 per_page = (u32)PAGE_SIZE / geo->magazine_stride;
	u64 pages;

	magazines = min_t(u64, magazines, USLAB_HEAD_INDEX_MASK - 2 * per_page);
	pages = DIV_ROUND_UP(magazines + 1, (u64)per_page);	/* index 0 is not used */
	geo->nr_magazines = (u32)(pages * per_page - 1);

	geo->control_size = round_up((u64)sizeof(struct uslab_control) + tables, (u64)PAGE_SIZE);
	geo->cpus_start = 0;
	geo->depots_start = (u32)round_up((u64)geo->nr_cpus * geo->cpu_stride, (u64)PAGE_SIZE);
	geo->magazines_start = geo->depots_start + geo->nr_homes * (u32)PAGE_SIZE;
	geo->shared_size = geo->magazines_start + (pages << PAGE_SHIFT);
}

int uslab_geometry_init(struct uslab_geometry *geo, const struct uslab_create *request,
			u32 nr_cpus, u32 nodes, u64 default_bytes)
{
	u32 align = request->align;
	u32 size = max_t(u32, request->object_size, USLAB_OBJECT_MIN);

	memset(geo, 0, sizeof(*geo));
	if (!request->object_size || request->object_size > USLAB_OBJECT_MAX)
		return -EINVAL;
	if (align && (!is_power_of_2(align) || align > USLAB_ALIGN_MAX))
		return -EINVAL;
	if (request->policy > USLAB_POLICY_GLOBAL || request->flags || request->reserved)
		return -EINVAL;

	geo->object_size = request->object_size;
	geo->policy = request->policy;
	geo->stride = round_up(size, max_t(u32, align, USLAB_OBJECT_MIN));
	/* slabs begin on a page, so every granule up to a page is exact */
	geo->granule_shift = min_t(u32, (u32)__ffs(geo->stride), PAGE_SHIFT);
	geo->nr_cpus = nr_cpus;
	geo->nr_homes = geo->policy >= USLAB_POLICY_INTERLEAVE ? 1 : nodes;

	geometry_slab(geo);
	geometry_caches(geo);
	if (geometry_space(geo, request->max_bytes, default_bytes))
		return -EFBIG;
	geometry_shared(geo);
	return 0;
}

int uslab_name_check(const char name[USLAB_NAME_MAX])
{
	u32 i;

	for (i = 0; i < USLAB_NAME_MAX && name[i]; i++)
		if (name[i] < ' ' || name[i] > '~' || name[i] == '/')
			return -EINVAL;
	if (!i || i == USLAB_NAME_MAX || name[0] == '.')
		return -EINVAL;
	return 0;
}

void uslab_geometry_describe(const struct uslab_geometry *geo, struct uslab_control *control)
{
	control->magic = USLAB_MAGIC;
	control->abi = USLAB_ABI;
	control->header_size = sizeof(*control);
	control->control_size = geo->control_size;
	control->shared_offset = geo->control_size;
	control->shared_size = geo->shared_size;
	control->objects_offset = geo->control_size + geo->shared_size;
	control->objects_size = geo->objects_size;
	control->object_size = geo->object_size;
	control->object_stride = geo->stride;
	control->granule_shift = geo->granule_shift;
	control->home_shift = geo->home_shift;
	control->nr_homes = geo->nr_homes;
	control->policy = geo->policy;
	control->nr_cpus = geo->nr_cpus;
	control->cpu_stride = geo->cpu_stride;
	control->cpu_capacity = geo->cpu_capacity;
	control->cpus_start = geo->cpus_start;
	control->depot_stride = PAGE_SIZE;
	control->depots_start = geo->depots_start;
	control->magazine_size = geo->magazine_size;
	control->magazine_stride = geo->magazine_stride;
	control->nr_magazines = geo->nr_magazines;
	control->magazines_start = geo->magazines_start;
	control->cpu_home_start = sizeof(*control);
	control->home_node_start = sizeof(*control) + geo->nr_cpus * (u32)sizeof(u16);
}

void uslab_cpu_init(const struct uslab_geometry *geo, struct uslab_cpu *cpu, u32 home)
{
	cpu->capacity = (u16)geo->cpu_capacity;
	cpu->remote_capacity = (u16)geo->remote_capacity;
	cpu->home = (u16)home;
}
