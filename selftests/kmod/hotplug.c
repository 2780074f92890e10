// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs come and go while pools are in use: nothing is lost, and nothing is
 * given to two.
 *
 * The oracle is a word in each object: who gets it, swaps his number in and
 * must find 0; who puts it, swaps 0 in and must find his number.
 */
#include "kmod.h"

#define OBJECT	512u
#define SLOTS	96u

static struct {
	struct uslab_pool *pool;
	_Atomic bool stop;
	_Atomic uint64_t cycles, twice, stolen, failed;
	_Atomic int64_t held;
} load;

static void claim(_Atomic uint64_t *object, uint64_t me)
{
	if (atomic_exchange(object, me))
		load.twice++;
}

static void disclaim(_Atomic uint64_t *object, uint64_t me)
{
	if (atomic_exchange(object, 0) != me)
		load.stolen++;
}

static void *work(void *arg)
{
	_Atomic uint64_t *object[SLOTS] = { NULL };
	uint64_t me = (uintptr_t)arg, seed = me * 7919 + 1;
	uint32_t i;

	while (!load.stop) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		i = (uint32_t)(seed >> 33) % SLOTS;
		if (object[i]) {
			disclaim(object[i], me);
			uslab_put(load.pool, (void *)object[i]);
			object[i] = NULL;
			load.cycles++;
		} else {
			object[i] = uslab_get(load.pool);
			if (object[i])
				claim(object[i], me);
			else
				load.failed++;
		}
	}
	for (i = 0; i < SLOTS; i++) {
		if (!object[i])
			continue;
		/* half of them stay out, so that the end is not simply zero */
		if (i & 1) {
			load.held++;
			continue;
		}
		disclaim(object[i], me);
		uslab_put(load.pool, (void *)object[i]);
	}
	return NULL;
}

static int cpu_online(int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	return write_file(path, online ? "1" : "0");
}

static int hotpluggable(void)
{
	char path[64];
	int cpu;

	for (cpu = 1; cpu < 64; cpu++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
		if (access(path, W_OK))
			break;
	}
	return cpu - 1;
}

static void expect_accounts(void)
{
	struct uslab_stats stats;

	EXPECT_EQ(load.twice, 0);
	EXPECT_EQ(load.stolen, 0);
	EXPECT_EQ(load.failed, 0);
	EXPECT_SETTLES(pool_stats(load.pool).out_objects, load.held);
	EXPECT_EQ(pool_stats(load.pool).bad_puts, 0);
	uslab_pool_reclaim(load.pool, SIZE_MAX);
	stats = pool_stats(load.pool);
	EXPECT_EQ(stats.idle_objects, 0);
	EXPECT_EQ(stats.out_objects, load.held);
}

static void must_begin(pthread_t *thread, int threads)
{
	int i;

	memset(&load, 0, sizeof(load));
	load.pool = must_pool(pool_name("hotplug"), OBJECT, USLAB_POLICY_LOCAL);
	for (i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, work, (void *)(uintptr_t)(i + 1));
}

static void end(pthread_t *thread, int threads)
{
	int i;

	load.stop = true;
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	expect_accounts();
	uslab_pool_destroy(load.pool);
}

TEST(nothing_is_lost_while_cpus_come_and_go)
{
	double until = now() + test_seconds(8);
	int cpus = hotpluggable(), cpu = 1, rounds = 0;
	pthread_t thread[8];
	char reclaimed = 0;

	if (!cpus)
		SKIP("no CPU can be taken offline");
	must_begin(thread, 8);
	while (now() < until || rounds < 3) {
		bool gone = !cpu_online(cpu, false);

		EXPECT(gone);
		if (reclaimed++ & 1)
			uslab_pool_reclaim(load.pool, SIZE_MAX);
		EXPECT(!cpu_online(cpu, true));
		cpu = cpu % cpus + 1;
		rounds++;
	}
	printf("# %d rounds, %llu cycles\n", rounds, (unsigned long long)load.cycles);
	end(thread, 8);
}

TEST(all_cpus_but_one_go)
{
	int cpus = hotpluggable(), cpu;
	pthread_t thread[8];

	if (!cpus)
		SKIP("no CPU can be taken offline");
	must_begin(thread, 8);
	nap(0.5);
	for (cpu = 1; cpu <= cpus; cpu++)
		EXPECT(!cpu_online(cpu, false));
	nap(0.5);
	uslab_pool_reclaim(load.pool, SIZE_MAX);
	for (cpu = 1; cpu <= cpus; cpu++)
		EXPECT(!cpu_online(cpu, true));
	nap(0.5);
	end(thread, 8);
}

TEST(what_a_cpu_had_cached_is_reclaimed_when_it_is_gone)
{
	int cpus = hotpluggable();
	void *objects[64];
	int i;

	if (!cpus)
		SKIP("no CPU can be taken offline");
	memset(&load, 0, sizeof(load));
	load.pool = must_pool(pool_name("hotplug"), PAGE, USLAB_POLICY_LOCAL);
	ASSERT(run_on(cpus));
	for (i = 0; i < 64; i++)
		ASSERT((objects[i] = uslab_get(load.pool)));
	for (i = 0; i < 64; i++)
		uslab_put(load.pool, objects[i]);
	run_anywhere();
	EXPECT_GT(pool_stats(load.pool).idle_objects, 0);
	EXPECT(!cpu_online(cpus, false));
	uslab_pool_reclaim(load.pool, SIZE_MAX);
	EXPECT_EQ(pool_stats(load.pool).idle_objects, 0);
	EXPECT_EQ(pool_stats(load.pool).backed_bytes, 0);
	EXPECT(!cpu_online(cpus, true));
	uslab_pool_destroy(load.pool);
}

TEST(control_the_oracle_notices_an_object_given_twice)
{
	_Atomic uint64_t object = 0;

	memset(&load, 0, sizeof(load));
	claim(&object, 1);
	EXPECT_EQ(load.twice, 0);
	claim(&object, 2);
	EXPECT_EQ(load.twice, 1);
	disclaim(&object, 1);
	EXPECT_EQ(load.stolen, 1);
}

TEST_MAIN
