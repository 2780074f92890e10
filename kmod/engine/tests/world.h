/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Surroundings of the core that are made up: homes, pages that are only numbers,
 * and the memory that user space shares. They watch whether the core keeps their
 * rules.
 */
#ifndef USLAB_ENGINE_TESTS_WORLD_H
#define USLAB_ENGINE_TESTS_WORLD_H

#include "fixture.h"

#define CPUS		4u
#define HOMES_MAX	3u
#define SLABS		80u
#define MANY		2000u

struct test_home {
	struct uslab_home home;
	bool locked;
};

struct world {
	struct uslab_core core;
	struct test_home homes[HOMES_MAX];
	struct uslab_home *home_ptr[HOMES_MAX];
	struct test_pages pages;
	char *depots;
	char *magazines;
	char *cpus;
	u32 nr_magazines;
	u32 refuse_detach;		/* of 16; 16: all */
	u32 seed;
	bool busy;			/* trylock fails */
	bool pass_next;			/* all idle is taken as soon as a lock is free */
	int add_error;
	u32 *handles;			/* [MANY] */

	/* observed */
	u32 misuses;			/* of locks, and of operations under them */
	u32 detached, unmapped, reaped, freed;
	u32 lookups;
	u32 lookups_at_resched, longest;
	u32 locks, trylocks;
};

static inline struct world *world_of(const struct uslab_core *core)
{
	return container_of((struct uslab_core *)(unsigned long)core, struct world, core);
}

static inline struct test_home *test_home(struct uslab_home *home)
{
	return container_of(home, struct test_home, home);
}

static inline bool any_locked(const struct world *world)
{
	u32 i;

	for (i = 0; i < HOMES_MAX; i++)
		if (world->homes[i].locked)
			return true;
	return false;
}

/* The surroundings */

static inline void op_lock(struct uslab_home *home)
{
	struct world *world = world_of(home->core);

	world->locks++;
	world->misuses += any_locked(world);
	test_home(home)->locked = true;
}

static inline bool op_trylock(struct uslab_home *home)
{
	struct world *world = world_of(home->core);

	world->trylocks++;
	if (world->busy)
		return false;
	op_lock(home);
	return true;
}

static inline void op_unlock(struct uslab_home *home)
{
	struct world *world = world_of(home->core);

	world->misuses += !test_home(home)->locked;
	test_home(home)->locked = false;
	if (world->pass_next) {
		world->pass_next = false;
		uslab_core_shrink_depot(home, U64_MAX, 0);
	}
}

static inline void *op_page_alloc(struct uslab_home *home)
{
	struct world *world = world_of(home->core);

	world->misuses += any_locked(world);
	return test_page_alloc(&world->pages);
}

static inline void op_page_free(struct uslab_home *home, void *page)
{
	struct world *world = world_of(home->core);

	world->freed++;
	/* what the engine had goes under the lock, unmapped; what it never had, without */
	if (test_home(home)->locked)
		world->misuses += ++world->reaped > world->unmapped;
	test_page_free(&world->pages, page);
}

static inline bool op_page_detach(struct uslab_home *home, struct uslab_page_ref *ref)
{
	struct world *world = world_of(home->core);

	world->misuses += !test_home(home)->locked;
	if (test_below(&world->seed, 16) < world->refuse_detach)
		return false;
	ref->detached = *ref->slot;
	*ref->slot = NULL;
	world->detached++;
	return true;
}

/* All pages that were detached, none that was not, and before they are freed. */
static inline void op_unmap(struct uslab_home *home, u32 first_page, u32 nr_pages)
{
	struct world *world = world_of(home->core);
	u32 i;

	world->misuses += !test_home(home)->locked;
	world->unmapped += nr_pages;
	for (i = 0; i < nr_pages; i++)
		if (*uslab_slabs_slot(&home->slabs, first_page + i))
			world->misuses++;
}

static inline struct uslab_magazine *op_magazine(const void *pool, u32 index)
{
	struct world *world = world_of(pool);
	u32 since = ++world->lookups - world->lookups_at_resched;

	if (since > world->longest)
		world->longest = since;
	if (index > world->core.geo.nr_magazines)
		return NULL;
	return (struct uslab_magazine *)(world->magazines +
					 (size_t)index * world->core.geo.magazine_stride);
}

static inline int op_magazines_add(struct uslab_home *home, u32 *first, u32 *nr)
{
	struct world *world = world_of(home->core);

	world->misuses += any_locked(world);
	if (world->add_error)
		return world->add_error;
	*nr = min_t(u32, 4, world->core.geo.nr_magazines - world->nr_magazines);
	if (!*nr)
		return -ENOSPC;
	*first = world->nr_magazines + 1;
	world->nr_magazines += *nr;
	return 0;
}

static inline u32 op_nr_magazines(const struct uslab_core *core)
{
	return world_of(core)->nr_magazines;
}

static inline struct uslab_cpu *op_cpu(const struct uslab_core *core, u32 cpu)
{
	return (struct uslab_cpu *)(world_of(core)->cpus + cpu * core->geo.cpu_stride);
}

static struct world *resched_world;

static inline void op_resched(void)
{
	resched_world->lookups_at_resched = resched_world->lookups;
}

static const struct uslab_core_ops world_ops = {
	.lock = op_lock,
	.trylock = op_trylock,
	.unlock = op_unlock,
	.page_alloc = op_page_alloc,
	.page_free = op_page_free,
	.page_detach = op_page_detach,
	.unmap = op_unmap,
	.magazine = op_magazine,
	.magazines_add = op_magazines_add,
	.nr_magazines = op_nr_magazines,
	.cpu = op_cpu,
	.resched = op_resched,
};

static inline void give_page_back(void *ctx, void *page)
{
	test_page_free(ctx, page);
}

static inline void world_close(struct world *world)
{
	u32 *handles = world->handles;
	u32 i;

	for (i = 0; i < HOMES_MAX; i++)
		uslab_slabs_destroy(&world->homes[i].home.slabs, give_page_back, &world->pages);
	test_free(world->pages.given);
	test_free(world->depots);
	test_free(world->magazines);
	test_free(world->cpus);
	memset(world, 0, sizeof(*world));
	world->handles = handles;
}

static inline void world_open(struct kunit *test, u32 object_size, u32 homes)
{
	struct world *world = test->priv;
	struct uslab_geometry *geo = &world->core.geo;
	u32 i;

	world_close(world);
	resched_world = world;
	world->seed = 88172645u;
	KUNIT_ASSERT_EQ(test, test_geometry(geo, object_size, SLABS, CPUS, homes), 0);
	KUNIT_ASSERT_EQ(test, geo->nr_homes, homes);
	KUNIT_ASSERT_EQ(test, test_pages_init(&world->pages,
					      homes * geo->nr_slabs * geo->slab_pages), 0);
	world->depots = test_alloc((size_t)homes * PAGE_SIZE);
	world->magazines = test_alloc(((size_t)geo->nr_magazines + 1) * geo->magazine_stride);
	world->cpus = test_alloc((size_t)CPUS * geo->cpu_stride);
	KUNIT_ASSERT_TRUE(test, world->depots && world->magazines && world->cpus);
	world->core.ops = &world_ops;
	world->core.homes = world->home_ptr;
	for (i = 0; i < homes; i++) {
		struct uslab_home *home = &world->homes[i].home;

		home->core = &world->core;
		home->index = i;
		home->depot = (struct uslab_depot *)(world->depots + (size_t)i * PAGE_SIZE);
		world->home_ptr[i] = home;
		KUNIT_ASSERT_EQ(test, uslab_slabs_init(&home->slabs, geo), 0);
	}
	for (i = 0; i < CPUS; i++)
		uslab_cpu_init(geo, op_cpu(&world->core, i), i % homes);
}

static inline int world_init(struct kunit *test)
{
	struct world *world = test_alloc(sizeof(*world));

	test->priv = world;
	if (world)
		world->handles = test_alloc(MANY * sizeof(u32));
	return world && world->handles ? 0 : -ENOMEM;
}

static inline void world_exit(struct kunit *test)
{
	struct world *world = test->priv;

	if (!world)
		return;
	world_close(world);
	test_free(world->handles);
	test_free(world);
}

/* Questions */

static inline u64 backed(const struct world *world)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < world->core.geo.nr_homes; i++)
		sum += world->homes[i].home.slabs.backed;
	return sum;
}

static inline u64 given(const struct world *world)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < world->core.geo.nr_homes; i++)
		sum += world->homes[i].home.slabs.out;
	return sum;
}

/* Nothing is locked, no rule was broken, and no page is in two places or none. */
static inline void check(struct kunit *test)
{
	struct world *world = test->priv;

	KUNIT_EXPECT_FALSE(test, any_locked(world));
	KUNIT_EXPECT_EQ(test, world->misuses, 0u);
	KUNIT_EXPECT_EQ(test, world->pages.errors, 0u);
	KUNIT_EXPECT_EQ(test, (u64)world->pages.out, backed(world));
	KUNIT_EXPECT_EQ(test, world->unmapped, world->detached);
}

static inline void refill(struct kunit *test, u32 home, u32 *handles, u32 nr)
{
	struct world *world = test->priv;
	u32 got = 0;

	while (got < nr) {
		int n = uslab_core_refill(world->home_ptr[home], handles + got,
					  min_t(u32, nr - got, 100));

		KUNIT_ASSERT_TRUE(test, n > 0);
		got += (u32)n;
	}
}

/* Put handles into magazines of a home's current generation, as user space does. */
static inline void stock(struct kunit *test, u32 home, const u32 *handles, u32 nr)
{
	struct world *world = test->priv;
	struct uslab_depot *depot = world->home_ptr[home]->depot;
	u32 i, n;

	for (; nr; nr -= n, handles += n) {
		u32 index = uslab_stack_pop(&depot->empty, op_magazine, &world->core, 10);
		struct uslab_magazine *mag;

		if (!index) {
			KUNIT_ASSERT_TRUE(test, uslab_core_grow(world->home_ptr[home]) > 0);
			n = 0;
			continue;
		}
		mag = op_magazine(&world->core, index);
		n = min_t(u32, nr, world->core.geo.magazine_size);
		for (i = 0; i < n; i++)
			mag->handle[i] = handles[i];
		mag->count = n;
		KUNIT_ASSERT_TRUE(test, uslab_stack_push(&depot->current_gen, index, mag, 10));
	}
}

/* Magazines of a stack; NR more than there are when they go in circles. */
static inline u32 length(const struct world *world, const struct uslab_stack *stack)
{
	u32 index = (u32)(stack->head & USLAB_HEAD_INDEX_MASK);
	u32 n = 0;

	while (index && index <= world->core.geo.nr_magazines &&
	       n <= world->core.geo.nr_magazines) {
		index = op_magazine(&world->core, index)->next;
		n++;
	}
	return n;
}

#endif /* USLAB_ENGINE_TESTS_WORLD_H */
