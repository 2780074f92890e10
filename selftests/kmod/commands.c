// SPDX-License-Identifier: GPL-2.0-only
/* What each command on a pool does, and what it does with values out of range. */
#include <limits.h>

#include "kmod.h"

static struct raw pool;

static void open_pool(void)
{
	pool = must_raw_size("commands", 64);
}

static void close_pool(void)
{
	raw_close(&pool);
}

/* REFILL */

TEST(refill_refuses_a_number_out_of_range)
{
	static const uint32_t wrong[] = { 0, USLAB_BATCH_MAX + 1, 1u << 31, UINT_MAX };
	static uint32_t handles[USLAB_BATCH_MAX];
	size_t i;

	open_pool();
	for (i = 0; i < 4; i++)
		EXPECT_ERRNO(raw_refill(pool.fd, 0, handles, wrong[i]) == -1, EINVAL);
	EXPECT_EQ(raw_stats(pool.fd).refills, 0);
	EXPECT_EQ(raw_refill(pool.fd, 0, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
	EXPECT_EQ(raw_return(pool.fd, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
	close_pool();
}

TEST(refill_and_grow_refuse_a_home_out_of_range)
{
	uint32_t home, handle;

	open_pool();
	for (home = 0; home < pool.control->nr_homes; home++) {
		EXPECT_EQ(raw_refill(pool.fd, home, &handle, 1), 1);
		EXPECT_EQ(handle >> pool.control->home_shift, home);
		EXPECT_GE(raw_grow(pool.fd, home), 1);
	}
	EXPECT_ERRNO(raw_refill(pool.fd, home, &handle, 1) == -1, EINVAL);
	EXPECT_ERRNO(raw_refill(pool.fd, UINT_MAX, &handle, 1) == -1, EINVAL);
	EXPECT_ERRNO(raw_grow(pool.fd, home) == -1, EINVAL);
	EXPECT_ERRNO(raw_grow(pool.fd, 1u << 31) == -1, EINVAL);
	EXPECT_ERRNO(raw_grow(pool.fd, UINT_MAX) == -1, EINVAL);
	close_pool();
}

static int handle_cmp(const void *a, const void *b)
{
	uint32_t l = *(const uint32_t *)a, r = *(const uint32_t *)b;

	return l < r ? -1 : l > r;
}

TEST(refill_gives_every_object_once)
{
	static uint32_t handles[4 * USLAB_BATCH_MAX];
	uint32_t i;

	open_pool();
	for (i = 0; i < 4; i++)
		ASSERT_EQ(raw_refill(pool.fd, 0, handles + i * USLAB_BATCH_MAX, USLAB_BATCH_MAX),
			  USLAB_BATCH_MAX);
	qsort(handles, 4 * USLAB_BATCH_MAX, sizeof(*handles), handle_cmp);
	for (i = 1; i < 4 * USLAB_BATCH_MAX; i++)
		if (!EXPECT_GE(raw_object(&pool, handles[i]),
			       raw_object(&pool, handles[i - 1]) + 64))
			break;
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 4 * USLAB_BATCH_MAX);
	close_pool();
}

/*
 * What the caller has been told of is what is out, however much of the room for
 * the handles could be written.
 */
TEST(refill_to_memory_that_ends_loses_nothing)
{
	static const uint32_t rooms[] = { 0, 1, 10, 127, 128, 129, 200, 700 };
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	uint64_t out = 0;
	size_t i;

	ASSERT(page != MAP_FAILED);
	mprotect(page + PAGE, PAGE, PROT_NONE);
	open_pool();
	for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		uint32_t *handles = (uint32_t *)(page + PAGE) - rooms[i];
		int got;

		errno = 0;
		got = raw_refill(pool.fd, 0, handles, USLAB_BATCH_MAX);
		if (got < 0)
			EXPECT_EQ(errno, EFAULT);
		EXPECT_LE(got, (int)rooms[i]);
		if (got > 0) {
			out += (uint64_t)got;
			EXPECT_EQ(raw_return(pool.fd, handles, got), got);
			out -= (uint64_t)got;
		}
		EXPECT_EQ(raw_stats(pool.fd).out_objects, out);
	}
	EXPECT_EQ(raw_stats(pool.fd).backed_bytes, 0);
	EXPECT_EQ(raw_stats(pool.fd).refills, raw_stats(pool.fd).returns);
	/* read-only room, and the room that is the pool's own object space */
	mprotect(page, PAGE, PROT_READ);
	EXPECT_ERRNO(raw_refill(pool.fd, 0, (uint32_t *)page, 64) == -1, EFAULT);
	EXPECT_ERRNO(raw_refill(pool.fd, 0, (uint32_t *)(pool.objects + MIB), 64) == -1, EFAULT);
	EXPECT_ERRNO(raw_refill(pool.fd, 0, (uint32_t *)(uintptr_t)pool.control, 64) == -1,
		     EFAULT);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 0);
	munmap(page, 2 * PAGE);
	close_pool();
}

TEST(refill_into_an_object_of_the_pool_works)
{
	uint32_t first, *inside;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, &first, 1), 1);
	inside = (uint32_t *)raw_object(&pool, first);
	ASSERT_EQ(raw_refill(pool.fd, 0, inside, 16), 16);
	EXPECT_EQ(raw_return(pool.fd, inside, 16), 16);
	EXPECT_EQ(raw_return(pool.fd, &first, 1), 1);
	close_pool();
}

TEST(a_fresh_object_is_zero)
{
	static uint32_t handles[256];
	uint32_t i, j;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, handles, 256), 256);
	for (i = 0; i < 256; i++)
		for (j = 0; j < 64; j++)
			if (raw_object(&pool, handles[i])[j]) {
				TEST_FAIL("byte %u of object %u is not zero", j, i);
				i = 256;
				break;
			}
	close_pool();
}

/* RETURN */

TEST(return_refuses_a_number_out_of_range)
{
	static const uint32_t wrong[] = { 0, USLAB_BATCH_MAX + 1, 1u << 31, UINT_MAX };
	uint32_t handle;
	size_t i;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, &handle, 1), 1);
	for (i = 0; i < 4; i++)
		EXPECT_ERRNO(raw_return(pool.fd, &handle, wrong[i]) == -1, EINVAL);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 1);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, 0);
	close_pool();
}

TEST(return_from_memory_that_ends_takes_what_it_says)
{
	static const uint32_t rooms[] = { 0, 1, 10, 127, 128, 129, 200, 700 };
	static uint32_t handles[USLAB_BATCH_MAX];
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	size_t i;

	ASSERT(page != MAP_FAILED);
	mprotect(page + PAGE, PAGE, PROT_NONE);
	open_pool();
	for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		uint32_t *from = (uint32_t *)(page + PAGE) - rooms[i];
		int taken;

		ASSERT_EQ(raw_refill(pool.fd, 0, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
		memcpy(from, handles, rooms[i] * sizeof(*handles));
		errno = 0;
		taken = raw_return(pool.fd, from, USLAB_BATCH_MAX);
		if (taken < 0) {
			EXPECT_EQ(errno, EFAULT);
			taken = 0;
		}
		EXPECT_LE(taken, rooms[i]);
		EXPECT_EQ(raw_stats(pool.fd).out_objects, USLAB_BATCH_MAX - taken);
		/* the rest, and what is gone already, a second time */
		EXPECT_EQ(raw_return(pool.fd, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX - taken);
		EXPECT_EQ(raw_stats(pool.fd).out_objects, 0);
	}
	munmap(page, 2 * PAGE);
	close_pool();
}

TEST(returning_twice_is_a_bad_put)
{
	uint32_t handle[2];

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, handle, 2), 2);
	EXPECT_EQ(raw_return(pool.fd, handle, 1), 1);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, 0);
	EXPECT_EQ(raw_return(pool.fd, handle, 1), 0);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, 1);
	EXPECT_EQ(raw_return(pool.fd, handle, 2), 1);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, 2);
	EXPECT_EQ(raw_stats(pool.fd).returns, 2);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 0);
	close_pool();
}

TEST(returning_the_same_handle_many_times_at_once_counts_once)
{
	static uint32_t handles[USLAB_BATCH_MAX];
	uint32_t i;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, handles, 1), 1);
	for (i = 1; i < USLAB_BATCH_MAX; i++)
		handles[i] = handles[0];
	EXPECT_EQ(raw_return(pool.fd, handles, USLAB_BATCH_MAX), 1);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, USLAB_BATCH_MAX - 1);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 0);
	close_pool();
}

TEST(returning_a_handle_that_never_was_is_a_bad_put)
{
	static uint32_t handles[USLAB_BATCH_MAX];
	uint64_t bad = 0;
	uint32_t held, i;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, &held, 1), 1);
	raw_object(&pool, held)[0] = 42;
	for (i = 0; i < USLAB_BATCH_MAX; i++) {
		do
			handles[i] = i < 8 ? (1u << 31) + i : i < 16 ? UINT_MAX - i :
				     (uint32_t)rand() * 2654435761u;
		while (handles[i] == held);
	}
	EXPECT_EQ(raw_return(pool.fd, handles, USLAB_BATCH_MAX), 0);
	bad += USLAB_BATCH_MAX;
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, bad);
	/* one at a time: the neighbours of a handle that is out, and the ends of the space */
	for (i = 0; i < 8; i++) {
		handles[0] = held + 1 + i;
		EXPECT_EQ(raw_return(pool.fd, handles, 1), 0);
		handles[0] = ((uint32_t)(pool.control->objects_size >>
					 pool.control->granule_shift)) - i;
		EXPECT_EQ(raw_return(pool.fd, handles, 1), 0);
		bad += 2;
	}
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, bad);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 1);
	EXPECT_EQ(raw_object(&pool, held)[0], 42);
	close_pool();
}

TEST(returning_the_middle_of_an_object_is_a_bad_put)
{
	struct raw raw = must_raw_size("middle", 24);	/* three granules */
	uint32_t handle[3], wrong;

	ASSERT_EQ(raw_refill(raw.fd, 0, handle, 3), 3);
	EXPECT_EQ(raw.control->granule_shift, 3);
	wrong = handle[0] + 1;
	EXPECT_EQ(raw_return(raw.fd, &wrong, 1), 0);
	wrong = handle[0] + 2;
	EXPECT_EQ(raw_return(raw.fd, &wrong, 1), 0);
	EXPECT_EQ(raw_stats(raw.fd).bad_puts, 2);
	EXPECT_EQ(raw_stats(raw.fd).out_objects, 3);
	raw_close(&raw);
}

TEST(returning_another_pools_handle_hurts_neither)
{
	struct raw other = must_raw_size("other", 64);
	uint32_t mine[2], others[2];

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, mine, 1), 1);
	ASSERT_EQ(raw_refill(other.fd, 0, others, 2), 2);
	raw_return(pool.fd, mine, 1);
	EXPECT_EQ(raw_return(pool.fd, others, 2), 0);
	EXPECT_EQ(raw_stats(other.fd).out_objects, 2);
	raw_close(&other);
	close_pool();
}

/* GROW */

TEST(grow_ends_with_enospc_when_all_magazines_exist)
{
	struct uslab_create request = create_args(pool_name("grow"), 64 * KIB);
	uint64_t magazines = 0;
	struct raw raw;
	int n;

	request.max_bytes = 64 * KIB;
	raw = must_raw(&request);
	EXPECT_EQ(raw_stats(raw.fd).magazines, 0);
	while ((n = raw_grow(raw.fd, 0)) > 0) {
		magazines += (uint64_t)n;
		EXPECT_EQ(raw_stats(raw.fd).magazines, magazines);
	}
	EXPECT_ERRNO(raw_grow(raw.fd, 0) == -1, ENOSPC);
	EXPECT_EQ(magazines, raw.control->nr_magazines);
	raw_close(&raw);
}

TEST(grow_puts_magazines_on_the_empty_stack)
{
	struct uslab_depot *depot;
	uint32_t index, found = 0;
	int n;

	open_pool();
	depot = raw_depot(&pool, 0);
	EXPECT_EQ(depot->empty.head & USLAB_HEAD_INDEX_MASK, 0);
	n = raw_grow(pool.fd, 0);
	ASSERT(n >= 1);
	for (index = depot->empty.head & USLAB_HEAD_INDEX_MASK; index && found < 10000;
	     index = raw_magazine(&pool, index)->next) {
		EXPECT_LE(index, pool.control->nr_magazines);
		EXPECT_EQ(raw_magazine(&pool, index)->count, 0);
		found++;
	}
	EXPECT_EQ(found, n);
	close_pool();
}

/* RECLAIM */

TEST(reclaim_takes_what_is_idle_and_nothing_else)
{
	static uint32_t handles[USLAB_BATCH_MAX];
	struct uslab_stats stats;
	struct raw raw = must_raw_size("reclaim", PAGE);

	ASSERT_EQ(raw_refill(raw.fd, 0, handles, 100), 100);
	EXPECT_EQ(raw_reclaim(raw.fd, UINT64_MAX), 0);
	EXPECT(raw_stash(&raw, 0, handles, 60));
	stats = raw_stats(raw.fd);
	EXPECT_EQ(stats.idle_objects, 60);
	EXPECT_EQ(stats.out_objects, 40);
	EXPECT_EQ(raw_reclaim(raw.fd, 0), 0);
	EXPECT_EQ(raw_stats(raw.fd).idle_objects, 60);
	EXPECT_EQ(raw_reclaim(raw.fd, UINT64_MAX), 60 * PAGE);
	stats = raw_stats(raw.fd);
	EXPECT_EQ(stats.idle_objects, 0);
	EXPECT_EQ(stats.out_objects, 40);
	EXPECT_EQ(stats.backed_bytes, 40 * PAGE);
	EXPECT_EQ(stats.reclaimed_bytes, 60 * PAGE);
	EXPECT_EQ(stats.bad_puts, 0);
	raw_close(&raw);
}

TEST(reclaim_stops_at_what_was_asked_for)
{
	static uint32_t handles[USLAB_BATCH_MAX];
	struct raw raw = must_raw_size("reclaim", PAGE);
	uint64_t magazine = raw.control->magazine_size * PAGE;
	long long taken;

	ASSERT_EQ(raw_refill(raw.fd, 0, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
	EXPECT(raw_stash(&raw, 0, handles, USLAB_BATCH_MAX));
	taken = raw_reclaim(raw.fd, 1);
	EXPECT_GE(taken, PAGE);
	EXPECT_LE(taken, magazine);
	taken = raw_reclaim(raw.fd, magazine);
	EXPECT_GE(taken, magazine);
	EXPECT_LE(taken, 2 * magazine);
	raw_close(&raw);
}

TEST(reclaim_takes_from_cpu_caches)
{
	struct uslab_pool *lib = must_pool(pool_name("caches"), PAGE, 0);
	void *objects[4];
	int i;

	for (i = 0; i < 4; i++)
		ASSERT((objects[i] = uslab_get(lib)));
	for (i = 0; i < 4; i++)
		uslab_put(lib, objects[i]);
	EXPECT_GT(pool_stats(lib).idle_objects, 0);
	EXPECT_GE(raw_reclaim(uslab_pool_fd(lib), UINT64_MAX), 4 * PAGE);
	EXPECT_EQ(pool_stats(lib).idle_objects, 0);
	EXPECT_EQ(pool_stats(lib).backed_bytes, 0);
	uslab_pool_destroy(lib);
}

TEST(reclaim_has_two_flags_and_takes_one_at_a_time)
{
	struct uslab_reclaim request = { .size = sizeof(request), .bytes = UINT64_MAX };

	open_pool();
	request.flags = USLAB_RECLAIM_TRIM;
	EXPECT_EQ(ioctl(pool.fd, USLAB_IOC_RECLAIM, &request), 0);
	request.flags = USLAB_RECLAIM_DEPOTS;
	EXPECT_EQ(ioctl(pool.fd, USLAB_IOC_RECLAIM, &request), 0);
	request.flags = USLAB_RECLAIM_TRIM | USLAB_RECLAIM_DEPOTS;
	EXPECT_ERRNO(ioctl(pool.fd, USLAB_IOC_RECLAIM, &request) == -1, EINVAL);
	EXPECT_EQ(USLAB_RECLAIM_TRIM, 1);
	EXPECT_EQ(USLAB_RECLAIM_DEPOTS, 2);
	close_pool();
}

TEST(a_huge_number_of_bytes_is_everything)
{
	uint32_t handle;

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, &handle, 1), 1);
	EXPECT(raw_stash(&pool, 0, &handle, 1));
	EXPECT_EQ(raw_reclaim(pool.fd, UINT64_MAX - 1), PAGE);
	EXPECT_EQ(raw_stats(pool.fd).backed_bytes, 0);
	close_pool();
}

TEST(the_reclaim_file_takes_units_and_refuses_nonsense)
{
	static const char *const wrong[] = { "", "x", "-1", "1T", "1KK", "K", "max!", "1 2",
					     "18446744073709551616", "18446744073709551615G",
					     "trims", "tri", "CPUS", "trim depots" };
	static const char *const right[] = { "0", "1", "4096\n", "1K", "1M\n", "1G", "max",
					     "max\n", "trim", "depots", "cpus\n" };
	size_t i;

	open_pool();
	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		if (pool_reclaim_write(pool.name, right[i]))
			TEST_FAIL("'%s': errno %d", right[i], errno);
	for (i = 1; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (!pool_reclaim_write(pool.name, wrong[i]) || errno != EINVAL)
			TEST_FAIL("'%s': errno %d", wrong[i], errno);
	close_pool();
}

/* BALANCE */

TEST(balance_takes_two_magazines_of_what_is_above_the_limit)
{
	struct uslab_balance balance = { .size = sizeof(balance) };
	struct raw raw = must_raw_size("balance", PAGE);
	static uint32_t handles[USLAB_BATCH_MAX];
	long long idle, magazine = raw.control->magazine_size;

	EXPECT_EQ(pool_write(raw.name, "idle_aging_centisecs", "0"), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_background_ratio", "0"), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_bytes", "2M"), 0);
	EXPECT_EQ(raw.control->idle_limit, 2 * MIB / PAGE);
	ASSERT_EQ(raw_refill(raw.fd, 0, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
	EXPECT(raw_stash(&raw, 0, handles, USLAB_BATCH_MAX));
	EXPECT_EQ(ioctl(raw.fd, USLAB_IOC_BALANCE, &balance), 0);
	idle = (long long)raw_stats(raw.fd).idle_objects;
	EXPECT_LT(idle, USLAB_BATCH_MAX);
	EXPECT_GE(idle, USLAB_BATCH_MAX - 2 * magazine);
	EXPECT_EQ(raw_stats(raw.fd).throttles, 1);
	EXPECT_GT(raw_stats(raw.fd).throttled_us, 0);
	while (raw_stats(raw.fd).idle_objects > raw.control->idle_limit)
		ASSERT_EQ(ioctl(raw.fd, USLAB_IOC_BALANCE, &balance), 0);
	raw_close(&raw);
}

TEST(balance_does_nothing_below_the_limit)
{
	struct uslab_balance balance = { .size = sizeof(balance) };
	struct raw raw = must_raw_size("balance", PAGE);
	static uint32_t handles[USLAB_BATCH_MAX];

	EXPECT_EQ(pool_write(raw.name, "idle_aging_centisecs", "0"), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_background_ratio", "0"), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_bytes", "4M"), 0);
	ASSERT_EQ(raw_refill(raw.fd, 0, handles, USLAB_BATCH_MAX), USLAB_BATCH_MAX);
	EXPECT(raw_stash(&raw, 0, handles, USLAB_BATCH_MAX));
	EXPECT_EQ(ioctl(raw.fd, USLAB_IOC_BALANCE, &balance), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_ratio", "0"), 0);
	EXPECT_EQ(pool_write(raw.name, "idle_bytes", "0"), 0);
	EXPECT_EQ(raw.control->idle_limit, 0);
	EXPECT_EQ(ioctl(raw.fd, USLAB_IOC_BALANCE, &balance), 0);
	EXPECT_EQ(raw_stats(raw.fd).idle_objects, USLAB_BATCH_MAX);
	EXPECT_EQ(raw_stats(raw.fd).throttles, 0);
	EXPECT_EQ(raw_stats(raw.fd).throttled_us, 0);
	raw_close(&raw);
}

/* STATS */

TEST(statistics_and_files_say_the_same)
{
	static uint32_t handles[100];
	struct uslab_stats stats;

	aging(false);
	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, handles, 100), 100);
	EXPECT(raw_stash(&pool, 0, handles, 50));
	raw_return(pool.fd, handles + 50, 10);
	raw_return(pool.fd, handles + 50, 1);
	stats = raw_stats(pool.fd);
#define SAME(field)	EXPECT_EQ(pool_value(pool.name, #field), stats.field)
	SAME(object_size);
	SAME(backed_bytes);
	SAME(out_objects);
	SAME(idle_objects);
	SAME(gets);
	SAME(puts);
	SAME(refills);
	SAME(refill_failures);
	SAME(returns);
	SAME(bad_puts);
	SAME(victim_hits);
	SAME(remote_gets);
	SAME(remote_puts);
	SAME(rotations);
	SAME(reclaimed_bytes);
	SAME(magazines);
	SAME(passes);
	SAME(pass_us);
	SAME(throttles);
	SAME(throttled_us);
	EXPECT_EQ(stats.refills, 100);
	EXPECT_EQ(stats.returns, 10);
	EXPECT_EQ(stats.bad_puts, 1);
	EXPECT_EQ(stats.idle_objects, 50);
	EXPECT_EQ(stats.out_objects, 40);
	close_pool();
	aging(true);
}

/* The sums are right only if the objects are: put one in twice behind the kernel's back. */
TEST(control_conservation_notices_a_double_put)
{
	uint32_t handle[2], twice[2];

	open_pool();
	ASSERT_EQ(raw_refill(pool.fd, 0, handle, 2), 2);
	twice[0] = twice[1] = handle[0];
	EXPECT(raw_stash(&pool, 0, twice, 2));
	/* one object is idle and one is held, but the sums say: both idle */
	EXPECT_EQ(raw_stats(pool.fd).idle_objects, 2);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 0);
	raw_reclaim(pool.fd, UINT64_MAX);
	EXPECT_EQ(raw_stats(pool.fd).bad_puts, 1);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 1);
	close_pool();
}

TEST_MAIN
