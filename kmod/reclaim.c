// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaim by who asks for it: on request, and by the tasks whose gets and puts take a
 * pool over a threshold.
 *
 * All take a home's lock for one magazine at a time, so that refills get their turn.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>

#include "uslab.h"

#define RECLAIM_SLICE	4096u		/* pages between two looks at signals */
#define DRAIN_TIMEOUT	(2 * HZ)

/* On request */

static u64 pool_released(const struct uslab_pool *pool)
{
	u64 released = 0;
	u32 i;

	for (i = 0; i < pool->core.geo.nr_homes; i++)
		released += READ_ONCE(pool->core.homes[i]->slabs.released);
	return released;
}

/* Pages still to come; 0 also when the caller was killed. */
static u64 reclaim_left(const struct uslab_pool *pool, u64 goal)
{
	u64 released = pool_released(pool);

	return released < goal && !fatal_signal_pending(current) ? goal - released : 0;
}

static void reclaim_slices(struct uslab_pool *pool, u64 goal,
			   void (*shrink)(struct uslab_core *core, struct uslab_pass *pass))
{
	struct uslab_pass pass;

	do {
		pass = (struct uslab_pass){
			.pages = min_t(u64, reclaim_left(pool, goal), RECLAIM_SLICE),
			.objects = U64_MAX,
			.flags = USLAB_SHRINK_FORCE,
		};
		if (pass.pages)
			shrink(&pool->core, &pass);
	} while (pass.pages && pass.released >= pass.pages);
}

/**
 * uslab_reclaim_pool() - take idle memory back
 * @pool: the pool
 * @bytes: how much is wanted; U64_MAX for all
 * @flags: USLAB_RECLAIM_*
 *
 * The victims of all homes go first, then what else is in depots, then what is
 * in CPU caches. Others' reclaim in the meantime counts towards the goal.
 *
 * Context: sleeps; waits for the CPUs, not for ever.
 * Return: how many bytes of pages came free.
 */
u64 uslab_reclaim_pool(struct uslab_pool *pool, u64 bytes, u32 flags)
{
	u64 before = pool_released(pool);
	u64 pages = (bytes >> PAGE_SHIFT) + !!offset_in_page(bytes);
	u64 goal = bytes == U64_MAX ? U64_MAX : before + pages;
	u32 i;

	reclaim_slices(pool, goal, uslab_core_trim);
	if (flags & USLAB_RECLAIM_TRIM) {
		for (i = 0; i < pool->core.geo.nr_homes; i++)
			uslab_core_rotate(pool->core.homes[i], 0);
		goto out;
	}
	reclaim_slices(pool, goal, uslab_core_drain);
	if (!(flags & USLAB_RECLAIM_DEPOTS) && reclaim_left(pool, goal)) {
		uslab_drain_queue(pool, 0);
		uslab_drain_wait(pool, DRAIN_TIMEOUT);
	}
out:
	return (pool_released(pool) - before) << PAGE_SHIFT;
}

/* By who pays */

/* No stall for want of memory, in the sense of PSI: the pool's own threshold is no want. */
static void pay(struct uslab_pool *pool, struct uslab_pass *pass)
{
	ktime_t start = ktime_get();

	uslab_core_drain(&pool->core, pass);
	uslab_add64(&pool->core.throttles, 1);
	uslab_add64(&pool->core.throttled_us, ktime_to_us(ktime_sub(ktime_get(), start)));
}

/**
 * uslab_reclaim_put() - who put a magazine into a depot that holds too much pays
 * @pool: the pool
 */
void uslab_reclaim_put(struct uslab_pool *pool)
{
	struct uslab_pass pass;

	if (!uslab_balance_put(&pool->core, &pass))
		return;
	pay(pool, &pass);
	uslab_worker_kick(pool);
}

/**
 * uslab_reclaim_get() - who makes a pool grow beyond memory_limit pays
 * @pool: the pool
 * @nr: objects it is about to grow by
 *
 * The limit is soft: what is in use may be more.
 */
void uslab_reclaim_get(struct uslab_pool *pool, u32 nr)
{
	u64 backed = uslab_core_backed_bytes(&pool->core);
	struct uslab_pass pass;

	if (uslab_balance_get(&pool->core, &pool->tunables, uslab_limits_memory(pool), nr, &pass)) {
		pay(pool, &pass);
		uslab_worker_kick(pool);
	} else if (uslab_governor_grown(&pool->governor, &pool->tunables, backed)) {
		uslab_worker_kick(pool);
	}
}
