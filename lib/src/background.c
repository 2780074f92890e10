// SPDX-License-Identifier: MIT
/*
 * The embedded engine's stand-in for the kernel's worker and shrinker: a thread of
 * the process that looks at every pool from time to time, does what the governor
 * says, and answers memory pressure.
 *
 * There is no shrinker to be called when a limit is hit, so nearness to the limit is
 * answered before that, the harder the higher the level: what is unused since the last
 * look, the depots, the CPU caches.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include "background.h"
#include "drain.h"
#include "notify.h"
#include "pressure.h"

#define LOOK_US		1000000ull	/* between two looks, at most */
#define LOOK_LEAST_US	1000ull

static struct pressure *pressure;	/* of this process; set once */

u64 background_memory(void)
{
	return pressure_memory(pressure);
}

/* What the present look is made from; the background thread's own. */
static struct {
	enum pressure_event event;
	u32 used;
	u64 next;
} look;

static u64 now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000 + (u64)ts.tv_nsec / 1000;
}

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
	view->now = now_us();
	view->memory = background_memory();
	view->idle = objects * geo->stride;
	view->backed = uslab_core_backed_bytes(&embedded->core);
	view->used = look.used;
}

/* How strong the pressure is that has to be answered without a plan. */
static u32 strength(const struct embedded *embedded)
{
	u32 level = READ_ONCE(embedded->governor.level);

	if (READ_ONCE(embedded->tunables.mode) == USLAB_MODE_MANUAL)
		return USLAB_PRESSURE_NONE;
	if (look.event != PRESSURE_NOTHING)
		return max_t(u32, level, USLAB_PRESSURE_MEDIUM);
	return level;
}

static void pool_drain(struct embedded *embedded, u64 pages, u64 objects, u64 *returned)
{
	struct uslab_pass pass = { .pages = pages, .objects = objects };

	uslab_core_drain(&embedded->core, &pass);
	*returned += pass.returned;
}

/* Carry out a plan, and what pressure wants besides; objects that went back. */
static u64 pool_pass(struct embedded *embedded, const struct uslab_plan *plan, u32 level)
{
	struct uslab_view view;
	u64 start = now_us();
	u64 returned = 0;
	u32 i;

	if (plan->age || level) {
		for (i = 0; i < embedded->pool.nr_homes; i++)
			uslab_core_age(embedded->core.homes[i]);
		drain_cpus(embedded, embedded->seen);
	}
	if (plan->idle)
		pool_drain(embedded, U64_MAX, plan->idle / embedded->core.geo.stride + 1,
			   &returned);
	if (plan->pages)
		pool_drain(embedded, plan->pages, U64_MAX, &returned);
	if (level >= USLAB_PRESSURE_MEDIUM)
		pool_drain(embedded, U64_MAX, U64_MAX, &returned);
	if (level >= USLAB_PRESSURE_CRITICAL)
		drain_cpus(embedded, NULL);

	uslab_add64(&embedded->core.passes, 1);
	uslab_add64(&embedded->core.pass_us, (s64)(now_us() - start));
	pool_view(embedded, &view);
	embedded_lock_governor(embedded);
	uslab_governor_done(&embedded->governor, &embedded->tunables, &view, view.now - start);
	embedded_unlock_governor(embedded);
	return returned;
}

static void pool_look(struct pool *pool)
{
	bool aging, changed;
	struct embedded *embedded;
	struct uslab_plan plan = { .age = false };
	struct uslab_view view;
	u64 returned = 0, next;
	u32 level;

	if (pool->fd >= 0)
		return;
	embedded = container_of(pool, struct embedded, pool);
	aging = READ_ONCE(embedded->tunables.idle_aging_centisecs);
	pool_view(embedded, &view);
	embedded_set_thresholds(embedded);
	embedded_lock_governor(embedded);
	changed = uslab_governor_look(&embedded->governor, &embedded->tunables, &view);
	uslab_governor_breaker(&embedded->governor, &embedded->tunables, &view);
	if (aging || READ_ONCE(embedded->tunables.mode) == USLAB_MODE_MANUAL)
		uslab_governor_plan(&embedded->governor, &embedded->tunables, &view, &plan);
	embedded_unlock_governor(embedded);
	if (changed) {
		embedded_set_pressure(embedded);
		notify_wake();
	}
	level = strength(embedded);
	if (level)
		WRITE_ONCE(embedded->governor.pressed, view.now);
	if (level || plan.age || plan.idle || plan.pages)
		returned = pool_pass(embedded, &plan, level);
	embedded_lock_governor(embedded);
	next = uslab_governor_next(&embedded->governor, &embedded->tunables, view.now,
				   plan.again && returned);
	embedded_unlock_governor(embedded);
	if (next)
		look.next = min_t(u64, look.next, next);
}

static void *background(void *arg)
{
	u64 wait = LOOK_US;

	(void)arg;
	pthread_setname_np(pthread_self(), "uslab");
	for (;;) {
		u64 now;

		look.event = pressure_wait(pressure, (int)((wait + 999) / 1000));
		look.used = pressure_used(pressure);
		now = now_us();
		look.next = now + LOOK_US;
		pools_for_each(pool_look);
		now = now_us();
		wait = look.next > now + LOOK_LEAST_US ? look.next - now : LOOK_LEAST_US;
	}
	return NULL;
}

void background_kick(void)
{
	pressure_kick(pressure);
}

int background_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	sigset_t all, saved;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	err = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return err;
}

static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static bool running;

static void lock_running(void)
{
	pthread_mutex_lock(&running_lock);
}

static void unlock_running(void)
{
	pthread_mutex_unlock(&running_lock);
}

/* The threads do not exist in a child; its next pool starts them. */
static void forked(void)
{
	running = false;
	drain_forked();
	unlock_running();
}

static void register_fork(void)
{
	pthread_atfork(lock_running, unlock_running, forked);
}

void background_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_t thread;

	pthread_once(&once, register_fork);
	lock_running();
	if (!running) {
		pressure = pressure_open();
		running = !background_thread(&thread, background, NULL);
		if (running)
			pthread_detach(thread);
		drain_start();
	}
	unlock_running();
}
