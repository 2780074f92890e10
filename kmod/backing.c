// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a pool: pages for objects, the pages of the shared area, and
 * the engine's view of both.
 *
 * Everything is charged to the pool's cgroup. The callers that allocate have
 * made that cgroup the active one; it covers the engine's tables as well.
 *
 * The shared area's pages stay from when they are made until the pool goes.
 * CPU caches and depots exist from the beginning; magazines come a page at a
 * time, under pool->grow. The kernel reaches all of them through its linear
 * map and believes nothing that it reads there.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "uslab.h"

#define ROOM_PAGES	64u		/* left to a cgroup by its pools */

/* The home's lock */

static void home_lock(struct uslab_home *home)
{
	mutex_lock(&uslab_node(home)->lock);
}

static bool home_trylock(struct uslab_home *home)
{
	return mutex_trylock(&uslab_node(home)->lock);
}

static void home_unlock(struct uslab_home *home)
{
	mutex_unlock(&uslab_node(home)->lock);
}

static void home_resched(void)
{
	cond_resched();
}

/* Pages of objects */

static void *object_page_alloc(struct uslab_home *home)
{
	struct uslab_pool *pool = uslab_pool(home->core);
	int nid = uslab_node(home)->nid;
	gfp_t gfp = USLAB_GFP;

	/* nobody will see this error, and who is killed for memory must take no more */
	if (fatal_signal_pending(current))
		return NULL;
	switch (home->core->geo.policy) {
	case USLAB_POLICY_BIND:
		gfp |= __GFP_THISNODE;
		break;
	case USLAB_POLICY_INTERLEAVE:
		nid = pool->nids[(u32)atomic_inc_return(&pool->rotor) % pool->nr_nids];
		break;
	case USLAB_POLICY_GLOBAL:
		nid = numa_mem_id();
		break;
	}
	return alloc_pages_node(nid, gfp, 0);
}

static void object_page_free(struct uslab_home *home, void *page)
{
	/* not the last reference when somebody has pinned it for I/O */
	put_page(page);
}

static void object_page_destroy(void *pool, void *page)
{
	put_page(page);
	cond_resched();
}

/* CPU caches and depots */

static void *shared_address(const struct uslab_pool *pool, u64 offset)
{
	return page_address(pool->shared[offset >> PAGE_SHIFT]) + offset_in_page(offset);
}

static struct uslab_cpu *cpu_cache(const struct uslab_core *core, u32 cpu)
{
	return shared_address(uslab_pool(core),
			      core->geo.cpus_start + (u64)cpu * core->geo.cpu_stride);
}

/* The node that uses a page of the shared area: of its first CPU, or its depot. */
static int shared_nid(const struct uslab_pool *pool, u32 page)
{
	const struct uslab_geometry *geo = &pool->core.geo;
	u64 offset = (u64)page << PAGE_SHIFT;
	u32 cpu;

	if (offset >= geo->depots_start)
		return pool->nids[(offset - geo->depots_start) >> PAGE_SHIFT];
	cpu = (offset - geo->cpus_start) / geo->cpu_stride;
	if (cpu < nr_cpu_ids && cpu_possible(cpu) && cpu_to_mem(cpu) != NUMA_NO_NODE)
		return cpu_to_mem(cpu);
	return pool->nids[0];
}

static int shared_init(struct uslab_pool *pool)
{
	struct uslab_geometry *geo = &pool->core.geo;
	u32 nr = geo->magazines_start >> PAGE_SHIFT;
	u32 i;

	pool->shared = kvcalloc(nr, sizeof(*pool->shared), USLAB_GFP);
	if (!pool->shared)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		pool->shared[i] = alloc_pages_node(shared_nid(pool, i), USLAB_GFP, 0);
		if (!pool->shared[i])
			return -ENOMEM;
		pool->nr_shared++;
		cond_resched();
	}
	for (i = 0; i < geo->nr_homes; i++)
		pool->core.homes[i]->depot =
			shared_address(pool, geo->depots_start + ((u64)i << PAGE_SHIFT));
	return 0;
}

/* Magazines: index i lies at byte i * magazine_stride of their area. */

static struct uslab_magazine *magazine_find(const void *core, u32 index)
{
	const struct uslab_pool *pool = uslab_pool(core);
	u64 offset = (u64)index * pool->core.geo.magazine_stride;
	struct page *page;

	if (!index)
		return NULL;
	page = xa_load((struct xarray *)&pool->magazines, offset >> PAGE_SHIFT);
	return page ? page_address(page) + offset_in_page(offset) : NULL;
}

static u32 magazines_per_page(const struct uslab_core *core)
{
	return PAGE_SIZE / core->geo.magazine_stride;
}

static u32 magazines_nr(const struct uslab_core *core)
{
	u32 pages = READ_ONCE(uslab_pool(core)->nr_magazine_pages);

	return pages ? pages * magazines_per_page(core) - 1 : 0;
}

static int magazines_add(struct uslab_home *home, u32 *first, u32 *nr)
{
	struct uslab_pool *pool = uslab_pool(home->core);
	u32 per_page = magazines_per_page(home->core);
	struct page *page;
	int err = 0;
	u32 index;

	mutex_lock(&pool->grow);
	index = pool->nr_magazine_pages;
	if (index * per_page >= home->core->geo.nr_magazines) {
		err = -ENOSPC;
		goto out;
	}
	page = alloc_pages_node(uslab_node(home)->nid, USLAB_GFP, 0);
	if (!page) {
		err = -ENOMEM;
		goto out;
	}
	err = xa_err(xa_store(&pool->magazines, index, page, USLAB_GFP & ~__GFP_ZERO));
	if (err) {
		put_page(page);
		goto out;
	}
	WRITE_ONCE(pool->nr_magazine_pages, index + 1);
	/* index 0 means none */
	*first = max(index * per_page, 1u);
	*nr = (index + 1) * per_page - *first;
out:
	mutex_unlock(&pool->grow);
	return err;
}

static const struct uslab_core_ops core_ops = {
	.lock		= home_lock,
	.trylock	= home_trylock,
	.unlock		= home_unlock,
	.page_alloc	= object_page_alloc,
	.page_free	= object_page_free,
	.page_detach	= uslab_region_detach,
	.unmap		= uslab_region_unmap,
	.magazine	= magazine_find,
	.magazines_add	= magazines_add,
	.nr_magazines	= magazines_nr,
	.cpu		= cpu_cache,
	.resched	= home_resched,
};

/**
 * uslab_backing_shared_page() - a page of the shared area
 * @pool: the pool
 * @page: its number in the area
 *
 * Return: the page, without a reference; NULL when there is none (yet).
 */
struct page *uslab_backing_shared_page(struct uslab_pool *pool, pgoff_t page)
{
	if (page < pool->nr_shared)
		return pool->shared[page];
	return xa_load(&pool->magazines, page - pool->nr_shared);
}

/*
 * Is there room in the cgroup for what a task needs besides objects, such as page
 * tables for them? At a limit where nothing can be reclaimed any more, that would be
 * the end of it: a pool must not take the last pages. To ask for them has the
 * kernel reclaim whatever else there is.
 */
static bool leaves_room(const struct uslab_pool *pool)
{
	struct page *pages[ROOM_PAGES];
	u32 nr = 0;
	bool room;

	if (uslab_memcg_room(pool->memcg) >= ROOM_PAGES)
		return true;
	while (nr < ROOM_PAGES && (pages[nr] = alloc_page(USLAB_GFP & ~__GFP_ZERO)))
		nr++;
	room = nr == ROOM_PAGES;
	while (nr)
		put_page(pages[--nr]);
	return room;
}

static void count_failure(struct uslab_home *home)
{
	home_lock(home);
	home->refill_failures++;
	home_unlock(home);
}

/**
 * uslab_backing_refill() - take objects out of a home's engine
 * @home: the home
 * @handles: written
 * @nr: how many
 *
 * Return: as uslab_core_refill(); -EBUSY when the pool may not grow.
 */
int uslab_backing_refill(struct uslab_home *home, u32 *handles, u32 nr)
{
	struct uslab_pool *pool = uslab_pool(home->core);
	struct mem_cgroup *old;
	int got;

	nr = uslab_limits_admit(pool, nr);
	if (!nr) {
		count_failure(home);
		return -EBUSY;
	}
	uslab_reclaim_get(pool, nr);
	old = set_active_memcg(pool->memcg);
	got = uslab_core_refill(home, handles, nr);
	if (got > 0 && !leaves_room(pool)) {
		uslab_core_return(&pool->core, handles, got);
		count_failure(home);
		got = -ENOMEM;
	}
	set_active_memcg(old);
	return got;
}

/**
 * uslab_backing_grow() - more magazines
 * @home: the home on whose empty stack they go
 *
 * Return: as uslab_core_grow().
 */
int uslab_backing_grow(struct uslab_home *home)
{
	struct uslab_pool *pool = uslab_pool(home->core);
	struct mem_cgroup *old = set_active_memcg(pool->memcg);
	int added = uslab_core_grow(home);

	set_active_memcg(old);
	/* more lies idle than ever before */
	uslab_worker_kick(pool);
	return added;
}

/**
 * uslab_backing_init() - give a pool the memory it begins with
 * @pool: the pool, with its geometry and homes
 *
 * Return: 0 or -ENOMEM; what has been made then is freed with the pool.
 */
int uslab_backing_init(struct uslab_pool *pool)
{
	pool->core.ops = &core_ops;
	mutex_init(&pool->grow);
	xa_init_flags(&pool->magazines, XA_FLAGS_ACCOUNT);
	pool->control = alloc_pages_exact(pool->core.geo.control_size, USLAB_GFP);
	if (!pool->control)
		return -ENOMEM;
	return shared_init(pool);
}

/**
 * uslab_backing_destroy() - free all memory of a pool
 * @pool: the pool; nobody else knows it any more
 */
void uslab_backing_destroy(struct uslab_pool *pool)
{
	struct page *page;
	unsigned long index;
	u32 i;

	if (!pool->core.homes)
		return;
	for (i = 0; i < pool->core.geo.nr_homes && pool->core.homes[i]; i++)
		uslab_slabs_destroy(&pool->core.homes[i]->slabs, object_page_destroy, pool);
	if (!pool->core.ops)
		return;
	xa_for_each(&pool->magazines, index, page) {
		put_page(page);
		cond_resched();
	}
	xa_destroy(&pool->magazines);
	for (i = 0; i < pool->nr_shared; i++)
		put_page(pool->shared[i]);
	kvfree(pool->shared);
	if (pool->control)
		free_pages_exact(pool->control, pool->core.geo.control_size);
}
