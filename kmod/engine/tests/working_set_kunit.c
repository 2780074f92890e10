// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Aging: what a step drops is what nobody needed since the last one. */
#include "world.h"

/*
 * Magazines of one object that come and go. The model is two numbers: how many lie in
 * the depot, and the least that lay there since the last step.
 */
struct life {
	struct world *world;
	u32 nr_held;			/* in world->handles: indices of magazines */
	u32 level;
	u32 least;
	bool victim_first;		/* gets the wrong way round */
};

#define LIFE_MAX	200u

static void life_open(struct kunit *test, struct life *life)
{
	memset(life, 0, sizeof(*life));
	life->world = test->priv;
	world_open(test, 64, 1);
}

static u32 life_pop(struct life *life, struct uslab_stack *stack)
{
	struct uslab_core *core = &life->world->core;
	u32 index = uslab_stack_pop(stack, op_magazine, core, 10);

	if (index)
		uslab_stack_account(stack, -(s64)op_magazine(core, index)->count);
	return index;
}

static void life_get(struct kunit *test, struct life *life)
{
	struct uslab_depot *depot = life->world->home_ptr[0]->depot;
	u32 index = life_pop(life, life->victim_first ? &depot->victim : &depot->current_gen);

	if (!index)
		index = life_pop(life, life->victim_first ? &depot->current_gen : &depot->victim);
	KUNIT_EXPECT_EQ(test, index != 0, life->level != 0);
	if (!index)
		return;
	life->world->handles[life->nr_held++] = index;
	life->level--;
	life->least = min_t(u32, life->least, life->level);
}

static void life_put(struct kunit *test, struct life *life)
{
	struct world *world = life->world;
	struct uslab_depot *depot = world->home_ptr[0]->depot;
	u32 index, handle;

	if (life->nr_held) {
		index = world->handles[--life->nr_held];
		KUNIT_EXPECT_TRUE(test, uslab_stack_push(&depot->current_gen, index,
							 op_magazine(&world->core, index), 10));
	} else {
		refill(test, 0, &handle, 1);
		stock(test, 0, &handle, 1);
	}
	life->level++;
}

/* A step; how many magazines it dropped. */
static u32 life_age(struct life *life)
{
	u64 before = given(life->world);
	u32 dropped;

	uslab_core_age(life->world->home_ptr[0]);
	dropped = (u32)(before - given(life->world));
	life->level -= dropped;
	return dropped;
}

/* Random bursts; steps that dropped something else than the minimum. */
static u32 life_run(struct kunit *test, struct life *life, u32 seed)
{
	u32 wrong = 0;
	u32 dropped = 0;
	u32 i;

	for (i = 0; i < 3000; i++) {
		/* bursts up and down, each a hundred long, and some that are neither */
		u32 gets = i / 100 % 3 * 5 + 3;

		if (test_below(&seed, 16) < gets)
			life_get(test, life);
		else if (life->level + life->nr_held < LIFE_MAX || life->nr_held)
			life_put(test, life);
		if (!test_below(&seed, 30)) {
			u32 least = life->least;
			u32 n = life_age(life);

			wrong += n != least;
			dropped += n;
			life->least = life->level;
		}
	}
	KUNIT_EXPECT_GT(test, dropped, 20u);
	return wrong;
}

static void a_step_drops_the_minimum_of_the_interval(struct kunit *test)
{
	struct world *world = test->priv;
	struct life life;
	u32 seed;

	for (seed = 1; seed <= 5; seed++) {
		life_open(test, &life);
		KUNIT_EXPECT_EQ(test, life_run(test, &life, seed), 0u);
		KUNIT_EXPECT_EQ(test, uslab_core_depot_objects(world->home_ptr[0]),
				(u64)life.level);
		KUNIT_EXPECT_EQ(test, given(world), (u64)life.level + life.nr_held);
		check(test);
	}
}

/* The oracle itself: gets in the other order leave more than the minimum. */
static void control_gets_that_take_the_victim_first_are_seen(struct kunit *test)
{
	struct life life;

	life_open(test, &life);
	life.victim_first = true;
	KUNIT_EXPECT_GT(test, life_run(test, &life, 1), 5u);
}

static void a_burst_between_two_steps_does_not_matter(struct kunit *test)
{
	struct life life;
	u32 i;

	life_open(test, &life);
	for (i = 0; i < 20; i++)
		life_put(test, &life);
	KUNIT_EXPECT_EQ(test, life_age(&life), 0u);
	for (i = 0; i < 100; i++)	/* up, */
		life_put(test, &life);
	for (i = 0; i < 114; i++)	/* down to 6, */
		life_get(test, &life);
	for (i = 0; i < 14; i++)	/* and as it was */
		life_put(test, &life);
	KUNIT_EXPECT_EQ(test, life_age(&life), 6u);
	KUNIT_EXPECT_EQ(test, life.level, 14u);
	check(test);
}

static void a_load_that_swings_keeps_what_it_swings_through(struct kunit *test)
{
	struct life life;
	u32 i, j;

	life_open(test, &life);
	for (i = 0; i < 30; i++)
		life_put(test, &life);
	life_age(&life);
	for (i = 0; i < 20; i++) {
		for (j = 0; j < 12; j++)
			life_get(test, &life);
		for (j = 0; j < 12; j++)
			life_put(test, &life);
		/* what it never needs goes once, and it never has to come back for more */
		KUNIT_EXPECT_EQ(test, life_age(&life), i ? 0u : 18u);
		KUNIT_EXPECT_EQ(test, life.level, 12u);
	}
	check(test);
}

static struct kunit_case working_set_cases[] = {
	KUNIT_CASE(a_step_drops_the_minimum_of_the_interval),
	KUNIT_CASE(control_gets_that_take_the_victim_first_are_seen),
	KUNIT_CASE(a_burst_between_two_steps_does_not_matter),
	KUNIT_CASE(a_load_that_swings_keeps_what_it_swings_through),
	{ }
};

static struct kunit_suite working_set_suite = {
	.name = "uslab_working_set",
	.init = world_init,
	.exit = world_exit,
	.test_cases = working_set_cases,
};

kunit_test_suite(working_set_suite);
