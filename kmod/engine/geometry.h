/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Geometry: from what a pool should hold to how it is laid out.
 *
 * A slab is a run of pages that holds a whole number of objects with little
 * waste. A home's part of the object space is an array of slabs; slab i, object
 * j is at byte i * slab_pages * PAGE_SIZE + j * stride of the home's span.
 */
#ifndef USLAB_ENGINE_GEOMETRY_H
#define USLAB_ENGINE_GEOMETRY_H

#include "shim.h"

struct uslab_geometry {
	u32 object_size;
	u32 stride;
	u32 granule_shift;
	u32 policy;

	u32 slab_pages;
	u32 slab_objects;
	u32 nr_slabs;			/* of each home */
	u32 home_shift;			/* in granules */
	u32 nr_homes;

	u32 nr_cpus;
	u32 cpu_stride;
	u32 cpu_capacity;
	u32 remote_capacity;		/* 0 with one home */
	u32 magazine_size;
	u32 magazine_stride;
	u32 nr_magazines;

	u64 control_size;
	u64 shared_size;
	u64 objects_size;
	u32 cpus_start;			/* the rest are offsets in the shared area */
	u32 depots_start;
	u32 magazines_start;
};

/**
 * uslab_geometry_init() - check a request and lay the pool out
 * @request: all fields but the name are checked here, see struct uslab_create
 * @nr_cpus: possible CPUs
 * @nodes: nodes with memory; the policy may make fewer homes of them
 * @default_bytes: object space of a home when the request leaves it open
 *
 * Return: 0, -EINVAL or -EFBIG.
 */
int uslab_geometry_init(struct uslab_geometry *geo, const struct uslab_create *request,
			u32 nr_cpus, u32 nodes, u64 default_bytes);

/* Check a pool's name: 0 or -EINVAL. */
int uslab_name_check(const char name[USLAB_NAME_MAX]);

/* Fill in a control page (zeroed, control_size bytes), but for id, name and tables. */
void uslab_geometry_describe(const struct uslab_geometry *geo, struct uslab_control *control);

/* Set up one CPU's cache as the control page describes it. */
void uslab_cpu_init(const struct uslab_geometry *geo, struct uslab_cpu *cpu, u32 home);

static inline u32 uslab_handle_home(const struct uslab_geometry *geo, u32 handle)
{
	return (u32)((u64)handle >> geo->home_shift);
}

#endif /* USLAB_ENGINE_GEOMETRY_H */
