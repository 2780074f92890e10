// SPDX-License-Identifier: GPL-2.0-only
/* Tunables and what they do, and pressure, on either engine. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include "common.h"

#define OBJECT	1024u
#define MANY	16384u		/* 16 MiB */
#define MIB	(1ull << 20)

/* Machines may be slow: wait long, look often. */
#define WAIT_FOR(cond)							\
	({								\
		double until_ = now() + 60;				\
		bool met_;						\
		while (!(met_ = (cond)) && now() < until_)		\
			nap_us(5000);					\
		met_;							\
	})

static void *object[MANY];

static struct uslab_tunables read_tunables(struct uslab_pool *pool)
{
	struct uslab_tunables tunables = { .size = sizeof(tunables) };

	ASSERT_EQ(uslab_pool_tunables(pool, &tunables), 0);
	return tunables;
}

/* A pool that neither ages nor has thresholds, but for what the test sets. */
static struct uslab_pool *must_make(struct uslab_tunables *tunables)
{
	struct uslab_pool *pool = MAKE(OBJECT, NULL);

	*tunables = read_tunables(pool);
	tunables->idle_background_ratio = 0;
	tunables->idle_ratio = 0;
	tunables->idle_expire_centisecs = 360000;
	tunables->idle_aging_centisecs = 1;
	tunables->transition_centisecs = 1;
	tunables->min_reclaim_bytes = 0;
	return pool;
}

static void must_tune(struct uslab_pool *pool, const struct uslab_tunables *tunables)
{
	ASSERT_EQ(uslab_pool_tune(pool, tunables), 0);
}

static void must_get(struct uslab_pool *pool, unsigned int nr)
{
	ASSERT_EQ(uslab_get_bulk(pool, object, nr), nr);
}

static void get_and_put(struct uslab_pool *pool, unsigned int nr)
{
	must_get(pool, nr);
	uslab_put_bulk(pool, object, nr);
}

static struct uslab_stats stats_of(struct uslab_pool *pool)
{
	return STATS(pool);
}

static uint64_t idle_bytes(struct uslab_pool *pool)
{
	return stats_of(pool).idle_objects * OBJECT;
}

/* What caches may hold besides: thresholds look at depots. */
static uint64_t slack(void)
{
	return (uint64_t)allowed_cpus() * (512u << 10) + 4 * (256u << 10);
}

/* Values */

TEST(tunables_have_their_defaults)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	struct uslab_tunables tunables = read_tunables(pool);

	EXPECT_EQ(tunables.size, sizeof(tunables));
	EXPECT_EQ(tunables.mode, USLAB_MODE_AUTO);
	EXPECT_EQ(tunables.idle_background_ratio, 10);
	EXPECT_EQ(tunables.idle_ratio, 30);
	EXPECT_EQ(tunables.idle_expire_centisecs, 3000);
	EXPECT_EQ(tunables.cache_pressure, 100);
	EXPECT_EQ(tunables.min_idle, 0);
	EXPECT_EQ(tunables.memory_limit, 0);
	EXPECT_EQ(tunables.pressure_low_percent, 92);
	EXPECT_EQ(tunables.pressure_medium_percent, 95);
	EXPECT_EQ(tunables.pressure_critical_percent, 97);
	uslab_pool_destroy(pool);
}

TEST(what_is_set_is_read_back)
{
	struct uslab_tunables tunables, again;
	struct uslab_pool *pool = must_make(&tunables);

	tunables.min_idle = 5;
	tunables.growth_percent = 75;
	tunables.memory_limit = 1 << 30;
	must_tune(pool, &tunables);
	again = read_tunables(pool);
	EXPECT(!memcmp(&tunables, &again, sizeof(again)));
	uslab_pool_destroy(pool);
}

static bool refused(struct uslab_pool *pool, const struct uslab_tunables *tunables)
{
	struct uslab_tunables before = read_tunables(pool), after;

	errno = 0;
	if (uslab_pool_tune(pool, tunables) != -1 || errno != EINVAL)
		return false;
	after = read_tunables(pool);
	return !memcmp(&before, &after, sizeof(after));
}

TEST(bad_values_are_refused_and_change_nothing)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	struct uslab_tunables good = read_tunables(pool), bad;

#define BAD(field, value) (bad = good, bad.field = (value), refused(pool, &bad))
	EXPECT(BAD(mode, 2));
	EXPECT(BAD(idle_ratio, 101));
	EXPECT(BAD(idle_background_ratio, 31));
	EXPECT(BAD(idle_background_bytes, UINT64_MAX));
	EXPECT(BAD(idle_expire_centisecs, 0));
	EXPECT(BAD(cache_pressure, 0));
	EXPECT(BAD(reclaim_cpu_percent, 0));
	EXPECT(BAD(reclaim_cpu_percent, 101));
	EXPECT(BAD(memory_limit_percent, 101));
	EXPECT(BAD(pressure_low_percent, 95));
	EXPECT(BAD(pressure_critical_percent, 101));
	EXPECT(BAD(size, sizeof(good) - 1));
	EXPECT(BAD(size, 0));
#undef BAD
	uslab_pool_destroy(pool);
}

TEST(a_background_threshold_that_nobody_set_gives_way)
{
	struct uslab_pool *pool = MAKE(64, NULL);
	struct uslab_tunables tunables = read_tunables(pool);

	tunables.idle_bytes = MIB;
	must_tune(pool, &tunables);
	tunables.idle_background_bytes = MIB / 2;
	must_tune(pool, &tunables);
	/* now somebody has */
	tunables.idle_bytes = MIB / 4;
	EXPECT(refused(pool, &tunables));
	uslab_pool_destroy(pool);
}

TEST(sizes_of_other_versions)
{
	struct { struct uslab_tunables known; uint64_t more; } newer = { .more = 0 };
	struct uslab_pool *pool = MAKE(64, NULL);

	newer.known.size = sizeof(newer);
	EXPECT_EQ(uslab_pool_tunables(pool, &newer.known), 0);
	EXPECT_EQ(newer.known.size, sizeof(newer));
	EXPECT_EQ(uslab_pool_tune(pool, &newer.known), 0);
	newer.more = 1;
	EXPECT_ERRNO(uslab_pool_tune(pool, &newer.known) == -1, EINVAL);
	newer.known.size = sizeof(newer.known) - 4;
	EXPECT_ERRNO(uslab_pool_tunables(pool, &newer.known) == -1, EINVAL);
	uslab_pool_destroy(pool);
}

/* Thresholds */

TEST(idle_above_background_goes_and_the_rest_stays)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	uint64_t idle;

	tunables.idle_background_bytes = 4 * MIB;
	must_tune(pool, &tunables);
	get_and_put(pool, MANY);
	EXPECT(WAIT_FOR(idle_bytes(pool) <= 4 * MIB));
	nap_us(100000);
	idle = idle_bytes(pool);
	EXPECT_GE(idle, 3 * MIB);
	EXPECT_GT(stats_of(pool).passes, 0);
	uslab_pool_destroy(pool);
}

TEST(control_without_a_threshold_idle_stays)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);

	must_tune(pool, &tunables);
	get_and_put(pool, MANY);
	nap_us(300000);
	EXPECT_GE(idle_bytes(pool), MANY * OBJECT);
	uslab_pool_destroy(pool);
}

TEST(puts_above_the_hard_threshold_pay)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	struct uslab_stats stats;

	tunables.idle_aging_centisecs = 0;
	tunables.idle_bytes = 4 * MIB;
	must_tune(pool, &tunables);
	get_and_put(pool, MANY);
	stats = stats_of(pool);
	EXPECT_GT(stats.throttles, 0);
	EXPECT_LE(stats.idle_objects * OBJECT, 4 * MIB + slack());
	EXPECT_GE(stats.idle_objects * OBJECT, 2 * MIB);
	EXPECT_EQ(stats.bad_puts, 0);
	uslab_pool_destroy(pool);
}

TEST(puts_do_not_pay_for_what_min_idle_keeps)
{
	static const uint64_t keeps[] = { MANY, INT64_MAX, UINT64_MAX };
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keeps); i++) {
		tunables.idle_bytes = MIB;
		tunables.min_idle = keeps[i];
		must_tune(pool, &tunables);
		get_and_put(pool, MANY / 2);
		EXPECT_EQ(stats_of(pool).throttles, 0);
		uslab_pool_reclaim(pool, SIZE_MAX);
	}
	uslab_pool_destroy(pool);
}

/* Descriptors of the library are those of a program that does not know of them. */
static int pay_without_descriptors(void *arg)
{
	struct uslab_pool *pool = arg;
	char byte;
	int fds[2], fd;

	for (fd = 3; fd < 256; fd++)
		if (fd != uslab_pool_fd(pool))
			close(fd);
	/* these get the numbers that the library had */
	for (fd = 0; fd < 20; fd++)
		if (pipe2(fds, O_NONBLOCK))
			return 1;
	get_and_put(pool, MANY);
	for (fd = 3; fd < 50; fd++)
		if (fd != uslab_pool_fd(pool) && read(fd, &byte, 1) == 1)
			return 2;
	return !stats_of(pool).throttles ? 3 : 0;
}

static struct uslab_pool *make_paying(void)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);

	tunables.idle_bytes = MIB;
	must_tune(pool, &tunables);
	return pool;
}

static int make_and_pay(void *unused)
{
	(void)unused;
	return pay_without_descriptors(make_paying());
}

TEST(a_program_may_close_all_descriptors)
{
	EXPECT_EXIT(in_child(make_and_pay, NULL, 30), 0);
}

struct told {
	atomic_int calls;
	atomic_int level;
};

static void note(struct uslab_pool *pool, enum uslab_pressure level, void *arg)
{
	struct told *told = arg;

	(void)pool;
	atomic_store(&told->level, (int)level);
	atomic_fetch_add(&told->calls, 1);
}

/* What took the numbers of the library's descriptors is not closed in a child. */
static int fork_with_other_descriptors(void *unused)
{
	struct uslab_pool *pool = uslab_pool_create("test", OBJECT, NULL);
	struct told told = { 0 };
	int fds[32], i;
	pid_t pid;

	(void)unused;
	if (!pool || uslab_pool_on_pressure(pool, note, &told))
		return 2;
	for (i = 3; i < 100; i++)
		if (i != uslab_pool_fd(pool))
			close(i);
	for (i = 0; i < 32; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid = fork();
	if (!pid) {
		for (i = 0; i < 32; i++)
			if (fcntl(fds[i], F_GETFD) < 0)
				_exit(3);
		_exit(0);
	}
	return WEXITSTATUS(child_status(pid, 30));
}

TEST(descriptors_that_took_the_numbers_of_closed_ones_stay_open_in_a_child)
{
	EXPECT_EXIT(in_child(fork_with_other_descriptors, NULL, 60), 0);
}

TEST(a_child_of_the_embedded_engine_may_close_all_descriptors)
{
	struct uslab_pool *pool = make_paying();

	if (!engine_is(pool, "embedded")) {
		uslab_pool_destroy(pool);
		SKIP("for the other engine");
	}
	EXPECT_EXIT(in_child(pay_without_descriptors, pool, 30), 0);
	uslab_pool_destroy(pool);
}

TEST(min_idle_is_left_by_age_and_not_by_reclaim)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);

	tunables.idle_expire_centisecs = 4;
	tunables.min_idle = MANY / 4;
	must_tune(pool, &tunables);
	get_and_put(pool, MANY);
	EXPECT(WAIT_FOR(idle_bytes(pool) < MANY / 2 * OBJECT));
	nap_us(300000);
	EXPECT_GE(stats_of(pool).idle_objects, MANY / 4);
	uslab_pool_reclaim(pool, SIZE_MAX);
	EXPECT_EQ(stats_of(pool).idle_objects, 0);
	uslab_pool_destroy(pool);
}

TEST(what_is_idle_goes_with_age)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);

	tunables.idle_expire_centisecs = 4;
	must_tune(pool, &tunables);
	get_and_put(pool, MANY);
	EXPECT(WAIT_FOR(idle_bytes(pool) <= slack()));
	uslab_pool_destroy(pool);
}

TEST(manual_mode_ages_nothing)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);

	struct uslab_stats stats;

	tunables.idle_expire_centisecs = 4;
	tunables.idle_background_bytes = MIB;
	tunables.idle_bytes = 2 * MIB;
	tunables.mode = USLAB_MODE_MANUAL;
	must_tune(pool, &tunables);
	get_and_put(pool, MANY);
	nap_us(300000);
	stats = stats_of(pool);
	EXPECT_GE(stats.idle_objects, MANY);
	EXPECT_EQ(stats.throttles, 0);
	uslab_pool_destroy(pool);
}

/* Limits */

TEST(a_pool_over_its_memory_limit_takes_back_before_it_grows)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	unsigned int i;

	tunables.memory_limit = 8 * MIB;
	must_tune(pool, &tunables);
	/* half of the pages: objects that are out keep every fourth of them */
	must_get(pool, MANY);
	for (i = 0; i < MANY; i++)
		if (i / 4 % 4) {
			uslab_put(pool, object[i]);
			object[i] = NULL;
		}
	EXPECT(WAIT_FOR(stats_of(pool).backed_bytes <= 8 * MIB + slack()));
	/* the limit is soft: what is in use may be more */
	uslab_put_bulk(pool, object, MANY);
	must_get(pool, MANY);
	EXPECT_GE(stats_of(pool).backed_bytes, MANY * OBJECT);
	uslab_put_bulk(pool, object, MANY);
	uslab_pool_destroy(pool);
}

TEST(growth_makes_a_step_of_aging)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	uint64_t before;

	tunables.growth_percent = 50;
	tunables.idle_aging_centisecs = 360000;
	must_tune(pool, &tunables);
	before = stats_of(pool).rotations;
	must_get(pool, MANY);
	EXPECT(WAIT_FOR(stats_of(pool).rotations > before));
	uslab_put_bulk(pool, object, MANY);
	uslab_pool_destroy(pool);
}

TEST(control_without_growth_percent_there_is_no_step)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	uint64_t before;

	tunables.idle_aging_centisecs = 360000;
	must_tune(pool, &tunables);
	nap_us(100000);
	before = stats_of(pool).rotations;
	must_get(pool, MANY);
	nap_us(200000);
	EXPECT_EQ(stats_of(pool).rotations, before);
	uslab_put_bulk(pool, object, MANY);
	uslab_pool_destroy(pool);
}

/* Near its limit a pool in manual mode reclaims, then may not grow, and then may again. */
TEST(the_circuit_breaker_refuses_growth_and_closes_again)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	unsigned int nr = MANY / 2, held = nr;
	void *more[2];

	tunables.mode = USLAB_MODE_MANUAL;
	tunables.memory_limit = nr * OBJECT;
	must_tune(pool, &tunables);
	must_get(pool, nr);
	/* level-1 events come once a second; what it is by the third it may stay */
	EXPECT(WAIT_FOR(({
		if (held < MANY && (object[held] = uslab_get(pool)))
			held++;
		held < MANY && !object[held] && errno == ENOMEM;
	})));
	/* what it had it may have again */
	uslab_put_bulk(pool, object, held);
	uslab_pool_reclaim(pool, SIZE_MAX);
	must_get(pool, nr / 2);
	uslab_put_bulk(pool, object, nr / 2);
	uslab_pool_reclaim(pool, SIZE_MAX);
	EXPECT(WAIT_FOR(({
		int got = uslab_get_bulk(pool, more, 2);

		uslab_put_bulk(pool, more, (unsigned int)got);
		got == 2;
	})));
	uslab_pool_destroy(pool);
}

/* Pressure */

TEST(pressure_rises_and_falls_and_is_told)
{
	struct told told = { 0 };
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	unsigned int nr = MANY / 2;

	tunables.memory_limit = nr * OBJECT;
	must_tune(pool, &tunables);
	EXPECT_EQ(uslab_pool_on_pressure(pool, note, &told), 0);
	EXPECT_EQ(uslab_pool_pressure(pool), USLAB_PRESSURE_NONE);
	must_get(pool, nr);
	EXPECT(WAIT_FOR(atomic_load(&told.level) == USLAB_PRESSURE_CRITICAL));
	EXPECT_EQ(uslab_pool_pressure(pool), USLAB_PRESSURE_CRITICAL);
	uslab_put_bulk(pool, object, nr);
	uslab_pool_reclaim(pool, SIZE_MAX);
	EXPECT(WAIT_FOR(atomic_load(&told.level) == USLAB_PRESSURE_NONE));
	EXPECT_EQ(uslab_pool_pressure(pool), USLAB_PRESSURE_NONE);
	EXPECT_GE(atomic_load(&told.calls), 2);
	uslab_pool_destroy(pool);
}

TEST(levels_come_in_stages)
{
	static const struct { unsigned int per_mille; enum uslab_pressure level; } stages[] = {
		{ 850, USLAB_PRESSURE_NONE }, { 930, USLAB_PRESSURE_LOW },
		{ 953, USLAB_PRESSURE_MEDIUM }, { 990, USLAB_PRESSURE_CRITICAL },
	};
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	unsigned int got = 0;
	size_t i;

	pin(0);		/* what one cache holds besides is less than lies between two levels */
	tunables.memory_limit = MANY * OBJECT;
	must_tune(pool, &tunables);
	for (i = 0; i < ARRAY_SIZE(stages); i++) {
		while (got < MANY * stages[i].per_mille / 1000)
			ASSERT(object[got++] = uslab_get(pool));
		if (!EXPECT(WAIT_FOR(uslab_pool_pressure(pool) == stages[i].level)))
			printf("# at %u per mille: level %d\n", stages[i].per_mille,
			       (int)uslab_pool_pressure(pool));
	}
	uslab_put_bulk(pool, object, got);
	uslab_pool_destroy(pool);
	pin(-1);
}

TEST(who_asks_late_is_told_at_once)
{
	struct told told = { 0 };
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	unsigned int nr = MANY / 2;

	tunables.memory_limit = nr * OBJECT;
	must_tune(pool, &tunables);
	must_get(pool, nr);
	EXPECT(WAIT_FOR(uslab_pool_pressure(pool) == USLAB_PRESSURE_CRITICAL));
	EXPECT_EQ(uslab_pool_on_pressure(pool, note, &told), 0);
	EXPECT(WAIT_FOR(atomic_load(&told.level) == USLAB_PRESSURE_CRITICAL));
	uslab_put_bulk(pool, object, nr);
	uslab_pool_destroy(pool);
}

TEST(who_is_removed_is_told_nothing_more)
{
	struct told told = { 0 };
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);
	unsigned int nr = MANY / 2;

	tunables.memory_limit = nr * OBJECT;
	must_tune(pool, &tunables);
	EXPECT_EQ(uslab_pool_on_pressure(pool, note, &told), 0);
	EXPECT_EQ(uslab_pool_on_pressure(pool, NULL, NULL), 0);
	EXPECT_EQ(uslab_pool_on_pressure(pool, NULL, NULL), 0);
	must_get(pool, nr);
	EXPECT(WAIT_FOR(uslab_pool_pressure(pool) == USLAB_PRESSURE_CRITICAL));
	nap_us(100000);
	EXPECT_EQ(atomic_load(&told.calls), 0);
	uslab_put_bulk(pool, object, nr);
	uslab_pool_destroy(pool);
}

static struct uslab_pool *_Atomic other;
static atomic_bool may_destroy;

static void destroy_both(struct uslab_pool *pool, enum uslab_pressure level, void *arg)
{
	(void)level;
	(void)arg;
	while (!atomic_load(&may_destroy))
		nap_us(1000);
	uslab_pool_destroy(atomic_load(&other));
	uslab_pool_destroy(pool);
	atomic_store(&other, NULL);
}

TEST(a_function_may_destroy_pools_that_are_watched)
{
	struct uslab_tunables tunables;
	struct uslab_pool *pool = must_make(&tunables);

	atomic_store(&other, MAKE(OBJECT, NULL));
	atomic_store(&may_destroy, false);
	EXPECT_EQ(uslab_pool_on_pressure(pool, destroy_both, NULL), 0);
	EXPECT_EQ(uslab_pool_on_pressure(other, destroy_both, NULL), 0);
	tunables.memory_limit = MANY / 2 * OBJECT;
	must_tune(pool, &tunables);
	must_get(pool, MANY / 2);
	atomic_store(&may_destroy, true);
	EXPECT(WAIT_FOR(!atomic_load(&other)));
}

static int ask_in_child(void *arg)
{
	struct uslab_pool *pool = arg;
	struct told told = { 0 };

	if (engine_is(pool, "kernel")) {
		if (uslab_pool_pressure(pool) != USLAB_PRESSURE_NONE)
			return 1;
		return uslab_pool_on_pressure(pool, note, &told) == -1 && errno == ESTALE ? 0 : 2;
	}
	return uslab_pool_on_pressure(pool, note, &told) ? 3 : 0;
}

TEST(a_child_may_ask_for_itself)
{
	struct told told = { 0 };
	struct uslab_pool *pool = MAKE(OBJECT, NULL);

	EXPECT_EQ(uslab_pool_on_pressure(pool, note, &told), 0);
	EXPECT_EXIT(in_child(ask_in_child, pool, 20), 0);
	uslab_pool_destroy(pool);
}

TEST_MAIN
