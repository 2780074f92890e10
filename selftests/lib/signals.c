// SPDX-License-Identifier: GPL-2.0-only
/* get and put in handlers of signals that interrupt get and put. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include "common.h"

static struct uslab_pool *pool;
static atomic_ulong handled;

static void handler(int number)
{
	uint64_t *object[3];
	int saved = errno;
	int i;

	(void)number;
	for (i = 0; i < 3; i++) {
		object[i] = uslab_get(pool);
		if (object[i])
			*object[i] = 1;
	}
	for (i = 0; i < 3; i++)
		uslab_put(pool, object[i]);
	atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
	errno = saved;
}

/* Objects that are not put: the pool has to grow under the handler. */
static void hungry_handler(int number)
{
	int saved = errno;
	uint64_t *object = uslab_get(pool);

	(void)number;
	if (object)
		*object = 1;
	atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
	errno = saved;
}

/* A signal to this thread after @first_us and every @us from then on; 0: no more. */
static void storm(void (*fn)(int number), long first_us, long us)
{
	struct sigaction action = { .sa_handler = fn, .sa_flags = SA_RESTART };
	struct itimerspec times = { { 0, us * 1000 }, { 0, first_us * 1000 } };
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1,
	};
	static bool made;
	static timer_t timer;

	if (!made) {
		event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
		made = !timer_create(CLOCK_MONOTONIC, &event, &timer);
	}
	sigaction(SIGUSR1, &action, NULL);
	timer_settime(timer, 0, &times, NULL);
}

static void calm(void)
{
	storm(SIG_IGN, 0, 0);
}

/* Time is up, and there were signals; a slow machine delivers few. */
static bool more_until(double end)
{
	double time = now();

	return time < end || (handled < 100 && time < end + 30);
}

static int interrupted_steadily(void *unused)
{
	double end = now() + test_seconds() / 4;
	struct uslab_stats stats;
	uint32_t seed = 1;
	void *object[64];
	int i, n;

	(void)unused;
	pool = uslab_pool_create("test", 64, NULL);
	storm(handler, 50, 50);
	while (more_until(end)) {
		n = (int)(random_next(&seed) % 64);
		if (uslab_get_bulk(pool, object, (unsigned int)n) != n)
			return 2;
		for (i = 0; i < n; i += 2) {
			uslab_put(pool, object[i]);
			object[i] = NULL;
		}
		uslab_put_bulk(pool, object, (unsigned int)n);
		if (seed % 64 == 0)
			uslab_pool_reclaim(pool, SIZE_MAX);
	}
	calm();
	stats = settled(pool, 0);
	if (stats.out_objects || stats.bad_puts)
		return 3;
	return handled < 100 ? 4 : 0;
}

TEST(a_handler_that_gets_and_puts_disturbs_nobody)
{
	EXPECT_EXIT(in_child(interrupted_steadily, NULL, test_seconds() + 60), 0);
}

/* Pages hold one object each, so that the engine's tables grow all the time. */
static int interrupted_growth(void *unused)
{
	double end = now() + test_seconds() / 2;

	(void)unused;
	while (more_until(end)) {
		int i;

		calm();
		if (pool)
			uslab_pool_destroy(pool);
		pool = uslab_pool_create("test", 4096, NULL);
		if (!pool)
			return 2;
		storm(hungry_handler, 50, 50);
		for (i = 0; i < 50000 && more_until(end); i++)
			if (!uslab_get(pool))
				return 3;
	}
	return handled < 100 ? 4 : 0;
}

TEST(a_pool_may_grow_in_a_handler_that_interrupts_its_growth)
{
	EXPECT_EXIT(in_child(interrupted_growth, NULL, test_seconds() + 60), 0);
}

/* The very first get of a process may be interrupted, too. */
static int first_get(void *unused)
{
	double end = now() + 4 * test_seconds();
	int i;

	(void)unused;
	for (i = 0; i < 100 || (i < 2000 && now() < end); i++) {
		calm();
		pool = uslab_pool_create("test", 64, NULL);
		if (!pool)
			return 2;
		storm(handler, 1 + i % 100, 100);
		uslab_put(pool, uslab_get(pool));
		calm();
		uslab_pool_destroy(pool);
	}
	return handled ? 0 : 4;
}

TEST(the_first_get_may_be_interrupted)
{
	EXPECT_EXIT(in_child(first_get, NULL, 4 * test_seconds() + 60), 0);
}

static bool signals_blocked(void)
{
	sigset_t set;
	int i;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	for (i = 1; i < 32; i++)
		if (sigismember(&set, i))
			return true;
	return false;
}

TEST(no_call_changes_the_signal_mask)
{
	void *object[3000];

	pool = MAKE(3000, NULL);
	EXPECT(!signals_blocked());
	EXPECT_EQ(uslab_get_bulk(pool, object, 3000), 3000);
	EXPECT(!signals_blocked());
	uslab_put_bulk(pool, object, 3000);
	EXPECT(!signals_blocked());
	uslab_pool_reclaim(pool, SIZE_MAX);
	EXPECT(!signals_blocked());
	uslab_pool_prewarm(pool, 100);
	EXPECT(!signals_blocked());
	STATS(pool);
	EXPECT(!signals_blocked());
	uslab_pool_destroy(pool);
	EXPECT(!signals_blocked());
}

TEST_MAIN
