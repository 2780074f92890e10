/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the library share. They know the documented interface
 * only, and run on either engine; what holds on one of them asks engine_is().
 */
#ifndef USLAB_SELFTESTS_COMMON_H
#define USLAB_SELFTESTS_COMMON_H

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uslab.h>
#include "test.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096ul
#define __unused	__attribute__((unused))

/* A pool that must exist for the test to make sense. */
#define MAKE(size, attr)						\
	({								\
		struct uslab_pool *made_ = uslab_pool_create("test", size, attr); \
		ASSERT(made_);						\
		made_;							\
	})

#define STATS(pool)							\
	({								\
		struct uslab_stats stats_ = { .size = sizeof(stats_) };	\
		ASSERT_EQ(uslab_pool_stats(pool, &stats_), 0);		\
		stats_;							\
	})

/* Around everything that changes the layout. */
__unused static const size_t object_sizes[] = {
	1, 2, 7, 8, 9, 15, 16, 17, 24, 48, 63, 64, 65, 96, 100, 128, 192, 200, 256, 500, 512, 1000,
	1024, 1360, 2000, 2048, 2056, 3000, 4088, 4095, 4096, 4097, 5000, 8192, 10000, 12288,
	65536, 65537, 100000, 1 << 20, (1 << 20) + 1, 3000000, 4 << 20,
};

/* What is in an object that nobody else writes to. */
__unused static void fill(char *object, size_t size, size_t number)
{
	memset(object, (int)(number * 7 + 1), size);
}

__unused static bool filled(const char *object, size_t size, size_t number)
{
	char byte = (char)(number * 7 + 1);
	size_t i;

	for (i = 0; i < size; i++)
		if (object[i] != byte)
			return false;
	return true;
}

__unused static bool engine_is(const struct uslab_pool *pool, const char *engine)
{
	return !strcmp(uslab_pool_engine(pool), engine);
}

/* Else caches are private to a process, and to each view that it has of a pool. */
__unused static bool path_is_rseq(const struct uslab_pool *pool)
{
	return !strcmp(uslab_pool_path(pool), "rseq");
}

/* The CPUs this process may use, by number from 0; their count. */
__unused static int allowed_cpu(int number)
{
	static cpu_set_t allowed;
	static int count;
	int cpu;

	if (!count) {
		sched_getaffinity(0, sizeof(allowed), &allowed);
		count = CPU_COUNT(&allowed);
	}
	if (number < 0)
		return count;
	number %= count;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && !number--)
			return cpu;
	return 0;
}

__unused static int allowed_cpus(void)
{
	return allowed_cpu(-1);
}

/* This thread to the CPU of that number; -1: to any of them. */
__unused static void pin(int number)
{
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	for (i = 0; i < allowed_cpus(); i++)
		if (number < 0 || number % allowed_cpus() == i)
			CPU_SET(allowed_cpu(i), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

__unused static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

__unused static void nap_us(long us)
{
	struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	nanosleep(&ts, NULL);
}

__unused static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* How long a stress lasts: all that is bounded by time takes a share of this. */
__unused static double test_seconds(void)
{
	const char *seconds = getenv("USLAB_TEST_SECONDS");

	return seconds ? atof(seconds) : 5;
}

#define HUNG	(-1)

/*
 * What becomes of a child: a wait status, or HUNG when it had to be killed
 * after that many seconds. The child may be without signals.
 */
__unused static int child_status(pid_t pid, double seconds)
{
	double end = now() + seconds;
	int status;

	while (now() < end) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		nap_us(1000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return HUNG;
}

/* What a drain has in hand counts as held until it is back. */
__unused static struct uslab_stats settled(struct uslab_pool *pool, uint64_t held)
{
	struct uslab_stats stats = { .size = sizeof(stats) };
	double end = now() + 5;

	while (!uslab_pool_stats(pool, &stats) && stats.out_objects != held && now() < end)
		nap_us(1000);
	return stats;
}

/* Run a function in a child; what it returns is the exit code. */
__unused static int in_child(int (*fn)(void *arg), void *arg, double seconds)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		int code = fn(arg);

		fflush(stdout);
		_exit(code);
	}
	return child_status(pid, seconds);
}

#define EXPECT_EXIT(status, code)					\
	({								\
		int status_ = (status);					\
		bool ok_ = status_ != HUNG && WIFEXITED(status_) &&	\
			   WEXITSTATUS(status_) == (code);		\
		if (!ok_)						\
			TEST_FAIL("%s: %s %d, not exit %d", #status,	\
				  status_ == HUNG ? "hung" :		\
				  WIFSIGNALED(status_) ? "signal" : "exit", \
				  status_ == HUNG ? 0 :			\
				  WIFSIGNALED(status_) ? WTERMSIG(status_) : \
				  WEXITSTATUS(status_), (code));	\
		ok_;							\
	})

#define EXPECT_KILLED(status, number)					\
	({								\
		int status_ = (status);					\
		bool ok_ = status_ != HUNG && WIFSIGNALED(status_) &&	\
			   WTERMSIG(status_) == (number);		\
		if (!ok_)						\
			TEST_FAIL("%s: status %#x, not killed by %s", #status, \
				  status_, #number);			\
		ok_;							\
	})

#endif /* USLAB_SELFTESTS_COMMON_H */
