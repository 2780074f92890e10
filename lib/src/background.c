// SPDX-License-Identifier: MIT
/*
 * The embedded engine's stand-in for the kernel's worker and shrinker: a thread of
 * the process that looks at every pool from time to time, does what the governor
 * says, and answers memory pressure.
 *
 * There is no shrinker to be called when the cgroup's limit is hit, so it is answered
 * before that. While it is near, pools age by the second; what lies in depots goes when it
 * comes nearer, and CPU caches as well when it is very near. Where it stays as near as it
 * is, pools keep what they use.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include "background.h"
#include "drain.h"
#include "notify.h"
#include "pressure.h"

#define LOOK_US		1000000ull	/* between two looks, at most */
#define LOOK_LEAST_US	10000ull	/* and at least, however often somebody kicks */
#define NEARER		5u		/* per mille of the limit: that is nearer than before */

static struct pressure *pressure;	/* of this process */
static _Atomic u64 memory;

u64 background_memory(void)
{
	return atomic_load_explicit(&memory, memory_order_relaxed);
}

/* What the present look is made from; the background thread's own. */
static struct {
	enum pressure_event event;
	u32 used;			/* of any limit */
	u32 cgroup_used;
	u64 next;			/* 0: there are no pools */
} look;

static void pool_view(struct embedded *embedded, struct uslab_view *view)
{
	const struct uslab_geometry *geo = &embedded->core.geo;
	u64 objects = uslab_core_idle_objects(&embedded->core);
	u32 i;

	for (i = 0; i < embedded->pool.hot.nr_cpus; i++) {
		struct uslab_cpu *cpu = pool_cpu(&embedded->pool, i);

		objects += (READ_ONCE(cpu->word) & USLAB_WORD_COUNT_MASK) +
			   (READ_ONCE(cpu->remote_word) & USLAB_WORD_COUNT_MASK);
	}
	view->now = embedded_now();
	view->memory = background_memory();
	view->idle = objects * geo->stride;
	view->backed = uslab_core_backed_bytes(&embedded->core);
	view->used = look.used;
}

static u64 pool_drain(struct embedded *embedded, u64 pages, u64 objects)
{
	struct uslab_pass pass = { .pages = pages, .objects = objects };

	uslab_core_drain(&embedded->core, &pass);
	return pass.returned;
}

static void pool_age(struct embedded *embedded)
{
	u32 i;

	for (i = 0; i < embedded->pool.nr_homes; i++)
		uslab_core_age(embedded->core.homes[i]);
	drain_cpus(embedded, embedded->seen);
}

/* Carry out a plan; objects that went back. */
static u64 pool_pass(struct embedded *embedded, const struct uslab_plan *plan)
{
	u64 returned = 0;

	if (plan->age)
		pool_age(embedded);
	if (plan->idle)
		returned += pool_drain(embedded, U64_MAX,
				       plan->idle / embedded->core.geo.stride + 1);
	if (plan->pages)
		returned += pool_drain(embedded, plan->pages, U64_MAX);
	return returned;
}

/* Add to the plan what nearness to the cgroup's limit wants; objects that went back. */
static u64 pool_answer(struct embedded *embedded, u64 now, struct uslab_plan *plan)
{
	const struct uslab_tunables *tunables = &embedded->tunables;
	u32 level = uslab_pressure_level(tunables, look.cgroup_used);
	bool stall = look.event == PRESSURE_STALL;
	u64 returned;

	if (READ_ONCE(tunables->mode) == USLAB_MODE_MANUAL)
		return 0;
	if (level == USLAB_PRESSURE_NONE && !stall) {
		embedded->answered = 0;
		return 0;
	}
	WRITE_ONCE(embedded->governor.pressed, now);
	if (now - embedded->governor.aged >= LOOK_US) {
		embedded->governor.aged = now;
		plan->age = true;
	}
	if (!stall && (level < USLAB_PRESSURE_MEDIUM ||
		       look.cgroup_used < embedded->answered + NEARER))
		return 0;
	returned = pool_drain(embedded, USLAB_PASS_BYTES >> PAGE_SHIFT, U64_MAX);
	drain_cpus(embedded, level == USLAB_PRESSURE_CRITICAL ? NULL : embedded->seen);
	plan->again |= returned * embedded->core.geo.stride >= USLAB_PASS_BYTES;
	if (!plan->again)
		embedded->answered = look.cgroup_used;
	return returned;
}

static void pool_done(struct embedded *embedded, u64 start)
{
	struct uslab_view view;

	pool_view(embedded, &view);
	uslab_add64(&embedded->core.passes, 1);
	uslab_add64(&embedded->core.pass_us, (s64)(view.now - start));
	embedded_lock_governor(embedded);
	uslab_governor_done(&embedded->governor, &embedded->tunables, &view, view.now - start);
	embedded_unlock_governor(embedded);
}

static void pool_look(struct pool *pool)
{
	struct uslab_plan plan = { .age = false };
	bool aging, manual, changed;
	struct embedded *embedded;
	struct uslab_view view;
	u64 returned, next;

	if (pool->fd >= 0)
		return;
	embedded = container_of(pool, struct embedded, pool);
	aging = READ_ONCE(embedded->tunables.idle_aging_centisecs);
	manual = READ_ONCE(embedded->tunables.mode) == USLAB_MODE_MANUAL;
	pool_view(embedded, &view);
	embedded_lock_governor(embedded);
	embedded_set_thresholds(embedded);
	changed = uslab_governor_look(&embedded->governor, &embedded->tunables, &view);
	uslab_governor_breaker(&embedded->governor, &embedded->tunables, &view);
	if (aging || manual)
		uslab_governor_plan(&embedded->governor, &embedded->tunables, &view, &plan);
	embedded_unlock_governor(embedded);
	if (changed) {
		embedded_set_pressure(embedded);
		notify_wake();
	}
	returned = pool_answer(embedded, view.now, &plan);
	if (returned || plan.age || plan.idle || plan.pages) {
		returned += pool_pass(embedded, &plan);
		pool_done(embedded, view.now);
	}
	embedded_lock_governor(embedded);
	next = uslab_governor_next(&embedded->governor, &embedded->tunables, view.now,
				   plan.again && returned);
	embedded_unlock_governor(embedded);
	if (!next || next > view.now + LOOK_US)
		next = view.now + LOOK_US;
	if (!look.next || next < look.next)
		look.next = next;
}

static void sleep_us(u64 us)
{
	struct timespec ts = { (time_t)(us / 1000000), (long)(us % 1000000 * 1000) };

	nanosleep(&ts, NULL);
}

static void *background(void *arg)
{
	struct pressure *mine = arg;
	u64 last = 0;
	int wait = 0;

	pthread_setname_np(pthread_self(), "uslab");
	for (;;) {
		u64 now;

		look.event = pressure_wait(mine, wait);
		now = embedded_now();
		if (now - last < LOOK_LEAST_US)
			sleep_us(LOOK_LEAST_US - (now - last));
		look.cgroup_used = pressure_cgroup_used(mine);
		look.used = max_t(u32, look.cgroup_used, pressure_machine_used(mine));
		atomic_store_explicit(&memory, pressure_memory(mine), memory_order_relaxed);
		look.next = 0;
		pools_for_each(pool_look);
		last = embedded_now();
		wait = -1;		/* until there is a pool */
		if (look.next)
			wait = look.next > last ? (int)((look.next - last + 999) / 1000) : 0;
	}
	return NULL;
}

void background_kick(void)
{
	pressure_kick(pressure);
}

int background_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	struct sched_param none = { 0 };
	pthread_attr_t attr;
	sigset_t all, saved;
	int err;

	/* a real-time thread may have made the pool, but reclaim is nothing of the kind */
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_OTHER);
	pthread_attr_setschedparam(&attr, &none);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	err = pthread_create(thread, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static bool running;

void background_fork_prepare(void)
{
	pthread_mutex_lock(&running_lock);
}

void background_fork_parent(void)
{
	pthread_mutex_unlock(&running_lock);
}

/* The threads do not exist in a child; its next pool starts them. */
void background_fork_child(void)
{
	running = false;
	pressure_close(pressure);
	pressure = NULL;
	drain_forked();
	pthread_mutex_unlock(&running_lock);
}

void background_start(void)
{
	pthread_t thread;

	pthread_mutex_lock(&running_lock);
	if (!pressure) {
		pressure = pressure_open();
		atomic_store(&memory, pressure_memory(pressure));
	}
	if (!running) {
		running = !background_thread(&thread, background, pressure);
		if (running)
			pthread_detach(thread);
	}
	drain_start();
	background_kick();
	pthread_mutex_unlock(&running_lock);
}
