// SPDX-License-Identifier: GPL-2.0-only
/*
 * No system call in the steady state: after warming up, threads get, put, and
 * hand objects to each other under a seccomp filter that kills the process on
 * anything but exit. All of it runs in children, so that being killed shows as
 * SIGSYS.
 *
 * A thread never waits here: a full mailbox means that it puts the object
 * itself, an empty one that there is nothing to put.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "common.h"

#define THREADS		8
#define OPERATIONS	10000000ul	/* of all threads, gets and puts */
#define MAILBOX		64u
#define HELD		32u
#define PREWARM		60000		/* far more than caches and hands can hold */

#if defined(__x86_64__)
#define ARCH		AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH		AUDIT_ARCH_AARCH64
#endif

static void allow_only_exit(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) {
		perror("# seccomp");
		_exit(99);
	}
}

/* A ring with many writers and one reader, a slot at a time. */
struct mailbox {
	_Atomic(void *) slot[MAILBOX];
	atomic_uint write;
	unsigned int read;
} __attribute__((aligned(128)));

static struct load {
	struct uslab_pool *pool;
	struct mailbox mailbox[THREADS];
	bool filtered;
	atomic_uint ready;
	atomic_uint finished;
	atomic_bool go;
	atomic_ulong mailed;
	atomic_bool wrong;
} load;

static bool mail(struct mailbox *to, void *object)
{
	unsigned int at = atomic_fetch_add_explicit(&to->write, 1, memory_order_relaxed) % MAILBOX;
	void *none = NULL;

	return atomic_compare_exchange_strong_explicit(&to->slot[at], &none, object,
						       memory_order_release, memory_order_relaxed);
}

static void *collect(struct mailbox *from)
{
	return atomic_exchange_explicit(&from->slot[from->read++ % MAILBOX], NULL,
					memory_order_acquire);
}

static void put_checked(uint64_t *object)
{
	if (object[0] != (uint64_t)(uintptr_t)object || object[1] != ~object[0])
		atomic_store(&load.wrong, true);
	object[1] = 0;
	uslab_put(load.pool, object);
}

static void operate(unsigned int me, unsigned long operations)
{
	uint32_t seed = me + 1;
	uint64_t *held[HELD] = { NULL };
	unsigned long mailed = 0;
	unsigned int i;

	while (operations--) {
		uint32_t dice = random_next(&seed);
		uint64_t **mine = &held[dice >> 8 & (HELD - 1)];
		uint64_t *object;

		if (*mine) {
			unsigned int to = dice >> 16 & (THREADS - 1);

			if (dice & 1 && mail(&load.mailbox[to], *mine))
				mailed += to != me;
			else
				put_checked(*mine);
			*mine = NULL;
		} else {
			object = uslab_get(load.pool);
			if (!object) {
				atomic_store(&load.wrong, true);
				break;
			}
			object[0] = (uint64_t)(uintptr_t)object;
			object[1] = ~object[0];
			*mine = object;
		}
		object = collect(&load.mailbox[me]);
		if (object)
			put_checked(object);
	}
	for (i = 0; i < HELD; i++)
		if (held[i])
			put_checked(held[i]);
	atomic_fetch_add(&load.mailed, mailed);
}

static void *load_thread(void *arg)
{
	unsigned int me = (unsigned int)(uintptr_t)arg;

	/* Half of the threads stay where they are, the scheduler moves the others. */
	if (me < THREADS / 2)
		pin((int)me);
	if (load.filtered)
		allow_only_exit();
	atomic_fetch_add(&load.ready, 1);
	while (!atomic_load_explicit(&load.go, memory_order_acquire))
		;
	operate(me, OPERATIONS / THREADS);
	atomic_fetch_add(&load.finished, 1);
	syscall(SYS_exit, 0);
	return NULL;
}

/* Threads that end by exit() alone are not joined: they say that they are done. */
static void run_load(bool filtered)
{
	pthread_attr_t attr;
	unsigned int i;

	atomic_store(&load.ready, 0);
	atomic_store(&load.finished, 0);
	atomic_store(&load.go, false);
	load.filtered = filtered;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (i = 0; i < THREADS; i++) {
		pthread_t thread;

		if (pthread_create(&thread, &attr, load_thread, (void *)(uintptr_t)i))
			_exit(98);
	}
	while (atomic_load(&load.ready) < THREADS)
		nap_us(1000);
	atomic_store(&load.go, true);
	while (atomic_load(&load.finished) < THREADS)
		nap_us(1000);
}

static void empty_mailboxes(void)
{
	unsigned int i, j;

	for (i = 0; i < THREADS; i++)
		for (j = 0; j < MAILBOX; j++) {
			uint64_t *object = collect(&load.mailbox[i]);

			if (object)
				put_checked(object);
		}
}

static void make_pool(size_t size)
{
	load.pool = uslab_pool_create("test", size, NULL);
	if (!load.pool)
		_exit(97);
}

static int warm_load(void *size)
{
	struct uslab_stats before = { .size = sizeof(before) }, after = before;
	int cpu;

	make_pool(*(size_t *)size);
	for (cpu = 0; cpu < allowed_cpus(); cpu++) {	/* each node has its depot */
		pin(cpu);
		if (uslab_pool_prewarm(load.pool, PREWARM) != PREWARM)
			return 1;
	}
	pin(-1);
	run_load(false);
	empty_mailboxes();
	uslab_pool_stats(load.pool, &before);
	run_load(true);
	empty_mailboxes();
	uslab_pool_stats(load.pool, &after);

	if (atomic_load(&load.wrong))
		return 2;
	if (after.out_objects || after.refills != before.refills || after.bad_puts)
		return 3;
	return atomic_load(&load.mailed) < OPERATIONS / 50 ? 4 : 0;
}

/* Threads without restartable sequences may find all caches busy, and ask the engine. */
static void need_rseq(void)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	bool rseq = path_is_rseq(pool);

	uslab_pool_destroy(pool);
	if (!rseq)
		SKIP("not promised without restartable sequences");
}

TEST(ten_million_operations_across_threads_without_a_system_call)
{
	size_t size = 64;

	need_rseq();
	EXPECT_EXIT(in_child(warm_load, &size, 100), 0);
}

TEST(objects_of_other_sizes_without_a_system_call)
{
	static size_t sizes[] = { 16, 1000 };
	size_t i;

	need_rseq();
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EXIT(in_child(warm_load, &sizes[i], 100), 0);
}

static void *warm_single_thread(void *unused)
{
	int i;

	pin(0);
	uslab_put(load.pool, uslab_get(load.pool));
	allow_only_exit();
	for (i = 0; i < 1000000; i++)
		uslab_put(load.pool, uslab_get(load.pool));
	atomic_fetch_add(&load.finished, 1);
	syscall(SYS_exit, 0);
	return unused;
}

static int warm_single(void *unused)
{
	pthread_t thread;

	(void)unused;
	make_pool(64);
	if (pthread_create(&thread, NULL, warm_single_thread, NULL))
		return 98;
	while (!atomic_load(&load.finished))
		nap_us(1000);
	return 0;
}

TEST(one_thread_without_a_system_call)
{
	EXPECT_EXIT(in_child(warm_single, NULL, 100), 0);
}

/* Controls */

static int system_call(void *unused)
{
	(void)unused;
	allow_only_exit();
	syscall(SYS_getppid);
	return 1;
}

TEST(control_a_system_call_under_the_filter_is_seen)
{
	EXPECT_KILLED(in_child(system_call, NULL, 10), SIGSYS);
}

static int cold(void *unused)
{
	void *object;

	(void)unused;
	make_pool(64);
	allow_only_exit();
	object = uslab_get(load.pool);
	return object ? 1 : 2;
}

TEST(control_a_get_that_must_refill_is_seen)
{
	EXPECT_KILLED(in_child(cold, NULL, 10), SIGSYS);
}

static int short_of_objects(void *unused)
{
	void *object;

	(void)unused;
	make_pool(64);
	pin(0);
	uslab_pool_prewarm(load.pool, 1000);
	uslab_put(load.pool, uslab_get(load.pool));
	allow_only_exit();
	do
		object = uslab_get(load.pool);
	while (object);
	return 1;
}

TEST(control_a_pool_that_runs_dry_is_seen)
{
	EXPECT_KILLED(in_child(short_of_objects, NULL, 10), SIGSYS);
}

TEST_MAIN
