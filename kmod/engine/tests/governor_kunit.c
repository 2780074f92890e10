// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Plans: each decision by itself, and a load over time that a worker without means
 * looks at.
 */
#include "scene.h"

static struct uslab_plan *plan_at(struct scene *scene, u64 now, u64 idle)
{
	scene->view.now = now;
	scene->view.idle = idle;
	return plan(scene);
}

static void done(struct scene *scene, u64 took)
{
	uslab_governor_done(&scene->gov, &scene->tunables, &scene->view, took);
}

static u64 next(const struct scene *scene, bool again)
{
	return uslab_governor_next(&scene->gov, &scene->tunables, scene->view.now, again);
}

static bool grown(const struct scene *scene, u64 backed)
{
	return uslab_governor_grown(&scene->gov, &scene->tunables, backed);
}

/* A plan: thresholds */

static void up_to_background_nothing_is_planned(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 i;

	for (i = 0; i < 14; i++)
		KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, NOW + i * SECOND, BACKGROUND)));
	KUNIT_EXPECT_EQ(test, scene->gov.over, 0ull);
}

static void background_must_hold_for_the_transition_period(struct kunit *test)
{
	struct scene *scene = test->priv;

	KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, NOW, BACKGROUND + 5 * MB)));
	KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, NOW + TRANSITION - 1, BACKGROUND + 5 * MB)));
	KUNIT_EXPECT_GT(test, plan_at(scene, NOW + TRANSITION, BACKGROUND + 5 * MB)->idle, 0ull);
}

static void falling_to_background_starts_the_period_anew(struct kunit *test)
{
	struct scene *scene = test->priv;
	u64 back = NOW + TRANSITION - 1;

	plan_at(scene, NOW, BACKGROUND + 5 * MB);
	plan_at(scene, back, BACKGROUND);
	KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, back + 1, BACKGROUND + 5 * MB)));
	KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, back + TRANSITION, BACKGROUND + 5 * MB)));
	KUNIT_EXPECT_GT(test, plan_at(scene, back + 1 + TRANSITION, BACKGROUND + 5 * MB)->idle,
			0ull);
}

/* The view after the pass says that idle is not above background any more. */
static void a_pass_down_to_background_starts_the_period_anew(struct kunit *test)
{
	struct scene *scene = test->priv;
	u64 later = NOW + 5 * SECOND;

	scene->tunables.reclaim_cpu_percent = 100;
	plan_at(scene, NOW, BACKGROUND + 5 * MB);
	KUNIT_ASSERT_TRUE(test, plan_at(scene, NOW + TRANSITION, BACKGROUND + 5 * MB)->idle != 0);
	scene->view.idle = BACKGROUND;
	done(scene, 1000);
	KUNIT_EXPECT_EQ(test, scene->gov.over, 0ull);
	KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, later, BACKGROUND + 5 * MB)));
	KUNIT_EXPECT_GT(test, plan_at(scene, later + TRANSITION, BACKGROUND + 5 * MB)->idle, 0ull);
}

static void without_a_transition_period_nothing_waits(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.transition_centisecs = 0;
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, BACKGROUND + 5 * MB)->idle, 5 * MB);
}

static void a_pass_takes_what_is_above_background(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.transition_centisecs = 0;
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, BACKGROUND + 5 * MB)->idle, 5 * MB);
	KUNIT_EXPECT_FALSE(test, scene->plan.again);
	KUNIT_EXPECT_EQ(test, scene->plan.pages, 0ull);
	KUNIT_EXPECT_FALSE(test, scene->plan.age);
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, BACKGROUND + PASS_MAX)->idle, PASS_MAX);
	KUNIT_EXPECT_FALSE(test, scene->plan.again);
}

static void a_pass_frees_at_least_the_minimum(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.transition_centisecs = 0;
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, BACKGROUND + 1)->idle, MB);
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, BACKGROUND + MB)->idle, MB);
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, BACKGROUND + MB + 1)->idle, MB + 1);
	scene->tunables.min_reclaim_bytes = 7 * MB;
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, BACKGROUND + 1)->idle, 7 * MB);
	/* and what it is not there for is not planned */
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, BACKGROUND)->idle, 0ull);
	scene->tunables.min_reclaim_bytes = 0;
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, BACKGROUND + 1)->idle, 1ull);
}

static void a_pass_is_bounded_and_the_rest_is_for_the_next(struct kunit *test)
{
	struct scene *scene = test->priv;
	u64 idle = BACKGROUND + 100 * MB;
	u32 passes = 0;

	scene->tunables.transition_centisecs = 0;
	do {
		plan_at(scene, NOW, idle);
		KUNIT_EXPECT_LE(test, scene->plan.idle, PASS_MAX);
		KUNIT_EXPECT_EQ(test, scene->plan.again, idle - BACKGROUND > PASS_MAX);
		idle -= scene->plan.idle;
	} while (scene->plan.again && ++passes < 100);
	KUNIT_EXPECT_EQ(test, idle, BACKGROUND);
}

static void without_thresholds_only_age_counts(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.transition_centisecs = 0;
	scene->tunables.idle_background_ratio = 0;
	scene->tunables.idle_ratio = 0;
	KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, NOW, U64_MAX)));
	KUNIT_EXPECT_TRUE(test, plan_at(scene, NOW + 15 * SECOND, U64_MAX)->age);
	KUNIT_EXPECT_EQ(test, scene->plan.idle, 0ull);
}

/* A plan: age */

static void steps_of_aging_are_half_an_expiry_apart(struct kunit *test)
{
	struct scene *scene = test->priv;
	u64 step = 15 * SECOND;

	KUNIT_EXPECT_FALSE(test, plan_at(scene, NOW + step - 1, 0)->age);
	KUNIT_EXPECT_TRUE(test, plan_at(scene, NOW + step + SECOND, 0)->age);
	/* from when it was made, not from when it was due */
	KUNIT_EXPECT_FALSE(test, plan_at(scene, NOW + step + SECOND, 0)->age);
	KUNIT_EXPECT_FALSE(test, plan_at(scene, NOW + 2 * step + SECOND - 1, 0)->age);
	KUNIT_EXPECT_TRUE(test, plan_at(scene, NOW + 2 * step + SECOND, 0)->age);
}

static void the_longest_time_to_expire_does_not_overflow(struct kunit *test)
{
	struct scene *scene = test->priv;
	u64 step = 43200 * SECOND;

	scene->tunables.idle_expire_centisecs = 8640000;
	KUNIT_EXPECT_FALSE(test, plan_at(scene, NOW + step - 1, 0)->age);
	KUNIT_EXPECT_TRUE(test, plan_at(scene, NOW + step, 0)->age);
}

/* A plan: limits */

static void above_the_memory_limit_nothing_waits(struct kunit *test)
{
	struct scene *scene = test->priv;

	uslab_tunable_set(&scene->tunables, USLAB_TUNABLE_memory_limit, 500 * MB);
	scene->view.backed = 500 * MB;
	KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, NOW, GB)));
	scene->view.backed = 505 * MB;
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, GB)->pages, 5 * MB / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, scene->plan.idle, 0ull);
	KUNIT_EXPECT_FALSE(test, scene->plan.again);
	/* at least the minimum */
	scene->view.backed = 500 * MB + 1;
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, GB)->pages, MB / PAGE_SIZE);
	scene->tunables.min_reclaim_bytes = 0;
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, GB)->pages, 1ull);
	/* and bounded */
	scene->view.backed = 600 * MB;
	KUNIT_EXPECT_EQ(test, plan_at(scene, NOW, GB)->pages, PASS_MAX / PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, scene->plan.again);
}

static void without_idle_objects_no_pages_are_asked_for(struct kunit *test)
{
	struct scene *scene = test->priv;

	uslab_tunable_set(&scene->tunables, USLAB_TUNABLE_memory_limit, MB);
	scene->view.backed = GB;
	KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, NOW, 0)));
	KUNIT_EXPECT_GT(test, plan_at(scene, NOW, 1)->pages, 0ull);
}

static void manual_mode_plans_nothing(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 i;

	scene->tunables.mode = USLAB_MODE_MANUAL;
	scene->tunables.growth_percent = 1;
	uslab_tunable_set(&scene->tunables, USLAB_TUNABLE_memory_limit, MB);
	scene->view.backed = 50 * GB;
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, NOW + i * SECOND, 40 * GB)));
	/* the same in automatic mode */
	scene->tunables.mode = USLAB_MODE_AUTO;
	plan(scene);
	KUNIT_EXPECT_TRUE(test, scene->plan.age && scene->plan.idle && scene->plan.pages);
}

static void huge_numbers_make_bounded_plans(struct kunit *test)
{
	static const u64 huge[] = { 1ull << 50, 1ull << 63, U64_MAX };
	struct scene *scene = test->priv;
	struct uslab_tunables *tunables = &scene->tunables;
	u32 i, j;

	tunables->transition_centisecs = 0;
	for (i = 0; i < 3; i++)
		for (j = 0; j < 3; j++) {
			scene->view.memory = huge[i];
			scene->view.backed = huge[j];
			tunables->memory_limit = i ? huge[i] - 1 : 1;
			tunables->min_reclaim_bytes = huge[j];
			/* a tenth of the memory is background */
			plan_at(scene, NOW, huge[j]);
			KUNIT_EXPECT_EQ(test, scene->plan.idle,
					huge[j] > huge[i] / 10 ? PASS_MAX : 0);
			KUNIT_EXPECT_EQ(test, scene->plan.pages,
					huge[j] > tunables->memory_limit ?
						PASS_MAX / PAGE_SIZE : 0);
			KUNIT_EXPECT_EQ(test, scene->plan.again,
					scene->plan.idle || scene->plan.pages);
			look(scene, NOW, 0);
			KUNIT_EXPECT_EQ(test, scene->gov.level, huge[j] > tunables->memory_limit ?
						(u32)USLAB_PRESSURE_CRITICAL :
						scene->gov.level);
		}
}

/* The share of the CPU */

static void after_a_pass_the_worker_rests_for_its_share_of_the_cpu(struct kunit *test)
{
	struct scene *scene = test->priv;
	u64 rest = 9 * 20000;		/* a tenth is work */

	scene->tunables.transition_centisecs = 0;
	KUNIT_EXPECT_GT(test, plan_at(scene, NOW, GB + BACKGROUND)->idle, 0ull);
	done(scene, 20000);
	KUNIT_EXPECT_EQ(test, next(scene, true), NOW + rest);
	KUNIT_EXPECT_FALSE(test, busy(plan_at(scene, NOW + rest - 1, GB + BACKGROUND)));
	KUNIT_EXPECT_GT(test, plan_at(scene, NOW + rest, GB + BACKGROUND)->idle, 0ull);
}

static void all_of_the_cpu_means_no_rest(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.reclaim_cpu_percent = 100;
	done(scene, 20000);
	KUNIT_EXPECT_EQ(test, next(scene, true), NOW + 1);
}

/* Passes one after the other, each as soon as may be. */
static void the_worker_never_takes_more_than_its_share(struct kunit *test)
{
	static const u32 percents[] = { 1, 10, 33, 50, 99, 100 };
	struct scene *scene = test->priv;
	u32 seed = 5;
	u32 i, j;

	scene->tunables.transition_centisecs = 0;
	for (i = 0; i < 6; i++) {
		u64 start = scene->view.now;
		u64 worked = 0;

		scene->tunables.reclaim_cpu_percent = percents[i];
		for (j = 0; j < 100; j++) {
			u64 took = 1 + test_below(&seed, 50000);

			plan_at(scene, scene->view.now, GB + BACKGROUND);
			KUNIT_EXPECT_GT(test, scene->plan.idle, 0ull);
			scene->view.now += took;
			worked += took;
			done(scene, took);
			scene->view.now = next(scene, scene->plan.again);
		}
		/* exactly, but for a microsecond a pass */
		KUNIT_EXPECT_LE(test, worked * 100,
				(scene->view.now - start + 100) * percents[i]);
		KUNIT_EXPECT_GE(test, worked * 100 + 100 * 100,
				(scene->view.now - start) * percents[i]);
	}
}

/* When to look again */

static void the_next_look_is_after_a_period(struct kunit *test)
{
	struct scene *scene = test->priv;

	KUNIT_EXPECT_EQ(test, next(scene, false), NOW + 5 * SECOND);
	scene->tunables.idle_aging_centisecs = 360000;
	KUNIT_EXPECT_EQ(test, next(scene, false), NOW + 3600 * SECOND);
}

static void without_a_period_there_is_no_next_look(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.idle_aging_centisecs = 0;
	plan_at(scene, NOW, GB + BACKGROUND);
	done(scene, SECOND);
	KUNIT_EXPECT_EQ(test, next(scene, false), 0ull);
	KUNIT_EXPECT_EQ(test, next(scene, true), 0ull);
}

static void the_next_look_is_when_the_transition_is_over(struct kunit *test)
{
	struct scene *scene = test->priv;

	plan_at(scene, NOW, GB + BACKGROUND);
	KUNIT_EXPECT_EQ(test, next(scene, false), NOW + TRANSITION);
	plan_at(scene, NOW + TRANSITION / 2, GB + BACKGROUND);
	KUNIT_EXPECT_EQ(test, next(scene, false), NOW + TRANSITION);
	/* but no later than otherwise */
	scene->tunables.transition_centisecs = 1000;
	KUNIT_EXPECT_EQ(test, next(scene, false), NOW + TRANSITION / 2 + 5 * SECOND);
	/* and not when idle fell in the meantime */
	scene->tunables.transition_centisecs = 100;
	plan_at(scene, NOW + TRANSITION / 2, BACKGROUND);
	KUNIT_EXPECT_EQ(test, next(scene, false), NOW + TRANSITION / 2 + 5 * SECOND);
}

static void what_is_left_is_taken_after_the_rest(struct kunit *test)
{
	struct scene *scene = test->priv;

	KUNIT_EXPECT_EQ(test, next(scene, true), NOW + 1);
	done(scene, 1000);
	KUNIT_EXPECT_EQ(test, next(scene, true), NOW + 9000);
	KUNIT_EXPECT_EQ(test, next(scene, false), NOW + 5 * SECOND);
	done(scene, SECOND);
	KUNIT_EXPECT_EQ(test, next(scene, false), NOW + 9 * SECOND);
}

/* Growth */

static void growth_is_measured_against_what_was_in_use(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.growth_percent = 50;
	scene->view.backed = 100 * MB;
	scene->view.idle = 20 * MB;
	done(scene, 0);
	KUNIT_EXPECT_FALSE(test, grown(scene, 119 * MB));
	KUNIT_EXPECT_TRUE(test, grown(scene, 121 * MB));
	/* nothing was idle: half of all */
	scene->view.idle = 0;
	done(scene, 0);
	KUNIT_EXPECT_FALSE(test, grown(scene, 121 * MB));
	KUNIT_EXPECT_FALSE(test, grown(scene, 150 * MB));
	KUNIT_EXPECT_TRUE(test, grown(scene, 150 * MB + 1));
}

static void what_was_there_before_is_not_growth(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.growth_percent = 10;
	scene->view.backed = 100 * MB;
	scene->view.idle = 60 * MB;
	done(scene, 0);
	KUNIT_EXPECT_FALSE(test, grown(scene, 100 * MB));
	KUNIT_EXPECT_TRUE(test, grown(scene, 100 * MB + 1));
	/* more idle than backed, as nonsense counters may say */
	scene->view.idle = U64_MAX;
	done(scene, 0);
	KUNIT_EXPECT_FALSE(test, grown(scene, 100 * MB));
	KUNIT_EXPECT_TRUE(test, grown(scene, 100 * MB + 1));
}

static void growth_makes_a_step_of_aging_due_once(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.growth_percent = 50;
	scene->tunables.reclaim_cpu_percent = 100;
	scene->view.backed = 100 * MB;
	done(scene, 0);
	scene->view.backed = 160 * MB;
	KUNIT_EXPECT_TRUE(test, plan_at(scene, NOW + 1, 0)->age);
	done(scene, 0);
	KUNIT_EXPECT_FALSE(test, plan_at(scene, NOW + 2, 0)->age);
	/* it was a step as any other: the next is due as long after it */
	KUNIT_EXPECT_FALSE(test, plan_at(scene, NOW + 15 * SECOND, 0)->age);
	KUNIT_EXPECT_TRUE(test, plan_at(scene, NOW + 15 * SECOND + 1, 0)->age);
}

static void small_pools_and_pools_without_a_percentage_do_not_grow(struct kunit *test)
{
	struct scene *scene = test->priv;

	KUNIT_EXPECT_FALSE(test, grown(scene, U64_MAX));
	scene->tunables.growth_percent = 1;
	KUNIT_EXPECT_FALSE(test, grown(scene, 4 * MB));
	KUNIT_EXPECT_TRUE(test, grown(scene, 5 * MB));
	scene->tunables.growth_percent = 10000;
	KUNIT_EXPECT_FALSE(test, grown(scene, 400 * MB));
	KUNIT_EXPECT_TRUE(test, grown(scene, 405 * MB));
	scene->view.backed = 1ull << 50;
	done(scene, 0);
	KUNIT_EXPECT_FALSE(test, grown(scene, (1ull << 50) * 100));
	KUNIT_EXPECT_TRUE(test, grown(scene, (1ull << 50) * 102));
}

/* Loads over time */

struct life {
	u64 tick;
	u64 half;		/* ticks that a load is low, then high */
	u64 swing;		/* it goes as far above background as below */
	u64 rise;		/* or it rises by so much a tick */
	bool dense;		/* the worker looks at every tick, not only when it has to */
	u64 passes;
	u64 least;		/* taken by one of them */
	u64 most;
};

static void live(struct scene *scene, struct life *life, u64 ticks)
{
	u64 idle = life->rise ? BACKGROUND : 0;
	u64 wake = 0;
	u64 t;

	life->least = U64_MAX;
	for (t = 0; t < ticks; t++) {
		u64 now = NOW + t * life->tick;
		u64 taken;

		if (life->rise)
			idle += life->rise;
		else if (t % life->half == 0)
			idle = t / life->half & 1 ? BACKGROUND + life->swing :
						    BACKGROUND - life->swing;
		if (!life->dense && now < wake)
			continue;
		taken = min_t(u64, plan_at(scene, now, idle)->idle, idle);
		if (taken) {
			idle -= taken;
			scene->view.idle = idle;
			done(scene, 10);
			life->passes++;
			life->least = min_t(u64, life->least, taken);
			life->most = max_t(u64, life->most, taken);
		}
		wake = next(scene, scene->plan.again && taken);
	}
}

static void a_load_that_oscillates_fast_causes_no_pass(struct kunit *test)
{
	static const u64 halves[] = { 1, 3, 50, 99 };
	struct scene *scene = test->priv;
	u32 i;

	for (i = 0; i < 4; i++) {
		struct life life = {
			.tick = TRANSITION / 100, .half = halves[i], .swing = 200 * MB,
			.dense = true,
		};

		memset(&scene->gov, 0, sizeof(scene->gov));
		live(scene, &life, 10000);
		KUNIT_EXPECT_EQ(test, life.passes, 0ull);
	}
}

static void an_oscillating_load_causes_a_bounded_number_of_passes(struct kunit *test)
{
	static const u64 halves[] = { 101, 150, 300, 1000 };
	struct scene *scene = test->priv;
	u32 i;

	for (i = 0; i < 8; i++) {
		struct life life = {
			.tick = TRANSITION / 100, .half = halves[i / 2], .swing = 4 * MB,
			.dense = i & 1,
		};
		u64 cycles = 20000 / (2 * life.half) + 1;

		memset(&scene->gov, 0, sizeof(scene->gov));
		live(scene, &life, 20000);
		/* one each time that the load is high */
		KUNIT_EXPECT_LE(test, life.passes, cycles);
		if (life.dense)
			KUNIT_EXPECT_GE(test, life.passes, cycles - 1);
		if (life.passes)
			KUNIT_EXPECT_EQ(test, life.least, 4 * MB);
	}
}

/* Seen only now and then, a fast load may seem high all the time. */
static void a_load_that_is_not_seen_to_oscillate_causes_a_bounded_number(struct kunit *test)
{
	static const u64 halves[] = { 1, 7, 50, 99 };
	struct scene *scene = test->priv;
	u32 i;

	for (i = 0; i < 4; i++) {
		struct life life = {
			.tick = TRANSITION / 100, .half = halves[i], .swing = 4 * MB,
		};

		memset(&scene->gov, 0, sizeof(scene->gov));
		live(scene, &life, 20000);
		KUNIT_EXPECT_LE(test, life.passes, 20000ull / 100);
	}
}

static void a_load_that_rises_causes_passes_of_the_minimum(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct life life = { .tick = SECOND / 10, .rise = MB / 16, .dense = true };

	scene->tunables.min_reclaim_bytes = 8 * MB;
	live(scene, &life, 1024);
	KUNIT_EXPECT_LE(test, life.passes, 64ull / 8 + 1);
	KUNIT_EXPECT_GE(test, life.passes, 64ull / 8 - 1);
	KUNIT_EXPECT_EQ(test, life.least, 8 * MB);
	KUNIT_EXPECT_EQ(test, life.most, 8 * MB);
}

/* The oracle itself: it is the minimum and the transition that bound the number. */
static void control_without_minimum_or_transition_there_are_many_passes(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct life life = { .tick = SECOND / 10, .rise = MB / 16, .dense = true };
	struct life fast = { .tick = SECOND / 100, .half = 3, .swing = 4 * MB, .dense = true };

	scene->tunables.min_reclaim_bytes = 0;
	live(scene, &life, 1024);
	KUNIT_EXPECT_GT(test, life.passes, 50ull);
	memset(&scene->gov, 0, sizeof(scene->gov));
	scene->tunables.transition_centisecs = 0;
	live(scene, &fast, 1000);
	KUNIT_EXPECT_GT(test, fast.passes, 100ull);
}

static void an_enormous_heap_goes_in_passes_with_rests(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct life life = { .tick = 100, .half = 1000, .swing = GB };

	/* low, then high for a tenth of a second; 10 microseconds a pass, and 90 to rest */
	scene->tunables.transition_centisecs = 0;
	scene->tunables.idle_aging_centisecs = 1;
	live(scene, &life, 2000);
	KUNIT_EXPECT_EQ(test, life.passes, GB / PASS_MAX);
	KUNIT_EXPECT_EQ(test, life.most, PASS_MAX);
}

static struct kunit_case governor_cases[] = {
	KUNIT_CASE(up_to_background_nothing_is_planned),
	KUNIT_CASE(background_must_hold_for_the_transition_period),
	KUNIT_CASE(falling_to_background_starts_the_period_anew),
	KUNIT_CASE(a_pass_down_to_background_starts_the_period_anew),
	KUNIT_CASE(without_a_transition_period_nothing_waits),
	KUNIT_CASE(a_pass_takes_what_is_above_background),
	KUNIT_CASE(a_pass_frees_at_least_the_minimum),
	KUNIT_CASE(a_pass_is_bounded_and_the_rest_is_for_the_next),
	KUNIT_CASE(without_thresholds_only_age_counts),
	KUNIT_CASE(steps_of_aging_are_half_an_expiry_apart),
	KUNIT_CASE(the_longest_time_to_expire_does_not_overflow),
	KUNIT_CASE(above_the_memory_limit_nothing_waits),
	KUNIT_CASE(without_idle_objects_no_pages_are_asked_for),
	KUNIT_CASE(manual_mode_plans_nothing),
	KUNIT_CASE(huge_numbers_make_bounded_plans),
	KUNIT_CASE(after_a_pass_the_worker_rests_for_its_share_of_the_cpu),
	KUNIT_CASE(all_of_the_cpu_means_no_rest),
	KUNIT_CASE(the_worker_never_takes_more_than_its_share),
	KUNIT_CASE(the_next_look_is_after_a_period),
	KUNIT_CASE(without_a_period_there_is_no_next_look),
	KUNIT_CASE(the_next_look_is_when_the_transition_is_over),
	KUNIT_CASE(what_is_left_is_taken_after_the_rest),
	KUNIT_CASE(growth_is_measured_against_what_was_in_use),
	KUNIT_CASE(what_was_there_before_is_not_growth),
	KUNIT_CASE(growth_makes_a_step_of_aging_due_once),
	KUNIT_CASE(small_pools_and_pools_without_a_percentage_do_not_grow),
	KUNIT_CASE(a_load_that_oscillates_fast_causes_no_pass),
	KUNIT_CASE(an_oscillating_load_causes_a_bounded_number_of_passes),
	KUNIT_CASE(a_load_that_is_not_seen_to_oscillate_causes_a_bounded_number),
	KUNIT_CASE(a_load_that_rises_causes_passes_of_the_minimum),
	KUNIT_CASE(control_without_minimum_or_transition_there_are_many_passes),
	KUNIT_CASE(an_enormous_heap_goes_in_passes_with_rests),
	{ }
};

static struct kunit_suite governor_suite = {
	.name = "uslab_governor",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = governor_cases,
};

kunit_test_suite(governor_suite);
