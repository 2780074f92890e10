// SPDX-License-Identifier: MIT
/*
 * The embedded engine: the module's core in the process, for machines where no
 * module can be loaded. The same areas, laid out in anonymous memory; the same
 * policies; pages are given back with madvise().
 *
 * A home's lock is held with all signals blocked, so that get and put stay safe
 * in signal handlers.
 */
#include <errno.h>
#include <numaif.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "background.h"
#include "drain.h"
#include "topology.h"

#define REFILL_FEW	8u	/* objects in a refill while memory is being taken */

static struct embedded_home *embedded_home(struct uslab_home *home)
{
	return container_of(home, struct embedded_home, home);
}

static struct embedded *embedded_core(const struct uslab_core *core)
{
	return container_of((struct uslab_core *)(uintptr_t)core, struct embedded, core);
}

static struct embedded *embedded_of(struct pool *pool)
{
	return container_of(pool, struct embedded, pool);
}

/* What the core asks for */

static void lock_quietly(pthread_mutex_t *lock, sigset_t *saved)
{
	sigset_t all, mask;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	pthread_mutex_lock(lock);
	*saved = mask;
}

static void unlock_quietly(pthread_mutex_t *lock, const sigset_t *saved)
{
	sigset_t mask = *saved;

	pthread_mutex_unlock(lock);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void core_lock(struct uslab_home *home)
{
	struct embedded_home *mine = embedded_home(home);

	lock_quietly(&mine->lock, &mine->saved);
}

static bool core_trylock(struct uslab_home *home)
{
	core_lock(home);
	return true;
}

static void core_unlock(struct uslab_home *home)
{
	struct embedded_home *mine = embedded_home(home);

	unlock_quietly(&mine->lock, &mine->saved);
}

void embedded_lock_governor(struct embedded *embedded)
{
	lock_quietly(&embedded->governor_lock, &embedded->governor_saved);
}

void embedded_unlock_governor(struct embedded *embedded)
{
	unlock_quietly(&embedded->governor_lock, &embedded->governor_saved);
}

/* The mapping itself brings pages, zeroed, when they are touched. */
static void *core_page_alloc(struct uslab_home *home)
{
	return home;
}

static void core_page_free(struct uslab_home *home, void *page)
{
	(void)home;
	(void)page;
}

static bool core_page_detach(struct uslab_home *home, struct uslab_page_ref *ref)
{
	(void)home;
	ref->detached = *ref->slot;
	*ref->slot = NULL;
	return true;
}

static void core_unmap(struct uslab_home *home, u32 first_page, u32 nr_pages)
{
	struct embedded *embedded = embedded_core(home->core);
	const struct uslab_geometry *geo = &home->core->geo;
	size_t span = (size_t)1 << (geo->home_shift + geo->granule_shift);

	madvise(embedded->pool.hot.objects + home->index * span + ((size_t)first_page << PAGE_SHIFT),
		(size_t)nr_pages << PAGE_SHIFT, MADV_DONTNEED);
}

static struct uslab_magazine *core_magazine(const void *ctx, u32 index)
{
	struct embedded *embedded = embedded_core(ctx);
	const struct uslab_geometry *geo = &embedded->core.geo;

	if (index > geo->nr_magazines)
		return NULL;
	return (struct uslab_magazine *)(embedded->pool.shared + geo->magazines_start +
					 (size_t)index * geo->magazine_stride);
}

static int core_magazines_add(struct uslab_home *home, u32 *first, u32 *nr)
{
	struct embedded *embedded = embedded_core(home->core);
	const struct uslab_geometry *geo = &home->core->geo;
	u32 some = PAGE_SIZE / geo->magazine_stride;
	u32 made = atomic_load(&embedded->magazines);

	do {
		*nr = min_t(u32, some, geo->nr_magazines - made);
		if (!*nr)
			return -ENOSPC;
	} while (!atomic_compare_exchange_weak(&embedded->magazines, &made, made + *nr));
	*first = made + 1;
	return 0;
}

static u32 core_nr_magazines(const struct uslab_core *core)
{
	return atomic_load(&embedded_core(core)->magazines);
}

static struct uslab_cpu *core_cpu(const struct uslab_core *core, u32 cpu)
{
	return pool_cpu(&embedded_core(core)->pool, cpu);
}

static void core_resched(void)
{
}

static const struct uslab_core_ops core_ops = {
	.lock = core_lock,
	.trylock = core_trylock,
	.unlock = core_unlock,
	.page_alloc = core_page_alloc,
	.page_free = core_page_free,
	.page_detach = core_page_detach,
	.unmap = core_unmap,
	.magazine = core_magazine,
	.magazines_add = core_magazines_add,
	.nr_magazines = core_nr_magazines,
	.cpu = core_cpu,
	.resched = core_resched,
};

/* What the library asks for */

u64 embedded_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000 + (u64)ts.tv_nsec / 1000;
}

static void pay(struct embedded *embedded, struct uslab_pass *pass)
{
	u64 start = embedded_now();

	uslab_core_drain(&embedded->core, pass);
	uslab_add64(&embedded->core.throttles, 1);
	uslab_add64(&embedded->core.throttled_us, (s64)(embedded_now() - start));
	background_kick();
}

static void embedded_balance(struct pool *pool)
{
	struct embedded *embedded = embedded_of(pool);
	struct uslab_pass pass;

	if (uslab_balance_put(&embedded->core, &pass))
		pay(embedded, &pass);
}

/* May the pool grow, and by how many objects? */
static u32 admit(struct embedded *embedded, u32 nr)
{
	u32 few = max_t(u32, REFILL_FEW, PAGE_SIZE / embedded->core.geo.stride);
	enum uslab_breaker event;
	u64 bytes;

	/* as a rule there is nothing to ask */
	if (!READ_ONCE(embedded->governor.pressed) && !READ_ONCE(embedded->governor.breaker))
		return nr;
	embedded_lock_governor(embedded);
	bytes = uslab_core_backed_bytes(&embedded->core) + (u64)nr * embedded->core.geo.stride;
	nr = uslab_governor_batch(&embedded->governor, &embedded->tunables, embedded_now(), bytes,
				  nr, few, &event);
	embedded_unlock_governor(embedded);
	return nr;
}

/* Limits that only some pools have. */
static void before_growth(struct embedded *embedded, u32 nr)
{
	struct uslab_pass pass;

	if ((READ_ONCE(embedded->tunables.memory_limit) ||
	     READ_ONCE(embedded->tunables.memory_limit_percent)) &&
	    uslab_balance_get(&embedded->core, &embedded->tunables, background_memory(), nr,
			      &pass))
		pay(embedded, &pass);
	else if (uslab_governor_grown(&embedded->governor, &embedded->tunables,
				      uslab_core_backed_bytes(&embedded->core)))
		background_kick();
}

static int embedded_refill(struct pool *pool, u32 home, u32 *handles, u32 nr)
{
	struct embedded *embedded = embedded_of(pool);

	nr = admit(embedded, nr);
	if (!nr) {
		core_lock(embedded->core.homes[home]);
		embedded->core.homes[home]->refill_failures++;
		core_unlock(embedded->core.homes[home]);
		return -EBUSY;
	}
	before_growth(embedded, nr);
	return uslab_core_refill(embedded->core.homes[home], handles, nr);
}

static void embedded_give(struct pool *pool, const u32 *handles, u32 nr)
{
	uslab_core_return(&embedded_of(pool)->core, handles, nr);
}

static int embedded_grow(struct pool *pool, u32 home)
{
	return uslab_core_grow(embedded_of(pool)->core.homes[home]);
}

static u64 embedded_reclaim(struct pool *pool, u64 bytes)
{
	struct embedded *embedded = embedded_of(pool);
	struct uslab_pass pass = {
		.pages = bytes == U64_MAX ? U64_MAX : (bytes >> PAGE_SHIFT) + !!(bytes & (PAGE_SIZE - 1)),
		.objects = U64_MAX, .flags = USLAB_SHRINK_FORCE,
	};

	uslab_core_drain(&embedded->core, &pass);
	if (pass.released < pass.pages)
		pass.released += drain_and_wait(embedded);
	return pass.released << PAGE_SHIFT;
}

void embedded_set_thresholds(struct embedded *embedded)
{
	struct uslab_control *control = (struct uslab_control *)(uintptr_t)embedded->pool.control;
	u64 limit = uslab_balance_set(&embedded->core, &embedded->tunables, background_memory());

	WRITE_ONCE(control->idle_limit, limit);
}

void embedded_set_pressure(struct embedded *embedded)
{
	struct uslab_control *control = (struct uslab_control *)(uintptr_t)embedded->pool.control;

	WRITE_ONCE(control->pressure, embedded->governor.level);
}

static int embedded_get_tunables(struct pool *pool, struct uslab_tunables *tunables)
{
	struct embedded *embedded = embedded_of(pool);

	embedded_lock_governor(embedded);
	*tunables = embedded->tunables;
	embedded_unlock_governor(embedded);
	return 0;
}

static int embedded_set_tunables(struct pool *pool, const struct uslab_tunables *tunables)
{
	struct embedded *embedded = embedded_of(pool);
	int err;

	embedded_lock_governor(embedded);
	err = uslab_tunables_change(&embedded->tunables, &embedded->own, tunables, 0, 0,
				    background_memory());
	WRITE_ONCE(embedded->core.min_idle, embedded->tunables.min_idle);
	embedded_set_thresholds(embedded);
	embedded_unlock_governor(embedded);
	background_kick();
	return err;
}

static int embedded_stats(struct pool *pool, struct uslab_stats *stats)
{
	uslab_core_stats(&embedded_of(pool)->core, stats);
	return 0;
}

static void embedded_free(struct embedded *embedded)
{
	struct pool *pool = &embedded->pool;
	u32 i;

	for (i = 0; embedded->homes && i < pool->nr_homes; i++) {
		uslab_slabs_destroy(&embedded->homes[i].home.slabs, NULL, NULL);
		pthread_mutex_destroy(&embedded->homes[i].lock);
	}
	if (pool->hot.objects)
		munmap(pool->hot.objects, embedded->core.geo.objects_size);
	if (pool->shared)
		munmap(pool->shared, embedded->core.geo.shared_size);
	free((void *)(uintptr_t)pool->control);
	free(embedded->core.homes);
	free(embedded->homes);
	free(embedded->seen);
	free(embedded);
}

static void embedded_destroy(struct pool *pool)
{
	pool_fini(pool);
	embedded_free(embedded_of(pool));
}

static void embedded_fork_prepare(struct pool *pool)
{
	u32 i;

	pthread_mutex_lock(&embedded_of(pool)->governor_lock);
	for (i = 0; i < pool->nr_homes; i++)
		pthread_mutex_lock(&embedded_of(pool)->homes[i].lock);
}

static void embedded_fork_done(struct pool *pool)
{
	u32 i;

	for (i = 0; i < pool->nr_homes; i++)
		pthread_mutex_unlock(&embedded_of(pool)->homes[i].lock);
	pthread_mutex_unlock(&embedded_of(pool)->governor_lock);
}

/* Nobody looks at limits here before the child makes a pool of its own. */
static void embedded_fork_child(struct pool *pool)
{
	struct embedded *embedded = embedded_of(pool);

	memset(&embedded->governor, 0, sizeof(embedded->governor));
	embedded->governor.aged = embedded_now();
	embedded_set_pressure(embedded);
	embedded_fork_done(pool);
}

static const struct backend backend = {
	.name = "embedded",
	.refill = embedded_refill,
	.give = embedded_give,
	.grow = embedded_grow,
	.reclaim = embedded_reclaim,
	.balance = embedded_balance,
	.get_tunables = embedded_get_tunables,
	.set_tunables = embedded_set_tunables,
	.stats = embedded_stats,
	.destroy = embedded_destroy,
	.fork_prepare = embedded_fork_prepare,
	.fork_parent = embedded_fork_done,
	.fork_child = embedded_fork_child,
};

/* Making one */

static void *reserve(u64 size)
{
	void *address = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (address == MAP_FAILED)
		return NULL;
	/* Pages come and go one by one here. */
	madvise(address, size, MADV_NOHUGEPAGE);
	return address;
}

/* Where pages come from; best effort, as on a machine without NUMA. */
static void place(struct embedded *embedded, const struct topology *topology)
{
	const struct uslab_geometry *geo = &embedded->core.geo;
	size_t span = (size_t)1 << (geo->home_shift + geo->granule_shift);
	unsigned long mask[TOPOLOGY_NODES_MAX / (8 * sizeof(long))];
	u32 i;

	if (topology->nr_nodes == 1 || geo->policy == USLAB_POLICY_GLOBAL)
		return;
	if (geo->policy == USLAB_POLICY_INTERLEAVE) {
		memset(mask, 0, sizeof(mask));
		for (i = 0; i < topology->nr_nodes; i++)
			mask[topology->node[i] / (8 * sizeof(long))] |=
				1ul << topology->node[i] % (8 * sizeof(long));
		mbind(embedded->pool.hot.objects, geo->objects_size, MPOL_INTERLEAVE, mask,
		      TOPOLOGY_NODES_MAX, 0);
		return;
	}
	for (i = 0; i < geo->nr_homes; i++) {
		memset(mask, 0, sizeof(mask));
		mask[topology->node[i] / (8 * sizeof(long))] |=
			1ul << topology->node[i] % (8 * sizeof(long));
		mbind(embedded->pool.hot.objects + i * span, span,
		      geo->policy == USLAB_POLICY_BIND ? MPOL_BIND : MPOL_PREFERRED, mask,
		      TOPOLOGY_NODES_MAX, 0);
	}
}

static int make_control(struct embedded *embedded, const struct uslab_create *request,
			const struct topology *topology)
{
	static atomic_ullong ids;
	const struct uslab_geometry *geo = &embedded->core.geo;
	struct uslab_control *control = calloc(1, geo->control_size);
	__u16 *cpu_home, *home_node;
	u32 i;

	if (!control)
		return -ENOMEM;
	embedded->pool.control = control;
	uslab_geometry_describe(geo, control);
	control->id = atomic_fetch_add(&ids, 1) + 1;
	memcpy(control->name, request->name, sizeof(control->name));
	cpu_home = (__u16 *)((char *)control + control->cpu_home_start);
	home_node = (__u16 *)((char *)control + control->home_node_start);
	for (i = 0; i < geo->nr_cpus; i++)
		cpu_home[i] = geo->nr_homes > 1 ? topology->cpu_home[i] : 0;
	for (i = 0; i < geo->nr_homes; i++)
		home_node[i] = topology->node[i];
	for (i = 0; i < geo->nr_cpus; i++)
		uslab_cpu_init(geo, core_cpu(&embedded->core, i), cpu_home[i]);
	return 0;
}

static int make_homes(struct embedded *embedded)
{
	const struct uslab_geometry *geo = &embedded->core.geo;
	u32 i;

	embedded->homes = calloc(geo->nr_homes, sizeof(*embedded->homes));
	embedded->core.homes = calloc(geo->nr_homes, sizeof(*embedded->core.homes));
	embedded->seen = calloc(geo->nr_cpus, sizeof(*embedded->seen));
	if (!embedded->homes || !embedded->core.homes || !embedded->seen)
		return -ENOMEM;
	for (i = 0; i < geo->nr_homes; i++) {
		struct uslab_home *home = &embedded->homes[i].home;

		home->core = &embedded->core;
		home->index = i;
		home->depot = pool_depot(&embedded->pool, i);
		embedded->core.homes[i] = home;
		pthread_mutex_init(&embedded->homes[i].lock, NULL);
		if (uslab_slabs_init(&home->slabs, geo))
			return -ENOMEM;
	}
	return 0;
}

static int make(struct embedded *embedded, const struct uslab_create *request,
		const struct topology *topology)
{
	struct uslab_geometry *geo = &embedded->core.geo;
	struct pool *pool = &embedded->pool;
	u64 space = roundup_pow_of_two((u64)sysconf(_SC_PHYS_PAGES) * PAGE_SIZE);
	int err;

	/* Where memory may not be overcommitted, a smaller reservation may do. */
	for (;; space /= 2) {
		err = uslab_geometry_init(geo, request, topology->nr_cpus, topology->nr_nodes,
					  space);
		if (err)
			return err;
		pool->shared = reserve(geo->shared_size);
		pool->hot.objects = reserve(geo->objects_size);
		if (pool->shared && pool->hot.objects)
			break;
		if (pool->shared)
			munmap(pool->shared, geo->shared_size);
		if (pool->hot.objects)
			munmap(pool->hot.objects, geo->objects_size);
		pool->shared = pool->hot.objects = NULL;
		if (request->max_bytes || space < (64u << 20))
			return -ENOMEM;
	}
	pool->hot.cpus = pool->shared + geo->cpus_start;
	pool->hot.cpu_stride = geo->cpu_stride;
	pool->nr_homes = geo->nr_homes;
	place(embedded, topology);
	err = make_control(embedded, request, topology);
	if (!err)
		err = make_homes(embedded);
	if (!err)
		err = pool_init(pool);
	return err;
}

struct pool *embedded_create(const struct uslab_create *request)
{
	const struct topology *topology = topology_get();
	struct embedded *embedded = calloc(1, sizeof(*embedded));
	int err = uslab_name_check(request->name);

	if (!embedded)
		return NULL;
	embedded->pool.backend = &backend;
	embedded->pool.fd = -1;
	embedded->core.ops = &core_ops;
	pthread_mutex_init(&embedded->governor_lock, NULL);
	uslab_tunables_init(&embedded->tunables);
	embedded->governor.aged = embedded_now();
	if (!err)
		err = make(embedded, request, topology);
	if (!err) {
		background_start();
		embedded_set_thresholds(embedded);
		return &embedded->pool;
	}
	embedded_free(embedded);
	errno = -err;
	return NULL;
}
