// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Taking idle objects out of depots: how much goes, from where, and what is left; on
 * surroundings that are made up.
 */
#include "world.h"

#define ALL		U64_MAX
#define LARGE		100000u		/* bytes of an object: 2 a magazine, 80 a home */
#define LARGE_PAGES	25u
#define COUNTER_MAX	((s64)(U64_MAX >> 1))
#define COUNTER_MIN	(-COUNTER_MAX - 1)

/* Fill depots: so many full magazines in the current generation of each home. */
static void fill(struct kunit *test, const u32 *magazines)
{
	struct world *world = test->priv;
	u32 *handles = world->handles;
	u32 i;

	for (i = 0; i < world->core.geo.nr_homes; i++) {
		u32 nr = magazines[i] * world->core.geo.magazine_size;

		KUNIT_ASSERT_TRUE(test, handles + nr <= world->handles + MANY);
		refill(test, i, handles, nr);
		stock(test, i, handles, nr);
		handles += nr;
	}
}

static void open_filled(struct kunit *test, u32 first, u32 second, u32 third)
{
	const u32 magazines[] = { first, second, third };
	struct world *world = test->priv;

	world_open(test, LARGE, 3);
	KUNIT_ASSERT_EQ(test, world->core.geo.magazine_size, 2u);
	fill(test, magazines);
}

static u32 head_of(const struct uslab_stack *stack)
{
	return (u32)(stack->head & USLAB_HEAD_INDEX_MASK);
}

static u64 objects_in(const struct world *world, const struct uslab_stack *stack)
{
	u32 index = head_of(stack);
	u64 objects = 0;

	for (; index; index = op_magazine(&world->core, index)->next)
		objects += op_magazine(&world->core, index)->count;
	return objects;
}

/* What really lies in the depot of a home, whatever its counters say. */
static u64 stored(const struct world *world, u32 home)
{
	const struct uslab_depot *depot = world->home_ptr[home]->depot;

	return objects_in(world, &depot->current_gen) + objects_in(world, &depot->victim);
}

static u64 stored_all(const struct world *world)
{
	u64 objects = 0;
	u32 i;

	for (i = 0; i < world->core.geo.nr_homes; i++)
		objects += stored(world, i);
	return objects;
}

/* Every magazine is in a stack; what was given lies in them, but for what is held. */
static void account(struct kunit *test, u64 held)
{
	struct world *world = test->priv;
	u32 magazines = 0;
	u32 i;

	for (i = 0; i < world->core.geo.nr_homes; i++) {
		const struct uslab_depot *depot = world->home_ptr[i]->depot;

		magazines += length(world, &depot->current_gen) + length(world, &depot->victim) +
			     length(world, &depot->empty);
	}
	KUNIT_EXPECT_EQ(test, magazines, world->nr_magazines);
	KUNIT_EXPECT_EQ(test, given(world), stored_all(world) + held);
	check(test);
}

typedef void (*shrink_fn)(struct uslab_core *core, struct uslab_pass *pass);

static struct uslab_pass run(struct world *world, shrink_fn shrink, u64 pages, u64 objects,
			     u32 flags)
{
	struct uslab_pass pass = { .pages = pages, .objects = objects, .flags = flags };

	shrink(&world->core, &pass);
	return pass;
}

static void rotate_all(struct world *world)
{
	u32 i;

	for (i = 0; i < world->core.geo.nr_homes; i++)
		uslab_core_rotate(world->home_ptr[i], 0);
}

/* One home */

static void shrink_empties_the_victim_first(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_home *home;
	u32 size, index;

	world_open(test, 64, 1);
	home = world->home_ptr[0];
	size = world->core.geo.magazine_size;
	refill(test, 0, world->handles, 4 * size);
	stock(test, 0, world->handles, 2 * size);
	KUNIT_EXPECT_TRUE(test, uslab_core_rotate(home, 0));
	stock(test, 0, world->handles + 2 * size, 2 * size);
	KUNIT_EXPECT_EQ(test, uslab_core_depot_objects(home), 4ull * size);

	KUNIT_EXPECT_GT(test, uslab_core_shrink_victim(home, U64_MAX, 0), 0ull);
	KUNIT_EXPECT_EQ(test, length(world, &home->depot->victim), 0u);
	KUNIT_EXPECT_EQ(test, length(world, &home->depot->current_gen), 2u);
	KUNIT_EXPECT_EQ(test, uslab_core_depot_objects(home), 2ull * size);
	KUNIT_EXPECT_EQ(test, given(world), 2ull * size);

	uslab_core_shrink_depot(home, U64_MAX, 0);
	KUNIT_EXPECT_EQ(test, length(world, &home->depot->current_gen), 0u);
	KUNIT_EXPECT_EQ(test, length(world, &home->depot->empty), world->nr_magazines);
	KUNIT_EXPECT_EQ(test, uslab_core_depot_objects(home), 0ull);
	for (index = 1; index <= world->nr_magazines; index++)
		KUNIT_EXPECT_EQ(test, op_magazine(&world->core, index)->count, 0u);
	KUNIT_EXPECT_EQ(test, given(world), 0ull);
	KUNIT_EXPECT_EQ(test, backed(world), 0ull);
	check(test);
}

static void shrink_stops_when_it_has_enough(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_home *home;
	u32 size;
	u64 freed;

	world_open(test, 4096, 1);
	home = world->home_ptr[0];
	size = world->core.geo.magazine_size;
	refill(test, 0, world->handles, 80);
	stock(test, 0, world->handles, 80);
	freed = uslab_core_shrink_depot(home, 10, 0);
	KUNIT_EXPECT_GE(test, freed, 10ull);
	KUNIT_EXPECT_LE(test, freed, 10ull + size);
	KUNIT_EXPECT_EQ(test, backed(world), 80 - freed);
	KUNIT_EXPECT_EQ(test, uslab_core_shrink_depot(home, 0, 0), 0ull);
	check(test);
}

static void aging_takes_two_steps(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_home *home;

	world_open(test, 4096, 1);
	home = world->home_ptr[0];
	refill(test, 0, world->handles, 40);
	stock(test, 0, world->handles, 40);
	KUNIT_EXPECT_EQ(test, uslab_core_age(home), 0ull);
	KUNIT_EXPECT_EQ(test, uslab_core_depot_objects(home), 40ull);
	KUNIT_EXPECT_EQ(test, uslab_core_age(home), 40ull);
	KUNIT_EXPECT_EQ(test, uslab_core_depot_objects(home), 0ull);
	KUNIT_EXPECT_EQ(test, uslab_core_age(home), 0ull);
	KUNIT_EXPECT_EQ(test, home->rotations, 3ull);
	check(test);
}

/* What is taken back from the victim before the next step stays. */
static void a_rescued_magazine_does_not_age(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_home *home;
	u32 size, index;

	world_open(test, 64, 1);
	home = world->home_ptr[0];
	size = world->core.geo.magazine_size;
	refill(test, 0, world->handles, 3 * size);
	stock(test, 0, world->handles, 3 * size);
	uslab_core_age(home);
	index = uslab_stack_pop(&home->depot->victim, op_magazine, &world->core, 10);
	KUNIT_ASSERT_TRUE(test, index != 0);
	uslab_stack_account(&home->depot->victim, -(s64)size);
	uslab_core_age(home);
	KUNIT_EXPECT_EQ(test, given(world), (u64)size);
	KUNIT_EXPECT_EQ(test, uslab_core_depot_objects(home), 0ull);
	KUNIT_ASSERT_TRUE(test, uslab_stack_push(&home->depot->current_gen, index,
						 op_magazine(&world->core, index), 10));
	uslab_core_age(home);
	KUNIT_EXPECT_EQ(test, given(world), (u64)size);
	uslab_core_age(home);
	KUNIT_EXPECT_EQ(test, given(world), 0ull);
	KUNIT_EXPECT_EQ(test, backed(world), 0ull);
	check(test);
}

static void rotation_waits_for_the_victim(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_home *home;

	world_open(test, 64, 1);
	home = world->home_ptr[0];
	refill(test, 0, world->handles, 20);
	stock(test, 0, world->handles, 10);
	KUNIT_EXPECT_TRUE(test, uslab_core_rotate(home, 0));
	stock(test, 0, world->handles + 10, 10);
	KUNIT_EXPECT_TRUE(test, uslab_core_rotate(home, 0));
	KUNIT_EXPECT_EQ(test, home->rotations, 1ull);
	KUNIT_EXPECT_EQ(test, length(world, &home->depot->current_gen), 1u);
	KUNIT_EXPECT_EQ(test, length(world, &home->depot->victim), 1u);
	check(test);
}

static void a_busy_home_is_left_alone(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_home *home;

	world_open(test, 4096, 1);
	home = world->home_ptr[0];
	refill(test, 0, world->handles, 40);
	stock(test, 0, world->handles, 40);
	world->busy = true;
	KUNIT_EXPECT_EQ(test, uslab_core_shrink_victim(home, U64_MAX, USLAB_SHRINK_TRYLOCK), 0ull);
	KUNIT_EXPECT_EQ(test, uslab_core_shrink_depot(home, U64_MAX, USLAB_SHRINK_TRYLOCK), 0ull);
	KUNIT_EXPECT_FALSE(test, uslab_core_rotate(home, USLAB_SHRINK_TRYLOCK));
	KUNIT_EXPECT_LE(test, world->trylocks, 4u);
	KUNIT_EXPECT_EQ(test, given(world), 40ull);
	KUNIT_EXPECT_EQ(test, uslab_core_depot_objects(home), 40ull);
	world->busy = false;
	KUNIT_EXPECT_EQ(test, uslab_core_shrink_depot(home, U64_MAX, USLAB_SHRINK_TRYLOCK), 40ull);
	check(test);
}

/* A pass */

static void a_pass_stops_when_enough_pages_came_free(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_pass pass;

	open_filled(test, 30, 0, 0);
	pass = run(world, uslab_core_drain, 110, ALL, 0);
	/* a magazine more at most */
	KUNIT_EXPECT_GE(test, pass.released, 110ull);
	KUNIT_EXPECT_LT(test, pass.released, 110ull + 2 * LARGE_PAGES);
	KUNIT_EXPECT_EQ(test, pass.released, pass.returned * LARGE_PAGES);
	KUNIT_EXPECT_EQ(test, stored_all(world), 60 - pass.returned);
	KUNIT_EXPECT_EQ(test, backed(world), (60 - pass.returned) * LARGE_PAGES);
	account(test, 0);
}

static void a_pass_stops_when_enough_objects_went_back(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_pass pass;

	open_filled(test, 30, 0, 0);
	pass = run(world, uslab_core_drain, ALL, 11, 0);
	KUNIT_EXPECT_EQ(test, pass.returned, 12ull);
	KUNIT_EXPECT_EQ(test, stored_all(world), 48ull);
	rotate_all(world);
	pass = run(world, uslab_core_trim, ALL, 11, 0);
	KUNIT_EXPECT_EQ(test, pass.returned, 12ull);
	KUNIT_EXPECT_EQ(test, stored_all(world), 36ull);
	account(test, 0);
}

static void a_pass_stops_at_whatever_comes_first(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_pass pass;

	open_filled(test, 30, 0, 0);
	pass = run(world, uslab_core_drain, 1000, 3, 0);
	KUNIT_EXPECT_EQ(test, pass.returned, 4ull);
	pass = run(world, uslab_core_drain, 90, 1000, 0);
	KUNIT_EXPECT_EQ(test, pass.released, 4ull * LARGE_PAGES);
	KUNIT_EXPECT_EQ(test, pass.returned, 4ull);
	account(test, 0);
}

/* Two magazines are two magazines. */
static void a_pass_takes_no_magazine_that_it_does_not_need(struct kunit *test)
{
	struct world *world = test->priv;
	u32 i;

	for (i = 1; i <= 3; i++) {
		struct uslab_pass pass;

		open_filled(test, 20, i > 1 ? 20 : 0, i > 2 ? 20 : 0);
		pass = run(world, uslab_core_drain, ALL, 4, 0);
		KUNIT_EXPECT_EQ(test, pass.returned, 4ull);
		pass = run(world, uslab_core_drain, 4 * LARGE_PAGES, ALL, 0);
		KUNIT_EXPECT_EQ(test, pass.released, 4ull * LARGE_PAGES);
		rotate_all(world);
		pass = run(world, uslab_core_trim, ALL, 4, 0);
		KUNIT_EXPECT_EQ(test, pass.returned, 4ull);
		account(test, 0);
	}
}

static void a_pass_that_wants_nothing_touches_nothing(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_pass pass;
	u32 locks;

	open_filled(test, 3, 4, 5);
	uslab_core_rotate(world->home_ptr[1], 0);
	locks = world->locks;
	run(world, uslab_core_drain, 0, ALL, 0);
	run(world, uslab_core_trim, 0, ALL, USLAB_SHRINK_FORCE);
	run(world, uslab_core_trim, ALL, 0, 0);
	pass = run(world, uslab_core_drain, ALL, 0, USLAB_SHRINK_TRYLOCK);
	KUNIT_EXPECT_EQ(test, pass.released + pass.returned, 0ull);
	KUNIT_EXPECT_EQ(test, world->locks, locks);
	KUNIT_EXPECT_EQ(test, stored_all(world), 24ull);
	account(test, 0);
}

/* Objects that go back need not free pages: one is held of each. */
static void a_pass_goes_on_where_objects_free_no_page(struct kunit *test)
{
	struct world *world = test->priv;
	u32 *handles = world->handles;
	bool held[SLABS] = { false };
	struct uslab_pass pass;
	u32 idle = 0;
	u32 i;

	world_open(test, 64, 1);
	refill(test, 0, handles, 1500);
	for (i = 0; i < 1500; i++) {
		u32 page = test_first_page(&world->core.geo,
					   test_object(&world->core.geo, handles[i]));

		KUNIT_ASSERT_LT(test, page, SLABS);
		if (held[page])
			handles[idle++] = handles[i];
		held[page] = true;
	}
	stock(test, 0, handles, idle);
	pass = run(world, uslab_core_drain, 1, ALL, 0);
	KUNIT_EXPECT_EQ(test, pass.returned, (u64)idle);
	KUNIT_EXPECT_EQ(test, pass.released, 0ull);
	account(test, 1500 - idle);
}

static void a_home_is_locked_for_one_magazine_at_a_time(struct kunit *test)
{
	struct world *world = test->priv;
	u32 locks;

	open_filled(test, 30, 30, 30);
	locks = world->locks;
	world->lookups_at_resched = world->lookups;
	world->longest = 0;
	run(world, uslab_core_drain, ALL, ALL, 0);
	KUNIT_EXPECT_GE(test, world->locks - locks, 90u);
	/* one to pop, one to empty */
	KUNIT_EXPECT_LE(test, world->longest, 2u);
	account(test, 0);
}

/*
 * What a drain leaves in the current generation was used since the last step: the
 * next one must not take it for what nobody needed.
 */
static void what_a_drain_leaves_does_not_age_by_it(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_pass pass;
	u32 i;

	open_filled(test, 20, 20, 20);
	pass = run(world, uslab_core_drain, ALL, 12, 0);
	for (i = 0; i < 3; i++)
		uslab_core_age(world->home_ptr[i]);
	KUNIT_EXPECT_EQ(test, stored_all(world), 120 - pass.returned);
	for (i = 0; i < 3; i++)
		uslab_core_age(world->home_ptr[i]);
	KUNIT_EXPECT_EQ(test, stored_all(world), 0ull);
	account(test, 0);
}

/* What goes first */

static void trim_takes_victims_and_nothing_else(struct kunit *test)
{
	static const u32 more[] = { 4, 5, 6 };
	struct world *world = test->priv;
	struct uslab_pass pass;
	u32 i;

	open_filled(test, 3, 2, 1);
	rotate_all(world);
	fill(test, more);
	pass = run(world, uslab_core_trim, ALL, ALL, 0);
	KUNIT_EXPECT_EQ(test, pass.returned, 12ull);
	KUNIT_EXPECT_EQ(test, pass.released, 12ull * LARGE_PAGES);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, length(world, &world->home_ptr[i]->depot->victim), 0u);
		KUNIT_EXPECT_EQ(test, length(world, &world->home_ptr[i]->depot->current_gen),
				more[i]);
	}
	/* nor does it make any */
	pass = run(world, uslab_core_trim, ALL, ALL, USLAB_SHRINK_FORCE);
	KUNIT_EXPECT_EQ(test, pass.returned, 0ull);
	account(test, 0);
}

static void drain_takes_all_victims_before_anything_current(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_pass pass;

	open_filled(test, 10, 10, 10);
	uslab_core_rotate(world->home_ptr[2], 0);
	pass = run(world, uslab_core_drain, ALL, 20, 0);
	KUNIT_EXPECT_EQ(test, pass.returned, 20ull);
	KUNIT_EXPECT_EQ(test, stored(world, 2), 0ull);
	KUNIT_EXPECT_EQ(test, length(world, &world->home_ptr[0]->depot->current_gen), 10u);
	KUNIT_EXPECT_EQ(test, length(world, &world->home_ptr[1]->depot->current_gen), 10u);
	pass = run(world, uslab_core_drain, ALL, 20, 0);
	KUNIT_EXPECT_EQ(test, pass.returned, 20ull);
	account(test, 0);
}

static void drain_of_all_leaves_nothing(struct kunit *test)
{
	static const u32 more[] = { 1, 0, 20 };
	struct world *world = test->priv;
	struct uslab_pass pass;

	open_filled(test, 0, 7, 15);
	rotate_all(world);
	fill(test, more);
	pass = run(world, uslab_core_drain, ALL, ALL, 0);
	KUNIT_EXPECT_EQ(test, pass.returned, 86ull);
	KUNIT_EXPECT_EQ(test, pass.released, 86ull * LARGE_PAGES);
	KUNIT_EXPECT_EQ(test, given(world), 0ull);
	KUNIT_EXPECT_EQ(test, backed(world), 0ull);
	account(test, 0);
}

static void busy_homes_are_left_alone(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_pass pass;

	open_filled(test, 10, 10, 10);
	uslab_core_rotate(world->home_ptr[0], 0);
	world->busy = true;
	pass = run(world, uslab_core_trim, ALL, ALL, USLAB_SHRINK_TRYLOCK);
	KUNIT_EXPECT_EQ(test, pass.returned, 0ull);
	pass = run(world, uslab_core_drain, ALL, ALL, USLAB_SHRINK_TRYLOCK);
	KUNIT_EXPECT_EQ(test, pass.returned, 0ull);
	KUNIT_EXPECT_LE(test, world->trylocks, 60u);
	KUNIT_EXPECT_EQ(test, stored_all(world), 60ull);
	world->busy = false;
	pass = run(world, uslab_core_drain, ALL, ALL, USLAB_SHRINK_TRYLOCK);
	KUNIT_EXPECT_EQ(test, pass.returned, 60ull);
	account(test, 0);
}

static void pages_that_were_being_mapped_go_with_the_next_drain(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_pass pass;

	open_filled(test, 2, 2, 2);
	world->refuse_detach = 16;
	pass = run(world, uslab_core_drain, ALL, ALL, 0);
	KUNIT_EXPECT_EQ(test, pass.returned, 12ull);
	KUNIT_EXPECT_EQ(test, pass.released, 0ull);
	world->refuse_detach = 0;
	pass = run(world, uslab_core_drain, ALL, ALL, 0);
	KUNIT_EXPECT_EQ(test, pass.released, 12ull * LARGE_PAGES);
	KUNIT_EXPECT_EQ(test, backed(world), 0ull);
	account(test, 0);
}

/* Shares of homes */

static void homes_give_in_proportion(struct kunit *test)
{
	static const u32 cases[][3] = {
		{ 10, 20, 30 }, { 30, 20, 10 }, { 20, 20, 20 }, { 40, 4, 36 },
	};
	struct world *world = test->priv;
	u32 i, j;

	for (i = 0; i < 4; i++) {
		struct uslab_pass pass;
		u64 all;

		open_filled(test, cases[i][0], cases[i][1], cases[i][2]);
		all = stored_all(world);
		pass = run(world, uslab_core_drain, ALL, all / 2, 0);
		KUNIT_EXPECT_GE(test, pass.returned, all / 2);
		for (j = 0; j < 3; j++) {
			/* half of it, but for two magazines */
			KUNIT_EXPECT_GE(test, stored(world, j) + 4, (u64)cases[i][j]);
			KUNIT_EXPECT_LE(test, stored(world, j), (u64)cases[i][j] + 4);
		}
		account(test, 0);
	}
}

static void no_home_is_emptied_while_another_is_full(struct kunit *test)
{
	struct world *world = test->priv;
	u32 want, i;

	/* of 130 objects, up to nine tenths */
	for (want = 10; want <= 117; want += 10) {
		open_filled(test, 5, 20, 40);
		run(world, uslab_core_drain, ALL, want, 0);
		for (i = 0; i < 3; i++)
			KUNIT_EXPECT_TRUE(test, stored(world, i) || stored_all(world) < 26);
		account(test, 0);
	}
}

/* One magazine here, 38 there: a tenth comes from there. */
static void a_home_with_little_is_left_alone(struct kunit *test)
{
	struct world *world = test->priv;
	u32 i;

	for (i = 0; i < 3; i++) {
		struct uslab_pass pass;

		open_filled(test, i == 0 ? 1 : 38, i == 1 ? 1 : 38, i == 2 ? 1 : 38);
		pass = run(world, uslab_core_drain, ALL, 16, 0);
		KUNIT_EXPECT_GE(test, pass.returned, 16ull);
		KUNIT_EXPECT_EQ(test, stored(world, i), 2ull);
		account(test, 0);
	}
}

/* As when puts pay, two magazines a time: no home loses much more than its share. */
static void many_small_passes_take_from_all_homes(struct kunit *test)
{
	static const u32 cases[][3] = { { 10, 30, 40 }, { 40, 30, 10 }, { 30, 10, 40 } };
	struct world *world = test->priv;
	u32 i, j;

	for (i = 0; i < 3; i++) {
		open_filled(test, cases[i][0], cases[i][1], cases[i][2]);
		for (j = 0; j < 20; j++)
			run(world, uslab_core_drain, ALL, 4, 0);
		/* half of all, so that half of what was there is its share */
		KUNIT_EXPECT_LE(test, stored_all(world), 80ull);
		for (j = 0; j < 3; j++)
			KUNIT_EXPECT_GE(test, stored(world, j), cases[i][j] / 2ull);
		account(test, 0);
	}
}

static void what_one_home_does_not_give_the_others_do(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_pass pass;

	open_filled(test, 0, 30, 10);
	/* its counter says that there is most */
	world->home_ptr[0]->depot->current_gen.objects = 1000;
	pass = run(world, uslab_core_drain, ALL, 60, 0);
	KUNIT_EXPECT_GE(test, pass.returned, 60ull);
	KUNIT_EXPECT_LE(test, pass.returned, 64ull);
	account(test, 0);
}

/* The floor */

static void age_all(struct uslab_core *core, struct uslab_pass *pass)
{
	u32 i;

	for (i = 0; i < 2 * core->geo.nr_homes; i++)
		uslab_core_age(core->homes[i % core->geo.nr_homes]);
	(void)pass;
}

static void depots_all(struct uslab_core *core, struct uslab_pass *pass)
{
	u32 i;

	for (i = 0; i < core->geo.nr_homes; i++)
		uslab_core_shrink_depot(core->homes[i], pass->pages, pass->flags);
}

static void min_idle_is_left(struct kunit *test)
{
	static const shrink_fn fns[] = { uslab_core_trim, uslab_core_drain, age_all, depots_all };
	static const u32 floors[] = { 1, 2, 7, 40, 58, 59 };
	struct world *world = test->priv;
	u32 i, j;

	for (i = 0; i < 4; i++)
		for (j = 0; j < 6; j++) {
			open_filled(test, 5, 10, 15);
			if (fns[i] == uslab_core_trim)
				rotate_all(world);
			world->core.min_idle = floors[j];
			run(world, fns[i], ALL, ALL, 0);
			/* of all homes together, and not a magazine more */
			KUNIT_EXPECT_GE(test, stored_all(world), (u64)floors[j]);
			KUNIT_EXPECT_LT(test, stored_all(world), floors[j] + 2ull);
			/* once more is no more */
			run(world, fns[i], ALL, ALL, 0);
			KUNIT_EXPECT_GE(test, stored_all(world), (u64)floors[j]);
			account(test, 0);
		}
}

static void min_idle_does_not_count_for_who_forces(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_pass pass;

	open_filled(test, 5, 10, 15);
	rotate_all(world);
	world->core.min_idle = 50;
	pass = run(world, uslab_core_trim, ALL, 20, USLAB_SHRINK_FORCE);
	KUNIT_EXPECT_GE(test, pass.returned, 20ull);
	pass = run(world, uslab_core_trim, ALL, 20, 0);
	KUNIT_EXPECT_EQ(test, pass.returned, 0ull);
	pass = run(world, uslab_core_drain, ALL, ALL, USLAB_SHRINK_FORCE);
	KUNIT_EXPECT_EQ(test, given(world), 0ull);
	account(test, 0);
}

static void min_idle_above_what_is_there_leaves_everything(struct kunit *test)
{
	static const u64 floors[] = { 59, 60, 61, 1ull << 32, 1ull << 40, U64_MAX - 2, U64_MAX };
	struct world *world = test->priv;
	u32 i;

	open_filled(test, 5, 10, 15);
	for (i = 0; i < 7; i++) {
		world->core.min_idle = floors[i];
		run(world, uslab_core_drain, ALL, ALL, 0);
		KUNIT_EXPECT_EQ(test, stored_all(world), 60ull);
		run(world, uslab_core_drain, ALL, 1, USLAB_SHRINK_TRYLOCK);
		KUNIT_EXPECT_EQ(test, stored_all(world), 60ull);
	}
	account(test, 0);
}

/* What user space can write */

static s64 nonsense(u32 *seed)
{
	static const s64 counters[] = {
		0, 1, -1, 1ll << 32, -(1ll << 32), COUNTER_MAX, COUNTER_MIN, COUNTER_MAX / 2,
	};
	u32 i = test_below(seed, 10);

	return i < 8 ? counters[i] : (s64)((u64)test_random(seed) << 32 | test_random(seed));
}

static void scribble(struct world *world)
{
	u32 i;

	for (i = 0; i < world->core.geo.nr_homes; i++) {
		struct uslab_depot *depot = world->home_ptr[i]->depot;

		if (test_below(&world->seed, 2))
			depot->current_gen.objects = nonsense(&world->seed);
		if (test_below(&world->seed, 2))
			depot->victim.objects = nonsense(&world->seed);
		depot->empty.objects = nonsense(&world->seed);
	}
}

/* Counters as they should be. */
static void tell_the_truth(struct world *world)
{
	u32 i;

	for (i = 0; i < world->core.geo.nr_homes; i++) {
		struct uslab_depot *depot = world->home_ptr[i]->depot;

		depot->current_gen.objects = (s64)objects_in(world, &depot->current_gen);
		depot->victim.objects = (s64)objects_in(world, &depot->victim);
	}
}

static void nonsense_counters_lose_nothing_and_hold_nobody_up(struct kunit *test)
{
	static const u64 floors[] = { 0, 1, 300, U64_MAX };
	static const u64 wants[] = { 1, 10, 1000, 1ull << 32, ALL };
	struct world *world = test->priv;
	u32 round, i;

	for (round = 0; round < 40; round++) {
		static const u32 magazines[] = { 1, 4, 2 };

		world_open(test, 64, 3);
		world->seed += round;
		fill(test, magazines);
		for (i = 0; i < 12; i++) {
			u32 *seed = &world->seed;
			u64 before = given(world);
			u32 locks = world->locks;
			struct uslab_pass pass;

			scribble(world);
			if (!test_below(seed, 4))
				uslab_core_rotate(world->home_ptr[test_below(seed, 3)], 0);
			world->core.min_idle = floors[test_below(seed, 4)];
			pass = run(world, test_below(seed, 2) ? uslab_core_trim : uslab_core_drain,
				   wants[test_below(seed, 5)], wants[test_below(seed, 5)],
				   test_below(seed, 4));
			KUNIT_EXPECT_EQ(test, given(world), before - pass.returned);
			/* 7 magazines, and some looks at empty depots for each */
			KUNIT_EXPECT_LE(test, world->locks - locks, 200u);
			account(test, 0);
		}
		tell_the_truth(world);
		world->core.min_idle = 0;
		run(world, uslab_core_drain, ALL, ALL, 0);
		KUNIT_EXPECT_EQ(test, given(world), 0ull);
		KUNIT_EXPECT_EQ(test, backed(world), 0ull);
		account(test, 0);
	}
}

/* User space may hang all that is empty into the victim, at each step. */
static void magazines_that_hold_nothing_are_left_soon(struct kunit *test)
{
	struct world *world = test->priv;
	struct uslab_depot *depot;
	u32 before;

	world_open(test, 64, 1);
	while (world->nr_magazines < 200 && uslab_core_grow(world->home_ptr[0]) > 0)
		;
	KUNIT_ASSERT_TRUE(test, world->nr_magazines >= 200);
	depot = world->home_ptr[0]->depot;
	depot->victim.head = depot->empty.head;
	depot->empty.head = 0;
	before = world->locks;
	uslab_core_age(world->home_ptr[0]);
	KUNIT_EXPECT_LT(test, world->locks - before, 70u);
	/* and the next steps go on with the rest */
	uslab_core_age(world->home_ptr[0]);
	uslab_core_age(world->home_ptr[0]);
	uslab_core_age(world->home_ptr[0]);
	KUNIT_EXPECT_EQ(test, length(world, &depot->empty), world->nr_magazines);
	check(test);
}

static void counters_that_say_too_much_do_not_make_a_pass_take_more(struct kunit *test)
{
	static const s64 counters[] = { 1ll << 20, 1ll << 32, COUNTER_MAX };
	struct world *world = test->priv;
	u32 i;

	for (i = 0; i < 6; i++) {
		struct uslab_pass pass;

		open_filled(test, 10, 10, 10);
		world->home_ptr[0]->depot->current_gen.objects = counters[i % 3];
		if (i >= 3)
			world->home_ptr[1]->depot->current_gen.objects = counters[i % 3];
		pass = run(world, uslab_core_drain, ALL, 10, 0);
		KUNIT_EXPECT_GE(test, pass.returned, 10ull);
		/* a magazine of each home more at most */
		KUNIT_EXPECT_LE(test, pass.returned, 16ull);
		account(test, 0);
	}
}

/*
 * Counters are for thresholds and statistics. Who died between taking a magazine and
 * saying so leaves them wrong for good.
 */
static void what_counters_do_not_show_is_drained_all_the_same(struct kunit *test)
{
	static const s64 counters[][3] = {
		{ 0, 0, 0 }, { -1, -1, -1 }, { COUNTER_MIN, 0, 0 },
		{ COUNTER_MAX, COUNTER_MAX, 2 },	/* together 0 */
	};
	struct world *world = test->priv;
	u32 i, j;

	for (i = 0; i < 4; i++) {
		struct uslab_pass pass;

		open_filled(test, 3, 4, 5);
		for (j = 0; j < 3; j++)
			world->home_ptr[j]->depot->current_gen.objects = counters[i][j];
		pass = run(world, uslab_core_drain, ALL, ALL, USLAB_SHRINK_FORCE);
		KUNIT_EXPECT_EQ(test, pass.returned, 24ull);
		KUNIT_EXPECT_EQ(test, given(world), 0ull);
		account(test, 0);
	}
}

static struct kunit_case shrink_cases[] = {
	KUNIT_CASE(shrink_empties_the_victim_first),
	KUNIT_CASE(shrink_stops_when_it_has_enough),
	KUNIT_CASE(aging_takes_two_steps),
	KUNIT_CASE(a_rescued_magazine_does_not_age),
	KUNIT_CASE(rotation_waits_for_the_victim),
	KUNIT_CASE(a_busy_home_is_left_alone),
	KUNIT_CASE(a_pass_stops_when_enough_pages_came_free),
	KUNIT_CASE(a_pass_stops_when_enough_objects_went_back),
	KUNIT_CASE(a_pass_stops_at_whatever_comes_first),
	KUNIT_CASE(a_pass_takes_no_magazine_that_it_does_not_need),
	KUNIT_CASE(a_pass_that_wants_nothing_touches_nothing),
	KUNIT_CASE(a_pass_goes_on_where_objects_free_no_page),
	KUNIT_CASE(a_home_is_locked_for_one_magazine_at_a_time),
	KUNIT_CASE(trim_takes_victims_and_nothing_else),
	KUNIT_CASE(drain_takes_all_victims_before_anything_current),
	KUNIT_CASE(drain_of_all_leaves_nothing),
	KUNIT_CASE(busy_homes_are_left_alone),
	KUNIT_CASE(pages_that_were_being_mapped_go_with_the_next_drain),
	KUNIT_CASE(homes_give_in_proportion),
	KUNIT_CASE(no_home_is_emptied_while_another_is_full),
	KUNIT_CASE(a_home_with_little_is_left_alone),
	KUNIT_CASE(many_small_passes_take_from_all_homes),
	KUNIT_CASE(what_one_home_does_not_give_the_others_do),
	KUNIT_CASE(min_idle_is_left),
	KUNIT_CASE(min_idle_does_not_count_for_who_forces),
	KUNIT_CASE(min_idle_above_what_is_there_leaves_everything),
	KUNIT_CASE(nonsense_counters_lose_nothing_and_hold_nobody_up),
	KUNIT_CASE(magazines_that_hold_nothing_are_left_soon),
	KUNIT_CASE(counters_that_say_too_much_do_not_make_a_pass_take_more),
	KUNIT_CASE(what_counters_do_not_show_is_drained_all_the_same),
	KUNIT_CASE(what_a_drain_leaves_does_not_age_by_it),
	{ }
};

static struct kunit_suite shrink_suite = {
	.name = "uslab_shrink",
	.init = world_init,
	.exit = world_exit,
	.test_cases = shrink_cases,
};

kunit_test_suite(shrink_suite);
