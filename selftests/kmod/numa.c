// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where objects come from and where they go, on a machine of several nodes.
 */
#include <numaif.h>

#include "kmod.h"

#define OBJECT	4096u
#define MANY	1024u

static int cpu_of[2];		/* a CPU of each of the first two nodes */
static struct uslab_pool *pool;
static void *objects[4 * MANY];

/* Two nodes with memory and CPUs, or no test. */
static void want_two_nodes(void)
{
	char path[96], text[256];
	int node;

	for (node = 0; node < 2; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist", node);
		if (read_file(path, text, sizeof(text)) <= 0 || text[0] < '0' || text[0] > '9')
			SKIP("one node");
		cpu_of[node] = atoi(text);
	}
	aging(false);
}

static void must_be_on(int node)
{
	ASSERT(run_on(cpu_of[node]));
}

static void must_make(uint32_t policy, uint64_t max_bytes)
{
	struct uslab_attr attr = USLAB_ATTR_INIT;

	attr.policy = policy;
	attr.max_bytes = max_bytes;
	pool = uslab_pool_create(pool_name("numa"), OBJECT, &attr);
	ASSERT(pool);
	if (strcmp(uslab_pool_path(pool), "rseq"))
		SKIP("objects have no CPU without restartable sequences");
}

static void let_go(void)
{
	uslab_pool_destroy(pool);
	run_anywhere();
	aging(true);
}

/* The node of the page behind an address. */
static int node_of(void *address)
{
	int node = -1;

	*(volatile char *)address = 1;
	if (get_mempolicy(&node, NULL, 0, address, MPOL_F_NODE | MPOL_F_ADDR))
		return -1;
	return node;
}

static uint32_t home_of(void *address)
{
	return __uslab_home(pool, __uslab_handle(pool, address));
}

static uint32_t get_many(uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++) {
		objects[i] = uslab_get(pool);
		if (!objects[i])
			break;
	}
	return i;
}

static void put_many(uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		uslab_put(pool, objects[i]);
}

static uint32_t count_on(int node, uint32_t nr)
{
	uint32_t i, on = 0;

	for (i = 0; i < nr; i++)
		on += node_of(objects[i]) == node;
	return on;
}

TEST(objects_come_from_the_node_of_who_asks)
{
	uint32_t policy;
	int node;

	want_two_nodes();
	for (policy = USLAB_POLICY_LOCAL; policy <= USLAB_POLICY_BIND; policy++) {
		must_make(policy, 0);
		for (node = 0; node < 2; node++) {
			uint32_t i;

			must_be_on(node);
			ASSERT_EQ(get_many(MANY), MANY);
			EXPECT_EQ(count_on(node, MANY), MANY);
			for (i = 0; i < MANY; i++)
				if (!EXPECT_EQ(home_of(objects[i]), node))
					break;
		}
		let_go();
	}
}

TEST(control_pages_of_the_other_node_are_told_apart)
{
	char *page;
	unsigned long mask = 2;

	want_two_nodes();
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(page != MAP_FAILED);
	ASSERT(!mbind(page, PAGE, MPOL_BIND, &mask, 8, 0));
	EXPECT_EQ(node_of(page), 1);
	munmap(page, PAGE);
}

TEST(objects_put_elsewhere_go_home)
{
	uint32_t i, foreign = 0;
	void *kept;

	want_two_nodes();
	must_make(USLAB_POLICY_LOCAL, 0);
	must_be_on(0);
	ASSERT_EQ(get_many(MANY), MANY);
	must_be_on(1);
	put_many(MANY);
	EXPECT_EQ(pool_stats(pool).remote_puts, MANY);
	EXPECT_EQ(pool_stats(pool).idle_objects, pool_stats(pool).refills);
	/* the putter's node does not get them */
	for (i = 0; i < MANY; i++) {
		kept = uslab_get(pool);
		ASSERT(kept);
		foreign += home_of(kept) != 1;
		objects[i] = kept;
	}
	EXPECT_EQ(foreign, 0);
	EXPECT_EQ(count_on(1, MANY), MANY);
	put_many(MANY);
	EXPECT_EQ(pool_stats(pool).remote_puts, MANY);
	/* their own does, without new memory, but for what still waits to travel */
	must_be_on(0);
	i = (uint32_t)pool_stats(pool).refills;
	ASSERT_EQ(get_many(MANY / 2), MANY / 2);
	EXPECT_EQ(pool_stats(pool).refills, i);
	EXPECT_EQ(count_on(0, MANY / 2), MANY / 2);
	let_go();
}

TEST(objects_that_wait_to_travel_are_reclaimed)
{
	want_two_nodes();
	must_make(USLAB_POLICY_LOCAL, 0);
	must_be_on(0);
	ASSERT_EQ(get_many(3), 3);
	must_be_on(1);
	put_many(3);
	EXPECT_EQ(pool_stats(pool).remote_puts, 3);
	uslab_pool_reclaim(pool, SIZE_MAX);
	EXPECT_EQ(pool_stats(pool).idle_objects, 0);
	EXPECT_EQ(pool_stats(pool).backed_bytes, 0);
	let_go();
}

/* When a home has no room, the policy decides whether another's objects will do. */
TEST(local_takes_from_another_home_when_its_own_is_full)
{
	uint32_t home0;

	want_two_nodes();
	must_make(USLAB_POLICY_LOCAL, MIB);
	must_be_on(1);
	ASSERT_EQ(get_many(256), 256);
	put_many(256);
	must_be_on(0);
	home0 = get_many(4 * MANY);
	EXPECT_GT(home0, 256);		/* its own, and some of home 1 */
	EXPECT_GT(pool_stats(pool).remote_gets, 0);
	EXPECT_EQ(pool_stats(pool).remote_gets, home0 - 256);
	EXPECT_EQ(home_of(objects[home0 - 1]), 1);
	EXPECT_EQ(count_on(1, home0), home0 - 256);
	let_go();
}

TEST(bind_does_not_take_from_another_home)
{
	uint32_t home0;

	want_two_nodes();
	must_make(USLAB_POLICY_BIND, MIB);
	must_be_on(1);
	ASSERT_EQ(get_many(256), 256);
	put_many(256);
	must_be_on(0);
	errno = 0;
	home0 = get_many(4 * MANY);
	EXPECT_EQ(errno, ENOSPC);
	EXPECT_EQ(home0, 256);
	EXPECT_EQ(pool_stats(pool).remote_gets, 0);
	let_go();
}

static void give_up_oom(void)
{
	write_file("/proc/self/oom_score_adj", "1000");
}

/* Bind to a node until it has no memory: ENOMEM. Local goes on, with the other node's. */
static void exhaust(void *arg)
{
	static void *kept[1u << 18];
	size_t nr = 0;

	(void)arg;
	give_up_oom();
	pool = uslab_pool_create(pool_name("bind"), 4 * OBJECT, &(struct uslab_attr){
		.size = sizeof(struct uslab_attr), .policy = USLAB_POLICY_BIND,
	});
	if (!EXPECT(pool) || !EXPECT(run_on(cpu_of[1])))
		return;
	errno = 0;
	while (nr < 1u << 18 && (kept[nr] = uslab_get(pool)))
		nr++;
	printf("# %zu MiB from node 1\n", nr * 4 * OBJECT >> 20);
	EXPECT(errno == ENOMEM || errno == ENOSPC);
	EXPECT_GT(pool_stats(pool).refill_failures, 0);
	EXPECT_GT(nr, 1024);
	if (errno == ENOMEM) {
		struct uslab_pool *local = uslab_pool_create(pool_name("local"), 4 * OBJECT, NULL);
		uint32_t i, elsewhere = 0;

		/* more than what is kept free for emergencies */
		for (i = 0; EXPECT(local) && i < MANY; i++) {
			objects[i] = uslab_get(local);
			if (!EXPECT(objects[i]))
				break;
			elsewhere += node_of(objects[i]) == 0;
		}
		printf("# %u of %u from node 0\n", elsewhere, i);
		EXPECT_GT(elsewhere, 0);
		uslab_pool_destroy(local);
	}
	/* what was got is there, and on its node */
	EXPECT_EQ(node_of(kept[0]), 1);
	EXPECT_EQ(node_of(kept[nr - 1]), 1);
	uslab_pool_destroy(pool);
}

TEST(bind_fails_when_its_node_is_full_and_local_does_not)
{
	want_two_nodes();
	EXPECT(child_ok(spawn(exhaust, NULL)));
	aging(true);
}

TEST(interleave_takes_pages_from_all_nodes_in_turn)
{
	uint32_t on0;
	int node;

	want_two_nodes();
	for (node = 0; node < 2; node++) {
		must_make(USLAB_POLICY_INTERLEAVE, 0);
		must_be_on(node);
		ASSERT_EQ(get_many(MANY), MANY);
		on0 = count_on(0, MANY);
		EXPECT_GT(on0, MANY / 2 - MANY / 8);
		EXPECT_LT(on0, MANY / 2 + MANY / 8);
		let_go();
	}
}

TEST(global_takes_pages_from_the_node_of_who_asks)
{
	int node;

	want_two_nodes();
	must_make(USLAB_POLICY_GLOBAL, 0);
	for (node = 0; node < 2; node++) {
		must_be_on(node);
		ASSERT_EQ(get_many(MANY), MANY);
		/* a few may be left over from the refills on the other node */
		EXPECT_GE(count_on(node, MANY), MANY - 256);
	}
	let_go();
}

TEST(global_serves_all_nodes_from_one_depot)
{
	uint64_t refills;

	want_two_nodes();
	must_make(USLAB_POLICY_GLOBAL, 0);
	must_be_on(0);
	ASSERT_EQ(get_many(MANY), MANY);
	put_many(MANY);
	refills = pool_stats(pool).refills;
	must_be_on(1);
	ASSERT_EQ(get_many(MANY / 2), MANY / 2);
	EXPECT_EQ(pool_stats(pool).refills, refills);
	EXPECT_EQ(pool_stats(pool).remote_puts, 0);
	let_go();
}

TEST_MAIN
