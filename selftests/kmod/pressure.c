// SPDX-License-Identifier: GPL-2.0-only
/*
 * Near a limit: memory_limit, pressure levels and who is told of them, and the
 * circuit breaker of manual mode.
 */
#include <poll.h>
#include <sys/epoll.h>

#include "policy.h"

/* memory_limit */

static int cpu_of_other_home(void)
{
	const uint16_t *home = (const uint16_t *)((const char *)raw.control +
						  raw.control->cpu_home_start);
	int cpu;

	for (cpu = 0; cpu < (int)raw.control->nr_cpus; cpu++)
		if (home[cpu] != home[MINE])
			return cpu;
	SKIP("all CPUs have one home");
	return -1;
}

TEST(a_get_beyond_memory_limit_takes_what_is_idle_first)
{
	long long most = 0;
	size_t i;

	must_start("memory_limit=16M idle_aging_centisecs=0");
	EXPECT(run_on(cpu_of_other_home()));
	have_idle(12 * MIB);
	EXPECT(run_on(MINE));
	for (i = 0; i < 14; i++) {
		get(MIB);
		most = backed() > most ? backed() : most;
	}
	EXPECT_LE(most, 16 * (long long)MIB + magazines(2));
	EXPECT_GE(most, 15 * (long long)MIB);
	/* soft: it is no limit for what is in use */
	get(10 * MIB);
	EXPECT_GE(backed(), 24 * (long long)MIB);
	EXPECT_LE(backed(), 24 * (long long)MIB + cached() + magazines(4));
	finish();
}

TEST(the_worker_takes_what_is_idle_above_memory_limit)
{
	must_start("");
	have_idle(32 * MIB);
	get(8 * MIB);
	tune("memory_limit=16M");
	EXPECT(WAIT_FOR(backed() <= 16 * (long long)MIB));
	nap(1);
	EXPECT_GE(backed(), 16 * (long long)MIB - magazines(4));
	tune("memory_limit=4M");
	EXPECT(WAIT_FOR(backed() <= 8 * (long long)MIB));
	EXPECT_EQ(STAT(out_objects), 8 * MIB / PAGE);
	finish();
}

static void live_in_cgroup(void *group)
{
	EXPECT(cgroup_enter(group));
	must_start("memory_limit=50% idle_ratio=25 idle_aging_centisecs=0");
	EXPECT_EQ(pool_value(raw.name, "memory_limit_percent"), 50);
	EXPECT_LE(raw.control->idle_limit, 16 * MIB / PAGE);
	EXPECT_GE(raw.control->idle_limit, 16 * MIB / PAGE - 100);
	tune("idle_ratio=0 idle_aging_centisecs=5");
	have_idle(44 * MIB);
	EXPECT(WAIT_FOR(backed() <= 32 * (long long)MIB));
	nap(1);
	EXPECT_GE(backed(), 32 * (long long)MIB - magazines(4));
	/* the limit changes, and what is a share of it */
	EXPECT(cgroup_set(group, "memory.max", "32M"));
	EXPECT(WAIT_FOR(backed() <= 16 * (long long)MIB));
	finish();
}

TEST(percents_are_of_the_cgroups_limit)
{
	const char *group = must_cgroup("percent");

	ASSERT(cgroup_set(group, "memory.max", "64M"));
	EXPECT(child_ok(spawn(live_in_cgroup, (void *)(uintptr_t)group)));
	EXPECT(cgroup_remove(group));
}

/* Pressure */

/* Of 16 MiB: just above where the levels begin by default, at 92, 95 and 97 percent. */
#define LIMIT		"memory_limit=16M "
#define LOW		(3788 * PAGE)
#define MEDIUM		(3912 * PAGE)
#define CRITICAL	(3994 * PAGE)

/* What the file and the control page say, when they agree; -1 otherwise. */
static int level(void)
{
	static const char *const words[] = { "none", "low", "medium", "critical" };
	uint32_t seen = raw.control->pressure;

	if (seen > USLAB_PRESSURE_CRITICAL || strcmp(pool_text(raw.name, "pressure"), words[seen]))
		return -1;
	return (int)seen;
}

static short polled(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	return poll(&pollfd, 1, 0) == 1 ? pollfd.revents : 0;
}

/* Hold so many bytes, no more: what a refill brought besides goes. */
static void hold(size_t bytes)
{
	if (bytes < held * PAGE)
		put(held * PAGE - bytes);
	get(bytes - held * PAGE);
	EXPECT_EQ(pool_reclaim_write(raw.name, "max"), 0);
}

TEST(levels_begin_where_the_tunables_say)
{
	static const struct {
		size_t bytes;
		int level;
	} steps[] = {
		{ LOW - 64 * PAGE, USLAB_PRESSURE_NONE }, { LOW, USLAB_PRESSURE_LOW },
		{ MEDIUM, USLAB_PRESSURE_MEDIUM }, { CRITICAL, USLAB_PRESSURE_CRITICAL },
		{ MEDIUM, USLAB_PRESSURE_MEDIUM }, { LOW, USLAB_PRESSURE_LOW },
		{ LOW - 64 * PAGE, USLAB_PRESSURE_NONE },
	};
	size_t i;

	must_start(LIMIT);
	EXPECT_EQ(level(), USLAB_PRESSURE_NONE);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		hold(steps[i].bytes);
		EXPECT(WAIT_FOR(level() == steps[i].level));
		nap(0.3);
		EXPECT_EQ(level(), steps[i].level);
		EXPECT_EQ(uslab_pool_pressure(pool), steps[i].level);
	}
	tune("pressure_low_percent=10");
	EXPECT(WAIT_FOR(level() == USLAB_PRESSURE_LOW));
	finish();
}

TEST(a_level_rises_at_once_and_falls_after_the_transition_period)
{
	must_start(LIMIT "transition_centisecs=360000");
	hold(CRITICAL);
	EXPECT(WAIT_FOR(level() == USLAB_PRESSURE_CRITICAL));
	hold(0);
	nap(1.5);
	EXPECT_EQ(level(), USLAB_PRESSURE_CRITICAL);
	tune("transition_centisecs=10");
	EXPECT(WAIT_FOR(level() == USLAB_PRESSURE_NONE));
	finish();
}

static void live_near_a_cgroups_limit(void *group)
{
	size_t room;
	char *other;

	EXPECT(cgroup_enter(group));
	must_start("");
	EXPECT_EQ(level(), USLAB_PRESSURE_NONE);
	/* 96 percent of 64 MiB, with something that is none of the pool's */
	room = (size_t)(62914560 + MIB / 2 - cgroup_value(group, "memory.current"));
	other = mmap(NULL, room, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	EXPECT(other != MAP_FAILED);
	EXPECT(WAIT_FOR(level() >= USLAB_PRESSURE_LOW));
	munmap(other, room);
	EXPECT(WAIT_FOR(level() == USLAB_PRESSURE_NONE));
	finish();
}

TEST(levels_are_of_the_cgroups_limit_whoever_uses_it_up)
{
	const char *group = must_cgroup("level");

	ASSERT(cgroup_set(group, "memory.max", "64M"));
	EXPECT(child_ok(spawn(live_near_a_cgroups_limit, (void *)(uintptr_t)group)));
	EXPECT(cgroup_remove(group));
}

TEST(poll_says_pri_under_pressure_and_out_without)
{
	must_start(LIMIT);
	EXPECT_EQ(polled(raw.fd), POLLOUT);
	hold(LOW);
	EXPECT(WAIT_FOR(polled(raw.fd) == POLLPRI));
	hold(CRITICAL);
	EXPECT(WAIT_FOR(level() == USLAB_PRESSURE_CRITICAL));
	EXPECT_EQ(polled(raw.fd), POLLPRI);
	hold(0);
	EXPECT(WAIT_FOR(polled(raw.fd) == POLLOUT));
	EXPECT_EQ(level(), USLAB_PRESSURE_NONE);
	finish();
}

/* Without aging as well: who waits has the worker look. */
TEST(edge_triggered_epoll_reports_every_change)
{
	static const struct {
		size_t bytes;
		int level;
	} steps[] = {
		{ LOW, USLAB_PRESSURE_LOW }, { MEDIUM, USLAB_PRESSURE_MEDIUM },
		{ CRITICAL, USLAB_PRESSURE_CRITICAL }, { MEDIUM, USLAB_PRESSURE_MEDIUM },
		{ 0, USLAB_PRESSURE_NONE }, { CRITICAL, USLAB_PRESSURE_CRITICAL },
	};
	struct epoll_event event = { .events = EPOLLPRI | EPOLLOUT | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	size_t i;

	must_start(LIMIT "idle_aging_centisecs=0");
	ASSERT(!epoll_ctl(epoll, EPOLL_CTL_ADD, raw.fd, &event));
	EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 1);
	EXPECT_EQ(event.events, EPOLLOUT);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 0);
		hold(steps[i].bytes);
		/* each report tells of a change, but it may take some to get there */
		do {
			if (!EXPECT_EQ(epoll_wait(epoll, &event, 1, (int)PATIENCE * 1000), 1))
				goto out;
		} while (level() != steps[i].level);
		while (epoll_wait(epoll, &event, 1, 100) == 1)
			;
		EXPECT_EQ(event.events, steps[i].level ? EPOLLPRI : EPOLLOUT);
	}
out:
	close(epoll);
	finish();
}

TEST(poll_of_the_pressure_file_reports_a_change)
{
	struct pollfd pollfd = { .events = POLLPRI };
	char path[256], text[16];

	must_start(LIMIT);
	snprintf(path, sizeof(path), USLAB_SYSFS "/%s/pressure", raw.name);
	pollfd.fd = open(path, O_RDONLY);
	ASSERT(pollfd.fd >= 0);
	EXPECT_GT(read(pollfd.fd, text, sizeof(text)), 0);
	EXPECT_EQ(poll(&pollfd, 1, 300), 0);
	hold(LOW);
	EXPECT_EQ(poll(&pollfd, 1, (int)PATIENCE * 1000), 1);
	EXPECT_EQ(pread(pollfd.fd, text, sizeof(text), 0), 4);
	EXPECT(!memcmp(text, "low\n", 4));
	close(pollfd.fd);
	finish();
}

/* The circuit breaker */

static long long breaker(void)
{
	return pool_value(raw.name, "breaker");
}

TEST(the_breaker_reclaims_what_is_above_the_low_level)
{
	must_start(LIMIT "mode=manual");
	get(8 * MIB);
	have_idle(CRITICAL - 8 * MIB);
	EXPECT_EQ(STAT(out_objects), 8 * MIB / PAGE);
	EXPECT(WAIT_FOR(breaker() == 1 || STAT(returns) > 0));
	EXPECT(WAIT_FOR(backed() <= (long long)LOW));
	EXPECT(WAIT_FOR(breaker() == 0));
	EXPECT_GE(backed(), (long long)LOW - magazines(4));
	EXPECT_EQ(STAT(out_objects), 8 * MIB / PAGE);
	finish();
}

/* Three events, a second apart, with nothing to reclaim */
static void must_open_breaker(void)
{
	must_start(LIMIT "mode=manual");
	hold(CRITICAL);
	EXPECT(WAIT_FOR(breaker() == 2));
}

TEST(the_breaker_refuses_growth_at_the_third_time_and_tells)
{
	uint64_t failures;
	double start;
	void *object;

	start = now();
	must_open_breaker();
	EXPECT_GE(now() - start, 1.9);
	failures = pool_stats(pool).refill_failures;
	/* what is there already may be got */
	put(PAGE);
	get(PAGE);
	EXPECT_EQ(breaker(), 2);
	EXPECT_ERRNO((object = uslab_get(pool)) == NULL, ENOMEM);
	EXPECT_EQ(breaker(), 3);
	EXPECT_GT(pool_stats(pool).refill_failures, failures);
	nap(1.5);
	EXPECT_EQ(breaker(), 3);
	EXPECT_ERRNO((object = uslab_get(pool)) == NULL, ENOMEM);
	finish();
}

TEST(the_breaker_closes_when_memory_is_given_back)
{
	must_open_breaker();
	hold(LOW - 64 * PAGE);
	EXPECT(WAIT_FOR(breaker() == 0));
	get(8 * PAGE);
	/* and it counts from the beginning */
	hold(CRITICAL);
	EXPECT(WAIT_FOR(breaker() > 0));
	EXPECT_EQ(breaker(), 1);
	finish();
}

TEST(the_breaker_closes_in_auto_mode)
{
	must_open_breaker();
	tune("mode=auto");
	EXPECT(WAIT_FOR(breaker() == 0));
	get(4 * MIB);
	finish();
}

TEST(in_auto_mode_there_is_no_breaker)
{
	must_start(LIMIT);
	hold(16 * MIB);
	EXPECT(WAIT_FOR(level() == USLAB_PRESSURE_CRITICAL));
	nap(4);
	EXPECT_EQ(breaker(), 0);
	get(MIB);
	finish();
}

TEST_MAIN
