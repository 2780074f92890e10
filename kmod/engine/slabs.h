/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The slab engine of one home: which objects are out, and which pages stand
 * behind them.
 *
 * "Out" here means handed to user space, be it held by the application or idle
 * in a CPU cache or depot. This state is private; nothing in it is read from
 * memory that user space can write.
 *
 * A slab is in one list: by fullness when some of its objects are out, in the
 * free list when it has no page, in none when it is full or was never used.
 * Besides, a slab that has a page with no object out over it is on the dirty
 * list, until that page is collected or used again. Lists link slabs by index.
 *
 * Locking: every function that takes a struct uslab_slabs runs under the lock
 * of its home, but for uslab_slabs_slot(), which needs only that the slab was
 * handed out once. Nothing here allocates or sleeps: memory comes in through
 * struct uslab_bag, filled by the caller without the lock.
 */
#ifndef USLAB_ENGINE_SLABS_H
#define USLAB_ENGINE_SLABS_H

#include "geometry.h"

#define USLAB_SLAB_NONE		U32_MAX
#define USLAB_FULLNESS		8

struct uslab_slabs {
	const struct uslab_geometry *geo;
	void ***dir;			/* [region][group]: blocks of slab descriptors */
	u32 fullness[USLAB_FULLNESS];	/* list heads, emptiest first */
	u32 free;			/* list of slabs without pages */
	u32 dirty;
	u32 next_unused;
	u64 out;			/* objects */
	u64 backed;			/* pages */
	u64 allocated;			/* objects, ever */
	u64 returned;
	u64 bad;			/* handles that came back and were not out */
	u64 released;			/* pages, ever */
};

#define USLAB_BAG_PAGES		32

/* What an allocation was short of. */
enum uslab_want {
	USLAB_WANT_NOTHING,
	USLAB_WANT_PAGES,
	USLAB_WANT_TABLE,
	USLAB_WANT_SPACE,		/* all slabs are full: nothing can help */
};

/* Memory on its way into the engine. */
struct uslab_bag {
	enum uslab_want want;
	u32 nr_pages;
	void *page[USLAB_BAG_PAGES];
	void *region;			/* see uslab_slabs_table_size() */
	void *group;
};

/* A page that no object needs any more. */
struct uslab_page_ref {
	u32 page;			/* number in the home's span */
	u32 slab;
	void **slot;			/* where the engine keeps it */
	void *detached;			/* set once it is taken out of the slot */
};

int uslab_slabs_init(struct uslab_slabs *slabs, const struct uslab_geometry *geo);
/* Let go of all tables, and of all pages that are still there if @page_free is given. */
void uslab_slabs_destroy(struct uslab_slabs *slabs, void (*page_free)(void *ctx, void *page),
			 void *ctx);

/* Bytes of a region table and of a group of descriptors, for the bag. */
size_t uslab_slabs_region_size(void);
size_t uslab_slabs_group_size(const struct uslab_geometry *geo);

/**
 * uslab_slabs_alloc() - hand objects out, the fullest slabs first
 * @handles: written, relative to the home's span
 *
 * Return: how many of @nr; when less, @bag->want says what is missing.
 */
u32 uslab_slabs_alloc(struct uslab_slabs *slabs, u32 *handles, u32 nr, struct uslab_bag *bag);

/**
 * uslab_slabs_free() - take objects back
 * @handles: relative to the home's span; not trusted
 *
 * Return: how many were out; the others are counted in @slabs->bad.
 */
u32 uslab_slabs_free(struct uslab_slabs *slabs, const u32 *handles, u32 nr);

/**
 * uslab_slabs_collect() - find pages that can go
 *
 * Each reference must be settled before the lock is dropped.
 *
 * Return: how many of @max references were written.
 */
u32 uslab_slabs_collect(struct uslab_slabs *slabs, struct uslab_page_ref *refs, u32 max);

/* Account for collected pages: gone when their slot is empty, else still here. */
void uslab_slabs_settle(struct uslab_slabs *slabs, const struct uslab_page_ref *refs, u32 nr);

/* The slot of a page of the home's span; NULL when its slab was never used. */
void **uslab_slabs_slot(const struct uslab_slabs *slabs, u32 page);

#endif /* USLAB_ENGINE_SLABS_H */
