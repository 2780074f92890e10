// SPDX-License-Identifier: GPL-2.0-only
/* Many pools at once, and pools that follow each other: no thread mistakes one for another. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include "common.h"

#define POOLS		40
#define THREADS		4

static struct uslab_pool *pools[POOLS];
static uint64_t held_by[POOLS];

static bool use_all(uint32_t *seed, int steps)
{
	uint64_t *held[POOLS] = { NULL };
	bool right = true;
	int i;

	while (steps--) {
		i = (int)(random_next(seed) % POOLS);
		if (held[i]) {
			right &= *held[i] == (uint64_t)(uintptr_t)pools[i];
			uslab_put(pools[i], held[i]);
			held[i] = NULL;
			continue;
		}
		held[i] = uslab_get(pools[i]);
		if (!held[i])
			return false;
		*held[i] = (uint64_t)(uintptr_t)pools[i];
		atomic_fetch_add_explicit((_Atomic uint64_t *)&held_by[i], 1, memory_order_relaxed);
	}
	for (i = 0; i < POOLS; i++)
		uslab_put(pools[i], held[i]);
	return right;
}

static void *use_all_thread(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg + 1;

	return use_all(&seed, 200000) ? arg : (void *)-1;
}

static void make_all(void)
{
	int i;

	for (i = 0; i < POOLS; i++) {
		pools[i] = MAKE(8 + 24 * (size_t)i, NULL);
		held_by[i] = 0;
	}
}

static void check_and_destroy_all(void)
{
	int i;

	for (i = 0; i < POOLS; i++) {
		struct uslab_stats stats = settled(pools[i], 0);

		EXPECT_EQ(stats.gets, held_by[i]);
		EXPECT_EQ(stats.out_objects, 0);
		EXPECT_EQ(stats.bad_puts, 0);
		uslab_pool_destroy(pools[i]);
	}
}

TEST(threads_use_many_pools_in_turn)
{
	pthread_t thread[THREADS];
	int i;

	make_all();
	for (i = 0; i < THREADS; i++)
		ASSERT(!pthread_create(&thread[i], NULL, use_all_thread, (void *)(uintptr_t)i));
	for (i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(thread[i], &result);
		EXPECT(result != (void *)-1);
	}
	check_and_destroy_all();
}

static uint32_t handler_seed = 99;
static atomic_bool handler_failed;
static atomic_ulong handled;

static void handler(int number)
{
	(void)number;
	if (!use_all(&handler_seed, 20))
		atomic_store(&handler_failed, true);
	atomic_fetch_add(&handled, 1);
}

static pid_t target;

static void *send_signals(void *arg)
{
	while (!*(atomic_bool *)arg) {
		syscall(SYS_tgkill, getpid(), target, SIGUSR1);
		nap_us(50);
	}
	return NULL;
}

TEST(handlers_use_other_pools_than_those_they_interrupt)
{
	static atomic_bool stop;
	uint32_t seed = 5;
	pthread_t sender;
	double end;
	int i;

	make_all();
	target = (pid_t)syscall(SYS_gettid);
	signal(SIGUSR1, handler);
	ASSERT(!pthread_create(&sender, NULL, send_signals, &stop));
	end = now() + 30;
	for (i = 0; i < 30 || (atomic_load(&handled) <= 10 && now() < end); i++)
		EXPECT(use_all(&seed, 100000));
	atomic_store(&stop, true);
	pthread_join(sender, NULL);
	signal(SIGUSR1, SIG_DFL);
	EXPECT(!atomic_load(&handler_failed));
	EXPECT_GT(atomic_load(&handled), 10);
	check_and_destroy_all();
}

/*
 * Threads that live on while one pool takes the place of another, often at its
 * address. Each round they use what is there, and the counts must be exact: what a
 * thread still knew of the pool before would go astray.
 */
static _Atomic(struct uslab_pool *) present;
static pthread_barrier_t barrier;
static atomic_bool wrong;

#define ROUNDS		500
#define OPERATIONS	50

static void *follow(void *arg)
{
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		struct uslab_pool *pool;

		pthread_barrier_wait(&barrier);
		pool = atomic_load(&present);
		for (i = 0; i < OPERATIONS; i++) {
			uint64_t *object = uslab_get(pool);

			if (!object) {
				atomic_store(&wrong, true);
				continue;
			}
			*object = (uint64_t)round;
			if (*object != (uint64_t)round)
				atomic_store(&wrong, true);
			uslab_put(pool, object);
		}
		pthread_barrier_wait(&barrier);
	}
	return arg;
}

TEST(a_pool_in_the_place_of_another_is_not_mistaken_for_it)
{
	pthread_t thread[THREADS];
	int round, i;

	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++)
		ASSERT(!pthread_create(&thread[i], NULL, follow, NULL));
	for (round = 0; round < ROUNDS; round++) {
		struct uslab_stats stats = { .size = sizeof(stats) };
		struct uslab_pool *pool = uslab_pool_create("test", 8 + (size_t)round % 64, NULL);

		atomic_store(&present, pool);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		uslab_pool_stats(pool, &stats);
		EXPECT_EQ(stats.gets, THREADS * OPERATIONS);
		EXPECT_EQ(stats.out_objects, 0);
		EXPECT_EQ(stats.bad_puts, 0);
		uslab_pool_destroy(pool);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	EXPECT(!atomic_load(&wrong));
}

TEST_MAIN
