/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The core of a pool: what moves objects between slabs, depots and user space,
 * in the module and in the embedded engine alike. The surroundings provide
 * memory, locks and unmapping through struct uslab_core_ops.
 *
 * Lock order: a home's lock is innermost among the pool's locks. Shrinkers try
 * it, so nothing may allocate while it is held; the core never holds two
 * homes' locks together.
 */
#ifndef USLAB_ENGINE_CORE_H
#define USLAB_ENGINE_CORE_H

#include "depot.h"
#include "slabs.h"

struct uslab_core;

struct uslab_home {
	struct uslab_core *core;
	u32 index;
	struct uslab_depot *depot;	/* shared with user space: not trusted */
	struct uslab_slabs slabs;	/* under the home's lock, as all that follows */
	u64 refill_failures;
	u64 rotations;
};

struct uslab_core_ops {
	/* The home's lock. trylock is for shrinkers. */
	void (*lock)(struct uslab_home *home);
	bool (*trylock)(struct uslab_home *home);
	void (*unlock)(struct uslab_home *home);

	/* A zeroed page of the home; NULL when there is none. Not under the lock. */
	void *(*page_alloc)(struct uslab_home *home);
	void (*page_free)(struct uslab_home *home, void *page);

	/*
	 * Under the lock: take a page out of its slot, so that no new mapping of
	 * it can begin. False: somebody is mapping it right now, leave it.
	 */
	bool (*page_detach)(struct uslab_home *home, struct uslab_page_ref *ref);
	/* Under the lock: remove all mappings of a range of the home's span. */
	void (*unmap)(struct uslab_home *home, u32 first_page, u32 nr_pages);

	/* The magazine of an index, NULL when there is none. */
	uslab_magazine_fn magazine;
	/* New magazines for a home: first index and number, or -errno. Not under the lock. */
	int (*magazines_add)(struct uslab_home *home, u32 *first, u32 *nr);

	/* How many magazines exist. */
	u32 (*nr_magazines)(const struct uslab_core *core);

	/* The cache of a CPU, [0, geo.nr_cpus): shared with user space, not trusted. */
	struct uslab_cpu *(*cpu)(const struct uslab_core *core, u32 cpu);

	/* A point where the caller may be preempted; the home's lock may be held. */
	void (*resched)(void);
};

struct uslab_core {
	const struct uslab_core_ops *ops;
	struct uslab_geometry geo;
	struct uslab_home **homes;	/* [geo.nr_homes] */
	u64 min_idle;			/* objects that reclaim leaves in depots */
	u64 idle_limit;			/* see balance.h */
	s64 passes;			/* counters, for the statistics */
	s64 pass_us;
	s64 throttles;
	s64 throttled_us;
};

/* A user that scribbles on a stack head can delay us this often, not longer. */
#define USLAB_STACK_TRIES	1000u

/**
 * uslab_core_refill() - take objects out of the engine
 * @handles: written
 *
 * Context: may allocate and sleep.
 * Return: how many, at least 1; -ENOMEM or -ENOSPC.
 */
int uslab_core_refill(struct uslab_home *home, u32 *handles, u32 nr);

/**
 * uslab_core_return() - give objects back, of any homes, and free their pages
 * @handles: not trusted
 *
 * Return: how many were out.
 */
u32 uslab_core_return(struct uslab_core *core, const u32 *handles, u32 nr);

/* New magazines on the home's empty stack: how many, or -ENOMEM, -ENOSPC. */
int uslab_core_grow(struct uslab_home *home);

/* Objects in the depot of a home, and in all depots, as their counters say. */
u64 uslab_core_depot_objects(const struct uslab_home *home);
u64 uslab_core_idle_objects(const struct uslab_core *core);

/* Bytes of the pages behind a pool. */
u64 uslab_core_backed_bytes(const struct uslab_core *core);

/* All counters. Takes each home's lock in turn. */
void uslab_core_stats(struct uslab_core *core, struct uslab_stats *stats);

/* For shrink.c, under the home's lock */

#define USLAB_FREE_CHUNK	64u	/* handles freed at a time */

/*
 * Give up to USLAB_FREE_CHUNK handles of one home back. Handles of other homes count as
 * bad. Returns pages freed; *freed gains the objects.
 */
u32 uslab_home_free(struct uslab_home *home, const u32 *handles, u32 nr, u32 *freed);

/* Free pages that no object needs until nothing more goes; how many went. */
u64 uslab_home_reap(struct uslab_home *home);

#endif /* USLAB_ENGINE_CORE_H */
