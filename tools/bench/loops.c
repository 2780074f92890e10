// SPDX-License-Identifier: GPL-2.0-only
/*
 * The measured loops. There is one source for each loop, and each contender's
 * get and put are inlined into it, so that all that differs is the contender:
 *
 *	limit		a thread-local array of pointers
 *	uslab		uslab_get() and uslab_put(), inlined as for any user
 *	calls		an allocator's functions through pointers, glibc's too
 *
 * After each get and put the compiler must believe that somebody else read and
 * changed all memory. So it can neither leave an object out nor keep the limit's
 * array in registers.
 */
#include <sched.h>
#include <stdlib.h>

#include <uslab.h>

#include "bench.h"

#define always_inline	inline __attribute__((always_inline))
#define cold		__attribute__((noinline, cold))
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define RING_SLOTS	(2 * MAX_CROSS_DEPTH)	/* a power of two */
#define ARRAY_SLOTS	(MAX_DEPTH + 64)
#define SPINS		1000		/* before the CPU is left to others */

typedef void *(*get_fn)(void *with);
typedef void (*put_fn)(void *with, void *object);

static always_inline void disturb(void *object)
{
	__asm__ __volatile__("" : : "r"(object) : "memory");
}

static cold void out_of_memory(void)
{
	fprintf(stderr, "uslab-bench: a contender returned NULL: no memory\n");
	exit(1);
}

static always_inline void *get_checked(get_fn get, void *with, uint64_t mark)
{
	void *object = get(with);

	if (unlikely(!object))
		out_of_memory();
	*(volatile uint64_t *)object = mark;
	disturb(object);
	return object;
}

static always_inline void pairs_loop(get_fn get, put_fn put, void *with, void **hold,
				     unsigned int depth, uint64_t repeats)
{
	if (depth == 1) {
		while (repeats--) {
			void *object = get_checked(get, with, repeats);

			put(with, object);
			disturb(object);
		}
		return;
	}
	while (repeats--) {
		for (unsigned int i = 0; i < depth; i++)
			hold[i] = get_checked(get, with, repeats);
		for (unsigned int i = 0; i < depth; i++) {
			put(with, hold[i]);
			disturb(hold[i]);
		}
	}
}

/* One producer, one consumer; each remembers what it last saw of the other. */
struct ring {
	_Alignas(64) atomic_size_t head;
	size_t tail_seen;
	_Alignas(64) atomic_size_t tail;
	size_t head_seen;
	_Alignas(64) void *slot[RING_SLOTS];
};

struct ring *ring_new(void)
{
	struct ring *ring = aligned_alloc(_Alignof(struct ring), sizeof(*ring));

	if (ring)
		*ring = (struct ring){ .head = 0 };
	return ring;
}

void ring_free(struct ring *ring)
{
	free(ring);
}

static cold size_t wait_for(atomic_size_t *word, size_t seen)
{
	for (unsigned int spins = 0;; spins++) {
		size_t now = atomic_load_explicit(word, memory_order_acquire);

		if (now != seen)
			return now;
		if (spins > SPINS)
			sched_yield();
	}
}

static always_inline void produce_loop(get_fn get, void *with, struct ring *ring,
				       unsigned int depth, uint64_t repeats)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	while (repeats--) {
		while (head + depth - ring->tail_seen > RING_SLOTS)
			ring->tail_seen = wait_for(&ring->tail, ring->tail_seen);
		for (unsigned int i = 0; i < depth; i++)
			ring->slot[head++ & (RING_SLOTS - 1)] = get_checked(get, with, repeats);
		atomic_store_explicit(&ring->head, head, memory_order_release);
	}
}

static always_inline void consume_loop(put_fn put, void *with, struct ring *ring, uint64_t objects)
{
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	while (objects) {
		if (tail == ring->head_seen)
			ring->head_seen = wait_for(&ring->head, ring->head_seen);
		for (; tail != ring->head_seen; objects--) {
			void *object = ring->slot[tail++ & (RING_SLOTS - 1)];

			(void)*(volatile uint64_t *)object;
			put(with, object);
			disturb(object);
		}
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
	}
}

#define DEFINE_LOOPS(prefix, get, put, hand_get, hand_put)				\
	static void prefix##_pairs(void *with, void **hold, unsigned int depth,		\
				   uint64_t repeats)					\
	{										\
		pairs_loop(get, put, with, hold, depth, repeats);			\
	}										\
	static void prefix##_produce(void *with, struct ring *ring, unsigned int depth,	\
				     uint64_t repeats)					\
	{										\
		produce_loop(hand_get, with, ring, depth, repeats);			\
	}										\
	static void prefix##_consume(void *with, struct ring *ring, uint64_t objects)	\
	{										\
		consume_loop(hand_put, with, ring, objects);				\
	}										\
	const struct loops prefix##_loops = {						\
		prefix##_pairs, prefix##_produce, prefix##_consume,			\
	}

/* The limit: a stack of pointers with the checks that any such stack needs. */

static _Thread_local struct {
	unsigned int nr;
	unsigned int room;
	void *slot[ARRAY_SLOTS];
} array;

/* A thread's first get fills its array for good: it never gets more than it puts. */
static cold void *limit_refill(struct limit *limit)
{
	size_t bytes = (ARRAY_SLOTS * limit->size + 4095) / 4096 * 4096;
	char *objects = aligned_alloc(4096, bytes);

	if (!objects)
		return NULL;
	limit->objects[atomic_fetch_add(&limit->nr_threads, 1)] = objects;
	array.room = ARRAY_SLOTS;
	for (array.nr = 0; array.nr < ARRAY_SLOTS; array.nr++)
		array.slot[array.nr] = objects + array.nr * limit->size;
	return array.slot[--array.nr];
}

void limit_free(struct limit *limit)
{
	for (unsigned int i = 0; limit && i < atomic_load(&limit->nr_threads); i++)
		free(limit->objects[i]);
	free(limit);
}

static cold void limit_spill(void)
{
	fprintf(stderr, "uslab-bench: the limit's array is full\n");
	abort();
}

static always_inline void *limit_get(void *with)
{
	if (unlikely(!array.nr))
		return limit_refill(with);
	return array.slot[--array.nr];
}

static always_inline void limit_put(void *with, void *object)
{
	(void)with;
	if (unlikely(array.nr == array.room))
		limit_spill();
	array.slot[array.nr++] = object;
}

/* For a hand-over the limit is the ring alone: objects go round for ever. */
static always_inline void *limit_hand_get(void *with)
{
	if (unlikely(!array.nr)) {
		if (!array.room)
			return limit_refill(with);
		array.nr = RING_SLOTS;
	}
	return array.slot[--array.nr];
}

static always_inline void limit_hand_put(void *with, void *object)
{
	(void)with;
	(void)object;
}

DEFINE_LOOPS(limit, limit_get, limit_put, limit_hand_get, limit_hand_put);

static always_inline void *pool_get(void *with)
{
	return uslab_get(with);
}

static always_inline void pool_put(void *with, void *object)
{
	uslab_put(with, object);
}

DEFINE_LOOPS(uslab, pool_get, pool_put, pool_get, pool_put);

static always_inline void *calls_get(void *with)
{
	const struct calls *calls = with;

	return calls->get(calls->size);
}

static always_inline void calls_put(void *with, void *object)
{
	const struct calls *calls = with;

	calls->put(object);
}

DEFINE_LOOPS(calls, calls_get, calls_put, calls_get, calls_put);
