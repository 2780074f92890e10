/* SPDX-License-Identifier: MIT */
/*
 * What the files of the library share.
 *
 * Data flows one way: fast.h (CPU caches) -> exchange.c (depots) -> a backend
 * (kernel.c or embedded.c: the engine), and back. portable.c stands in for the
 * CPU caches where there are no restartable sequences.
 */
#ifndef USLAB_LIB_POOL_H
#define USLAB_LIB_POOL_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uslab.h>
#include "kmod/engine/depot.h"

#define USLAB_API __attribute__((visibility("default")))

#define USLAB_MAGAZINE_MAX 256u		/* a pool with larger magazines is not attached to */

struct pool;
struct portable;

/* One engine. Functions return negative errno values. */
struct backend {
	const char *name;
	/* Up to nr handles of a home: how many, at least 1. */
	int (*refill)(struct pool *pool, u32 home, u32 *handles, u32 nr);
	/* Handles of any home go back to the engine. */
	void (*give)(struct pool *pool, const u32 *handles, u32 nr);
	/* New magazines on the home's empty stack. */
	int (*grow)(struct pool *pool, u32 home);
	u64 (*reclaim)(struct pool *pool, u64 bytes);
	/* More lies idle than the control page's idle_limit: the caller takes some back. */
	void (*balance)(struct pool *pool);
	int (*get_tunables)(struct pool *pool, struct uslab_tunables *tunables);
	int (*set_tunables)(struct pool *pool, const struct uslab_tunables *tunables);
	int (*stats)(struct pool *pool, struct uslab_stats *stats);
	void (*destroy)(struct pool *pool);
	/* Around fork(), with the list of pools locked and signals blocked; any may be NULL. */
	void (*fork_prepare)(struct pool *pool);
	void (*fork_parent)(struct pool *pool);
	void (*fork_child)(struct pool *pool);
};

struct pool {
	struct uslab_pool hot;			/* first: what users point to */
	const struct backend *backend;
	int fd;					/* -1 on the embedded engine */
	bool orphan;				/* a parent's kernel pool, after fork() */

	const struct uslab_control *control;
	const __u16 *cpu_home;
	char *shared;
	u32 nr_cpus;				/* hot.nr_cpus is 0 without rseq */
	u32 nr_homes;
	u32 magazine_size;
	struct uslab_stash local;
	struct uslab_stash remote;

	atomic_uint *batch;			/* [nr_homes]: objects in the next refill */
	_Atomic(struct portable *) portable;	/* made when first needed */
	struct pool *next;			/* in the list of pools */
	struct pool **pprev;
	unsigned int visitors;			/* in pools_for_each(); under the list's lock */
	bool leaving;
};

static inline struct pool *pool_of(const struct uslab_pool *hot)
{
	return (struct pool *)(uintptr_t)hot;
}

static inline struct uslab_depot *pool_depot(const struct pool *pool, u32 home)
{
	return (struct uslab_depot *)(pool->shared + pool->control->depots_start +
				      (size_t)home * pool->control->depot_stride);
}

static inline struct uslab_cpu *pool_cpu(const struct pool *pool, u32 cpu)
{
	return (struct uslab_cpu *)(pool->hot.cpus + (size_t)cpu * pool->hot.cpu_stride);
}

/* pool.c */
/* Set up what follows from pool->control, shared and hot.objects; 0 or -errno. */
int pool_init(struct pool *pool);
/* Undo it. */
void pool_fini(struct pool *pool);
/* The list of all pools of the process, for fork() and background work. */
void pools_add(struct pool *pool);
void pools_remove(struct pool *pool);
void pools_for_each(void (*fn)(struct pool *pool));

/* exchange.c */
/* A full magazine of a home's depot, victim included; 0 when there is none. */
struct uslab_magazine *depot_take(struct pool *pool, u32 home, u32 *index);
/* Give it back: to current when it still holds objects, else to empty. */
void depot_put(struct pool *pool, u32 home, u32 index, struct uslab_magazine *mag);
/* Bring handles of any homes to their depots; nr is at most USLAB_MAGAZINE_MAX. */
void depot_give(struct pool *pool, u32 *handles, u32 nr);
/* What was put lies in a depot now: whoever took that over the threshold pays. */
void balance(struct pool *pool);
/* One object of another home, when this one has no memory and the policy allows it. */
void *get_remote(struct pool *pool, u32 home);
/* A refill failed: have the pool's own idle memory back, as far as there is some. */
void pool_relieve(struct pool *pool);
/* What the caller of get is told: that a pool may not grow (-EBUSY) is want of memory, too. */
static inline int refill_errno(int err)
{
	return err == -EBUSY ? ENOMEM : -err;
}

/* Refill with as many objects as it is worth; see struct backend. */
int pool_refill(struct pool *pool, u32 home, u32 *handles);

/* portable.c */
void *portable_get(struct pool *pool);
void portable_put(struct pool *pool, void *object);
/* Give all that is cached to the depots; returns after counting gets. */
void portable_flush(struct pool *pool);
void portable_destroy(struct pool *pool);
/* The home of the CPU this thread runs on, a system call away at most. */
int portable_home(const struct pool *pool);

/* rseq.c */
/* Set up what sections need of @hot; without rseq, so that they all go slow. */
void rseq_setup(struct uslab_pool *hot, u32 nr_cpus);
/* No section of this pool works any more. */
void rseq_disable(struct uslab_pool *hot);

/* kernel.c, embedded.c */
struct pool *kernel_create(const struct uslab_create *request);
struct pool *kernel_attach(int fd);
struct pool *embedded_create(const struct uslab_create *request);

#endif /* USLAB_LIB_POOL_H */
