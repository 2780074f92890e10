// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Tunables: their table, what may stand together, and the thresholds they mean. */
#include "scene.h"

#define BIT_OF(field)	(1u << USLAB_TUNABLE_##field)

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

static struct kunit_case tunables_cases[] = {
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
	{ }
};

static struct kunit_suite tunables_suite = {
	.name = "uslab_tunables",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = tunables_cases,
};

kunit_test_suite(tunables_suite);
