// SPDX-License-Identifier: MIT
/*
 * The embedded engine's draining of CPU caches.
 *
 * A CPU's cache may be touched only on that CPU. A thread goes there
 * (sched_setaffinity) and takes the objects out with the same section that get
 * and put use; it never edits another CPU's cache.
 */
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "drain.h"

#define CHUNK		64u

#ifdef USLAB_HAVE_RSEQ
static void drain_stash(struct embedded *embedded, const struct uslab_stash *stash)
{
	struct pool *pool = &embedded->pool;
	u32 handles[CHUNK];
	/* what was there when we came; who uses the cache is not to keep us */
	u32 left = 2 * USLAB_MAGAZINE_MAX / CHUNK + 1;
	int n;

	do {
		n = __uslab_rseq_take(&pool->hot, stash, handles, CHUNK, -1);
		if (n > 0)
			uslab_core_return(&embedded->core, handles, (u32)n);
	} while ((n > 0 && --left) || n == USLAB_SECTION_ABORT);
}
#else
static void drain_stash(struct embedded *embedded, const struct uslab_stash *stash)
{
	(void)embedded;
	(void)stash;
}
#endif

static atomic_bool draining;		/* there is a thread that drains */

/* As many CPUs as Linux has; not from malloc(), see embedded.c about signals. */
struct cpus {
	cpu_set_t set[8192 / CPU_SETSIZE];
};

static bool go_to(u32 cpu)
{
	struct cpus cpus;

	CPU_ZERO_S(sizeof(cpus), cpus.set);
	CPU_SET_S(cpu, sizeof(cpus), cpus.set);
	return !sched_setaffinity(0, sizeof(cpus), cpus.set);
}

static u64 holds(const struct uslab_cpu *cpu)
{
	return (READ_ONCE(cpu->word) | READ_ONCE(cpu->remote_word)) & USLAB_WORD_COUNT_MASK;
}

void drain_cpus(struct embedded *embedded, u64 *seen)
{
	struct pool *pool = &embedded->pool;
	struct cpus home;
	bool moved = false;
	u32 i;

	if (sched_getaffinity(0, sizeof(home), home.set))
		return;
	for (i = 0; i < pool->hot.nr_cpus; i++) {
		struct uslab_cpu *cpu = pool_cpu(pool, i);
		u64 words = READ_ONCE(cpu->word) + READ_ONCE(cpu->remote_word);
		bool idle = !seen || seen[i] == words;

		if (seen)
			seen[i] = words;
		if (!idle || !holds(cpu) || !go_to(i))
			continue;
		moved = true;
		drain_stash(embedded, &pool->local);
		drain_stash(embedded, &pool->remote);
	}
	if (moved)
		sched_setaffinity(0, sizeof(home), home.set);
}

static u64 released(struct embedded *embedded)
{
	u64 pages = 0;
	u32 i;

	for (i = 0; i < embedded->pool.nr_homes; i++)
		pages += READ_ONCE(embedded->homes[i].home.slabs.released);
	return pages;
}

/*
 * Draining on behalf of a caller, who keeps its affinity: a thread waits for such
 * requests. Asking takes a futex, so it may be done in a signal handler.
 */
#define DRAIN_WAIT_US	500000ull

static _Atomic u32 drains_wanted;	/* requests so far */
static _Atomic u32 drains_done;		/* those that are answered */

static void futex_wait(_Atomic u32 *word, u32 seen, const struct timespec *timeout)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, timeout, NULL, 0);
}

static void futex_wake(_Atomic u32 *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void drain_if_wanted(struct pool *pool)
{
	struct embedded *embedded;

	if (pool->fd >= 0)
		return;
	embedded = container_of(pool, struct embedded, pool);
	if (atomic_exchange(&embedded->drain_wanted, false))
		drain_cpus(embedded, NULL);
}

static void *drain_thread(void *arg)
{
	u32 wanted;

	(void)arg;
	pthread_setname_np(pthread_self(), "uslab-drain");
	for (;;) {
		wanted = atomic_load(&drains_wanted);
		if (wanted == atomic_load(&drains_done)) {
			futex_wait(&drains_wanted, wanted, NULL);
			continue;
		}
		pools_for_each(drain_if_wanted);
		atomic_store(&drains_done, wanted);
		futex_wake(&drains_done);
	}
	return NULL;
}

u64 drain_and_wait(struct embedded *embedded)
{
	u64 before = released(embedded);
	u64 now, end;
	u32 mine, done;

	if (!atomic_load(&draining))
		return 0;
	atomic_store(&embedded->drain_wanted, true);
	mine = atomic_fetch_add(&drains_wanted, 1) + 1;
	futex_wake(&drains_wanted);
	end = embedded_now() + DRAIN_WAIT_US;
	/* answers to others, and signals, wake us as well */
	while ((s32)((done = atomic_load(&drains_done)) - mine) < 0 &&
	       (now = embedded_now()) < end) {
		struct timespec timeout = { .tv_nsec = (long)(end - now) * 1000 };

		futex_wait(&drains_done, done, &timeout);
	}
	return released(embedded) - before;
}

void drain_start(void)
{
	pthread_t thread;

	if (atomic_load(&draining) || background_thread(&thread, drain_thread, NULL))
		return;
	pthread_detach(thread);
	atomic_store(&draining, true);
}

void drain_forked(void)
{
	atomic_store(&draining, false);
	atomic_store(&drains_done, atomic_load(&drains_wanted));
}
