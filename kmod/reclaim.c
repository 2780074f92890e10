// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaim that is not the shrinker's: on request, and with age.
 *
 * Both take a home's lock for one magazine at a time, so that refills get
 * their turn. Aging runs on an unbound workqueue: it may take long, and must
 * not hold up the drains, which are bound.
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include "uslab.h"

#define RECLAIM_SLICE	4096u		/* pages between two looks at signals */
#define DRAIN_TIMEOUT	(2 * HZ)

static struct workqueue_struct *aging_wq;

static void aging_work(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(aging, aging_work);

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

typedef u64 (*shrink_fn)(struct uslab_home *home, u64 pages, u32 flags);

static void reclaim_homes(struct uslab_pool *pool, shrink_fn shrink, u64 goal)
{
	u32 i;

	for (i = 0; i < pool->core.geo.nr_homes; i++) {
		u64 slice;

		do {
			slice = min_t(u64, reclaim_left(pool, goal), RECLAIM_SLICE);
		} while (slice && shrink(pool->core.homes[i], slice, 0) >= slice);
	}
}

/**
 * uslab_reclaim_pool() - take idle memory back
 * @pool: the pool
 * @bytes: how much is wanted; U64_MAX for all
 *
 * The victims of all homes go first, then what else is in depots, then what is
 * in CPU caches. Others' reclaim in the meantime counts towards the goal.
 *
 * Context: sleeps; waits for the CPUs, not for ever.
 * Return: how many bytes of pages came free.
 */
u64 uslab_reclaim_pool(struct uslab_pool *pool, u64 bytes)
{
	u64 before = pool_released(pool);
	u64 pages = (bytes >> PAGE_SHIFT) + !!offset_in_page(bytes);
	u64 goal = bytes == U64_MAX ? U64_MAX : before + pages;

	reclaim_homes(pool, uslab_core_shrink_victim, goal);
	reclaim_homes(pool, uslab_core_shrink_depot, goal);
	if (reclaim_left(pool, goal)) {
		uslab_drain_queue(pool, 0);
		uslab_drain_wait(pool, DRAIN_TIMEOUT);
	}
	return (pool_released(pool) - before) << PAGE_SHIFT;
}

/* With age */

static bool aging_over;		/* under the lock of the module's parameters */
static unsigned int aging_centisecs = 1000;
static unsigned int expire_centisecs = 3000;

static unsigned long centisecs_to_jiffies(unsigned int centisecs)
{
	return msecs_to_jiffies(min(centisecs, UINT_MAX / 10) * 10);
}

/*
 * What lies in a depot goes at the second step, after some time in the current
 * generation and a whole interval as a victim: after one to two intervals. An
 * interval is half the expiry time, rounded up to the passes of the worker.
 */
static void age_pool(struct uslab_pool *pool)
{
	unsigned long step = centisecs_to_jiffies(READ_ONCE(expire_centisecs) / 2);
	u32 i;

	uslab_drain_queue(pool, step);
	for (i = 0; i < pool->core.geo.nr_homes; i++) {
		struct uslab_node *node = uslab_node(pool->core.homes[i]);

		if (time_before(jiffies, node->aged + step))
			continue;
		node->aged = jiffies;
		uslab_core_age(&node->home);
		cond_resched();
	}
}

static void aging_start(void)
{
	unsigned int centisecs = READ_ONCE(aging_centisecs);

	if (centisecs)
		mod_delayed_work(aging_wq, &aging, centisecs_to_jiffies(centisecs));
}

static void aging_work(struct work_struct *work)
{
	struct uslab_pool *pool;

	for (pool = uslab_pool_next(NULL); pool; pool = uslab_pool_next(pool))
		age_pool(pool);
	aging_start();
}

static int aging_set(const char *value, const struct kernel_param *param)
{
	int err = param_set_uint(value, param);

	/* parameters on the command line come before there is a workqueue */
	if (!err && aging_wq && !aging_over)
		aging_start();
	return err;
}

static const struct kernel_param_ops aging_ops = {
	.set = aging_set,
	.get = param_get_uint,
};

module_param_cb(aging_centisecs, &aging_ops, &aging_centisecs, 0644);
__MODULE_PARM_TYPE(aging_centisecs, "uint");
MODULE_PARM_DESC(aging_centisecs, "Hundredths of a second between aging passes, 0: none");
module_param(expire_centisecs, uint, 0644);
MODULE_PARM_DESC(expire_centisecs, "Hundredths of a second after which idle objects expire");

/**
 * uslab_reclaim_init() - begin
 *
 * Return: 0 or -ENOMEM.
 */
int __init uslab_reclaim_init(void)
{
	aging_wq = alloc_workqueue("uslab_aging", WQ_UNBOUND, 1);
	if (!aging_wq)
		return -ENOMEM;
	aging_start();
	return 0;
}

/**
 * uslab_reclaim_exit() - end
 */
void uslab_reclaim_exit(void)
{
	/* the parameter can be written until the module is gone */
	kernel_param_lock(THIS_MODULE);
	aging_over = true;
	kernel_param_unlock(THIS_MODULE);
	cancel_delayed_work_sync(&aging);
	destroy_workqueue(aging_wq);
}
