// SPDX-License-Identifier: GPL-2.0-only
/*
 * The depot protocol between threads, for ThreadSanitizer: magazines wander between
 * stacks by push and pop while whole stacks are taken and installed, and contents
 * are plain memory that only the protocol orders. Each magazine's owner is known
 * to an array beside; in the end all magazines must be there.
 *
 * Two controls: with -DDEPOT_RACE_UNTAGGED the heads are swung without a tag, and
 * that magazines are lost must be found; with -DDEPOT_RACE_RELAXED they are swung
 * without ordering, and the sanitizer must find that.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include "kmod/engine/shim.h"

#ifdef DEPOT_RACE_UNTAGGED
#undef USLAB_HEAD_TAG
#define USLAB_HEAD_TAG	0ull
#endif

/* Others often run just before a head is swung, which is where it hurts. */
static u64 cmpxchg64_late(__u64 *ptr, u64 old, u64 new)
{
	static __thread unsigned int calls;

	if (++calls % 32 == 0)
		sched_yield();
#ifdef DEPOT_RACE_RELAXED
	__atomic_compare_exchange_n(ptr, &old, new, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return old;
#else
	return uslab_cmpxchg64(ptr, old, new);
#endif
}

#define uslab_cmpxchg64	cmpxchg64_late
#include "kmod/engine/depot.h"

#define THREADS		4u
#define MAGAZINES	24u
#define SIZE		14u
#define STACKS		3u
#define NO_LIMIT	U32_MAX

static struct uslab_stack stacks[STACKS];
static struct {
	struct uslab_magazine mag;
	u32 handle[SIZE];
} boxes[MAGAZINES + 1];

static _Atomic u32 owners[MAGAZINES + 1];
static atomic_bool stop, wrong;
static atomic_ulong operations;

static struct uslab_magazine *find(const void *pool, u32 index)
{
	(void)pool;
	return index && index <= MAGAZINES ? &boxes[index].mag : NULL;
}

static void failed(const char *what, u32 index)
{
	if (!atomic_exchange(&wrong, true))
		printf("# %s: magazine %u\n", what, index);
	atomic_store(&stop, true);
}

/* What is in a magazine is nobody's but its owner's: plain reads and writes. */
static void own(u32 index, u32 me)
{
	u32 i;

	if (atomic_exchange_explicit(&owners[index], me, memory_order_relaxed))
		failed("two owners", index);
	for (i = 1; i < boxes[index].mag.count; i++)
		if (boxes[index].mag.handle[i] != boxes[index].mag.handle[0] + i)
			failed("torn contents", index);
}

static void disown(u32 index, u32 me, u32 seed)
{
	u32 i;

	boxes[index].mag.count = 1 + seed % SIZE;
	for (i = 0; i < boxes[index].mag.count; i++)
		boxes[index].mag.handle[i] = seed + i;
	if (atomic_exchange_explicit(&owners[index], 0, memory_order_relaxed) != me)
		failed("a foreign owner", index);
}

static u32 next_random(u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void move_one(u32 me, u32 *seed)
{
	u32 from = next_random(seed) % STACKS, to = next_random(seed) % STACKS;
	u32 index = uslab_stack_pop(&stacks[from], find, NULL, NO_LIMIT);

	if (!index)
		return;
	own(index, me);
	uslab_stack_account(&stacks[from], -(s64)boxes[index].mag.count);
	disown(index, me, *seed);
	uslab_stack_push(&stacks[to], index, find(NULL, index), NO_LIMIT);
}

/* As the aging step: a chain moves as a whole; one that cannot goes one by one. */
static void move_all(u32 me, u32 *seed)
{
	u32 from = next_random(seed) % STACKS, to = next_random(seed) % STACKS;
	u32 index = uslab_stack_take_all(&stacks[from], NO_LIMIT);
	u32 next, left = MAGAZINES;
	s64 objects = 0;

	if (!index || uslab_stack_install(&stacks[to], index, NO_LIMIT))
		return;
	for (; index && left--; index = next) {
		next = READ_ONCE(boxes[index].mag.next) & (u32)USLAB_HEAD_INDEX_MASK;
		own(index, me);
		objects -= boxes[index].mag.count;
		disown(index, me, *seed);
		uslab_stack_push(&stacks[to], index, find(NULL, index), NO_LIMIT);
	}
	uslab_stack_account(&stacks[from], objects);
}

static void *work(void *arg)
{
	u32 me = 1 + (u32)(uintptr_t)arg;
	u32 seed = me * 2654435761u;
	unsigned long done = 0;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		if (next_random(&seed) % 16 == 0)
			move_all(me, &seed);
		move_one(me, &seed);
		done++;
	}
	atomic_fetch_add(&operations, done);
	return NULL;
}

static void check_end(void)
{
	u32 found = 0, i, index;
	s64 objects = 0, counted = 0;

	for (i = 0; i < STACKS; i++) {
		counted += stacks[i].objects;
		while (found <= MAGAZINES && (index = uslab_stack_pop(&stacks[i], find, NULL, 9))) {
			own(index, 99);
			objects += boxes[index].mag.count;
			found++;
		}
	}
	if (found != MAGAZINES)
		failed("lost or doubled, number found", found);
	if (objects != counted)
		failed("counters are off; objects", (u32)objects);
}

static bool run(unsigned int seconds)
{
	struct timespec span = { .tv_sec = seconds };
	pthread_t thread[THREADS];
	u32 i;

	for (i = 1; i <= MAGAZINES; i++) {
		boxes[i].mag.count = 1;
		uslab_stack_push(&stacks[i % STACKS], i, &boxes[i].mag, NO_LIMIT);
	}
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, work, (void *)(uintptr_t)i);
	for (i = 0; i < 10 * seconds && !atomic_load(&stop); i++) {
		span = (struct timespec){ .tv_nsec = 100000000 };
		nanosleep(&span, NULL);
	}
	atomic_store(&stop, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	if (!atomic_load(&wrong))
		check_end();
	return !atomic_load(&wrong);
}

int main(int argc, char **argv)
{
	bool held = run(argc > 1 ? (unsigned int)atoi(argv[1]) : 5);
	bool passed;

	printf("TAP version 13\n");
	printf("# %lu operations\n", atomic_load(&operations));
#ifdef DEPOT_RACE_UNTAGGED
	passed = !held;
	printf("%s 1 - control_stacks_without_tags_lose_magazines\n", passed ? "ok" : "not ok");
#else
	passed = held;
	printf("%s 1 - magazines_are_conserved_between_threads\n", passed ? "ok" : "not ok");
#endif
	printf("1..1\n");
	return !passed;
}
