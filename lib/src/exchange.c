// SPDX-License-Identifier: MIT
/*
 * The slow paths of get and put: between CPU caches and depots, a magazine at a
 * time, and between depots and the engine.
 *
 * A thread may migrate between any two statements here. Each step is right on
 * whatever CPU it happens to run: sections find their CPU themselves and check
 * its home, and a magazine in hand belongs to this thread alone. Every step
 * leaves memory where somebody finds it, so loops start over without loss.
 */
#include <errno.h>
#include <string.h>
#include "pool.h"

#define NO_LIMIT	U32_MAX		/* user space may retry until it succeeds */
#define ANY_HOME	U32_MAX

/* What a handle adds to a word: one more or one less, and an event or none. */
#define POP_EVENT	((int64_t)USLAB_WORD_EVENT - 1)
#define PUSH_EVENT	((int64_t)USLAB_WORD_EVENT + 1)

#ifndef USLAB_HAVE_RSEQ
#define __uslab_rseq_cpu(pool)		(-1)
#define __uslab_rseq_bind(...)		do { } while (0)
#define __uslab_rseq_clear(...)		do { } while (0)
#define __uslab_rseq_pop(...)		USLAB_SECTION_SLOW
#define __uslab_rseq_push(...)		USLAB_SECTION_SLOW
#define __uslab_rseq_take(...)		USLAB_SECTION_SLOW
#define __uslab_rseq_fill(...)		USLAB_SECTION_SLOW
#endif

static struct uslab_magazine *magazine(const void *ctx, u32 index)
{
	const struct pool *pool = ctx;

	if (index > pool->control->nr_magazines)
		return NULL;
	return (struct uslab_magazine *)(pool->shared + pool->control->magazines_start +
					 (size_t)index * pool->control->magazine_stride);
}

static int fill(struct pool *pool, const struct uslab_stash *stash, u32 home,
		const u32 *handles, u32 nr, int64_t delta)
{
	int n;

	do
		n = __uslab_rseq_fill(&pool->hot, stash, home, handles, nr, delta);
	while (n == USLAB_SECTION_ABORT);
	return n;
}

static int take(struct pool *pool, const struct uslab_stash *stash, u32 *handles, u32 max,
		int64_t delta)
{
	int n;

	do
		n = __uslab_rseq_take(&pool->hot, stash, handles, max, delta);
	while (n == USLAB_SECTION_ABORT);
	return n;
}

/* Magazines */

struct uslab_magazine *depot_take(struct pool *pool, u32 home, u32 *index)
{
	struct uslab_depot *depot = pool_depot(pool, home);
	struct uslab_stack *stack = &depot->current_gen;
	struct uslab_magazine *mag;

	*index = uslab_stack_pop(stack, magazine, pool, NO_LIMIT);
	if (!*index) {
		stack = &depot->victim;
		*index = uslab_stack_pop(stack, magazine, pool, NO_LIMIT);
		if (!*index)
			return NULL;
	}
	mag = magazine(pool, *index);
	mag->count = min_t(u32, mag->count, pool->magazine_size);
	uslab_stack_account(stack, -(s64)mag->count);
	if (stack == &depot->victim)
		__atomic_fetch_add(&depot->victim_hits, mag->count, __ATOMIC_RELAXED);
	return mag;
}

void depot_put(struct pool *pool, u32 home, u32 index, struct uslab_magazine *mag)
{
	struct uslab_depot *depot = pool_depot(pool, home);

	uslab_stack_push(mag->count ? &depot->current_gen : &depot->empty, index, mag, NO_LIMIT);
}

void balance(struct pool *pool)
{
	u64 limit = READ_ONCE(pool->control->idle_limit);
	s64 objects = 0;
	u32 i;

	if (!limit)
		return;
	for (i = 0; i < pool->nr_homes; i++) {
		struct uslab_depot *depot = pool_depot(pool, i);

		objects += READ_ONCE(depot->current_gen.objects) +
			   READ_ONCE(depot->victim.objects);
	}
	if (objects > 0 && (u64)objects > limit)
		pool->backend->balance(pool);
}

/* An empty magazine: the home's, another's (magazines wander with the objects), or a new one. */
static struct uslab_magazine *take_empty(struct pool *pool, u32 home, u32 *index)
{
	for (;;) {
		u32 i;

		for (i = 0; i < pool->nr_homes; i++) {
			struct uslab_depot *depot = pool_depot(pool, (home + i) % pool->nr_homes);

			*index = uslab_stack_pop(&depot->empty, magazine, pool, NO_LIMIT);
			if (*index)
				return magazine(pool, *index);
		}
		if (pool->backend->grow(pool, home) < 0)
			return NULL;
	}
}

/* Handles of one home go to its depot, or to the engine when no magazine is to be had. */
static void give_home(struct pool *pool, u32 home, const u32 *handles, u32 nr)
{
	struct uslab_magazine *mag;
	u32 index;

	while (nr) {
		u32 n = min_t(u32, nr, pool->magazine_size);

		mag = take_empty(pool, home, &index);
		if (!mag) {
			pool->backend->give(pool, handles, nr);
			return;
		}
		memcpy(mag->handle, handles, n * sizeof(*handles));
		mag->count = n;
		depot_put(pool, home, index, mag);
		handles += n;
		nr -= n;
	}
}

void depot_give(struct pool *pool, u32 *handles, u32 nr)
{
	u32 mine[USLAB_MAGAZINE_MAX];

	while (nr) {
		u32 home = __uslab_home(&pool->hot, handles[0]);
		u32 rest = 0;
		u32 n = 0;
		u32 i;

		for (i = 0; i < nr; i++) {
			if (__uslab_home(&pool->hot, handles[i]) == home)
				mine[n++] = handles[i];
			else
				handles[rest++] = handles[i];
		}
		if (home < pool->nr_homes)
			give_home(pool, home, mine, n);
		else
			pool->backend->give(pool, mine, n);	/* counted as bad there */
		nr = rest;
	}
}

/* Refill */

int pool_refill(struct pool *pool, u32 home, u32 *handles)
{
	u32 nr = atomic_load_explicit(&pool->batch[home], memory_order_relaxed);
	int got = pool->backend->refill(pool, home, handles, nr);

	/* A pool that keeps asking gets more at a time; one that asked once stays small. */
	if (got == (int)nr && nr < pool->magazine_size)
		atomic_store_explicit(&pool->batch[home],
				      min_t(u32, nr * 2, pool->magazine_size), memory_order_relaxed);
	return got;
}

/*
 * The home of the CPU this thread runs on, to whose cache it is bound from here;
 * -1 when it has no registration.
 */
static int this_home(const struct pool *pool)
{
	u32 cpu = (u32)__uslab_rseq_cpu(&pool->hot);

	if (cpu >= pool->hot.nr_cpus)
		return -1;
	__uslab_rseq_bind(&pool->hot, cpu);
	return pool->cpu_home[cpu];
}

/* Depot to CPU cache; false when the depot is empty. */
static bool cache_from_depot(struct pool *pool, u32 home)
{
	struct uslab_magazine *mag;
	u32 index;
	int n;

	mag = depot_take(pool, home, &index);
	if (!mag)
		return false;
	n = fill(pool, &pool->local, home, mag->handle, mag->count, 1);
	if (n > 0) {
		mag->count -= (u32)n;
		memmove(mag->handle, mag->handle + n, mag->count * sizeof(u32));
	}
	depot_put(pool, home, index, mag);
	return true;
}

/* Engine to CPU cache: 0 or -errno. */
static int cache_from_engine(struct pool *pool, u32 home)
{
	u32 handles[USLAB_MAGAZINE_MAX];
	int got = pool_refill(pool, home, handles);
	int n;

	if (got < 0)
		return got;
	n = fill(pool, &pool->local, home, handles, (u32)got, 1);
	if (n < 0)
		n = 0;
	if (n < got)
		depot_give(pool, handles + n, (u32)(got - n));
	return 0;
}

void *get_remote(struct pool *pool, u32 home)
{
	struct uslab_magazine *mag;
	struct uslab_depot *depot;
	u32 i, index, handle;

	if (pool->control->policy != USLAB_POLICY_LOCAL)
		return NULL;
	for (i = 1; i < pool->nr_homes; i++) {
		u32 other = (home + i) % pool->nr_homes;

		mag = depot_take(pool, other, &index);
		if (!mag)
			continue;
		if (!mag->count) {
			depot_put(pool, other, index, mag);
			continue;
		}
		handle = mag->handle[--mag->count];
		depot_put(pool, other, index, mag);
		depot = pool_depot(pool, other);
		__atomic_fetch_add(&depot->remote_gets, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&depot->portable_gets, 1, __ATOMIC_RELAXED);
		return __uslab_object(&pool->hot, handle);
	}
	return NULL;
}

void pool_relieve(struct pool *pool)
{
	pool->backend->reclaim(pool, (u64)pool->magazine_size * pool->control->object_stride);
}

USLAB_API void *__uslab_get_slow(struct uslab_pool *hot)
{
	struct pool *pool = pool_of(hot);
	enum uslab_section section;
	bool relieved = false;
	u32 handle = 0;
	int home, err;

	if (pool->orphan) {
		__uslab_rseq_clear(hot);
		errno = ESTALE;
		return NULL;
	}
	for (;;) {
		home = this_home(pool);
		if (home < 0)
			return portable_get(pool);
		section = __uslab_rseq_pop(hot, &handle);
		if (section == USLAB_SECTION_OK)
			return __uslab_object(hot, handle);
		if (section == USLAB_SECTION_ABORT || cache_from_depot(pool, (u32)home))
			continue;
		err = cache_from_engine(pool, (u32)home);
		if (err) {
			void *object = get_remote(pool, (u32)home);

			if (object)
				return object;
			/* never for want of what lies idle in other CPUs' caches */
			if (!relieved) {
				relieved = true;
				pool_relieve(pool);
				continue;
			}
			errno = refill_errno(err);
			return NULL;
		}
	}
}

/* CPU cache to depot: a magazine of what was put last. */
static void cache_to_depot(struct pool *pool, u32 home)
{
	struct uslab_magazine *mag;
	u32 handles[USLAB_MAGAZINE_MAX];
	u32 index;
	int n;

	mag = take_empty(pool, home, &index);
	if (!mag) {
		n = take(pool, &pool->local, handles, pool->magazine_size, -1);
		if (n > 0)
			pool->backend->give(pool, handles, (u32)n);
		return;
	}
	n = take(pool, &pool->local, mag->handle, pool->magazine_size, -1);
	mag->count = n > 0 ? (u32)n : 0;
	if (mag->count)		/* we may have moved to a CPU of another home */
		home = __uslab_home(&pool->hot, mag->handle[0]);
	depot_put(pool, home, index, mag);
	balance(pool);
}

/* Objects of other homes wait in the CPU's stash until a magazine of them can go home. */
static void put_remote(struct pool *pool, u32 handle)
{
	u32 handles[USLAB_MAGAZINE_MAX];
	int n;

	while (fill(pool, &pool->remote, ANY_HOME, &handle, 1, PUSH_EVENT) < 0) {
		n = take(pool, &pool->remote, handles, pool->magazine_size, -1);
		if (n > 0) {
			depot_give(pool, handles, (u32)n);
			balance(pool);
		}
	}
}

static void put_slow(struct pool *pool, void *object)
{
	u32 handle = __uslab_handle(&pool->hot, object);
	u32 home_of_object = __uslab_home(&pool->hot, handle);
	enum uslab_section section;
	int home;

	if (home_of_object >= pool->nr_homes) {		/* not ours: the engine counts it */
		__uslab_rseq_clear(&pool->hot);
		pool->backend->give(pool, &handle, 1);
		return;
	}
	for (;;) {
		home = this_home(pool);
		if (home < 0) {
			portable_put(pool, object);
			return;
		}
		if ((u32)home != home_of_object) {
			put_remote(pool, handle);
			return;
		}
		section = __uslab_rseq_push(&pool->hot, handle, home_of_object);
		if (section == USLAB_SECTION_OK)
			return;
		if (section == USLAB_SECTION_SLOW)
			cache_to_depot(pool, (u32)home);
	}
}

USLAB_API void __uslab_put_slow(struct uslab_pool *hot, void *object)
{
	struct pool *pool = pool_of(hot);
	int saved = errno;

	if (pool->orphan)
		__uslab_rseq_clear(hot);
	else
		put_slow(pool, object);
	errno = saved;
}

/* Bulk */

#define BULK	64u

USLAB_API int uslab_get_bulk(struct uslab_pool *hot, void **objects, unsigned int n)
{
	struct pool *pool = pool_of(hot);
	u32 handles[BULK];
	unsigned int got = 0;

	while (got < n) {
		int taken = USLAB_SECTION_SLOW;

		if (hot->nr_cpus)
			taken = take(pool, &pool->local, handles, min_t(u32, n - got, BULK),
				     POP_EVENT);
		if (taken <= 0) {
			objects[got] = __uslab_get_slow(hot);
			if (!objects[got])
				break;
			got++;
			continue;
		}
		while (taken)
			objects[got++] = __uslab_object(hot, handles[--taken]);
	}
	return (int)got;
}

USLAB_API void uslab_put_bulk(struct uslab_pool *hot, void *const *objects, unsigned int n)
{
	struct pool *pool = pool_of(hot);
	u32 handles[BULK];
	unsigned int i = 0;

	while (i < n) {
		u32 home = 0;
		u32 nr = 0;
		int put = 0;

		/* a run of one home, without gaps */
		while (hot->nr_cpus && nr < BULK && i + nr < n && objects[i + nr]) {
			handles[nr] = __uslab_handle(hot, objects[i + nr]);
			if (!nr)
				home = __uslab_home(hot, handles[0]);
			else if (__uslab_home(hot, handles[nr]) != home)
				break;
			nr++;
		}
		if (nr)
			put = fill(pool, &pool->local, home, handles, nr, 1);
		if (put > 0) {
			i += (unsigned int)put;
			continue;
		}
		if (objects[i])
			__uslab_put_slow(hot, objects[i]);
		i++;
	}
}

USLAB_API size_t uslab_pool_prewarm(struct uslab_pool *hot, size_t n)
{
	struct pool *pool = pool_of(hot);
	u32 handles[USLAB_MAGAZINE_MAX];
	size_t done = 0;
	int home;

	if (pool->orphan) {
		errno = ESTALE;
		return 0;
	}
	home = this_home(pool);
	if (home < 0)
		home = portable_home(pool);
	while (done < n) {
		u32 nr = (u32)min_t(size_t, n - done, pool->magazine_size);
		int got = pool->backend->refill(pool, (u32)home, handles, nr);

		if (got < 0) {
			errno = refill_errno(got);
			break;
		}
		depot_give(pool, handles, (u32)got);
		done += (size_t)got;
	}
	return done;
}
