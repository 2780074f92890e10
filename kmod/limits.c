// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: how much memory a pool may use, how near it is to that, and who is told.
 *
 * The limit that counts is the nearest: the memory.max of the pool's cgroup or of
 * an ancestor, the machine's memory, or the pool's own memory_limit. Page cache that
 * is not active does not count: a cgroup that reads files is at its limit all the time.
 * Of an ancestor's, only that of the pool's own cgroup is known.
 *
 * Levels are looked at by the background worker, and by refills, not by the shrinker,
 * which has the worker do it: telling takes locks that allocate.
 */
#include <linux/ktime.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/page_counter.h>
#include <linux/poll.h>
#include <linux/sysfs.h>

#include "uslab.h"

#define REFILL_LOOK	(HZ / 100 + 1)	/* refills look no more often */
#define REFILL_FEW	8u		/* objects in a refill while memory is being taken */

#ifdef CONFIG_MEMCG
/**
 * uslab_memcg_is_root() - does a cgroup stand for the whole machine?
 * @memcg: may be NULL
 */
bool uslab_memcg_is_root(struct mem_cgroup *memcg)
{
	return !memcg || !memcg->css.parent;
}

/**
 * uslab_memcg_margin() - the pages that a cgroup may still charge
 * @memcg: may be NULL
 * @high: does memory.high count as a limit?
 *
 * Return: how many, before a limit on its way up is hit.
 */
unsigned long uslab_memcg_margin(struct mem_cgroup *memcg, bool high)
{
	unsigned long margin = ULONG_MAX;

	for (; memcg; memcg = parent_mem_cgroup(memcg)) {
		unsigned long usage = page_counter_read(&memcg->memory);
		unsigned long limit = READ_ONCE(memcg->memory.max);

		if (high)
			limit = min(limit, READ_ONCE(memcg->memory.high));
		margin = min(margin, limit - min(usage, limit));
	}
	return margin;
}

/**
 * uslab_memcg_is_mine() - does this task charge a cgroup that is at its limit?
 * @memcg: may be NULL
 * @margin: pages below which a cgroup is at its limit
 *
 * Return: whether one of @memcg and those above it is.
 */
bool uslab_memcg_is_mine(struct mem_cgroup *memcg, unsigned long margin)
{
	struct mem_cgroup *mine;
	bool found = false;

	rcu_read_lock();
	mine = mem_cgroup_from_task(current);
	for (; memcg && mine && !found; memcg = parent_mem_cgroup(memcg)) {
		unsigned long usage = page_counter_read(&memcg->memory);
		unsigned long limit = min(READ_ONCE(memcg->memory.max),
					  READ_ONCE(memcg->memory.high));

		found = limit - min(usage, limit) < margin &&
			mem_cgroup_is_descendant(mine, memcg);
	}
	rcu_read_unlock();
	return found;
}

/* The least of what the machine and the cgroup's limits allow, in pages. */
static unsigned long memory_pages(struct mem_cgroup *memcg)
{
	unsigned long pages = totalram_pages();

	for (; memcg; memcg = parent_mem_cgroup(memcg))
		pages = min(pages, READ_ONCE(memcg->memory.max));
	return pages;
}

static unsigned long inactive_file_pages(struct mem_cgroup *memcg)
{
	unsigned long pages = 0;
	int nid, zone;

	for_each_node_state(nid, N_MEMORY)
		for (zone = 0; zone < MAX_NR_ZONES; zone++)
			pages += mem_cgroup_get_zone_lru_size(&memcg->nodeinfo[nid]->lruvec,
							      LRU_INACTIVE_FILE, zone);
	return pages;
}

/**
 * uslab_memcg_room() - the pages that a cgroup can charge without killing anybody
 * @memcg: may be NULL
 *
 * Page cache that is not active goes when it is wanted; a cgroup that reads files has it
 * up to its limit.
 *
 * Return: how many there are at least.
 */
unsigned long uslab_memcg_room(struct mem_cgroup *memcg)
{
	unsigned long margin = uslab_memcg_margin(memcg, false);

	return uslab_memcg_is_root(memcg) ? margin : margin + inactive_file_pages(memcg);
}

/* How much of the nearest limit is in use, per mille. */
static u32 memcg_used(struct mem_cgroup *memcg)
{
	unsigned long inactive = uslab_memcg_is_root(memcg) ? 0 : inactive_file_pages(memcg);
	u32 used = 0;

	for (; memcg; memcg = parent_mem_cgroup(memcg)) {
		unsigned long max = READ_ONCE(memcg->memory.max);
		unsigned long usage = page_counter_read(&memcg->memory);

		usage -= min(usage, inactive);
		if (max < PAGE_COUNTER_MAX)
			used = max(used, uslab_per_mille(usage, max));
	}
	return used;
}
#else
bool uslab_memcg_is_root(struct mem_cgroup *memcg)
{
	return true;
}

unsigned long uslab_memcg_margin(struct mem_cgroup *memcg, bool high)
{
	return ULONG_MAX;
}

bool uslab_memcg_is_mine(struct mem_cgroup *memcg, unsigned long margin)
{
	return false;
}

unsigned long uslab_memcg_room(struct mem_cgroup *memcg)
{
	return ULONG_MAX;
}

static unsigned long memory_pages(struct mem_cgroup *memcg)
{
	return totalram_pages();
}

static u32 memcg_used(struct mem_cgroup *memcg)
{
	return 0;
}
#endif

static u32 machine_used(void)
{
	unsigned long total = totalram_pages();
	unsigned long available = clamp(si_mem_available(), 0l, (long)total);

	return uslab_per_mille(total - available, total);
}

/**
 * uslab_limits_memory() - the memory that a pool's ratios are percent of
 * @pool: the pool
 *
 * Return: bytes.
 */
u64 uslab_limits_memory(const struct uslab_pool *pool)
{
	return (u64)memory_pages(pool->memcg) << PAGE_SHIFT;
}

/**
 * uslab_limits_view() - see what the governor decides from
 * @pool: the pool
 * @view: written
 */
void uslab_limits_view(const struct uslab_pool *pool, struct uslab_view *view)
{
	const struct uslab_geometry *geo = &pool->core.geo;
	u64 objects = uslab_core_idle_objects(&pool->core) + READ_ONCE(pool->cached);

	view->now = ktime_to_us(ktime_get());
	view->memory = uslab_limits_memory(pool);
	view->idle = min(objects, geo->objects_size >> geo->granule_shift) * geo->stride;
	view->backed = uslab_core_backed_bytes(&pool->core);
	view->used = max(memcg_used(pool->memcg), machine_used());
}

static void breaker_tell(struct uslab_pool *pool, enum uslab_breaker event)
{
	static const char * const what[] = {
		[USLAB_BREAKER_RECLAIMS] = "near the limit: reclaims in spite of manual mode",
		[USLAB_BREAKER_REFUSES] = "near the limit for the third time: may not grow",
		[USLAB_BREAKER_TELLS] = "growth refused: needs an operator",
		[USLAB_BREAKER_CLOSES] = "no longer near the limit",
	};

	if (event == USLAB_BREAKER_NOTHING)
		return;
	pr_warn_ratelimited("%s: %s\n", pool->dir, what[event]);
	sysfs_notify(&pool->kobj, NULL, "breaker");
}

/**
 * uslab_limits_look() - see how near the limits are, and tell if that changed
 * @pool: the pool, with a reference
 * @view: what is seen
 *
 * Context: process context; takes locks of sysfs.
 */
void uslab_limits_look(struct uslab_pool *pool, const struct uslab_view *view)
{
	enum uslab_breaker event;
	bool changed;

	WRITE_ONCE(pool->limits_looked, jiffies);
	spin_lock(&pool->governor_lock);
	changed = uslab_governor_look(&pool->governor, &pool->tunables, view);
	event = uslab_governor_breaker(&pool->governor, &pool->tunables, view);
	WRITE_ONCE(pool->control->pressure, pool->governor.level);
	spin_unlock(&pool->governor_lock);
	if (changed) {
		wake_up_interruptible_poll(&pool->pressure_wait, EPOLLPRI | EPOLLOUT);
		sysfs_notify(&pool->kobj, NULL, "pressure");
	}
	breaker_tell(pool, event);
}

/**
 * uslab_limits_admit() - may a pool grow, and by how much?
 * @pool: the pool
 * @nr: objects wanted
 *
 * Return: objects; 0 when the circuit breaker of manual mode refuses growth.
 */
u32 uslab_limits_admit(struct uslab_pool *pool, u32 nr)
{
	u32 few = max_t(u32, REFILL_FEW, PAGE_SIZE / pool->core.geo.stride);
	enum uslab_breaker event;
	u64 bytes;

	if (time_after(jiffies, READ_ONCE(pool->limits_looked) + REFILL_LOOK)) {
		struct uslab_view view;

		uslab_limits_view(pool, &view);
		uslab_limits_look(pool, &view);
	}
	bytes = uslab_core_backed_bytes(&pool->core) + (u64)nr * pool->core.geo.stride;
	spin_lock(&pool->governor_lock);
	nr = uslab_governor_batch(&pool->governor, &pool->tunables, ktime_to_us(ktime_get()),
				  bytes, nr, few, &event);
	spin_unlock(&pool->governor_lock);
	breaker_tell(pool, event);
	return nr;
}

/**
 * uslab_limits_poll() - wait for a change of the pressure level
 * @file: the pool's file
 * @wait: as file operations have it
 *
 * Return: EPOLLPRI under pressure, EPOLLOUT when there is none.
 */
__poll_t uslab_limits_poll(struct file *file, struct poll_table_struct *wait)
{
	struct uslab_pool *pool = file->private_data;

	poll_wait(file, &pool->pressure_wait, wait);
	uslab_worker_watch(pool);
	return READ_ONCE(pool->control->pressure) ? EPOLLPRI : EPOLLOUT;
}
