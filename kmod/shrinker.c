// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shrinker: the kernel wants memory, of one node and one cgroup.
 *
 * What makes the kernel call us for a cgroup is an item on a list_lru that
 * belongs to it; a shrinker finds out no other way. An item stands for a home
 * and is on the list from the pool's publication until its release. It comes
 * from the home's node and is charged to the pool's cgroup, which is where
 * list_lru reads both. The single home of an interleaved or global pool has
 * pages everywhere, so it has an item on each node.
 *
 * Items are never isolated. A walk, under the list's lock, picks one whose pool
 * has something idle, takes a reference to the pool and moves the item to the
 * list's end; the work is done without the lock. Release first waits for the
 * references, then takes the items off.
 *
 * We may have been entered while the task holds any lock under which somebody
 * allocates. So a home's lock is only tried, and nothing is allocated. CPU caches
 * are drained by works that are queued and show in a later count; only at a limit
 * they get a moment, see wait_for_workers().
 */
#include <linux/list_lru.h>
#include <linux/memcontrol.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "compat.h"
#include "uslab.h"

/* Items that one count looks at, and that one scan works on. */
#define COUNT_ITEMS	128ul
#define SCAN_ITEMS	16u

/*
 * What is freed for a cgroup's limit is not credited to the task that reclaims:
 * it would go on until nothing idle is left. So a cgroup is not told of more
 * than this many pages at a time, and when a limit has been hit, we stop as
 * soon as there is that much room again.
 */
#define MEMCG_PAGES	256ul
#define MARGIN_PAGES	128ul
#define LIMIT_EPISODE	(HZ / 20 + 1)
#define LIMIT_LOOK	(HZ / 100)
#define LIMIT_WAIT	(HZ / 50 + 1)

/**
 * struct uslab_item - makes the shrinker find a home
 * @lru:	on the list of its node and cgroup
 * @pool:	the pool
 * @home:	the home
 * @share:	how many items the home has
 */
struct uslab_item {
	struct list_head	lru;
	struct uslab_pool	*pool;
	struct uslab_home	*home;
	u32			share;
};

static struct list_lru shrinker_lru;
static struct kmem_cache *item_cache;
static struct shrinker *shrinker;
static bool shrinker_ready;

/* Limits */

/* Is it a limit that makes the kernel call us? Nobody says, but it shows. */
static bool limit_hit(struct mem_cgroup *memcg)
{
	return !uslab_memcg_is_root(memcg) && !current_is_kswapd() &&
	       uslab_memcg_margin(memcg, true) < MARGIN_PAGES;
}

/*
 * When a limit was hit a moment ago and there is room now, then it is most
 * likely the same task still trying, and it has what it needs.
 */
static bool limit_cured(struct uslab_pool *pool, bool limit)
{
	if (limit)
		WRITE_ONCE(pool->limit_hit, jiffies);
	return !limit && !current_is_kswapd() &&
	       time_before(jiffies, READ_ONCE(pool->limit_hit) + LIMIT_EPISODE);
}

/* Walks */

struct shrinker_walk {
	unsigned long	left;		/* items to visit */
	bool		limit;		/* a limit was hit: CPU caches in use count, too */
	bool		looked;
	u64		pages;
	struct uslab_item *item;
};

/*
 * Does a pool give anything? Not in manual mode while its circuit breaker is closed,
 * and not below min_idle; but everything at a limit, where the alternative is to kill.
 */
static bool pool_gives(const struct uslab_pool *pool, bool limit, u64 cached)
{
	u64 floor = READ_ONCE(pool->core.min_idle);
	u64 have;

	if (limit)
		return true;
	if (READ_ONCE(pool->tunables.mode) == USLAB_MODE_MANUAL &&
	    !READ_ONCE(pool->governor.breaker))
		return false;
	if (!floor)
		return true;
	have = uslab_core_idle_objects(&pool->core) + cached;
	return have > floor && have - floor > pool->core.geo.magazine_size;
}

/* Pages that could come free for an item: in the depot, and in CPU caches. */
static u64 item_pages(const struct uslab_item *item, const struct shrinker_walk *walk)
{
	const struct uslab_pool *pool = item->pool;
	u64 cached = walk->limit ? READ_ONCE(pool->cached) : READ_ONCE(pool->cached_idle);
	u64 objects = uslab_core_depot_objects(item->home) / item->share +
		      cached / pool->nr_items;

	if (!pool_gives(pool, walk->limit, cached))
		return 0;
	return min(uslab_objects_to_pages(&pool->core.geo, objects),
		   READ_ONCE(item->home->slabs.backed));
}

static enum lru_status count_cb(struct list_head *link, struct list_lru_one *list,
				USLAB_LRU_LOCK void *arg)
{
	struct uslab_item *item = container_of(link, struct uslab_item, lru);
	struct shrinker_walk *walk = arg;
	unsigned long period = walk->limit ? LIMIT_LOOK : HZ;

	/* one look in a count, and not often at the same pool */
	if (!walk->looked && time_after(jiffies, READ_ONCE(item->pool->looked) + period)) {
		walk->looked = true;
		uslab_drain_look(item->pool);
	}
	/* weighed against other caches, but not at a limit */
	walk->pages += item_pages(item, walk) *
		       (walk->limit ? 100 : READ_ONCE(item->pool->tunables.cache_pressure)) / 100;
	return LRU_ROTATE;
}

static enum lru_status pick_cb(struct list_head *link, struct list_lru_one *list,
			       USLAB_LRU_LOCK void *arg)
{
	struct uslab_item *item = container_of(link, struct uslab_item, lru);
	struct shrinker_walk *walk = arg;

	if (item_pages(item, walk) && uslab_pool_get(item->pool)) {
		walk->item = item;
		walk->left = 0;
	}
	return LRU_ROTATE;
}

static void shrinker_walk(struct shrinker_walk *walk, struct shrink_control *sc,
			  list_lru_walk_cb cb)
{
	/* each item once, although those visited come again at the end */
	walk->left = min(list_lru_shrink_count(&shrinker_lru, sc), COUNT_ITEMS);
	list_lru_walk_one(&shrinker_lru, sc->nid, sc->memcg, cb, walk, &walk->left);
}

static unsigned long shrinker_count(struct shrinker *s, struct shrink_control *sc)
{
	struct shrinker_walk walk = { .limit = limit_hit(sc->memcg) };

	/* pairs with uslab_shrinker_init() */
	if (!smp_load_acquire(&shrinker_ready))
		return 0;
	/* this makes the kernel forget us until an item is added */
	if (!list_lru_shrink_count(&shrinker_lru, sc))
		return SHRINK_EMPTY;
	shrinker_walk(&walk, sc, count_cb);
	if (!uslab_memcg_is_root(sc->memcg))
		walk.pages = min_t(u64, walk.pages, MEMCG_PAGES);
	return min_t(u64, walk.pages, LONG_MAX);
}

/*
 * We are told of a limit only when there is little else to reclaim, as what we
 * report is little. Then CPU caches that are in use must go as well: to fill
 * them again costs less than being killed.
 */
static u64 item_shrink(struct uslab_item *item, u64 pages, bool limit)
{
	u32 flags = USLAB_SHRINK_TRYLOCK | (limit ? USLAB_SHRINK_FORCE : 0);
	u64 freed = uslab_core_shrink_depot(item->home, pages, flags);

	uslab_drain_queue(item->pool, limit && !freed ? 0 : USLAB_IDLE_JIFFIES);
	/*
	 * What was taken should not be back at once, see uslab_governor_batch(). kswapd
	 * may be at work all the time, for the page cache; that is no shortage.
	 */
	if (freed && !current_is_kswapd())
		WRITE_ONCE(item->pool->governor.pressed, ktime_to_us(ktime_get()));
	if (limit)
		uslab_worker_kick(item->pool);
	return freed;
}

/*
 * Memory may be on its way: a worker that drains for us holds a home's lock, or is
 * about to run. At a limit, where the next step is to kill, that is worth a wait to who
 * is in that cgroup, and to nobody else who happens to reclaim there; one wait, as a
 * real-time task may keep the worker from its CPU for ever.
 */
static bool wait_for_workers(struct mem_cgroup *memcg, bool limit, bool *waited)
{
	if (!limit || *waited || !uslab_memcg_is_mine(memcg, MARGIN_PAGES))
		return false;
	*waited = true;
	schedule_timeout_uninterruptible(LIMIT_WAIT);
	return true;
}

static unsigned long shrinker_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long freed = 0;
	bool waited = false;
	u32 tries;

	/* pairs with uslab_shrinker_init() */
	if (!smp_load_acquire(&shrinker_ready))
		return SHRINK_STOP;
	for (tries = 0; tries < SCAN_ITEMS && freed < sc->nr_to_scan; tries++) {
		struct shrinker_walk walk = { .limit = limit_hit(sc->memcg) };
		struct uslab_pool *pool;
		u64 pages = 0;

		shrinker_walk(&walk, sc, pick_cb);
		if (!walk.item)
			break;
		pool = walk.item->pool;
		if (!limit_cured(pool, walk.limit))
			pages = item_shrink(walk.item, sc->nr_to_scan - freed, walk.limit);
		uslab_pool_put(pool);
		freed += pages;
		if (!freed && wait_for_workers(sc->memcg, walk.limit, &waited))
			continue;
	}
	if (!freed)
		return SHRINK_STOP;
	uslab_account_reclaimed_pages(freed);
	sc->nr_scanned = max(sc->nr_scanned, freed);
	return freed;
}

/* Items */

/**
 * uslab_shrinker_publish() - let the shrinker find a pool
 * @pool: the pool
 */
void uslab_shrinker_publish(struct uslab_pool *pool)
{
	u32 i;

	for (i = 0; i < pool->nr_items; i++)
		uslab_list_lru_add_obj(&shrinker_lru, &pool->items[i]->lru);
}

/**
 * uslab_shrinker_unpublish() - take a pool off the lists
 * @pool: the pool; its last reference is gone
 */
void uslab_shrinker_unpublish(struct uslab_pool *pool)
{
	u32 i;

	for (i = 0; i < pool->nr_items; i++)
		uslab_list_lru_del_obj(&shrinker_lru, &pool->items[i]->lru);
}

static int items_alloc(struct uslab_pool *pool)
{
	u32 nr_homes = pool->core.geo.nr_homes;
	u32 i;

	for (i = 0; i < pool->nr_nids; i++) {
		struct uslab_item *item = kmem_cache_alloc_node(item_cache, USLAB_GFP,
								pool->nids[i]);

		if (!item)
			return -ENOMEM;
		INIT_LIST_HEAD(&item->lru);
		item->pool = pool;
		item->home = pool->core.homes[min(i, nr_homes - 1)];
		item->share = nr_homes == 1 ? pool->nr_nids : 1;
		pool->items[pool->nr_items++] = item;
	}
	return 0;
}

/*
 * Tell lockdep that a home's lock is taken in reclaim. The shrinker only tries
 * it, but whoever allocates under it makes the shrinker fail when it matters.
 */
static void teach_lockdep(struct uslab_pool *pool)
{
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&uslab_node(pool->core.homes[0])->lock);
	fs_reclaim_release(GFP_KERNEL);
}

/**
 * uslab_shrinker_add() - prepare a pool for the shrinker
 * @pool: the pool, with its homes; its cgroup is the active one
 *
 * Return: 0 or -ENOMEM; what has been made then is freed with the pool.
 */
int uslab_shrinker_add(struct uslab_pool *pool)
{
	void *first;
	int err;

	teach_lockdep(pool);
	pool->limit_hit = jiffies - LIMIT_EPISODE;
	pool->items = kvcalloc(pool->nr_nids, sizeof(*pool->items), USLAB_GFP);
	if (!pool->items)
		return -ENOMEM;
	/*
	 * This makes the lists of the cgroup and its ancestors, without which
	 * adding an item would crash; it cannot be told a node.
	 */
	first = kmem_cache_alloc_lru(item_cache, &shrinker_lru, USLAB_GFP);
	if (!first)
		return -ENOMEM;
	err = items_alloc(pool);
	kmem_cache_free(item_cache, first);
	return err;
}

/**
 * uslab_shrinker_del() - free what uslab_shrinker_add() made
 * @pool: the pool, not published
 */
void uslab_shrinker_del(struct uslab_pool *pool)
{
	u32 i;

	for (i = 0; i < pool->nr_items; i++)
		kmem_cache_free(item_cache, pool->items[i]);
	kvfree(pool->items);
}

static const struct shrinker shrinker_ops __initconst = {
	.count_objects	= shrinker_count,
	.scan_objects	= shrinker_scan,
	.seeks		= DEFAULT_SEEKS,
	.flags		= SHRINKER_NUMA_AWARE | SHRINKER_MEMCG_AWARE,
};

/**
 * uslab_shrinker_init() - begin
 *
 * Return: 0 or an error.
 */
int __init uslab_shrinker_init(void)
{
	item_cache = KMEM_CACHE(uslab_item, SLAB_ACCOUNT);
	if (!item_cache)
		return -ENOMEM;
	shrinker = uslab_shrinker_register(&shrinker_ops, &shrinker_lru, "uslab");
	if (IS_ERR(shrinker)) {
		kmem_cache_destroy(item_cache);
		return PTR_ERR(shrinker);
	}
	/* pairs with shrinker_count(), shrinker_scan(): the list is set up */
	smp_store_release(&shrinker_ready, true);
	return 0;
}

/**
 * uslab_shrinker_exit() - end
 */
void uslab_shrinker_exit(void)
{
	uslab_shrinker_unregister(shrinker);
	list_lru_destroy(&shrinker_lru);
	kmem_cache_destroy(item_cache);
}
