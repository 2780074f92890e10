// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Pressure levels, the circuit breaker, and growth while memory is taken. */
#include "scene.h"

static enum uslab_breaker breaker(struct scene *scene, u64 now, u32 used)
{
	scene->view.now = now;
	scene->view.used = used;
	return uslab_governor_breaker(&scene->gov, &scene->tunables, &scene->view);
}

static u32 batch(struct scene *scene, u32 nr, u32 few, enum uslab_breaker *event)
{
	return uslab_governor_batch(&scene->gov, &scene->tunables, scene->view.now, U64_MAX, nr, few,
				    event);
}

/* Pressure */

static void pressure_levels_begin_where_they_are_set(struct kunit *test)
{
	static const struct {
		u32 used, level;
	} cases[] = {
		{ 0, USLAB_PRESSURE_NONE }, { 919, USLAB_PRESSURE_NONE },
		{ 920, USLAB_PRESSURE_LOW }, { 949, USLAB_PRESSURE_LOW },
		{ 950, USLAB_PRESSURE_MEDIUM }, { 969, USLAB_PRESSURE_MEDIUM },
		{ 970, USLAB_PRESSURE_CRITICAL }, { 1000, USLAB_PRESSURE_CRITICAL },
		{ U32_MAX, USLAB_PRESSURE_CRITICAL },
	};
	struct scene *scene = test->priv;
	u32 i;

	for (i = 0; i < 9; i++) {
		memset(&scene->gov, 0, sizeof(scene->gov));
		KUNIT_EXPECT_EQ(test, look(scene, NOW, cases[i].used), cases[i].level != 0);
		KUNIT_EXPECT_EQ(test, scene->gov.level, cases[i].level);
		KUNIT_EXPECT_FALSE(test, look(scene, NOW, cases[i].used));
	}
	memset(&scene->gov, 0, sizeof(scene->gov));
	scene->tunables.pressure_low_percent = 50;
	look(scene, NOW, 500);
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_LOW);
}

static void pressure_rises_at_once_and_falls_after_the_transition(struct kunit *test)
{
	struct scene *scene = test->priv;
	u64 fell = NOW + 10;

	KUNIT_EXPECT_TRUE(test, look(scene, NOW, 930));
	KUNIT_EXPECT_TRUE(test, look(scene, NOW + 1, 960));
	KUNIT_EXPECT_TRUE(test, look(scene, NOW + 2, 980));
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_CRITICAL);
	KUNIT_EXPECT_FALSE(test, look(scene, fell, 0));
	KUNIT_EXPECT_FALSE(test, look(scene, fell + TRANSITION - 1, 0));
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_CRITICAL);
	KUNIT_EXPECT_TRUE(test, look(scene, fell + TRANSITION, 0));
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_NONE);
	/* and again at once */
	KUNIT_EXPECT_TRUE(test, look(scene, fell + TRANSITION + 1, 980));
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_CRITICAL);
}

static void pressure_that_comes_back_starts_the_period_anew(struct kunit *test)
{
	static const u32 back[] = { 960, 980 };
	struct scene *scene = test->priv;
	u32 i;

	for (i = 0; i < 2; i++) {
		u64 again = NOW + TRANSITION - 1;

		memset(&scene->gov, 0, sizeof(scene->gov));
		look(scene, NOW - 1, 960);
		look(scene, NOW, 0);
		/* as high as it was, or higher */
		KUNIT_EXPECT_EQ(test, look(scene, again, back[i]), back[i] == 980);
		KUNIT_EXPECT_FALSE(test, look(scene, again + 1, 0));
		KUNIT_EXPECT_FALSE(test, look(scene, again + TRANSITION, 0));
		KUNIT_EXPECT_TRUE(test, look(scene, again + 1 + TRANSITION, 0));
	}
}

static void pressure_falls_to_what_it_is_then(struct kunit *test)
{
	struct scene *scene = test->priv;

	look(scene, NOW, 980);
	look(scene, NOW + 1, 0);
	KUNIT_EXPECT_TRUE(test, look(scene, NOW + 1 + TRANSITION, 960));
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_MEDIUM);
	scene->tunables.transition_centisecs = 0;
	KUNIT_EXPECT_TRUE(test, look(scene, NOW + 2 + TRANSITION, 930));
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_LOW);
}

static void the_nearest_limit_counts(struct kunit *test)
{
	struct scene *scene = test->priv;

	/* its own, which is near */
	uslab_tunable_set(&scene->tunables, USLAB_TUNABLE_memory_limit, GB);
	scene->view.backed = GB / 100 * 96;
	look(scene, NOW, 930);
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_MEDIUM);
	/* the other, which is nearer */
	look(scene, NOW, 980);
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_CRITICAL);
	/* none of its own */
	memset(&scene->gov, 0, sizeof(scene->gov));
	uslab_tunable_set(&scene->tunables, USLAB_TUNABLE_memory_limit, 0);
	look(scene, NOW, 0);
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_NONE);
	/* beyond it */
	uslab_tunable_set(&scene->tunables, USLAB_TUNABLE_memory_limit_percent, 1);
	scene->view.backed = 2 * GB;
	look(scene, NOW, 0);
	KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_CRITICAL);
}

/* All of a limit is 1000 per mille of it, and half is half. */
static void at_its_memory_limit_a_pool_is_at_a_hundred_percent(struct kunit *test)
{
	static const u64 limits[] = { 4096, 8192, 65536, MB, GB, 1ull << 50 };
	struct scene *scene = test->priv;
	u32 i;

	scene->tunables.pressure_low_percent = 50;
	scene->tunables.pressure_critical_percent = 100;
	for (i = 0; i < 6; i++) {
		memset(&scene->gov, 0, sizeof(scene->gov));
		uslab_tunable_set(&scene->tunables, USLAB_TUNABLE_memory_limit, limits[i]);
		scene->view.backed = limits[i] / 2;
		look(scene, NOW, 0);
		KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_LOW);
		scene->view.backed = limits[i];
		look(scene, NOW, 0);
		KUNIT_EXPECT_EQ(test, scene->gov.level, (u32)USLAB_PRESSURE_CRITICAL);
	}
}

/* The circuit breaker */

static void breaker_reclaims_refuses_tells_and_closes(struct kunit *test)
{
	struct scene *scene = test->priv;
	enum uslab_breaker event;

	scene->tunables.mode = USLAB_MODE_MANUAL;
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW, 949), USLAB_BREAKER_NOTHING);
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW, 950), USLAB_BREAKER_RECLAIMS);
	KUNIT_EXPECT_EQ(test, batch(scene, 100, 5, &event), 100u);
	KUNIT_EXPECT_EQ(test, event, USLAB_BREAKER_NOTHING);
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW + SECOND, 950), USLAB_BREAKER_RECLAIMS);
	KUNIT_EXPECT_EQ(test, batch(scene, 100, 5, &event), 100u);
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW + 2 * SECOND, 950), USLAB_BREAKER_REFUSES);
	/* told once, however often it is refused */
	KUNIT_EXPECT_EQ(test, batch(scene, 100, 5, &event), 0u);
	KUNIT_EXPECT_EQ(test, event, USLAB_BREAKER_TELLS);
	KUNIT_EXPECT_EQ(test, batch(scene, 1, 5, &event), 0u);
	KUNIT_EXPECT_EQ(test, event, USLAB_BREAKER_NOTHING);
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW + 9 * SECOND, 990), USLAB_BREAKER_NOTHING);
	/* not yet well */
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW + 10 * SECOND, 920), USLAB_BREAKER_NOTHING);
	KUNIT_EXPECT_EQ(test, batch(scene, 100, 5, &event), 0u);
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW + 11 * SECOND, 919), USLAB_BREAKER_CLOSES);
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW + 12 * SECOND, 0), USLAB_BREAKER_NOTHING);
	KUNIT_EXPECT_EQ(test, batch(scene, 100, 5, &event), 100u);
	KUNIT_EXPECT_EQ(test, event, USLAB_BREAKER_NOTHING);
	/* and from the beginning */
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW + 12 * SECOND, 950), USLAB_BREAKER_RECLAIMS);
}

static u32 batch_to(struct scene *scene, u64 bytes)
{
	enum uslab_breaker event;

	return uslab_governor_batch(&scene->gov, &scene->tunables, scene->view.now, bytes, 100, 5,
				    &event);
}

static void what_a_pool_was_when_growth_was_refused_it_may_be_again(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 i;

	scene->tunables.mode = USLAB_MODE_MANUAL;
	scene->view.backed = 1000000;
	for (i = 0; i < 3; i++)
		breaker(scene, NOW + i * SECOND, 950);
	KUNIT_EXPECT_EQ(test, scene->gov.breaker, 2u);
	KUNIT_EXPECT_EQ(test, batch_to(scene, 1000000), 100u);
	KUNIT_EXPECT_EQ(test, batch_to(scene, 1000001), 0u);
	KUNIT_EXPECT_EQ(test, batch_to(scene, 1), 100u);
	/* the mode counts at once */
	scene->tunables.mode = USLAB_MODE_AUTO;
	KUNIT_EXPECT_EQ(test, batch_to(scene, U64_MAX), 100u);
}

static void breaker_counts_one_event_a_second(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 i;

	scene->tunables.mode = USLAB_MODE_MANUAL;
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW, 990), USLAB_BREAKER_RECLAIMS);
	for (i = 1; i < 100; i++)
		KUNIT_EXPECT_EQ(test, breaker(scene, NOW + i * SECOND / 100, 990),
				USLAB_BREAKER_NOTHING);
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW + SECOND, 990), USLAB_BREAKER_RECLAIMS);
	KUNIT_EXPECT_EQ(test, scene->gov.trips, 2u);
}

static void breaker_of_an_automatic_pool_is_closed(struct kunit *test)
{
	struct scene *scene = test->priv;
	enum uslab_breaker event;
	u32 i;

	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, breaker(scene, NOW + i * SECOND, 1000),
				USLAB_BREAKER_NOTHING);
	/* one that was opened closes with the mode */
	scene->tunables.mode = USLAB_MODE_MANUAL;
	for (i = 10; i < 13; i++)
		breaker(scene, NOW + i * SECOND, 1000);
	KUNIT_EXPECT_EQ(test, batch(scene, 100, 5, &event), 0u);
	scene->tunables.mode = USLAB_MODE_AUTO;
	KUNIT_EXPECT_EQ(test, breaker(scene, NOW + 13 * SECOND, 1000), USLAB_BREAKER_CLOSES);
	KUNIT_EXPECT_EQ(test, batch(scene, 100, 5, &event), 100u);
}

static void breaker_plans_pages_down_to_the_low_level(struct kunit *test)
{
	struct scene *scene = test->priv;
	u64 bytes;

	scene->tunables.mode = USLAB_MODE_MANUAL;
	scene->view.memory = 100 * MB;
	scene->view.idle = GB;
	breaker(scene, NOW, 960);
	/* 4 percent of the memory, and nothing of what automatic mode does */
	bytes = 100 * MB / 1000 * 40;
	KUNIT_EXPECT_EQ(test, plan(scene)->pages, DIV_ROUND_UP(bytes, (u64)PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, scene->plan.idle, 0ull);
	KUNIT_EXPECT_FALSE(test, scene->plan.age);
	/* at least the minimum */
	breaker(scene, NOW + 1, 921);
	KUNIT_EXPECT_EQ(test, plan(scene)->pages, MB / PAGE_SIZE);
	breaker(scene, NOW + 2, 920);
	KUNIT_EXPECT_FALSE(test, busy(plan(scene)));
	/* bounded */
	scene->view.memory = 1ull << 50;
	breaker(scene, NOW + 3, 1000);
	KUNIT_EXPECT_EQ(test, plan(scene)->pages, PASS_MAX / PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, scene->plan.again);
	breaker(scene, NOW + 4, 0);
	KUNIT_EXPECT_FALSE(test, busy(plan(scene)));
}

/* Growth while memory is taken */

static void while_memory_is_taken_a_pool_grows_in_small_steps(struct kunit *test)
{
	struct scene *scene = test->priv;
	enum uslab_breaker event;

	KUNIT_EXPECT_EQ(test, batch(scene, 1000, 5, &event), 1000u);
	scene->gov.pressed = NOW;
	KUNIT_EXPECT_EQ(test, batch(scene, 1000, 5, &event), 5u);
	scene->view.now = NOW + TRANSITION - 1;
	KUNIT_EXPECT_EQ(test, batch(scene, 1000, 5, &event), 5u);
	/* never more than was asked for */
	KUNIT_EXPECT_EQ(test, batch(scene, 3, 5, &event), 3u);
	KUNIT_EXPECT_EQ(test, batch(scene, 0, 5, &event), 0u);
	scene->view.now = NOW + TRANSITION;
	KUNIT_EXPECT_EQ(test, batch(scene, 1000, 5, &event), 1000u);
	KUNIT_EXPECT_EQ(test, event, USLAB_BREAKER_NOTHING);
	/* without a transition period, at once */
	scene->view.now = NOW;
	scene->tunables.transition_centisecs = 0;
	KUNIT_EXPECT_EQ(test, batch(scene, 1000, 5, &event), 1000u);
}

static struct kunit_case pressure_cases[] = {
	KUNIT_CASE(pressure_levels_begin_where_they_are_set),
	KUNIT_CASE(pressure_rises_at_once_and_falls_after_the_transition),
	KUNIT_CASE(pressure_that_comes_back_starts_the_period_anew),
	KUNIT_CASE(pressure_falls_to_what_it_is_then),
	KUNIT_CASE(the_nearest_limit_counts),
	KUNIT_CASE(at_its_memory_limit_a_pool_is_at_a_hundred_percent),
	KUNIT_CASE(breaker_reclaims_refuses_tells_and_closes),
	KUNIT_CASE(what_a_pool_was_when_growth_was_refused_it_may_be_again),
	KUNIT_CASE(breaker_counts_one_event_a_second),
	KUNIT_CASE(breaker_of_an_automatic_pool_is_closed),
	KUNIT_CASE(breaker_plans_pages_down_to_the_low_level),
	KUNIT_CASE(while_memory_is_taken_a_pool_grows_in_small_steps),
	{ }
};

static struct kunit_suite pressure_suite = {
	.name = "uslab_pressure",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = pressure_cases,
};

kunit_test_suite(pressure_suite);
