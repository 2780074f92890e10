// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tunables: what values they take, by file and by command, and whose they are: the
 * module's default until a pool sets its own. What they do is in thresholds.c.
 */
#include "kmod.h"

/*
 * The list is written down a second time here on purpose, as uslab-reclaim(7) has it.
 * Another value is one that fits the others' defaults.
 */
struct tunable {
	const char *name;
	size_t offset;
	size_t width;
	unsigned long long min, max, initial, another;
};

#define FIELD(field)	#field, offsetof(struct uslab_tunables, field),	\
			sizeof(((struct uslab_tunables *)0)->field)

static const struct tunable tunables[] = {
	{ FIELD(mode), 0, 1, 0, 1 },
	{ FIELD(idle_background_ratio), 0, 100, 10, 29 },
	{ FIELD(idle_background_bytes), 0, UINT64_MAX, 0, 1 },
	{ FIELD(idle_ratio), 0, 100, 30, 11 },
	{ FIELD(idle_bytes), 0, UINT64_MAX, 0, 1ull << 40 },
	{ FIELD(min_idle), 0, UINT64_MAX, 0, 1ull << 33 },
	{ FIELD(idle_expire_centisecs), 1, 8640000, 3000, 1 },
	{ FIELD(idle_aging_centisecs), 0, 360000, 500, 0 },
	{ FIELD(transition_centisecs), 0, 360000, 100, 0 },
	{ FIELD(min_reclaim_bytes), 0, 16777216, 1048576, 4096 },
	{ FIELD(reclaim_cpu_percent), 1, 100, 10, 1 },
	{ FIELD(cache_pressure), 1, 10000, 100, 1 },
	{ FIELD(growth_percent), 0, 10000, 0, 50 },
	{ FIELD(memory_limit), 0, UINT64_MAX, 0, 1ull << 35 },
	{ FIELD(memory_limit_percent), 0, 100, 0, 99 },
	{ FIELD(pressure_low_percent), 1, 100, 92, 94 },
	{ FIELD(pressure_medium_percent), 1, 100, 95, 93 },
	{ FIELD(pressure_critical_percent), 1, 100, 97, 96 },
};

#define NR_TUNABLES	(sizeof(tunables) / sizeof(tunables[0]))
#define FOR_EACH_TUNABLE(t) for (t = tunables; t < tunables + NR_TUNABLES; t++)

static struct raw pool;
static const struct tunable *t;

static bool is_mode(const struct tunable *tunable)
{
	return !strcmp(tunable->name, "mode");
}

static bool is_level(const struct tunable *tunable)
{
	return !strncmp(tunable->name, "pressure_", 9);
}

static const char *text_of(const struct tunable *tunable, unsigned long long value)
{
	static char text[64];

	if (is_mode(tunable))
		return value ? "manual" : "auto";
	snprintf(text, sizeof(text), "%llu", value);
	return text;
}

static unsigned long long field_of(const struct uslab_tunables *all, const struct tunable *tunable)
{
	uint64_t value = 0;	/* of a narrow field, the low half */

	memcpy(&value, (const char *)all + tunable->offset, tunable->width);
	return value;
}

static void set_field(struct uslab_tunables *all, const struct tunable *tunable,
		      unsigned long long value)
{
	memcpy((char *)all + tunable->offset, &value, tunable->width);
}

static struct uslab_tunables get_all(int fd)
{
	struct uslab_tunables all = { .size = sizeof(all) };

	EXPECT_EQ(ioctl(fd, USLAB_IOC_GET_TUNABLES, &all), 0);
	return all;
}

static int set_all(int fd, struct uslab_tunables all)
{
	return ioctl(fd, USLAB_IOC_SET_TUNABLES, &all);
}

/* Also after a test that ended early. */
static void restore_defaults(void)
{
	size_t i;

	/* twice: each must fit the others at the time */
	for (i = 0; i < 2 * NR_TUNABLES; i++)
		default_write(tunables[i % NR_TUNABLES].name,
			      text_of(&tunables[i % NR_TUNABLES],
				      tunables[i % NR_TUNABLES].initial));
}

static void must_pool_of_defaults(void)
{
	restore_defaults();
	pool = must_raw_size("tunables", 64);
}

static int tune(const char *name, const char *text)
{
	return pool_write(pool.name, name, text);
}

#define EXPECT_TUNE(name, text)		EXPECT_EQ(tune(name, text), 0)
#define EXPECT_REFUSED(name, text)	EXPECT_ERRNO(tune(name, text) == -1, EINVAL)
#define EXPECT_VALUE(file, text)					\
	({								\
		if (strcmp(pool_text(pool.name, file), text))		\
			TEST_FAIL("%s is '%s', not '%s'", file,		\
				  pool_text(pool.name, file), text);	\
	})

/* Values */

TEST(every_tunable_is_a_file_with_its_default)
{
	must_pool_of_defaults();
	FOR_EACH_TUNABLE(t) {
		char path[256], text[64];

		EXPECT_VALUE(t->name, text_of(t, t->initial));
		snprintf(path, sizeof(path), USLAB_DEFAULTS "/%s", t->name);
		EXPECT_GT(read_file(path, text, sizeof(text)), 0);
		text[strcspn(text, "\n")] = '\0';
		EXPECT(!strcmp(text, text_of(t, t->initial)));
	}
	raw_close(&pool);
}

TEST(every_tunable_is_a_field_with_its_default)
{
	struct uslab_tunables all;

	must_pool_of_defaults();
	all = get_all(pool.fd);
	FOR_EACH_TUNABLE(t)
		if (!EXPECT_EQ(field_of(&all, t), t->initial))
			printf("# %s\n", t->name);
	EXPECT_EQ(all.size, sizeof(all));
	raw_close(&pool);
}

TEST(the_ends_of_a_range_are_accepted)
{
	must_pool_of_defaults();
	EXPECT_TUNE("idle_background_ratio", "0");
	EXPECT_TUNE("idle_ratio", "0");
	FOR_EACH_TUNABLE(t) {
		/* levels have to rise, and thresholds not to be in the other's way */
		if (is_level(t) || strstr(t->name, "idle_b") || strstr(t->name, "idle_r"))
			continue;
		EXPECT_TUNE(t->name, text_of(t, t->min));
		EXPECT_VALUE(t->name, text_of(t, t->min));
		EXPECT_TUNE(t->name, text_of(t, t->max));
		EXPECT_VALUE(t->name, text_of(t, t->max));
	}
	EXPECT_TUNE("idle_background_ratio", "100");
	EXPECT_TUNE("idle_ratio", "100");
	EXPECT_TUNE("idle_bytes", "18446744073709551615");
	EXPECT_TUNE("idle_background_bytes", "18446744073709551615");
	EXPECT_VALUE("idle_background_bytes", "18446744073709551615");
	EXPECT_TUNE("pressure_low_percent", "1");
	EXPECT_TUNE("pressure_medium_percent", "2");
	EXPECT_TUNE("pressure_critical_percent", "100");
	raw_close(&pool);
}

static void refused(const char *text)
{
	struct uslab_tunables before = get_all(pool.fd), after;
	int result;

	errno = 0;
	result = tune(t->name, text);
	if (result != -1 || errno != EINVAL)
		TEST_FAIL("'%s' to %s: returns %d, errno %d", text, t->name, result, errno);
	errno = 0;
	result = default_write(t->name, text);
	if (result != -1 || errno != EINVAL)
		TEST_FAIL("'%s' to the default of %s: returns %d, errno %d", text, t->name,
			  result, errno);
	after = get_all(pool.fd);
	if (memcmp(&before, &after, sizeof(before)))
		TEST_FAIL("'%s' to %s has changed something", text, t->name);
}

TEST(a_value_out_of_range_is_invalid_and_changes_nothing)
{
	static const char *const nonsense[] = {
		"\n", "x", "-1", "1.5", "1 2", "0x", "+-1", "18446744073709551616", "defaults",
		"99999999999999999999999999",
	};
	char text[64];
	size_t i;

	must_pool_of_defaults();
	FOR_EACH_TUNABLE(t) {
		for (i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
			refused(nonsense[i]);
		if (is_mode(t))
			continue;
		if (t->min)
			refused(text_of(t, t->min - 1));
		if (t->max < UINT64_MAX)
			refused(text_of(t, t->max + 1));
		if (t->width == 8)
			continue;
		/* would fit if it were cut to the field's width */
		snprintf(text, sizeof(text), "%llu", (1ull << 32) + t->initial);
		refused(text);
		refused("1K");
	}
	raw_close(&pool);
	restore_defaults();
}

TEST(a_field_out_of_range_is_invalid_and_changes_nothing)
{
	must_pool_of_defaults();
	FOR_EACH_TUNABLE(t) {
		struct uslab_tunables before = get_all(pool.fd), after, wanted = before;

		if (t->max == UINT64_MAX)
			continue;
		/* something else in the same call must not pass either */
		wanted.min_idle++;
		set_field(&wanted, t, t->max + 1);
		EXPECT_ERRNO(set_all(pool.fd, wanted) == -1, EINVAL);
		set_field(&wanted, t, UINT64_MAX);
		EXPECT_ERRNO(set_all(pool.fd, wanted) == -1, EINVAL);
		set_field(&wanted, t, t->min - 1);
		EXPECT_ERRNO(set_all(pool.fd, wanted) == -1, EINVAL);
		after = get_all(pool.fd);
		EXPECT(!memcmp(&before, &after, sizeof(before)));
	}
	raw_close(&pool);
}

TEST(the_mode_is_a_word)
{
	must_pool_of_defaults();
	t = &tunables[0];
	EXPECT_TUNE("mode", "manual\n");
	EXPECT_VALUE("mode", "manual");
	EXPECT_EQ(get_all(pool.fd).mode, USLAB_MODE_MANUAL);
	EXPECT_REFUSED("mode", "Auto");
	EXPECT_REFUSED("mode", "autom");
	EXPECT_REFUSED("mode", "aut");
	EXPECT_TUNE("mode", "auto");
	EXPECT_VALUE("mode", "auto");
	raw_close(&pool);
}

TEST(bytes_may_have_a_unit)
{
	static const char *const names[] = { "idle_bytes", "memory_limit", "min_idle" };
	static const char *const wrong[] = { "1T", "1KK", "K", "1 K", "-1K", "1KB",
					     "18446744073709551615K", "18014398509481984K" };
	size_t i, j;

	must_pool_of_defaults();
	EXPECT_TUNE("idle_background_ratio", "0");
	for (i = 0; i < 3; i++) {
		EXPECT_TUNE(names[i], "4K");
		EXPECT_VALUE(names[i], "4096");
		EXPECT_TUNE(names[i], "3M\n");
		EXPECT_VALUE(names[i], "3145728");
		EXPECT_TUNE(names[i], "2G");
		EXPECT_VALUE(names[i], "2147483648");
		for (j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++)
			EXPECT_REFUSED(names[i], wrong[j]);
		EXPECT_VALUE(names[i], "2147483648");
	}
	raw_close(&pool);
}

/* Pairs: a ratio, and bytes that take its place */

static void pair(const char *ratio, const char *bytes)
{
	EXPECT_TUNE(bytes, "1G");
	EXPECT_VALUE(ratio, "0");
	EXPECT_VALUE(bytes, "1073741824");
	EXPECT_TUNE(ratio, "7");
	EXPECT_VALUE(bytes, "0");
	EXPECT_VALUE(ratio, "7");
	/* 0 says nothing about the other */
	EXPECT_TUNE(bytes, "0");
	EXPECT_VALUE(ratio, "7");
	EXPECT_TUNE(bytes, "8%\n");
	EXPECT_VALUE(ratio, "8");
	EXPECT_VALUE(bytes, "0");
	EXPECT_REFUSED(bytes, "101%");
	EXPECT_REFUSED(bytes, "%");
	EXPECT_REFUSED(bytes, "-8%");
	EXPECT_REFUSED(bytes, "8%%");
	EXPECT_REFUSED(bytes, "8%1");
	EXPECT_REFUSED(ratio, "8%");
	EXPECT_TUNE(ratio, "0");
}

TEST(bytes_clear_the_ratio_and_the_ratio_bytes)
{
	must_pool_of_defaults();
	EXPECT_TUNE("idle_ratio", "0");
	pair("idle_background_ratio", "idle_background_bytes");
	pair("idle_ratio", "idle_bytes");
	pair("memory_limit_percent", "memory_limit");
	EXPECT_REFUSED("min_reclaim_bytes", "8%");
	EXPECT_REFUSED("min_idle", "8%");
	raw_close(&pool);
}

TEST(bytes_count_where_a_command_sets_both)
{
	struct uslab_tunables all;

	must_pool_of_defaults();
	all = get_all(pool.fd);
	all.idle_background_bytes = 1 * MIB;
	all.idle_bytes = 2 * MIB;
	EXPECT_EQ(set_all(pool.fd, all), 0);
	EXPECT_EQ(pool.control->idle_limit, 2 * MIB / 64);
	/* in percent of anything, this would be above the hard threshold */
	all.idle_background_ratio = 100;
	EXPECT_EQ(set_all(pool.fd, all), 0);
	all.idle_background_bytes = 0;
	EXPECT_ERRNO(set_all(pool.fd, all) == -1, EINVAL);
	raw_close(&pool);
}

TEST(background_above_hard_is_refused)
{
	struct uslab_tunables all;

	must_pool_of_defaults();
	/* one that nobody has set gives way */
	EXPECT_TUNE("idle_bytes", "1M");
	EXPECT_TUNE("idle_ratio", "9");
	EXPECT_TUNE("idle_ratio", "30");
	EXPECT_TUNE("idle_background_ratio", "10");
	EXPECT_REFUSED("idle_background_ratio", "31");
	EXPECT_REFUSED("idle_ratio", "9");
	EXPECT_REFUSED("idle_bytes", "1M");
	EXPECT_REFUSED("idle_background_bytes", "1024G");
	EXPECT_VALUE("idle_ratio", "30");
	EXPECT_VALUE("idle_background_ratio", "10");
	EXPECT_TUNE("idle_background_ratio", "30");
	EXPECT_TUNE("idle_background_bytes", "2M");
	EXPECT_REFUSED("idle_bytes", "2097151");
	EXPECT_TUNE("idle_bytes", "2M");
	EXPECT_REFUSED("idle_background_bytes", "2097153");
	EXPECT_REFUSED("idle_background_ratio", "50");
	EXPECT_VALUE("idle_background_bytes", "2097152");
	all = get_all(pool.fd);
	all.idle_background_bytes++;
	EXPECT_ERRNO(set_all(pool.fd, all) == -1, EINVAL);
	/* where one is not there, it is in nobody's way */
	EXPECT_TUNE("idle_bytes", "0");
	EXPECT_TUNE("idle_background_bytes", "1024G");
	EXPECT_TUNE("idle_background_bytes", "0");
	EXPECT_TUNE("idle_bytes", "1");
	EXPECT_EQ(default_write("idle_background_ratio", "10"), 0);
	EXPECT_ERRNO(default_write("idle_background_ratio", "31") == -1, EINVAL);
	EXPECT_ERRNO(default_write("idle_bytes", "1M") == -1, EINVAL);
	raw_close(&pool);
}

TEST(pressure_levels_must_rise)
{
	struct uslab_tunables all;

	must_pool_of_defaults();
	EXPECT_REFUSED("pressure_low_percent", "95");
	EXPECT_REFUSED("pressure_low_percent", "99");
	EXPECT_REFUSED("pressure_medium_percent", "92");
	EXPECT_REFUSED("pressure_medium_percent", "97");
	EXPECT_REFUSED("pressure_critical_percent", "95");
	EXPECT_TUNE("pressure_low_percent", "94");
	EXPECT_TUNE("pressure_medium_percent", "96");
	all = get_all(pool.fd);
	all.pressure_critical_percent = 96;
	EXPECT_ERRNO(set_all(pool.fd, all) == -1, EINVAL);
	all.pressure_low_percent = 50;
	all.pressure_medium_percent = 51;
	all.pressure_critical_percent = 52;
	EXPECT_EQ(set_all(pool.fd, all), 0);
	EXPECT_VALUE("pressure_critical_percent", "52");
	raw_close(&pool);
}

/* Whose value it is */

TEST(a_changed_default_reaches_pools_that_follow_and_no_others)
{
	struct raw own;

	must_pool_of_defaults();
	own = must_raw_size("own", 64);
	FOR_EACH_TUNABLE(t) {
		/* what it is, but its own from now on */
		EXPECT_EQ(pool_write(own.name, t->name, text_of(t, t->initial)), 0);
	}
	FOR_EACH_TUNABLE(t) {
		EXPECT_EQ(default_write(t->name, text_of(t, t->another)), 0);
		EXPECT_VALUE(t->name, text_of(t, t->another));
		EXPECT(!strcmp(pool_text(own.name, t->name), text_of(t, t->initial)));
		restore_defaults();
	}
	raw_close(&own);
	raw_close(&pool);
	restore_defaults();
}

TEST(a_new_pool_begins_with_the_defaults_of_the_day)
{
	restore_defaults();
	EXPECT_EQ(default_write("idle_expire_centisecs", "1234"), 0);
	EXPECT_EQ(default_write("mode", "manual"), 0);
	pool = must_raw_size("tunables", 64);
	EXPECT_VALUE("idle_expire_centisecs", "1234");
	EXPECT_VALUE("mode", "manual");
	raw_close(&pool);
	restore_defaults();
}

TEST(default_makes_a_pool_follow_again)
{
	must_pool_of_defaults();
	FOR_EACH_TUNABLE(t) {
		EXPECT_TUNE(t->name, text_of(t, t->another));
		EXPECT_TUNE(t->name, "default\n");
		EXPECT_VALUE(t->name, text_of(t, t->initial));
	}
	EXPECT_TUNE("idle_expire_centisecs", "77");
	EXPECT_EQ(default_write("idle_expire_centisecs", "1234"), 0);
	EXPECT_VALUE("idle_expire_centisecs", "77");
	EXPECT_TUNE("idle_expire_centisecs", "default");
	EXPECT_VALUE("idle_expire_centisecs", "1234");
	EXPECT_EQ(default_write("idle_expire_centisecs", "2345"), 0);
	EXPECT_VALUE("idle_expire_centisecs", "2345");
	raw_close(&pool);
	restore_defaults();
}

TEST(a_pair_is_a_pools_own_together)
{
	must_pool_of_defaults();
	EXPECT_TUNE("idle_bytes", "1G");
	EXPECT_EQ(default_write("idle_ratio", "40"), 0);
	EXPECT_VALUE("idle_ratio", "0");
	EXPECT_VALUE("idle_bytes", "1073741824");
	EXPECT_TUNE("idle_bytes", "default");
	EXPECT_VALUE("idle_ratio", "40");
	EXPECT_VALUE("idle_bytes", "0");
	raw_close(&pool);
	restore_defaults();
}

TEST(a_command_makes_own_only_what_it_changes)
{
	struct uslab_tunables all;

	must_pool_of_defaults();
	all = get_all(pool.fd);
	all.idle_expire_centisecs = 77;
	EXPECT_EQ(set_all(pool.fd, all), 0);
	EXPECT_EQ(default_write("idle_expire_centisecs", "1234"), 0);
	EXPECT_EQ(default_write("cache_pressure", "50"), 0);
	all = get_all(pool.fd);
	EXPECT_EQ(all.idle_expire_centisecs, 77);
	EXPECT_EQ(all.cache_pressure, 50);
	raw_close(&pool);
	restore_defaults();
}

/* A pool's own value may not fit the default of another tunable that changes later. */
TEST(values_that_no_longer_fit_each_other_are_in_nobody_elses_way)
{
	must_pool_of_defaults();
	EXPECT_TUNE("idle_ratio", "15");
	EXPECT_EQ(default_write("idle_background_ratio", "20"), 0);
	EXPECT_TUNE("cache_pressure", "50");
	EXPECT_TUNE("mode", "manual");
	EXPECT_VALUE("mode", "manual");
	raw_close(&pool);
	restore_defaults();
}

/* Who */

static void tune_as_nobody(void *arg)
{
	struct uslab_create request = create_args(arg, 64);
	struct uslab_reclaim reclaim = { .size = sizeof(reclaim), .bytes = UINT64_MAX };
	struct uslab_balance balance = { .size = sizeof(balance) };
	struct uslab_tunables all;
	int fd;

	EXPECT(!setuid(65534));
	fd = raw_create(&request);
	if (!EXPECT_GE(fd, 0))
		return;
	all = get_all(fd);
	all.idle_bytes = 512 * MIB;
	EXPECT_EQ(set_all(fd, all), 0);
	EXPECT_EQ(pool_value(arg, "idle_bytes"), 512 * MIB);
	EXPECT_EQ(ioctl(fd, USLAB_IOC_RECLAIM, &reclaim), 0);
	EXPECT_EQ(ioctl(fd, USLAB_IOC_BALANCE, &balance), 0);
	EXPECT_ERRNO(pool_write(arg, "idle_bytes", "1G") == -1, EACCES);
	EXPECT_ERRNO(pool_write(arg, "reclaim", "max") == -1, EACCES);
	EXPECT_ERRNO(default_write("idle_expire_centisecs", "1") == -1, EACCES);
}

TEST(an_unprivileged_owner_tunes_its_pool_by_command)
{
	char name[USLAB_NAME_MAX];

	restore_defaults();
	strcpy(name, pool_name("nobody"));
	EXPECT(child_ok(spawn(tune_as_nobody, name)));
}

/* Commands */

TEST(commands_and_files_say_the_same)
{
	struct uslab_tunables all;

	must_pool_of_defaults();
	FOR_EACH_TUNABLE(t) {
		all = get_all(pool.fd);
		set_field(&all, t, t->another);
		EXPECT_EQ(set_all(pool.fd, all), 0);
		EXPECT_VALUE(t->name, text_of(t, t->another));
		EXPECT_TUNE(t->name, "default");
		all = get_all(pool.fd);
		EXPECT_EQ(field_of(&all, t), t->initial);
	}
	raw_close(&pool);
}

static void flip(void *arg)
{
	struct uslab_tunables low, high;
	int fd = *(int *)arg;

	low = high = get_all(fd);
	high.idle_background_ratio = 60;
	high.idle_ratio = 90;
	for (;;) {
		set_all(fd, high);
		set_all(fd, low);
	}
}

TEST(nobody_sees_half_of_what_a_command_sets)
{
	double begin = now();
	bool high = false, low = false;
	pid_t pid;

	must_pool_of_defaults();
	pid = spawn(flip, &pool.fd);
	while (now() < begin + test_seconds(2) || (!(high && low) && now() < begin + PATIENCE)) {
		struct uslab_tunables all = get_all(pool.fd);

		if (!EXPECT_EQ(all.idle_ratio, all.idle_background_ratio == 10 ? 30 : 90))
			break;
		high |= all.idle_ratio == 90;
		low |= all.idle_ratio == 30;
	}
	EXPECT(high && low);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	raw_close(&pool);
}

TEST_MAIN
