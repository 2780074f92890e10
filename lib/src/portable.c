// SPDX-License-Identifier: MIT
/*
 * Caches for threads without restartable sequences: correct everywhere, at the
 * price of an atomic exchange.
 *
 * They are private to the process, as locks have no place in the region: the
 * kernel cannot drain them, and what they hold when the process dies returns
 * with its last reference to the pool. There are as many as CPUs, not threads.
 * A cache that is busy is passed over, so nobody waits for a thread that was
 * preempted, or that a signal handler interrupted, inside one.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include "pool.h"

struct cache {
	atomic_int busy;
	u32 count;
	u64 gets;			/* not yet added to a depot */
	u32 handle[2 * USLAB_MAGAZINE_MAX];
} __attribute__((aligned(64)));

struct portable {
	u32 nr;
	struct cache cache[] __attribute__((aligned(64)));
};

static size_t portable_size(const struct pool *pool)
{
	return sizeof(struct portable) + pool->nr_cpus * sizeof(struct cache);
}

static struct portable *portable_caches(struct pool *pool)
{
	struct portable *portable = atomic_load_explicit(&pool->portable, memory_order_acquire);
	struct portable *none = NULL;
	size_t size;

	if (portable)
		return portable;
	/* not from malloc(), which the signal handler that we are in may have interrupted */
	size = portable_size(pool);
	portable = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (portable == MAP_FAILED)
		return NULL;
	portable->nr = pool->nr_cpus;
	if (!atomic_compare_exchange_strong(&pool->portable, &none, portable)) {
		munmap(portable, size);
		portable = none;
	}
	return portable;
}

/* A cache that nobody is in, or NULL when all are busy. */
static struct cache *cache_enter(struct pool *pool)
{
	struct portable *portable = portable_caches(pool);
	int cpu = sched_getcpu();
	u32 i;

	for (i = 0; portable && i < portable->nr; i++) {
		struct cache *cache = &portable->cache[((u32)(cpu < 0 ? 0 : cpu) + i) % portable->nr];

		if (!atomic_exchange_explicit(&cache->busy, 1, memory_order_acquire))
			return cache;
	}
	return NULL;
}

static void cache_leave(struct cache *cache)
{
	atomic_store_explicit(&cache->busy, 0, memory_order_release);
}

int portable_home(const struct pool *pool)
{
	int cpu = sched_getcpu();

	return cpu >= 0 && (u32)cpu < pool->nr_cpus ? pool->cpu_home[cpu] : 0;
}

static int cache_refill(struct pool *pool, struct cache *cache)
{
	u32 home = (u32)portable_home(pool);
	struct uslab_magazine *mag;
	u32 index;
	int got;

	__atomic_fetch_add(&pool_depot(pool, home)->portable_gets, cache->gets, __ATOMIC_RELAXED);
	cache->gets = 0;
	mag = depot_take(pool, home, &index);
	if (mag) {
		memcpy(cache->handle, mag->handle, mag->count * sizeof(u32));
		cache->count = mag->count;
		mag->count = 0;
		depot_put(pool, home, index, mag);
		if (cache->count)
			return 0;
	}
	got = pool_refill(pool, home, cache->handle);
	if (got < 0)
		return got;
	cache->count = (u32)got;
	return 0;
}

/* All caches are busy: one object from the engine. 0 or -errno. */
static int get_uncached(struct pool *pool, u32 *handle)
{
	u32 home = (u32)portable_home(pool);
	int got = pool->backend->refill(pool, home, handle, 1);

	if (got < 0)
		return got;
	__atomic_fetch_add(&pool_depot(pool, home)->portable_gets, 1, __ATOMIC_RELAXED);
	return 0;
}

static int get_cached(struct pool *pool, struct cache *cache, u32 *handle)
{
	int err = cache->count ? 0 : cache_refill(pool, cache);

	if (err)
		return err;
	*handle = cache->handle[--cache->count];
	cache->gets++;
	return 0;
}

static int portable_take(struct pool *pool, u32 *handle)
{
	struct cache *cache = cache_enter(pool);
	int err;

	if (!cache)
		return get_uncached(pool, handle);
	err = get_cached(pool, cache, handle);
	cache_leave(cache);
	return err;
}

void *portable_get(struct pool *pool)
{
	u32 handle = 0;
	int err = portable_take(pool, &handle);

	if (err) {
		void *object;

		/* never for want of what lies idle in other caches */
		portable_flush(pool);
		object = get_remote(pool, (u32)portable_home(pool));
		if (object)
			return object;
		pool_relieve(pool);
		err = portable_take(pool, &handle);
	}
	if (err) {
		errno = refill_errno(err);
		return NULL;
	}
	return __uslab_object(&pool->hot, handle);
}

void portable_put(struct pool *pool, void *object)
{
	u32 handle = __uslab_handle(&pool->hot, object);
	struct cache *cache = cache_enter(pool);

	if (!cache) {
		pool->backend->give(pool, &handle, 1);
		return;
	}
	if (cache->count == 2 * pool->magazine_size) {
		cache->count -= pool->magazine_size;
		depot_give(pool, cache->handle + cache->count, pool->magazine_size);
		balance(pool);
	}
	cache->handle[cache->count++] = handle;
	cache_leave(cache);
}

void portable_flush(struct pool *pool)
{
	struct portable *portable = atomic_load_explicit(&pool->portable, memory_order_acquire);
	u32 i;

	for (i = 0; portable && i < portable->nr; i++) {
		struct cache *cache = &portable->cache[i];

		if (atomic_exchange_explicit(&cache->busy, 1, memory_order_acquire))
			continue;
		__atomic_fetch_add(&pool_depot(pool, 0)->portable_gets, cache->gets,
				   __ATOMIC_RELAXED);
		cache->gets = 0;
		while (cache->count) {
			u32 n = min_t(u32, cache->count, pool->magazine_size);

			cache->count -= n;
			depot_give(pool, cache->handle + cache->count, n);
		}
		cache_leave(cache);
	}
}

void portable_destroy(struct pool *pool)
{
	if (pool->portable)
		munmap(pool->portable, portable_size(pool));
}
