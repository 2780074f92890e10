// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The governor: each decision by itself, and a load over time that a worker without
 * means looks at. Nothing waits: time is a number.
 */
#include "fixture.h"

#define SECOND		(100 * USLAB_CENTISEC)
#define NOW		(1000 * SECOND)
#define MB		(1ull << 20)
#define GB		(1ull << 30)
#define MEMORY		(100 * GB)
#define BACKGROUND	(10 * GB)	/* of the initial ratios */
#define HARD		(30 * GB)
#define TRANSITION	SECOND		/* the initial one */
#define PASS_MAX	(16 * MB)	/* what one pass takes back at most */

#define BIT_OF(field)	(1u << USLAB_TUNABLE_##field)

struct scene {
	struct uslab_tunables tunables;
	struct uslab_tunables other;
	struct uslab_governor gov;
	struct uslab_view view;
	struct uslab_plan plan;
};

static int scene_init(struct kunit *test)
{
	struct scene *scene = test_alloc(sizeof(*scene));

	test->priv = scene;
	if (!scene)
		return -ENOMEM;
	uslab_tunables_init(&scene->tunables);
	uslab_tunables_init(&scene->other);
	scene->view.now = NOW;
	scene->view.memory = MEMORY;
	scene->gov.aged = NOW;
	return 0;
}

static void scene_exit(struct kunit *test)
{
	test_free(test->priv);
}

/* Write a tunable and nothing else. */
static void poke(struct uslab_tunables *tunables, u32 index, u64 value)
{
	const struct uslab_tunable *tunable = &uslab_tunables_table[index];
	char *field = (char *)tunables + tunable->offset;

	if (tunable->width == sizeof(u64))
		*(u64 *)field = value;
	else
		*(u32 *)field = (u32)value;
}

/* A value in range that is not the initial one. */
static u64 another(u32 index)
{
	const struct uslab_tunable *tunable = &uslab_tunables_table[index];

	return tunable->initial == tunable->max ? tunable->min : tunable->max;
}

static struct uslab_plan *plan(struct scene *scene)
{
	memset(&scene->plan, 0xff, sizeof(scene->plan));
	uslab_governor_plan(&scene->gov, &scene->tunables, &scene->view, &scene->plan);
	return &scene->plan;
}

static struct uslab_plan *plan_at(struct scene *scene, u64 now, u64 idle)
{
	scene->view.now = now;
	scene->view.idle = idle;
	return plan(scene);
}

/* Something to do, whatever it is? */
static bool busy(const struct uslab_plan *plan)
{
	return plan->age || plan->again || plan->idle || plan->pages;
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

static bool look(struct scene *scene, u64 now, u32 used)
{
	scene->view.now = now;
	scene->view.used = used;
	return uslab_governor_look(&scene->gov, &scene->tunables, &scene->view);
}

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

/* The table */

static void the_table_covers_every_field(struct kunit *test)
{
	u64 bytes = sizeof(u32);	/* size */
	u32 i, j;

	KUNIT_EXPECT_LE(test, (u32)USLAB_NR_TUNABLES, 32u);
	for (i = 0; i < USLAB_NR_TUNABLES; i++) {
		const struct uslab_tunable *tunable = &uslab_tunables_table[i];

		KUNIT_EXPECT_TRUE(test, tunable->width == 4 || tunable->width == 8);
		KUNIT_EXPECT_EQ(test, tunable->offset % tunable->width, 0);
		KUNIT_EXPECT_GE(test, (u64)tunable->offset, sizeof(u32));
		KUNIT_EXPECT_LE(test, tunable->min, tunable->initial);
		KUNIT_EXPECT_LE(test, tunable->initial, tunable->max);
		for (j = 0; j < i; j++) {
			KUNIT_EXPECT_NE(test, tunable->offset, uslab_tunables_table[j].offset);
			KUNIT_EXPECT_TRUE(test, strcmp(tunable->name,
						       uslab_tunables_table[j].name));
		}
		bytes += tunable->width;
	}
	KUNIT_EXPECT_EQ(test, bytes, (u64)sizeof(struct uslab_tunables));
}

static void initial_values_stand_together(struct kunit *test)
{
	static const u64 memory[] = { 0, 1, 99, 100, MB, GB, 1ull << 50, U64_MAX };
	struct scene *scene = test->priv;
	u32 i;

	KUNIT_EXPECT_EQ(test, scene->tunables.size, (u32)sizeof(scene->tunables));
	for (i = 0; i < USLAB_NR_TUNABLES; i++)
		KUNIT_EXPECT_EQ(test, uslab_tunable_get(&scene->tunables, i),
				uslab_tunables_table[i].initial);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, uslab_tunables_check(&scene->tunables, memory[i], USLAB_TUNABLES_ALL), 0);
}

static void what_is_set_is_read_and_nothing_else_changes(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 i, changed;

	for (i = 0; i < USLAB_NR_TUNABLES; i++) {
		uslab_tunables_init(&scene->tunables);
		uslab_tunable_set(&scene->tunables, i, another(i));
		KUNIT_EXPECT_EQ(test, uslab_tunable_get(&scene->tunables, i), another(i));
		changed = uslab_tunables_differ(&scene->tunables, &scene->other);
		KUNIT_EXPECT_TRUE(test, changed & 1u << i);
		KUNIT_EXPECT_EQ(test, changed & ~uslab_tunable_group(i), 0u);
		KUNIT_EXPECT_EQ(test, scene->tunables.size, (u32)sizeof(scene->tunables));
	}
}

static bool levels_rise(const struct uslab_tunables *tunables)
{
	return tunables->pressure_low_percent < tunables->pressure_medium_percent &&
	       tunables->pressure_medium_percent < tunables->pressure_critical_percent;
}

static int check_one(struct uslab_tunables *tunables, u32 index, u64 value)
{
	uslab_tunables_init(tunables);
	/* as much room as the others can leave */
	tunables->idle_background_ratio = 0;
	tunables->idle_ratio = 0;
	tunables->pressure_low_percent = 1;
	tunables->pressure_critical_percent = 100;
	tunables->pressure_medium_percent = index == USLAB_TUNABLE_pressure_critical_percent ?
						    2 : 99;
	poke(tunables, index, value);
	return uslab_tunables_check(tunables, MEMORY, USLAB_TUNABLES_ALL);
}

static void boundaries_of_every_range(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 i;

	for (i = 0; i < USLAB_NR_TUNABLES; i++) {
		u64 min = uslab_tunables_table[i].min;
		u64 max = uslab_tunables_table[i].max;

		/* a level at its bound may leave none for another */
		KUNIT_EXPECT_EQ(test, check_one(&scene->tunables, i, min),
				levels_rise(&scene->tunables) ? 0 : -EINVAL);
		KUNIT_EXPECT_EQ(test, check_one(&scene->tunables, i, max),
				levels_rise(&scene->tunables) ? 0 : -EINVAL);
		if (min)
			KUNIT_EXPECT_EQ(test, check_one(&scene->tunables, i, min - 1), -EINVAL);
		if (max == U64_MAX)
			continue;
		KUNIT_EXPECT_EQ(test, check_one(&scene->tunables, i, max + 1), -EINVAL);
		KUNIT_EXPECT_EQ(test, check_one(&scene->tunables, i, U32_MAX), -EINVAL);
	}
}

/* Groups */

static void a_group_is_all_that_a_change_may_change(struct kunit *test)
{
	u32 i, j;

	KUNIT_EXPECT_EQ(test, uslab_tunable_group(USLAB_TUNABLE_idle_bytes),
			BIT_OF(idle_bytes) | BIT_OF(idle_ratio));
	KUNIT_EXPECT_EQ(test, uslab_tunable_group(USLAB_TUNABLE_idle_background_ratio),
			BIT_OF(idle_background_bytes) | BIT_OF(idle_background_ratio));
	KUNIT_EXPECT_EQ(test, uslab_tunable_group(USLAB_TUNABLE_memory_limit),
			BIT_OF(memory_limit) | BIT_OF(memory_limit_percent));
	KUNIT_EXPECT_EQ(test, uslab_tunable_group(USLAB_TUNABLE_min_idle), BIT_OF(min_idle));
	for (i = 0; i < USLAB_NR_TUNABLES; i++)
		for (j = 0; j < USLAB_NR_TUNABLES; j++)
			if (uslab_tunable_group(i) & 1u << j)
				KUNIT_EXPECT_EQ(test, uslab_tunable_group(i),
						uslab_tunable_group(j));
}

static void setting_bytes_clears_the_ratio(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_tunables *tunables = &scene->tunables;

	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_background_bytes, 5 * MB);
	KUNIT_EXPECT_EQ(test, tunables->idle_background_bytes, 5 * MB);
	KUNIT_EXPECT_EQ(test, tunables->idle_background_ratio, 0u);
	KUNIT_EXPECT_EQ(test, tunables->idle_ratio, 30u);
	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_bytes, U64_MAX);
	KUNIT_EXPECT_EQ(test, tunables->idle_bytes, U64_MAX);
	KUNIT_EXPECT_EQ(test, tunables->idle_ratio, 0u);
	KUNIT_EXPECT_EQ(test, tunables->idle_background_bytes, 5 * MB);
}

static void setting_a_ratio_clears_the_bytes(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_tunables *tunables = &scene->tunables;

	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_bytes, 5 * MB);
	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_ratio, 7);
	KUNIT_EXPECT_EQ(test, tunables->idle_bytes, 0ull);
	KUNIT_EXPECT_EQ(test, tunables->idle_ratio, 7u);
	uslab_tunable_set(tunables, USLAB_TUNABLE_memory_limit, 5 * MB);
	uslab_tunable_set(tunables, USLAB_TUNABLE_memory_limit_percent, 50);
	KUNIT_EXPECT_EQ(test, tunables->memory_limit, 0ull);
	KUNIT_EXPECT_EQ(test, tunables->memory_limit_percent, 50u);
	KUNIT_EXPECT_EQ(test, tunables->idle_background_ratio, 10u);
}

static void setting_0_clears_nothing_else(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_tunables *tunables = &scene->tunables;

	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_bytes, 0);
	KUNIT_EXPECT_EQ(test, tunables->idle_ratio, 30u);
	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_bytes, 5 * MB);
	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_ratio, 0);
	KUNIT_EXPECT_EQ(test, tunables->idle_bytes, 5 * MB);
}

/* Defaults */

static void each_difference_has_its_bit(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 i;

	KUNIT_EXPECT_EQ(test, uslab_tunables_differ(&scene->tunables, &scene->other), 0u);
	for (i = 0; i < USLAB_NR_TUNABLES; i++) {
		uslab_tunables_init(&scene->tunables);
		poke(&scene->tunables, i, another(i));
		KUNIT_EXPECT_EQ(test, uslab_tunables_differ(&scene->tunables, &scene->other),
				1u << i);
		KUNIT_EXPECT_EQ(test, uslab_tunables_differ(&scene->other, &scene->tunables),
				1u << i);
	}
}

static void defaults_are_followed_but_in_ones_own(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 all = (1u << USLAB_NR_TUNABLES) - 1;
	u32 seed = 7;
	u32 i, j;

	for (j = 0; j < USLAB_NR_TUNABLES; j++)
		poke(&scene->other, j, another(j));
	for (i = 0; i < 100; i++) {
		u32 own = i < 2 ? all * i : test_random(&seed) & all;

		uslab_tunables_init(&scene->tunables);
		uslab_tunables_follow(&scene->tunables, own, &scene->other);
		/* what is its own is as before, the rest is the defaults' */
		KUNIT_EXPECT_EQ(test, uslab_tunables_differ(&scene->tunables, &scene->other), own);
		for (j = 0; j < USLAB_NR_TUNABLES; j++)
			if (own & 1u << j)
				KUNIT_EXPECT_EQ(test, uslab_tunable_get(&scene->tunables, j),
						uslab_tunables_table[j].initial);
	}
}

/* What may stand together */

/* Change one of the scene's; whose it was before does not matter. */
static int change(struct scene *scene, u32 *own, u32 index, u64 value)
{
	struct uslab_tunables wanted = scene->tunables;

	uslab_tunable_set(&wanted, index, value);
	return uslab_tunables_change(&scene->tunables, own, &wanted, 0, 0, 1ull << 30);
}

static void a_background_threshold_gives_way_until_somebody_sets_it(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_tunables before;
	u32 own = 0;

	KUNIT_EXPECT_EQ(test, change(scene, &own, USLAB_TUNABLE_idle_ratio, 5), 0);
	KUNIT_EXPECT_EQ(test, own, uslab_tunable_group(USLAB_TUNABLE_idle_ratio));
	KUNIT_EXPECT_EQ(test, uslab_thresholds(&scene->tunables, 100000).background, 5000ull);
	KUNIT_EXPECT_EQ(test, change(scene, &own, USLAB_TUNABLE_idle_background_ratio, 6), -EINVAL);
	KUNIT_EXPECT_EQ(test, own, uslab_tunable_group(USLAB_TUNABLE_idle_ratio));
	KUNIT_EXPECT_EQ(test, change(scene, &own, USLAB_TUNABLE_idle_background_ratio, 4), 0);
	before = scene->tunables;
	KUNIT_EXPECT_EQ(test, change(scene, &own, USLAB_TUNABLE_idle_ratio, 3), -EINVAL);
	KUNIT_EXPECT_EQ(test, uslab_tunables_differ(&before, &scene->tunables), 0u);
	/* what has nothing to do with it may change */
	KUNIT_EXPECT_EQ(test, change(scene, &own, USLAB_TUNABLE_min_idle, 3), 0);
}

static void ratios_above_the_hard_threshold_are_refused(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.idle_background_ratio = 30;
	KUNIT_EXPECT_EQ(test, uslab_tunables_check(&scene->tunables, MEMORY, USLAB_TUNABLES_ALL), 0);
	scene->tunables.idle_background_ratio = 31;
	KUNIT_EXPECT_EQ(test, uslab_tunables_check(&scene->tunables, MEMORY, USLAB_TUNABLES_ALL), -EINVAL);
}

static void bytes_above_the_hard_threshold_are_refused(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_tunables *tunables = &scene->tunables;

	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_background_bytes, HARD);
	KUNIT_EXPECT_EQ(test, uslab_tunables_check(tunables, MEMORY, USLAB_TUNABLES_ALL), 0);
	KUNIT_EXPECT_EQ(test, uslab_tunables_check(tunables, MEMORY / 2, USLAB_TUNABLES_ALL), -EINVAL);
	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_background_bytes, HARD + 1);
	KUNIT_EXPECT_EQ(test, uslab_tunables_check(tunables, MEMORY, USLAB_TUNABLES_ALL), -EINVAL);
	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_bytes, HARD + 1);
	KUNIT_EXPECT_EQ(test, uslab_tunables_check(tunables, MEMORY, USLAB_TUNABLES_ALL), 0);
	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_background_ratio, 31);
	KUNIT_EXPECT_EQ(test, uslab_tunables_check(tunables, MEMORY, USLAB_TUNABLES_ALL), -EINVAL);
}

static void without_a_hard_threshold_any_background_will_do(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_tunables *tunables = &scene->tunables;

	tunables->idle_ratio = 0;
	tunables->idle_background_ratio = 100;
	KUNIT_EXPECT_EQ(test, uslab_tunables_check(tunables, MEMORY, USLAB_TUNABLES_ALL), 0);
	uslab_tunable_set(tunables, USLAB_TUNABLE_idle_background_bytes, U64_MAX);
	KUNIT_EXPECT_EQ(test, uslab_tunables_check(tunables, MEMORY, USLAB_TUNABLES_ALL), 0);
}

static void without_a_background_any_hard_threshold_will_do(struct kunit *test)
{
	struct scene *scene = test->priv;

	scene->tunables.idle_background_ratio = 0;
	uslab_tunable_set(&scene->tunables, USLAB_TUNABLE_idle_bytes, 1);
	KUNIT_EXPECT_EQ(test, uslab_tunables_check(&scene->tunables, MEMORY, USLAB_TUNABLES_ALL), 0);
}

static void pressure_levels_must_rise(struct kunit *test)
{
	static const struct {
		u32 low, medium, critical;
		int err;
	} cases[] = {
		{ 1, 2, 3, 0 }, { 98, 99, 100, 0 }, { 50, 50, 60, -EINVAL },
		{ 50, 60, 60, -EINVAL }, { 60, 50, 70, -EINVAL }, { 50, 70, 60, -EINVAL },
		{ 70, 60, 50, -EINVAL }, { 100, 100, 100, -EINVAL },
	};
	struct scene *scene = test->priv;
	u32 i;

	for (i = 0; i < 8; i++) {
		scene->tunables.pressure_low_percent = cases[i].low;
		scene->tunables.pressure_medium_percent = cases[i].medium;
		scene->tunables.pressure_critical_percent = cases[i].critical;
		KUNIT_EXPECT_EQ(test, uslab_tunables_check(&scene->tunables, MEMORY, USLAB_TUNABLES_ALL),
				cases[i].err);
	}
}

/* Thresholds */

static void thresholds_are_percent_of_the_memory(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_thresholds at = uslab_thresholds(&scene->tunables, MEMORY);

	KUNIT_EXPECT_EQ(test, at.background, BACKGROUND);
	KUNIT_EXPECT_EQ(test, at.hard, HARD);
	at = uslab_thresholds(&scene->tunables, MEMORY / 2);
	KUNIT_EXPECT_EQ(test, at.background, BACKGROUND / 2);
	KUNIT_EXPECT_EQ(test, at.hard, HARD / 2);
	at = uslab_thresholds(&scene->tunables, 0);
	KUNIT_EXPECT_EQ(test, at.hard, 0ull);
}

static void bytes_take_the_place_of_the_ratio(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_thresholds at;

	/* both set, as uslab_tunable_set() does not leave them */
	scene->tunables.idle_background_bytes = 3 * MB;
	scene->tunables.idle_bytes = 5 * MB;
	at = uslab_thresholds(&scene->tunables, MEMORY);
	KUNIT_EXPECT_EQ(test, at.background, 3 * MB);
	KUNIT_EXPECT_EQ(test, at.hard, 5 * MB);
}

static void no_threshold_is_the_highest_number(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_thresholds at;

	scene->tunables.idle_ratio = 0;
	at = uslab_thresholds(&scene->tunables, MEMORY);
	KUNIT_EXPECT_EQ(test, at.hard, U64_MAX);
	KUNIT_EXPECT_EQ(test, at.background, BACKGROUND);
	scene->tunables.idle_background_ratio = 0;
	at = uslab_thresholds(&scene->tunables, MEMORY);
	KUNIT_EXPECT_EQ(test, at.background, U64_MAX);
}

static void background_is_never_above_hard(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_thresholds at;

	/* the memory has become less since they were checked */
	uslab_tunable_set(&scene->tunables, USLAB_TUNABLE_idle_background_bytes, HARD);
	at = uslab_thresholds(&scene->tunables, MEMORY / 10);
	KUNIT_EXPECT_LE(test, at.hard, HARD / 10);
	KUNIT_EXPECT_EQ(test, at.background, at.hard);
	/* and none is above all */
	uslab_tunable_set(&scene->tunables, USLAB_TUNABLE_idle_background_bytes, 0);
	at = uslab_thresholds(&scene->tunables, MEMORY);
	KUNIT_EXPECT_EQ(test, at.background, HARD);
}

static void percent_of_huge_memory_does_not_overflow(struct kunit *test)
{
	static const u64 memory[] = { 1ull << 50, 1ull << 63, U64_MAX };
	struct scene *scene = test->priv;
	struct uslab_thresholds at;
	u32 i;

	scene->tunables.idle_ratio = 100;
	scene->tunables.memory_limit_percent = 100;
	for (i = 0; i < 3; i++) {
		at = uslab_thresholds(&scene->tunables, memory[i]);
		KUNIT_EXPECT_EQ(test, at.background, memory[i] / 100 * 10);
		KUNIT_EXPECT_LE(test, at.hard, memory[i]);
		KUNIT_EXPECT_GT(test, at.hard, memory[i] - 100);
		KUNIT_EXPECT_EQ(test, uslab_memory_limit(&scene->tunables, memory[i]), at.hard);
	}
}

static void the_memory_limit_is_bytes_or_percent_or_none(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct uslab_tunables *tunables = &scene->tunables;

	KUNIT_EXPECT_EQ(test, uslab_memory_limit(tunables, MEMORY), U64_MAX);
	uslab_tunable_set(tunables, USLAB_TUNABLE_memory_limit_percent, 25);
	KUNIT_EXPECT_EQ(test, uslab_memory_limit(tunables, MEMORY), 25 * GB);
	uslab_tunable_set(tunables, USLAB_TUNABLE_memory_limit, 5 * MB);
	KUNIT_EXPECT_EQ(test, uslab_memory_limit(tunables, MEMORY), 5 * MB);
	tunables->memory_limit_percent = 25;
	KUNIT_EXPECT_EQ(test, uslab_memory_limit(tunables, MEMORY), 5 * MB);
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

static struct kunit_case governor_cases[] = {
	KUNIT_CASE(the_table_covers_every_field),
	KUNIT_CASE(initial_values_stand_together),
	KUNIT_CASE(what_is_set_is_read_and_nothing_else_changes),
	KUNIT_CASE(boundaries_of_every_range),
	KUNIT_CASE(a_group_is_all_that_a_change_may_change),
	KUNIT_CASE(setting_bytes_clears_the_ratio),
	KUNIT_CASE(setting_a_ratio_clears_the_bytes),
	KUNIT_CASE(setting_0_clears_nothing_else),
	KUNIT_CASE(each_difference_has_its_bit),
	KUNIT_CASE(defaults_are_followed_but_in_ones_own),
	KUNIT_CASE(a_background_threshold_gives_way_until_somebody_sets_it),
	KUNIT_CASE(ratios_above_the_hard_threshold_are_refused),
	KUNIT_CASE(bytes_above_the_hard_threshold_are_refused),
	KUNIT_CASE(without_a_hard_threshold_any_background_will_do),
	KUNIT_CASE(without_a_background_any_hard_threshold_will_do),
	KUNIT_CASE(pressure_levels_must_rise),
	KUNIT_CASE(thresholds_are_percent_of_the_memory),
	KUNIT_CASE(bytes_take_the_place_of_the_ratio),
	KUNIT_CASE(no_threshold_is_the_highest_number),
	KUNIT_CASE(background_is_never_above_hard),
	KUNIT_CASE(percent_of_huge_memory_does_not_overflow),
	KUNIT_CASE(the_memory_limit_is_bytes_or_percent_or_none),
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

static struct kunit_suite governor_suite = {
	.name = "uslab_governor",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = governor_cases,
};

kunit_test_suite(governor_suite);
