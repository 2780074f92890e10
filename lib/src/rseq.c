// SPDX-License-Identifier: MIT
/*
 * Are restartable sequences to be had, and do they work?
 *
 * The C library registers each thread's struct rseq. That a section really is
 * aborted is tried once: a thread spins in one while another wakes up on the
 * same CPU and preempts it.
 */
#include <sched.h>
#include <time.h>
#include "pool.h"

/* From the C library, since glibc 2.35. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* Where sections write their descriptor when nobody looks at it. */
static __thread struct {
	char bytes[32];
} nobody __attribute__((aligned(32), tls_model("initial-exec")));

/* Few enough to fit the static TLS that is spare when a program loads us late. */
#define SLOTS 32u

static __thread struct uslab_slot slots[SLOTS] __attribute__((tls_model("initial-exec")));

static ptrdiff_t from_thread_pointer(const void *thread_variable)
{
	return (const char *)thread_variable - (char *)__builtin_thread_pointer();
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool works;

#ifdef USLAB_HAVE_RSEQ

_Static_assert(offsetof(struct uslab_cpu, word) == 48, "rseq-x86_64.h");
_Static_assert(offsetof(struct uslab_cpu, capacity) == 56, "rseq-x86_64.h");
_Static_assert(offsetof(struct uslab_cpu, home) == 58, "rseq-x86_64.h");
_Static_assert(offsetof(struct uslab_cpu, slot) == 64, "rseq-x86_64.h");

#define PROBE_NS	100000000ll	/* long enough to be preempted many times */
#define WAKE_NS		200000l

struct probe {
	int cpu;
	bool pinned;
	int stop;
	enum uslab_section result;
};

static void pin(struct probe *probe)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(probe->cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
		probe->pinned = false;
}

static void *probe_spin(void *arg)
{
	struct sched_param param = { 0 };
	struct probe *probe = arg;

	pin(probe);
	pthread_setschedparam(pthread_self(), SCHED_IDLE, &param);
	/* too late to see anything when the other has given up */
	if (__atomic_load_n(&probe->stop, __ATOMIC_RELAXED))
		probe->result = USLAB_SECTION_ABORT;
	else
		probe->result = __uslab_rseq_spin(__rseq_offset, &probe->stop);
	__atomic_store_n(&probe->stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void *probe_preempt(void *arg)
{
	struct timespec wake = { .tv_nsec = WAKE_NS };
	struct probe *probe = arg;
	long long slept = 0;

	pin(probe);
	while (slept < PROBE_NS && !__atomic_load_n(&probe->stop, __ATOMIC_RELAXED)) {
		nanosleep(&wake, NULL);
		slept += WAKE_NS;
	}
	__atomic_store_n(&probe->stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* True unless a section is seen to run through a preemption. */
static bool section_aborts(void)
{
	struct probe probe = { .cpu = sched_getcpu(), .pinned = true };
	pthread_t spin, preempt;
	bool both;

	if (pthread_create(&preempt, NULL, probe_preempt, &probe))
		return true;
	both = !pthread_create(&spin, NULL, probe_spin, &probe);
	if (!both)
		__atomic_store_n(&probe.stop, 1, __ATOMIC_RELAXED);
	pthread_join(preempt, NULL);
	if (both)
		pthread_join(spin, NULL);
	return !both || !probe.pinned || probe.result == USLAB_SECTION_ABORT;
}

static void setup(void)
{
	struct uslab_pool here = { 0 };

	if (!&__rseq_size || !__rseq_size)
		return;
	here.rseq_offset = __rseq_offset;
	/* on a busy machine a section may begin too late for once */
	works = __uslab_rseq_cpu(&here) >= 0 &&
		(section_aborts() || section_aborts() || section_aborts());
}

#else

static void setup(void)
{
}

#endif /* USLAB_HAVE_RSEQ */

void rseq_disable(struct uslab_pool *hot)
{
	hot->key = ~0ull;
	hot->nr_cpus = 0;
}

void rseq_setup(struct uslab_pool *hot, u32 nr_cpus)
{
	static atomic_uint last_key;
	u32 key;

	pthread_once(&once, setup);
	if (!works) {
		hot->rseq_offset = from_thread_pointer(&nobody);
		hot->slot_offset = from_thread_pointer(&slots[0]);
		rseq_disable(hot);
		return;
	}
	/* keys are not used again, so a slot of a pool that is gone matches nothing */
	key = atomic_fetch_add(&last_key, 1) + 1;
	hot->key = (u64)key << 32;
	hot->rseq_offset = __rseq_offset;
	hot->slot_offset = from_thread_pointer(&slots[key % SLOTS]);
	hot->nr_cpus = nr_cpus;
}
