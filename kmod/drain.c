// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draining: objects that lie idle in CPU caches go back to the engine.
 *
 * A CPU's cache may be changed only by code that runs on that CPU: a
 * restartable sequence, which ends in a store of the cache's word, or the
 * kernel with preemption disabled. When a worker bound to the CPU runs, a
 * sequence that had begun there was preempted, and starts again when its
 * thread runs next. So the worker needs neither atomics nor interrupts; it
 * reads the word, copies handles, and writes the word. The write needs no
 * barrier: the next to read it runs on this CPU, after a context switch.
 * Nothing but a context switch gives that: no softirq, timer or cross call may
 * edit a cache.
 *
 * Work may run on another CPU when its own goes away, so each chunk checks
 * where it is, with preemption disabled. What a dead CPU leaves is taken by
 * the hotplug callback: nothing runs on that CPU then, and it cannot come back
 * before the callback is done.
 *
 * A worker may be late, or never run where a real-time task has the CPU. The
 * shrinker only queues work. Who waits, waits with a limit and can be killed.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/jiffies.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "uslab.h"

#define DRAIN_CHUNK	64u		/* handles taken with preemption disabled */

/**
 * struct uslab_drain - the kernel's view of one CPU's cache
 * @work:	empties it
 * @pool:	whose it is
 * @cpu:	which it is
 * @changed:	when @word or @remote_word were first seen, in jiffies
 * @word:	as last seen
 * @remote_word: as last seen
 *
 * What was seen may be written by several who look at once. They write the
 * same, or something a little older: it decides only how soon to drain.
 */
struct uslab_drain {
	struct work_struct	work;
	struct uslab_pool	*pool;
	u32			cpu;
	unsigned long		changed;
	u64			word;
	u64			remote_word;
};

static struct workqueue_struct *drain_wq;
static int drain_hp_state;

/*
 * Take up to DRAIN_CHUNK handles off the top of a cache or stash. Runs on its
 * CPU with preemption disabled, or when that CPU is dead.
 */
static u32 cache_take(u64 *word, const u32 *slots, u32 capacity, u32 *handles)
{
	u64 seen = READ_ONCE(*word);
	u32 count = min_t(u32, seen & USLAB_WORD_COUNT_MASK, capacity);
	u32 nr = min(count, DRAIN_CHUNK);
	u32 i;

	for (i = 0; i < nr; i++)
		handles[i] = READ_ONCE(slots[count - nr + i]);
	if (nr)
		WRITE_ONCE(*word, (seen & ~USLAB_WORD_COUNT_MASK) | (count - nr));
	return nr;
}

static u32 cache_take_on(u32 cpu, u64 *word, const u32 *slots, u32 capacity, u32 *handles)
{
	u32 nr = 0;

	preempt_disable();
	if (smp_processor_id() == cpu)
		nr = cache_take(word, slots, capacity, handles);
	preempt_enable();
	return nr;
}

typedef u32 (*cache_take_fn)(u32 cpu, u64 *word, const u32 *slots, u32 capacity, u32 *handles);

/* Empty one cache or stash; what others put in meanwhile does not keep us here. */
static void drain_slots(struct uslab_drain *drain, cache_take_fn take, u64 *word,
			const u32 *slots, u32 capacity)
{
	u32 handles[DRAIN_CHUNK];
	u32 left = capacity;

	while (left) {
		u32 nr = take(drain->cpu, word, slots, capacity, handles);

		if (!nr)
			break;
		uslab_core_return(&drain->pool->core, handles, nr);
		left -= min(left, nr);
		cond_resched();
	}
}

static void drain_cache(struct uslab_drain *drain, cache_take_fn take)
{
	struct uslab_geometry *geo = &drain->pool->core.geo;
	struct uslab_cpu *cache = uslab_cpu_cache(drain->pool, drain->cpu);

	drain_slots(drain, take, &cache->word, cache->slot, geo->cpu_capacity);
	drain_slots(drain, take, &cache->remote_word, cache->slot + geo->cpu_capacity,
		    geo->remote_capacity);
}

static void drain_done(struct uslab_pool *pool)
{
	if (atomic_dec_and_test(&pool->nr_draining))
		wake_up_all(&pool->drained);
}

static void drain_work(struct work_struct *work)
{
	struct uslab_drain *drain = container_of(work, struct uslab_drain, work);

	drain_cache(drain, cache_take_on);
	drain_done(drain->pool);
}

/* Look at a cache: how many objects it holds, and for how long it has not changed. */
static u32 drain_look(struct uslab_drain *drain, unsigned long *idle)
{
	struct uslab_geometry *geo = &drain->pool->core.geo;
	struct uslab_cpu *cache = uslab_cpu_cache(drain->pool, drain->cpu);
	u64 word = READ_ONCE(cache->word);
	u64 remote_word = READ_ONCE(cache->remote_word);

	if (word != READ_ONCE(drain->word) || remote_word != READ_ONCE(drain->remote_word)) {
		WRITE_ONCE(drain->word, word);
		WRITE_ONCE(drain->remote_word, remote_word);
		WRITE_ONCE(drain->changed, jiffies);
	}
	*idle = jiffies - READ_ONCE(drain->changed);
	return min_t(u32, word & USLAB_WORD_COUNT_MASK, geo->cpu_capacity) +
	       min_t(u32, remote_word & USLAB_WORD_COUNT_MASK, geo->remote_capacity);
}

static void drain_queue(struct uslab_drain *drain)
{
	struct uslab_pool *pool = drain->pool;

	atomic_inc(&pool->nr_draining);
	if (!queue_work_on(drain->cpu, drain_wq, &drain->work))
		drain_done(pool);
}

/*
 * Look at all caches, and perhaps have those emptied that lay idle for so long, until
 * @spare objects will have gone.
 */
static void drain_pass(struct uslab_pool *pool, bool queue, unsigned long idle, u64 spare)
{
	unsigned long unchanged;
	u64 cached_idle = 0;
	u64 cached = 0;
	u32 cpu;

	WRITE_ONCE(pool->looked, jiffies);
	for_each_online_cpu(cpu) {
		struct uslab_drain *drain = &pool->drains[cpu];
		u32 objects = drain_look(drain, &unchanged);

		if (objects && queue && unchanged >= idle && objects <= spare) {
			spare -= objects;
			drain_queue(drain);
			continue;
		}
		cached += objects;
		if (unchanged >= USLAB_IDLE_JIFFIES)
			cached_idle += objects;
	}
	WRITE_ONCE(pool->cached, cached);
	WRITE_ONCE(pool->cached_idle, cached_idle);
}

/**
 * uslab_drain_look() - see which CPU caches are in use
 * @pool: the pool
 *
 * Leaves in @pool how many objects are in them, and in those that are idle.
 *
 * Context: any; reads two words of each online CPU's cache.
 */
void uslab_drain_look(struct uslab_pool *pool)
{
	drain_pass(pool, false, 0, 0);
}

/**
 * uslab_drain_queue() - have CPU caches emptied
 * @pool: the pool
 * @idle: only those that did not change for so many jiffies, as far as is known, and
 *	no more than leaves min_idle; 0: all, whatever is left
 *
 * Looks as well; what is going to be emptied does not count any more.
 *
 * Context: any that holds a reference to the pool; does not wait.
 */
void uslab_drain_queue(struct uslab_pool *pool, unsigned long idle)
{
	u64 floor = idle ? READ_ONCE(pool->core.min_idle) : 0;
	u64 have = uslab_core_idle_objects(&pool->core) + READ_ONCE(pool->cached);

	drain_pass(pool, true, idle, floor ? have - min(have, floor) : U64_MAX);
}

/**
 * uslab_drain_wait() - wait until the works that were queued are done
 * @pool: the pool
 * @timeout: in jiffies
 *
 * Return: 0 when time is up, -ERESTARTSYS on a signal, else positive.
 */
long uslab_drain_wait(struct uslab_pool *pool, unsigned long timeout)
{
	return wait_event_interruptible_timeout(pool->drained, !atomic_read(&pool->nr_draining),
						timeout);
}

/**
 * uslab_drain_add() - prepare draining a pool
 * @pool: the pool, with its CPU caches
 *
 * Return: 0 or -ENOMEM.
 */
int uslab_drain_add(struct uslab_pool *pool)
{
	u32 cpu;

	init_waitqueue_head(&pool->drained);
	pool->looked = jiffies;
	pool->drains = kvcalloc(nr_cpu_ids, sizeof(*pool->drains), USLAB_GFP);
	if (!pool->drains)
		return -ENOMEM;
	for (cpu = 0; cpu < nr_cpu_ids; cpu++) {
		struct uslab_drain *drain = &pool->drains[cpu];

		INIT_WORK(&drain->work, drain_work);
		drain->pool = pool;
		drain->cpu = cpu;
		drain->changed = jiffies;
	}
	return 0;
}

/**
 * uslab_drain_del() - end all draining of a pool
 * @pool: the pool; nobody queues more work
 */
void uslab_drain_del(struct uslab_pool *pool)
{
	u32 cpu;

	if (!pool->drains)
		return;
	for_each_possible_cpu(cpu)
		cancel_work_sync(&pool->drains[cpu].work);
	kvfree(pool->drains);
}

/* CPU hotplug */

static u32 cache_take_dead(u32 cpu, u64 *word, const u32 *slots, u32 capacity, u32 *handles)
{
	return cache_take(word, slots, capacity, handles);
}

static int drain_cpu_dead(unsigned int cpu)
{
	struct uslab_pool *pool;

	for (pool = uslab_pool_next(NULL); pool; pool = uslab_pool_next(pool))
		drain_cache(&pool->drains[cpu], cache_take_dead);
	return 0;
}

/* Does work queued on a CPU run there? All of this file rests on it. */

struct bound_check {
	struct work_struct work;
	struct completion done;
	int ran_on;
};

static void bound_check_work(struct work_struct *work)
{
	struct bound_check *check = container_of(work, struct bound_check, work);

	check->ran_on = raw_smp_processor_id();
	complete(&check->done);
}

/* Is there a CPU that says otherwise? One that is kept busy need not answer. */
static int drain_check_bound(void)
{
	struct bound_check check;
	int cpu, err = 0;

	INIT_WORK_ONSTACK(&check.work, bound_check_work);
	init_completion(&check.done);
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		reinit_completion(&check.done);
		check.ran_on = cpu;
		queue_work_on(cpu, drain_wq, &check.work);
		wait_for_completion_timeout(&check.done, HZ / 10);
		cancel_work_sync(&check.work);
		if (check.ran_on != cpu)
			err = -EOPNOTSUPP;
	}
	cpus_read_unlock();
	destroy_work_on_stack(&check.work);
	if (err)
		pr_err("work queued on a CPU does not run there\n");
	return err;
}

/**
 * uslab_drain_init() - begin
 *
 * Return: 0 or an error.
 */
int __init uslab_drain_init(void)
{
	int state;
	int err;

	drain_wq = alloc_workqueue("uslab", WQ_MEM_RECLAIM | USLAB_WQ_PERCPU, 0);
	if (!drain_wq)
		return -ENOMEM;
	err = drain_check_bound();
	if (err)
		goto err_wq;
	/* the teardown of states before "online" runs when the CPU is dead */
	state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "uslab:dead", NULL,
					  drain_cpu_dead);
	if (state < 0) {
		err = state;
		goto err_wq;
	}
	drain_hp_state = state;
	return 0;

err_wq:
	destroy_workqueue(drain_wq);
	return err;
}

/**
 * uslab_drain_exit() - end
 */
void uslab_drain_exit(void)
{
	cpuhp_remove_state_nocalls(drain_hp_state);
	destroy_workqueue(drain_wq);
}
