// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the background worker and who pays take back, and what they leave: thresholds,
 * age, growth, strengths, and what switches them off. memory_limit, pressure and the
 * circuit breaker are in pressure.c.
 */
#include "policy.h"

/* Background */

TEST(idle_above_background_is_taken_down_to_it)
{
	must_start("idle_background_bytes=8M");
	have_idle(32 * MIB);
	EXPECT(WAIT_FOR(idle() <= 8 * (long long)MIB));
	nap(1);
	EXPECT_GE(idle(), 8 * (long long)MIB - magazines(4));
	EXPECT_GT(STAT(passes), 0);
	EXPECT_GT(STAT(pass_us), 0);
	EXPECT_EQ(STAT(throttles), 0);
	finish();
}

TEST(a_pass_takes_min_reclaim_bytes_at_least)
{
	must_start("idle_background_bytes=8M min_reclaim_bytes=4M transition_centisecs=100");
	have_idle(8 * MIB + magazines(2));
	EXPECT(WAIT_FOR(idle() <= 8 * (long long)MIB));
	EXPECT(WAIT_FOR(idle() <= 8 * (long long)MIB + magazines(2) - 4 * (long long)MIB));
	nap(1);
	EXPECT_GE(idle(), 4 * (long long)MIB - magazines(2));
	finish();
}

TEST(below_background_nothing_goes)
{
	must_start("idle_background_bytes=8M");
	have_idle(7 * MIB);
	nap(1.5);
	EXPECT_EQ(STAT(returns), 0);
	have_idle(16 * MIB);
	EXPECT(WAIT_FOR(STAT(returns) > 0));
	finish();
}

TEST(above_background_it_must_last_for_the_transition_period)
{
	must_start("idle_background_bytes=1M transition_centisecs=360000");
	have_idle(16 * MIB);
	nap(1.5);
	EXPECT_EQ(STAT(returns), 0);
	tune("transition_centisecs=10");
	EXPECT(WAIT_FOR(idle() <= (long long)MIB));
	finish();
}

/* Both are counted, so it is caches that make up more than there may be. */
TEST(cpu_caches_that_are_idle_count_and_go)
{
	must_start("idle_background_bytes=64K");
	have_idle(256 * KIB);
	EXPECT_GT(cached(), 64 * (long long)KIB);
	EXPECT(WAIT_FOR(idle() <= 64 * (long long)KIB));
	finish();
}

TEST(without_a_background_threshold_the_worker_begins_at_the_hard_one)
{
	must_start("idle_bytes=8M idle_background_bytes=0");
	/* caches and depots together have more than depots alone may have */
	have_idle(8 * MIB + (size_t)magazines(1) / 2);
	EXPECT(WAIT_FOR(idle() <= 8 * (long long)MIB));
	nap(1);
	EXPECT_GE(idle(), 8 * (long long)MIB - magazines(4));
	EXPECT_EQ(STAT(throttles), 0);
	finish();
}

/* Hard */

TEST(a_put_above_the_hard_threshold_pays)
{
	long long most = 0, least = 32 * (long long)MIB;
	size_t i;

	must_start("idle_bytes=8M idle_background_bytes=4M idle_aging_centisecs=0");
	get(48 * MIB);
	for (i = 0; i < 48 * MIB / PAGE; i++) {
		uslab_put(pool, objects[--held]);
		if (i % 64)
			continue;
		most = idle() > most ? idle() : most;
		if (most > 8 * (long long)MIB)
			least = idle() < least ? idle() : least;
	}
	printf("# idle from %lld to %lld KiB, %lld us in %lld throttles\n", least >> 10,
	       most >> 10, STAT(throttled_us), STAT(throttles));
	EXPECT_GT(most, 8 * (long long)MIB - magazines(1));
	EXPECT_LE(most, 8 * (long long)MIB + magazines(6));
	/* two magazines a put, so that it goes down a little at a time */
	EXPECT_GE(least, 8 * (long long)MIB - magazines(4));
	EXPECT_GT(STAT(throttles), 0);
	EXPECT_GT(STAT(throttled_us), 0);
	EXPECT_EQ(STAT(passes), 0);
	EXPECT_EQ(STAT(bad_puts), 0);
	finish();
}

TEST(without_a_hard_threshold_nobody_pays)
{
	must_start("idle_background_bytes=1M idle_aging_centisecs=0");
	EXPECT_EQ(raw.control->idle_limit, 0);
	have_idle(48 * MIB);
	EXPECT_EQ(STAT(throttles), 0);
	EXPECT_EQ(STAT(throttled_us), 0);
	EXPECT_GE(idle(), 48 * (long long)MIB);
	finish();
}

TEST(the_control_page_has_the_hard_threshold_in_objects)
{
	must_start("");
	EXPECT_EQ(raw.control->idle_limit, 0);
	tune("idle_bytes=8M");
	EXPECT_EQ(raw.control->idle_limit, 8 * MIB / PAGE);
	/* a magazine is free */
	tune("idle_bytes=1");
	EXPECT_EQ(raw.control->idle_limit, raw.control->magazine_size);
	tune("idle_bytes=8M mode=manual");
	EXPECT_EQ(raw.control->idle_limit, 0);
	tune("mode=auto");
	EXPECT_EQ(raw.control->idle_limit, 8 * MIB / PAGE);
	finish();
}

/* min_idle */

#define FLOOR	1024		/* objects */

TEST(min_idle_is_left_by_the_worker)
{
	must_start("idle_background_bytes=1M min_idle=1024");
	have_idle(16 * MIB);
	EXPECT(WAIT_FOR(idle() <= FLOOR * (long long)PAGE + magazines(6)));
	nap(1);
	EXPECT_GE(STAT(idle_objects), FLOOR);
	finish();
}

TEST(min_idle_is_left_by_age)
{
	must_start("idle_expire_centisecs=20 min_idle=1024");
	have_idle(16 * MIB);
	EXPECT(WAIT_FOR(idle() <= FLOOR * (long long)PAGE + magazines(6)));
	nap(1);
	EXPECT_GE(STAT(idle_objects), FLOOR);
	tune("min_idle=0");
	EXPECT(WAIT_FOR(!idle()));
	finish();
}

TEST(min_idle_is_left_by_puts_that_pay)
{
	must_start("idle_bytes=1M min_idle=1024 idle_aging_centisecs=0");
	have_idle(16 * MIB);
	EXPECT_GT(STAT(throttles), 0);
	EXPECT_GE(STAT(idle_objects), FLOOR);
	finish();
}

TEST(min_idle_is_left_when_caches_are_dropped)
{
	int i;

	must_start("min_idle=1024 idle_aging_centisecs=0");
	have_idle(16 * MIB);
	EXPECT(WAIT_FOR((drop_caches(), idle() <= FLOOR * (long long)PAGE + magazines(6))));
	for (i = 0; i < 10; i++) {
		drop_caches();
		nap(0.05);
	}
	EXPECT_GE(STAT(idle_objects), FLOOR);
	finish();
}

TEST(min_idle_is_not_left_on_request)
{
	must_start("min_idle=1024 idle_aging_centisecs=0");
	have_idle(16 * MIB);
	EXPECT_EQ(pool_reclaim_write(raw.name, "14M"), 0);
	EXPECT_LE(idle(), 2 * (long long)MIB + magazines(2));
	EXPECT_EQ(pool_reclaim_write(raw.name, "max"), 0);
	EXPECT_EQ(idle(), 0);
	finish();
}

/* Age */

/* What was put goes with the second step after that: not before a step's time, 3 s here. */
TEST(age_takes_what_lies_idle_for_one_to_two_steps)
{
	double last_put, seen;
	long long returns, steps;

	must_start("idle_expire_centisecs=600");
	get(16 * MIB);
	/* what was brought in vain is not to age meanwhile */
	EXPECT_EQ(pool_reclaim_write(raw.name, "max"), 0);
	steps = STAT(rotations);
	EXPECT(WAIT_FOR(STAT(rotations) > steps));
	nap(1.5);
	returns = STAT(returns);
	put(16 * MIB);
	last_put = now();
	do {
		nap(0.05);
		steps = STAT(returns);
		seen = now();
	} while (steps == returns && seen < last_put + 2.4);
	if (seen < last_put + 2.4)
		EXPECT_EQ(steps, returns);
	steps = STAT(rotations);
	EXPECT(WAIT_FOR(STAT(rotations) > steps + 3 * raw.control->nr_homes));
	EXPECT(WAIT_FOR(!idle()));
	EXPECT_EQ(backed(), 0);
	finish();
}

TEST(without_aging_nothing_is_ever_too_old)
{
	long long passes;

	must_start("idle_aging_centisecs=0 idle_expire_centisecs=1 idle_background_bytes=1M");
	have_idle(16 * MIB);
	passes = STAT(passes);
	nap(1.5);
	EXPECT_EQ(STAT(returns), 0);
	EXPECT_EQ(STAT(passes), passes);
	tune("idle_aging_centisecs=5");
	EXPECT(WAIT_FOR(!idle()));
	finish();
}

TEST(a_working_set_stays_while_the_rest_ages)
{
	struct uslab_stats before, after;
	long long refills, steps;

	must_start("idle_expire_centisecs=200");
	have_idle(32 * MIB);
	EXPECT(WAIT_FOR((have_idle(4 * MIB), idle() <= 4 * (long long)MIB + magazines(6))));
	before = pool_stats(pool);
	EXPECT(WAIT_FOR((have_idle(4 * MIB), STAT(rotations) >= (long long)before.rotations +
						     5 * raw.control->nr_homes)));
	after = pool_stats(pool);
	refills = (long long)(after.refills - before.refills);
	steps = (long long)(after.rotations - before.rotations) / raw.control->nr_homes;
	printf("# %lld refills in %lld gets and %lld steps\n", refills,
	       (long long)(after.gets - before.gets), steps);
	EXPECT_LE(refills, steps * (4 * MIB / PAGE) / 4);
	EXPECT_GE(idle(), 4 * (long long)MIB - magazines(2));
	finish();
}

/* Growth */

TEST(growth_makes_an_aging_step)
{
	must_start("growth_percent=50 idle_aging_centisecs=360000");
	get(2 * MIB);
	nap(1);
	EXPECT_EQ(STAT(rotations), 0);		/* what is small does not count */
	get(14 * MIB);
	EXPECT(WAIT_FOR(STAT(rotations) > 0));
	finish();
}

TEST(without_growth_percent_growth_is_nothing_special)
{
	must_start("growth_percent=0 idle_aging_centisecs=360000");
	get(2 * MIB);
	nap(0.5);
	get(14 * MIB);
	nap(1);
	EXPECT_EQ(STAT(rotations), 0);
	finish();
}

/* Strengths */

static long long reclaim_flags(uint32_t flags)
{
	struct uslab_reclaim request = { .size = sizeof(request), .flags = flags,
					 .bytes = UINT64_MAX };

	EXPECT_EQ(ioctl(raw.fd, USLAB_IOC_RECLAIM, &request), 0);
	return (long long)request.reclaimed;
}

TEST(trim_takes_what_was_unused_since_the_last_step)
{
	must_start("idle_aging_centisecs=0");
	have_idle(16 * MIB);
	/* there was no step yet: this makes the first one */
	EXPECT_EQ(pool_reclaim_write(raw.name, "trim"), 0);
	EXPECT_EQ(STAT(returns), 0);
	have_idle(4 * MIB);
	EXPECT_EQ(pool_reclaim_write(raw.name, "trim"), 0);
	EXPECT_LE(idle(), 4 * (long long)MIB + magazines(4));
	EXPECT_GE(idle(), 4 * (long long)MIB - magazines(2));
	/* nothing was used since: all depots go */
	EXPECT_GE(reclaim_flags(USLAB_RECLAIM_TRIM), 4 * (long long)MIB - magazines(4));
	EXPECT_EQ(idle(), cached());
	finish();
}

TEST(depots_leaves_what_is_in_cpu_caches)
{
	long long caches;

	must_start("idle_aging_centisecs=0");
	have_idle(8 * MIB);
	caches = cached();
	EXPECT_GT(caches, 0);
	EXPECT_EQ(pool_reclaim_write(raw.name, "depots"), 0);
	EXPECT_EQ(cached(), caches);
	EXPECT_EQ(idle(), caches);
	have_idle(8 * MIB);
	caches = cached();
	EXPECT_GT(reclaim_flags(USLAB_RECLAIM_DEPOTS), 6 * (long long)MIB);
	EXPECT_EQ(idle(), caches);
	finish();
}

TEST(cpus_takes_all)
{
	must_start("idle_aging_centisecs=0");
	have_idle(8 * MIB);
	EXPECT_GT(cached(), 0);
	EXPECT_EQ(pool_reclaim_write(raw.name, "cpus"), 0);
	EXPECT_EQ(idle(), 0);
	EXPECT_EQ(backed(), 0);
	finish();
}

/* What switches all of it off */

TEST(in_manual_mode_nothing_goes_by_itself)
{
	int i;

	must_start("mode=manual idle_background_bytes=1M idle_bytes=2M idle_expire_centisecs=1 "
		   "growth_percent=1 memory_limit=1G");
	have_idle(16 * MIB);
	for (i = 0; i < 10; i++) {
		drop_caches();
		nap(0.15);
	}
	EXPECT_EQ(STAT(returns), 0);
	EXPECT_EQ(STAT(passes), 0);
	EXPECT_EQ(STAT(throttles), 0);
	EXPECT_EQ(pool_reclaim_write(raw.name, "4M"), 0);
	EXPECT_LE(idle(), 12 * (long long)MIB + (long long)MIB);
	tune("mode=auto");
	EXPECT(WAIT_FOR(!idle()));
	finish();
}

/* Stability */

/*
 * Idle memory goes up and down between two heights, and stays there for a while. A
 * pass has to wait until it has been high for the transition period.
 */
static void swing(const char *settings, double period, size_t bytes, double low, double high)
{
	struct uslab_stats before, after;
	double start, elapsed;
	long long passes;

	must_start(settings);
	have_idle(bytes);
	before = pool_stats(pool);
	start = now();
	/* long enough for passes that should not be */
	while (now() < start + 3 * period || now() < start + test_seconds(8)) {
		get(bytes);
		nap(low);
		put(bytes);
		nap(high);
	}
	elapsed = now() - start;
	after = pool_stats(pool);
	passes = (long long)(after.passes - before.passes);
	printf("# %lld passes in %.1f s, %lld refills in %lld gets\n", passes, elapsed,
	       (long long)(after.refills - before.refills),
	       (long long)(after.gets - before.gets));
	EXPECT_LE(passes, elapsed / period + 3);
	EXPECT_LE((after.refills - before.refills) * 5, after.gets - before.gets);
	finish();
}

TEST(a_load_that_swings_around_background_is_left_alone)
{
	swing("idle_background_bytes=8M transition_centisecs=300 reclaim_cpu_percent=100", 3,
	      16 * MIB, 0.03, 0.03);
}

/* It is hardly ever seen below, but below is where each pass leaves it. */
TEST(a_load_that_is_mostly_above_background_sees_one_pass_a_period)
{
	swing("idle_background_bytes=64K transition_centisecs=50 reclaim_cpu_percent=100", 0.5,
	      12 * MIB, 0, 0);
}

TEST(growth_is_slow_after_the_kernel_took_memory)
{
	uint32_t handles[64];
	int got;

	must_start("transition_centisecs=360000 idle_aging_centisecs=0");
	EXPECT_EQ(raw_refill(raw.fd, 0, handles, 64), 64);
	have_idle(16 * MIB);
	EXPECT(WAIT_FOR((drop_caches(), STAT(returns) > 0)));
	got = raw_refill(raw.fd, 0, handles, 64);
	EXPECT_GE(got, 1);
	EXPECT_LE(got, 16);
	EXPECT_EQ(raw_refill(raw.fd, 0, handles, 64), got);
	tune("transition_centisecs=0");
	EXPECT_EQ(raw_refill(raw.fd, 0, handles, 64), 64);
	finish();
}

/* Its share of the CPU */

TEST(the_worker_keeps_to_its_share_of_the_cpu)
{
	struct uslab_stats before, after;
	double start, elapsed, share;

	must_start("idle_background_bytes=64K transition_centisecs=0 idle_aging_centisecs=1 "
		   "reclaim_cpu_percent=10");
	have_idle(16 * MIB);
	before = pool_stats(pool);
	start = now();
	do {
		have_idle(48 * MIB);
		after = pool_stats(pool);
		elapsed = now() - start;
	} while (elapsed < PATIENCE && (elapsed < test_seconds(4) ||
					after.passes < before.passes + 10));
	share = (double)(after.pass_us - before.pass_us) / 1e6 / elapsed;
	printf("# %.1f %% in %lld passes\n", share * 100,
	       (long long)(after.passes - before.passes));
	EXPECT_LE(share * 1000, 200);
	EXPECT_GE(after.passes, before.passes + 10);
	finish();
}

TEST_MAIN
