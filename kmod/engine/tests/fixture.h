/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the engine's suites share: chance, layouts, and pages that are only numbers. */
#ifndef USLAB_ENGINE_TESTS_FIXTURE_H
#define USLAB_ENGINE_TESTS_FIXTURE_H

#include <kunit/test.h>
#include "../governor.h"
#include "../shrink.h"

#ifdef __KERNEL__
#define test_alloc(size)	kvzalloc(size, GFP_KERNEL)
#define test_free(ptr)		kvfree(ptr)
#else
#define test_alloc(size)	calloc(1, size)
#define test_free(ptr)		free(ptr)
#endif

/* xorshift; the same sequence for the same seed, everywhere. */
static inline u32 test_random(u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static inline u32 test_below(u32 *state, u32 limit)
{
	return test_random(state) % limit;
}

static inline struct uslab_create test_request(u32 object_size, u64 max_bytes)
{
	struct uslab_create request = {
		.size = sizeof(request), .object_size = object_size, .max_bytes = max_bytes,
	};

	return request;
}

/* The layout of a pool of at least @slabs slabs. */
static inline int test_geometry(struct uslab_geometry *geo, u32 object_size, u32 slabs, u32 cpus,
				u32 nodes)
{
	struct uslab_create request = test_request(object_size, 0);
	int err = uslab_geometry_init(geo, &request, cpus, nodes, 1u << 30);

	if (err)
		return err;
	request.max_bytes = (u64)slabs * geo->slab_pages << PAGE_SHIFT;
	return uslab_geometry_init(geo, &request, cpus, nodes, 1u << 30);
}

/*
 * The engine never looks into pages, so they are numbers here, from 1. What
 * matters is that each is in one place at a time.
 */
struct test_pages {
	u32 max;
	u32 out;			/* given and not taken back */
	u32 budget;			/* how many may still be given */
	u32 errors;			/* taken back without having been given */
	u8 *given;			/* [max + 1] */
};

static inline int test_pages_init(struct test_pages *pages, u32 max)
{
	pages->max = max;
	pages->out = 0;
	pages->errors = 0;
	pages->budget = U32_MAX;
	pages->given = test_alloc(max + 1);
	return pages->given ? 0 : -ENOMEM;
}

static inline void *test_page_alloc(struct test_pages *pages)
{
	u32 i;

	if (!pages->budget || pages->out == pages->max)
		return NULL;
	if (pages->budget != U32_MAX)
		pages->budget--;
	for (i = 1; pages->given[i]; i++)
		;
	pages->given[i] = 1;
	pages->out++;
	return (void *)(unsigned long)i;
}

static inline void test_page_free(struct test_pages *pages, void *page)
{
	unsigned long i = (unsigned long)page;

	if (!i || i > pages->max || !pages->given[i]) {
		pages->errors++;
		return;
	}
	pages->given[i] = 0;
	pages->out--;
}

/* Object number @object of a home as a handle relative to the home, and back. */
static inline u32 test_handle(const struct uslab_geometry *geo, u32 object)
{
	u64 byte = ((u64)(object / geo->slab_objects) * geo->slab_pages << PAGE_SHIFT) +
		   (u64)(object % geo->slab_objects) * geo->stride;

	return (u32)(byte >> geo->granule_shift);
}

/* U32_MAX when no object begins there. */
static inline u32 test_object(const struct uslab_geometry *geo, u32 handle)
{
	u64 byte = (u64)handle << geo->granule_shift;
	u64 slab_bytes = (u64)geo->slab_pages << PAGE_SHIFT;
	u64 slab = byte / slab_bytes;
	u64 inside = byte % slab_bytes;

	if (slab >= geo->nr_slabs || inside % geo->stride ||
	    inside / geo->stride >= geo->slab_objects)
		return U32_MAX;
	return (u32)(slab * geo->slab_objects + inside / geo->stride);
}

static inline u32 test_objects(const struct uslab_geometry *geo)
{
	return geo->nr_slabs * geo->slab_objects;
}

/* First and last page of an object in its home. */
static inline u32 test_first_page(const struct uslab_geometry *geo, u32 object)
{
	return (u32)(((u64)test_handle(geo, object) << geo->granule_shift) >> PAGE_SHIFT);
}

static inline u32 test_last_page(const struct uslab_geometry *geo, u32 object)
{
	u64 byte = ((u64)test_handle(geo, object) << geo->granule_shift) + geo->stride - 1;

	return (u32)(byte >> PAGE_SHIFT);
}

#endif /* USLAB_ENGINE_TESTS_FIXTURE_H */
