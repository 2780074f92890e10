// SPDX-License-Identifier: GPL-2.0-only
/*
 * The background worker: looks at every pool from time to time, and does what the
 * governor says.
 *
 * It runs on a workqueue of its own: it may take long, and must not hold up the
 * drains. Each pool says when it wants to be looked at; the worker sleeps until the
 * first of them. Who has news makes its pool due, and kicks the worker.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "uslab.h"

/* A pool that somebody watches is looked at this often at least, others not so often. */
#define WATCHED_PERIOD	HZ
#define PERIOD_MAX	(60 * HZ)
#define LOOK_LEAST	(HZ / 100 + 1)	/* between two looks at a pool */

static struct workqueue_struct *worker_wq;

static void worker_fn(struct work_struct *work);
/* not deferrable: that CPU may sleep while others run out of memory */
static DECLARE_DELAYED_WORK(worker, worker_fn);

/**
 * uslab_worker_thresholds() - have puts know at which height they pay
 * @pool: the pool
 *
 * They look at the depots only, in objects, once a magazine.
 */
void uslab_worker_thresholds(struct uslab_pool *pool)
{
	u64 memory = uslab_limits_memory(pool);
	u64 limit;

	/* who comes second has seen the newer values */
	spin_lock(&pool->governor_lock);
	limit = uslab_balance_set(&pool->core, &pool->tunables, memory);
	WRITE_ONCE(pool->control->idle_limit, limit);
	spin_unlock(&pool->governor_lock);
}

static void pass_run(struct uslab_pool *pool, u64 pages, u64 objects, u64 *returned)
{
	struct uslab_pass pass = { .pages = pages, .objects = objects };

	uslab_core_drain(&pool->core, &pass);
	if (pass.released < pages && pass.returned < objects)
		uslab_drain_queue(pool, USLAB_IDLE_JIFFIES);
	*returned += pass.returned;
}

/* Carry a plan out; objects that went back. */
static u64 pool_pass(struct uslab_pool *pool, const struct uslab_plan *plan)
{
	ktime_t start = ktime_get();
	struct uslab_view view;
	u64 returned = 0;
	u64 took;
	u32 i;

	for (i = 0; plan->age && i < pool->core.geo.nr_homes; i++) {
		uslab_core_age(pool->core.homes[i]);
		cond_resched();
	}
	if (plan->idle)
		pass_run(pool, U64_MAX, plan->idle / pool->core.geo.stride + 1, &returned);
	if (plan->pages)
		pass_run(pool, plan->pages, U64_MAX, &returned);

	took = ktime_to_us(ktime_sub(ktime_get(), start));
	uslab_add64(&pool->core.passes, 1);
	uslab_add64(&pool->core.pass_us, took);
	uslab_limits_view(pool, &view);
	spin_lock(&pool->governor_lock);
	uslab_governor_done(&pool->governor, &pool->tunables, &view, took);
	spin_unlock(&pool->governor_lock);
	return returned;
}

/* Caches that nobody used for a step of aging go without a plan. */
static void pool_drain_old(struct uslab_pool *pool)
{
	u32 centisecs = READ_ONCE(pool->tunables.idle_expire_centisecs) / 2;

	if (READ_ONCE(pool->tunables.mode) == USLAB_MODE_AUTO)
		uslab_drain_queue(pool, max(msecs_to_jiffies(centisecs * 10), 1ul));
	else
		uslab_drain_look(pool);
}

/* Returns how soon to look again, in jiffies. */
static unsigned long pool_look(struct uslab_pool *pool)
{
	bool aging = READ_ONCE(pool->tunables.idle_aging_centisecs);
	struct uslab_plan plan = { };
	unsigned long period = PERIOD_MAX;
	struct uslab_view view;
	u64 returned = 0;
	u64 next;

	if (aging)
		pool_drain_old(pool);
	uslab_worker_thresholds(pool);
	uslab_limits_view(pool, &view);
	uslab_limits_look(pool, &view);
	spin_lock(&pool->governor_lock);
	if (aging || READ_ONCE(pool->tunables.mode) == USLAB_MODE_MANUAL)
		uslab_governor_plan(&pool->governor, &pool->tunables, &view, &plan);
	spin_unlock(&pool->governor_lock);
	if (plan.age || plan.idle || plan.pages)
		returned = pool_pass(pool, &plan);

	spin_lock(&pool->governor_lock);
	next = uslab_governor_next(&pool->governor, &pool->tunables, view.now,
				   plan.again && returned);
	spin_unlock(&pool->governor_lock);
	if (next)
		period = usecs_to_jiffies(min_t(u64, next - view.now, jiffies_to_usecs(period)));
	/* no barrier: who comes later has the pool looked at, see uslab_worker_watch() */
	if (READ_ONCE(pool->control->pressure) || waitqueue_active(&pool->pressure_wait) ||
	    READ_ONCE(pool->tunables.mode) == USLAB_MODE_MANUAL)
		period = min_t(unsigned long, period, WATCHED_PERIOD);
	return max(period, 1ul);
}

static void worker_run(void)
{
	unsigned long first = jiffies + PERIOD_MAX;
	struct uslab_pool *pool;
	bool any = false;

	for (pool = uslab_pool_next(NULL); pool; pool = uslab_pool_next(pool)) {
		unsigned long next = READ_ONCE(pool->next_look);

		any = true;
		/* before the look: a kick from here on makes it due again */
		if (time_after_eq(jiffies, next) &&
		    cmpxchg(&pool->next_look, next, jiffies + PERIOD_MAX) == next) {
			WRITE_ONCE(pool->last_look, jiffies);
			next = pool_look(pool);
			next += jiffies;
			if (time_before(next, READ_ONCE(pool->next_look)))
				WRITE_ONCE(pool->next_look, next);
			cond_resched();
		}
		next = READ_ONCE(pool->next_look);
		if (time_before(next, first))
			first = next;
	}
	if (any)
		mod_delayed_work(worker_wq, &worker,
				 time_after(first, jiffies) ? first - jiffies : 1);
}

static void worker_fn(struct work_struct *work)
{
	worker_run();
}

/* Once a jiffy, however often somebody kicks: each time all pools are passed. */
static void kicked_fn(struct work_struct *work)
{
	static unsigned long last = INITIAL_JIFFIES;

	if (!time_after(jiffies, last))
		schedule_timeout_uninterruptible(1);
	last = jiffies;
	worker_run();
}

static DECLARE_WORK(kicked, kicked_fn);

/* A pool is due: now, but not before some time has gone by since the last look. */
static void kick_within(struct uslab_pool *pool, unsigned long period)
{
	unsigned long now = jiffies;
	unsigned long least = READ_ONCE(pool->last_look) + LOOK_LEAST;
	unsigned long next = time_after(least, now) ? least : now;

	if (time_after(READ_ONCE(pool->next_look), now + period) || !period) {
		if (time_after(READ_ONCE(pool->next_look), next))
			WRITE_ONCE(pool->next_look, next);
		/*
		 * A full barrier, which pairs with the cmpxchg() in worker_run(): either
		 * the look that has begun sees the news, or another one follows.
		 */
		queue_work(worker_wq, &kicked);
	}
}

/**
 * uslab_worker_kick() - have the worker look at a pool now
 * @pool: the pool
 *
 * Context: any.
 */
void uslab_worker_kick(struct uslab_pool *pool)
{
	kick_within(pool, 0);
}

/**
 * uslab_worker_watch() - somebody waits for a pool's pressure level to change
 * @pool: the pool
 */
void uslab_worker_watch(struct uslab_pool *pool)
{
	kick_within(pool, WATCHED_PERIOD);
}

/**
 * uslab_worker_add() - prepare a pool for the worker
 * @pool: the pool, not published; it is looked at when it is kicked
 */
void uslab_worker_add(struct uslab_pool *pool)
{
	pool->governor.aged = ktime_to_us(ktime_get());
	pool->next_look = jiffies + PERIOD_MAX;
	pool->last_look = jiffies - LOOK_LEAST;
	pool->limits_looked = jiffies;
	spin_lock_init(&pool->governor_lock);
	init_waitqueue_head(&pool->pressure_wait);
}

/**
 * uslab_worker_init() - begin
 *
 * Return: 0 or -ENOMEM.
 */
int __init uslab_worker_init(void)
{
	/* ordered: one look at a time, whoever asked for it */
	worker_wq = alloc_ordered_workqueue("uslab_worker", WQ_MEM_RECLAIM);
	return worker_wq ? 0 : -ENOMEM;
}

/**
 * uslab_worker_exit() - end; there are no pools
 */
void uslab_worker_exit(void)
{
	cancel_work_sync(&kicked);
	cancel_delayed_work_sync(&worker);
	destroy_workqueue(worker_wq);
}
