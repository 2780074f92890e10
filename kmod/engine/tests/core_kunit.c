// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The core on surroundings that are made up: what it asks of them and when, and
 * that it survives whatever it finds in memory that user space can write.
 */
#include "world.h"

/* Refill */

static void refill_gives_objects_of_the_home(struct kunit *test)
{
	struct world *world = test->priv;
	u32 home, i, j;

	world_open(test, 3000, 3);
	for (home = 0; home < 3; home++) {
		refill(test, home, world->handles + 100 * home, 100);
		for (i = 100 * home; i < 100 * home + 100; i++) {
			KUNIT_EXPECT_EQ(test, home,
					uslab_handle_home(&world->core.geo, world->handles[i]));
			for (j = 0; j < i; j++)
				KUNIT_EXPECT_NE(test, world->handles[i], world->handles[j]);
		}
	}
	KUNIT_EXPECT_EQ(test, given(world), 300ull);
	check(test);
	KUNIT_EXPECT_EQ(test, uslab_core_return(&world->core, world->handles, 300), 300u);
	KUNIT_EXPECT_EQ(test, backed(world), 0ull);
	check(test);
}

static void refill_says_when_there_is_no_space(struct kunit *test)
{
	struct world *world = test->priv;
	u32 objects;

	world_open(test, 4096, 1);
	objects = test_objects(&world->core.geo);
	KUNIT_ASSERT_LE(test, objects, MANY);
	refill(test, 0, world->handles, objects - 5);
	/* what there is, then nothing */
	KUNIT_EXPECT_EQ(test, 5, uslab_core_refill(world->home_ptr[0],
						   world->handles + objects - 5, 50));
	KUNIT_EXPECT_EQ(test, uslab_core_refill(world->home_ptr[0], world->handles, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, world->homes[0].home.refill_failures, 1ull);
	check(test);
}

/* The n-th page does not come, for every n. */
static void refill_without_memory_loses_nothing(struct kunit *test)
{
	static const u32 sizes[] = { 64, 3000, 12288, 100000 };
	struct world *world = test->priv;
	u32 s, n;

	for (s = 0; s < 4; s++)
		for (n = 0; n < 80; n++) {
			int got;

			world_open(test, sizes[s], 1);
			world->pages.budget = n;
			got = uslab_core_refill(world->home_ptr[0], world->handles, 60);
			KUNIT_EXPECT_TRUE(test, got == -ENOMEM || (got > 0 && got <= 60));
			KUNIT_EXPECT_EQ(test, world->homes[0].home.refill_failures,
					got < 0 ? 1ull : 0ull);
			KUNIT_EXPECT_EQ(test, given(world), got > 0 ? (u64)got : 0ull);
			if (got < 0)
				KUNIT_EXPECT_EQ(test, backed(world), 0ull);
			check(test);
			if (got > 0)
				KUNIT_EXPECT_EQ(test, (u32)got,
						uslab_core_return(&world->core, world->handles,
								  (u32)got));
			KUNIT_EXPECT_EQ(test, backed(world), 0ull);
			check(test);
			world->pages.budget = U32_MAX;
			refill(test, 0, world->handles, 60);
			check(test);
		}
}

/* An object of 1024 pages, the last of which do not come. */
static void refill_of_a_large_object_without_memory_keeps_no_page(struct kunit *test)
{
	struct world *world = test->priv;
	u32 n;

	for (n = 1; n < 1024; n = n * 3 + 1) {
		world_open(test, USLAB_OBJECT_MAX, 1);
		world->pages.budget = n;
		KUNIT_EXPECT_EQ(test, uslab_core_refill(world->home_ptr[0], world->handles, 1),
				-ENOMEM);
		KUNIT_EXPECT_EQ(test, backed(world), 0ull);
		check(test);
	}
}

/* Return */

static void return_takes_what_is_out_and_nothing_else(struct kunit *test)
{
	struct world *world = test->priv;
	u32 i, seed = 3;
	u64 bad = 0;

	world_open(test, 3000, 3);
	for (i = 0; i < 3; i++)
		refill(test, i, world->handles + 50 * i, 50);
	/* homes in turn, each handle twice */
	for (i = 0; i < 150; i++) {
		u32 one = world->handles[i % 3 * 50 + i / 3];
		u32 two[2] = { one, one };

		KUNIT_EXPECT_EQ(test, uslab_core_return(&world->core, two, 2), 1u);
	}
	KUNIT_EXPECT_EQ(test, given(world), 0ull);
	KUNIT_EXPECT_EQ(test, backed(world), 0ull);
	for (i = 0; i < 1000; i++)
		world->handles[i] = test_random(&seed);
	KUNIT_EXPECT_EQ(test, uslab_core_return(&world->core, world->handles, 1000), 0u);
	for (i = 0; i < 3; i++)
		bad += world->homes[i].home.slabs.bad;
	KUNIT_EXPECT_EQ(test, bad, 1150ull);
	check(test);
}

static void return_of_nothing_is_nothing(struct kunit *test)
{
	struct world *world = test->priv;

	world_open(test, 64, 1);
	KUNIT_EXPECT_EQ(test, uslab_core_return(&world->core, world->handles, 0), 0u);
	check(test);
}

static void pages_go_when_their_last_object_returns(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_geometry *geo = &world->core.geo;
	u32 keep = 37, i;

	world_open(test, 3000, 1);
	refill(test, 0, world->handles, 100);
	for (i = 0; i < 100; i++)
		if (i != keep)
			uslab_core_return(&world->core, &world->handles[i], 1);
	i = test_object(geo, world->handles[keep]);
	KUNIT_EXPECT_EQ(test, backed(world),
			(u64)(test_last_page(geo, i) - test_first_page(geo, i) + 1));
	check(test);
}

static void pages_that_are_being_mapped_stay_and_go_later(struct kunit *test)
{
	struct world *world = test->priv;

	world_open(test, 4096, 1);
	refill(test, 0, world->handles, 80);
	world->refuse_detach = 16;
	KUNIT_EXPECT_EQ(test, uslab_core_return(&world->core, world->handles, 79), 79u);
	KUNIT_EXPECT_EQ(test, backed(world), 80ull);
	KUNIT_EXPECT_EQ(test, world->freed, 0u);
	check(test);
	world->refuse_detach = 8;
	KUNIT_EXPECT_EQ(test, uslab_core_return(&world->core, world->handles + 79, 1), 1u);
	check(test);
	world->refuse_detach = 0;
	uslab_core_shrink_depot(world->home_ptr[0], U64_MAX, 0);
	KUNIT_EXPECT_EQ(test, backed(world), 0ull);
	check(test);
}

/* Magazines */

static void grow_brings_empty_magazines(struct kunit *test)
{
	struct world *world = test->priv;
	u32 total = 0;
	int n;

	world_open(test, 64, 2);
	while ((n = uslab_core_grow(world->home_ptr[total / 4 % 2])) > 0)
		total += (u32)n;
	KUNIT_EXPECT_EQ(test, n, -ENOSPC);
	KUNIT_EXPECT_EQ(test, total, world->core.geo.nr_magazines);
	KUNIT_EXPECT_EQ(test, length(world, &world->homes[0].home.depot->empty) +
			      length(world, &world->homes[1].home.depot->empty), total);
	world->add_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, uslab_core_grow(world->home_ptr[0]), -ENOMEM);
	check(test);
}

/* What user space can write */

static void corrupt_counts_are_cut(struct kunit *test)
{
	static const u32 counts[] = { 0, 1000, 0x7fffffff, 0x80000000u, U32_MAX };
	struct world *world = test->priv;
	u32 i;

	for (i = 0; i < 5; i++) {
		struct uslab_home *home;
		u32 index, size;

		world_open(test, 64, 1);
		home = world->home_ptr[0];
		size = world->core.geo.magazine_size;
		refill(test, 0, world->handles, 2 * size);
		stock(test, 0, world->handles, size);
		index = (u32)(home->depot->current_gen.head & USLAB_HEAD_INDEX_MASK);
		op_magazine(&world->core, index)->count = counts[i];
		uslab_core_shrink_depot(home, U64_MAX, 0);
		/* what the magazine held at most, never what the application holds */
		KUNIT_EXPECT_EQ(test, given(world), counts[i] ? (u64)size : 2ull * size);
		KUNIT_EXPECT_EQ(test, home->slabs.bad, 0ull);
		check(test);
	}
}

static void corrupt_handles_are_counted(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_home *home;
	struct uslab_magazine *mag;
	u32 size, i, index;

	world_open(test, 64, 2);
	home = world->home_ptr[0];
	size = world->core.geo.magazine_size;
	refill(test, 0, world->handles, size);
	refill(test, 1, world->handles + size, 10);
	stock(test, 0, world->handles, size);
	index = (u32)(home->depot->current_gen.head & USLAB_HEAD_INDEX_MASK);
	mag = op_magazine(&world->core, index);
	for (i = 0; i < 10; i++)
		mag->handle[i] = world->handles[size + i];	/* the other home's */
	for (; i < 20; i++)
		mag->handle[i] = mag->handle[30];		/* one eleven times */
	for (; i < 25; i++)
		mag->handle[i] = test_random(&world->seed) | 1;
	uslab_core_shrink_depot(home, U64_MAX, 0);
	KUNIT_EXPECT_EQ(test, home->slabs.out, 25ull);
	KUNIT_EXPECT_EQ(test, home->slabs.bad, 25ull);
	KUNIT_EXPECT_EQ(test, world->home_ptr[1]->slabs.out, 10ull);
	check(test);
}

static void run_all(struct world *world, struct uslab_home *home)
{
	struct uslab_stats stats;

	world->lookups = world->lookups_at_resched = world->longest = 0;
	uslab_core_age(home);
	uslab_core_shrink_depot(home, U64_MAX, 0);
	uslab_core_rotate(home, USLAB_SHRINK_TRYLOCK);
	uslab_core_shrink_victim(home, U64_MAX, USLAB_SHRINK_TRYLOCK);
	uslab_core_stats(&world->core, &stats);
}

static void cycles_end(struct kunit *test)
{
	struct world *world = test->priv;
	u32 kind;

	for (kind = 0; kind < 4; kind++) {
		struct uslab_home *home;
		u32 size, top, below;

		world_open(test, 64, 1);
		home = world->home_ptr[0];
		size = world->core.geo.magazine_size;
		refill(test, 0, world->handles, 4 * size);
		stock(test, 0, world->handles, 3 * size);
		top = (u32)(home->depot->current_gen.head & USLAB_HEAD_INDEX_MASK);
		below = op_magazine(&world->core, top)->next;
		switch (kind) {
		case 0:		/* one in itself */
			op_magazine(&world->core, top)->next = top;
			break;
		case 1:		/* two in a circle */
			op_magazine(&world->core, below)->next = top;
			break;
		case 2:		/* one in both generations and the empty ones */
			home->depot->victim.head = top;
			home->depot->empty.head = top;
			break;
		case 3:		/* the empty ones in a circle */
			op_magazine(&world->core, top)->next = top;
			op_magazine(&world->core, top)->count = 0;
			home->depot->empty.head = top;
			break;
		}
		run_all(world, home);
		KUNIT_EXPECT_LE(test, world->lookups, 10 * world->core.geo.nr_magazines + 100);
		KUNIT_EXPECT_GE(test, given(world), (u64)size);
		KUNIT_EXPECT_LE(test, given(world), 4ull * size);
		check(test);
		/* the pool still serves */
		refill(test, 0, world->handles, size);
		check(test);
	}
}

/* Between points where it can be preempted, only so much is done. */
static void cycles_of_empty_magazines_can_be_preempted(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_home *home;
	u32 top;

	world_open(test, 64, 1);
	home = world->home_ptr[0];
	refill(test, 0, world->handles, 10);
	stock(test, 0, world->handles, 10);
	while (uslab_core_grow(home) > 0)	/* so many steps might be made */
		;
	top = (u32)(home->depot->current_gen.head & USLAB_HEAD_INDEX_MASK);
	op_magazine(&world->core, top)->next = top;
	op_magazine(&world->core, top)->count = 0;
	/* its push on the empty stack must not end the circle */
	home->depot->empty.head = top;
	run_all(world, home);
	KUNIT_EXPECT_GT(test, world->lookups, 64u);
	KUNIT_EXPECT_LE(test, world->longest, 64u);
	check(test);
}

static void heads_that_name_nothing_are_empty(struct kunit *test)
{
	struct world *world = test->priv;
	u32 i;

	world_open(test, 64, 1);
	refill(test, 0, world->handles, 10);
	for (i = 0; i < 500; i++) {
		struct uslab_depot *depot = world->home_ptr[0]->depot;
		struct uslab_stack *stacks[] = {
			&depot->current_gen, &depot->victim, &depot->empty,
		};
		u32 j;

		for (j = 0; j < 3; j++)
			if (test_below(&world->seed, 2))
				stacks[j]->head = (u64)test_random(&world->seed) << 32 |
						  test_random(&world->seed);
		run_all(world, world->home_ptr[0]);
	}
	KUNIT_EXPECT_EQ(test, given(world), 10ull);
	check(test);
}

/* Random bytes everywhere: objects that user space has may go, nothing else happens. */
static void random_regions_hurt_nobody(struct kunit *test)
{
	struct world *world = test->priv;
	u32 round;

	for (round = 0; round < 30; round++) {
		struct uslab_geometry *geo = &world->core.geo;
		u32 i, j;

		world_open(test, round & 1 ? 3000 : 64, 2);
		world->seed += round;
		refill(test, 0, world->handles, 60);
		refill(test, 1, world->handles + 60, 60);
		stock(test, 0, world->handles, 60);
		stock(test, 1, world->handles + 60, 60);
		for (i = 0; i < 60; i++) {
			u32 *words = (u32 *)world->magazines;
			u32 nr = (geo->nr_magazines + 1) * (geo->magazine_stride / 4);

			for (j = 0; j < 200; j++)
				words[test_below(&world->seed, nr)] = test_below(&world->seed, 4) ?
					test_below(&world->seed, 300) : test_random(&world->seed);
			words = (u32 *)world->depots;
			words[test_below(&world->seed, 2) * (PAGE_SIZE / 4) +
			      test_below(&world->seed, 64)] = test_below(&world->seed, 2) ?
				test_below(&world->seed, 30) : test_random(&world->seed);
			run_all(world, world->home_ptr[i % 2]);
			if (i % 8 == 0)
				uslab_core_grow(world->home_ptr[i % 2]);
		}
		KUNIT_EXPECT_LE(test, given(world), 120ull);
		check(test);
	}
}

static void statistics_of_nonsense_stay_within_what_was_given(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_stats stats;
	u32 i;

	world_open(test, 64, 2);
	refill(test, 0, world->handles, 50);
	for (i = 0; i < 200; i++) {
		u32 *words = (u32 *)world->cpus;

		words[test_below(&world->seed, CPUS * world->core.geo.cpu_stride / 4)] =
			test_random(&world->seed);
		world->home_ptr[i & 1]->depot->current_gen.objects =
			(s64)((u64)test_random(&world->seed) << 32);
		uslab_core_stats(&world->core, &stats);
		KUNIT_EXPECT_EQ(test, stats.out_objects + stats.idle_objects, 50ull);
		KUNIT_EXPECT_LE(test, stats.idle_objects, 50ull);
		KUNIT_EXPECT_EQ(test, stats.refills, 50ull);
		KUNIT_EXPECT_LE(test, stats.puts, stats.gets);
	}
	check(test);
}

static void statistics_add_up(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_stats stats;

	world_open(test, 64, 1);
	refill(test, 0, world->handles, 100);
	stock(test, 0, world->handles, 40);
	op_cpu(&world->core, 1)->word = 10 | 75 * USLAB_WORD_EVENT;
	op_cpu(&world->core, 2)->word = 5 | 10 * USLAB_WORD_EVENT;
	uslab_core_stats(&world->core, &stats);
	KUNIT_EXPECT_EQ(test, stats.size, sizeof(stats));
	KUNIT_EXPECT_EQ(test, stats.object_size, 64ull);
	KUNIT_EXPECT_EQ(test, stats.idle_objects, 55ull);
	KUNIT_EXPECT_EQ(test, stats.out_objects, 45ull);
	KUNIT_EXPECT_EQ(test, stats.gets, 85ull);
	KUNIT_EXPECT_EQ(test, stats.puts, 40ull);
	KUNIT_EXPECT_EQ(test, stats.refills, 100ull);
	KUNIT_EXPECT_EQ(test, stats.returns, 0ull);
	KUNIT_EXPECT_EQ(test, stats.backed_bytes, backed(world) << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, stats.magazines, (u64)world->nr_magazines);
	check(test);
}

/* What a pass takes meanwhile was never held by anybody. */
static void statistics_are_right_while_a_pass_takes_what_is_idle(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_stats stats;

	world_open(test, 64, 1);
	refill(test, 0, world->handles, 100);
	stock(test, 0, world->handles, 40);
	world->pass_next = true;
	uslab_core_stats(&world->core, &stats);
	KUNIT_EXPECT_EQ(test, stats.out_objects, 60ull);
	uslab_core_stats(&world->core, &stats);
	KUNIT_EXPECT_EQ(test, stats.out_objects, 60ull);
	KUNIT_EXPECT_EQ(test, stats.returns, 40ull);
	check(test);
}

/* The oracle itself. */
static void control_misuse_of_a_lock_is_seen(struct kunit *test)
{
	struct world *world = test->priv;

	world_open(test, 64, 2);
	op_lock(world->home_ptr[0]);
	/* allocated under the lock, and freed without having been unmapped */
	op_page_free(world->home_ptr[0], op_page_alloc(world->home_ptr[0]));
	KUNIT_EXPECT_EQ(test, world->misuses, 2u);
	op_lock(world->home_ptr[1]);
	KUNIT_EXPECT_EQ(test, world->misuses, 3u);
	op_unlock(world->home_ptr[1]);
	op_unlock(world->home_ptr[1]);
	KUNIT_EXPECT_EQ(test, world->misuses, 4u);
	op_unlock(world->home_ptr[0]);
	op_page_free(world->home_ptr[0], (void *)1);
	KUNIT_EXPECT_EQ(test, world->pages.errors, 1u);
}

static struct kunit_case core_cases[] = {
	KUNIT_CASE(refill_gives_objects_of_the_home),
	KUNIT_CASE(refill_says_when_there_is_no_space),
	KUNIT_CASE(refill_without_memory_loses_nothing),
	KUNIT_CASE(refill_of_a_large_object_without_memory_keeps_no_page),
	KUNIT_CASE(return_takes_what_is_out_and_nothing_else),
	KUNIT_CASE(return_of_nothing_is_nothing),
	KUNIT_CASE(pages_go_when_their_last_object_returns),
	KUNIT_CASE(pages_that_are_being_mapped_stay_and_go_later),
	KUNIT_CASE(grow_brings_empty_magazines),
	KUNIT_CASE(corrupt_counts_are_cut),
	KUNIT_CASE(corrupt_handles_are_counted),
	KUNIT_CASE(cycles_end),
	KUNIT_CASE(cycles_of_empty_magazines_can_be_preempted),
	KUNIT_CASE(heads_that_name_nothing_are_empty),
	KUNIT_CASE(random_regions_hurt_nobody),
	KUNIT_CASE(statistics_of_nonsense_stay_within_what_was_given),
	KUNIT_CASE(statistics_add_up),
	KUNIT_CASE(statistics_are_right_while_a_pass_takes_what_is_idle),
	KUNIT_CASE(control_misuse_of_a_lock_is_seen),
	{ }
};

static struct kunit_suite core_suite = {
	.name = "uslab_core",
	.init = world_init,
	.exit = world_exit,
	.test_cases = core_cases,
};

kunit_test_suite(core_suite);
