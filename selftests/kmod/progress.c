// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shrinker makes progress where it matters and whoever is in its way, costs the
 * same for one pool or ten thousand, and those who get and put do not wait for it.
 */
#include <numaif.h>
#include <sys/resource.h>

#include "kmod.h"

#define OBJECT	4096u
#define MANY	4096u

static void *objects[MANY];

static long long backed(const char *name)
{
	return pool_value(name, "backed_bytes");
}

static bool get_and_put(struct uslab_pool *pool, uint32_t nr)
{
	uint32_t i, got;

	for (got = 0; got < nr; got++) {
		objects[got] = uslab_get(pool);
		if (!objects[got])
			break;
		*(uint32_t *)objects[got] = 1;
	}
	for (i = 0; i < got; i++)
		uslab_put(pool, objects[i]);
	return got == nr;
}

/* Nodes */

static int node_cpu(int node)
{
	char path[96], text[256];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist", node);
	if (read_file(path, text, sizeof(text)) <= 0 || text[0] < '0' || text[0] > '9')
		return -1;
	return atoi(text);
}

static void want_two_nodes(void)
{
	if (node_cpu(0) < 0 || node_cpu(1) < 0)
		SKIP("one node");
}

/*
 * Take the memory of node 1, until it is no longer to be had or told to stop. The kernel
 * may kill who does while shrinkers still have something: it goes by the LRU lists.
 */
static void eat_node_1(void *arg)
{
	unsigned long mask = 1ul << 1;

	if (set_mempolicy(MPOL_BIND, &mask, 8 * sizeof(mask)))
		perror("# set_mempolicy");
	eat_memory(arg);
}

TEST(shortage_on_a_node_takes_from_that_node)
{
	static const uint32_t nr[] = { MANY, MANY };
	char name[2][USLAB_NAME_MAX];
	struct uslab_pool *pool[2];
	long long before[2];
	struct turns *turns;
	int node, status, tries = 5;
	pid_t eater;

	want_two_nodes();
	aging(false);
	for (node = 0; node < 2; node++) {
		strcpy(name[node], pool_name("node"));
		pool[node] = must_pool(name[node], OBJECT, USLAB_POLICY_BIND);
		ASSERT(run_on(node_cpu(node)));
		ASSERT(get_and_put(pool[node], nr[node]));
		before[node] = backed(name[node]);
	}
	run_anywhere();
	turns = must_turns();
	do {
		eater = spawn(eat_node_1, turns);
		WAIT_FOR(backed(name[1]) < before[1] / 2 ||
			 waitpid(eater, &status, WNOHANG) == eater);
	} while (backed(name[1]) >= before[1] / 2 && --tries);
	printf("# node 0: %lld of %lld KiB, node 1: %lld of %lld KiB\n", backed(name[0]) >> 10,
	       before[0] >> 10, backed(name[1]) >> 10, before[1] >> 10);
	EXPECT_LT(backed(name[1]), before[1] / 2);
	EXPECT_GT(backed(name[0]), before[0] * 9 / 10);
	turns->stop = 1;
	kill(eater, SIGKILL);
	waitpid(eater, &status, 0);
	munmap(turns, PAGE);
	for (node = 0; node < 2; node++)
		uslab_pool_destroy(pool[node]);
	aging(true);
}

/* The shrinker is entered from the pool's own allocation, and takes from that pool. */
static void grow_on_the_other_node(void *arg)
{
	struct uslab_pool *pool;
	const char *group = arg;

	EXPECT(cgroup_enter(group));
	pool = uslab_pool_create(pool_name("self"), OBJECT, NULL);
	if (!EXPECT(pool))
		return;
	EXPECT(run_on(node_cpu(0)));
	EXPECT(get_and_put(pool, MANY));
	EXPECT(run_on(node_cpu(1)));
	EXPECT(get_and_put(pool, MANY));
	EXPECT_EQ(pool_stats(pool).refill_failures, 0);
	EXPECT_EQ(pool_stats(pool).remote_gets, 0);
	uslab_pool_destroy(pool);
}

TEST(a_refill_at_the_limit_is_served_from_the_pools_own_idle_memory)
{
	const char *group;

	want_two_nodes();
	group = must_cgroup("self");
	aging(false);
	ASSERT(cgroup_set(group, "memory.max", "24M"));
	EXPECT(child_ok(spawn(grow_on_the_other_node, (void *)(uintptr_t)group)));
	EXPECT_EQ(read_key(cgroup_path(group, "memory.events"), "oom_kill"), 0);
	EXPECT(cgroup_remove(group));
	aging(true);
}

/* Real-time tasks */

static void hog(void *arg)
{
	struct sched_param param = { .sched_priority = 50 };
	struct turns *turns = arg;

	EXPECT(run_on(1));
	EXPECT(!sched_setscheduler(0, SCHED_FIFO, &param));
	turns->turn = 1;
	while (!turns->stop)
		;
}

static long long in_cache(const struct uslab_pool *pool, uint32_t cpu)
{
	struct raw raw;
	long long count;

	ASSERT(raw_attach(&raw, dup(uslab_pool_fd(pool))));
	count = (long long)(raw_cpu(&raw, cpu)->word & USLAB_WORD_COUNT_MASK);
	raw_close(&raw);
	return count;
}

TEST(a_realtime_task_on_a_cpu_does_not_stop_the_shrinker)
{
	const char *name = pool_name("hog");
	struct uslab_pool *pool = must_pool(name, OBJECT, USLAB_POLICY_GLOBAL);
	struct turns *turns = must_turns();
	long long before, cached;
	double start, took;
	pid_t pid;

	aging(false);
	/* idle in depots and in CPU 1's cache */
	ASSERT(run_on(1));
	ASSERT(get_and_put(pool, MANY));
	cached = in_cache(pool, 1);
	ASSERT(run_on(0));
	before = backed(name);
	write_file("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	pid = spawn(hog, turns);
	ASSERT(turn_is(turns, 1));

	start = now();
	EXPECT(!drop_caches());
	took = now() - start;
	printf("# %.2f s: %lld of %lld KiB left, %lld objects in the cache of the busy CPU\n",
	       took, backed(name) >> 10, before >> 10, cached);
	EXPECT_LE(backed(name), (cached + 64) * OBJECT);
	turns->stop = 1;
	EXPECT(child_ok(pid));
	write_file("/proc/sys/kernel/sched_rt_runtime_us", "950000");
	/* now the worker can run */
	EXPECT(WAIT_FOR(!drop_caches() && backed(name) < 64 * OBJECT));
	run_anywhere();
	uslab_pool_destroy(pool);
	munmap(turns, PAGE);
	aging(true);
}

/* Many pools */

#define TRACING	"/sys/kernel/tracing"

static int by_length(const void *a, const void *b)
{
	double l = *(const double *)a, r = *(const double *)b;

	return l < r ? -1 : l > r;
}

/*
 * Microseconds that a call of the shrinker's count takes; 0: nothing seen. The median:
 * the host may take the CPU away in the middle of one.
 */
static double cost_of_count(void)
{
	static char text[1 << 22];
	static double took[1 << 16];
	double start = 0;
	unsigned int calls = 0;
	char *line, *next;

	write_file(TRACING "/trace", "");
	write_file(TRACING "/events/kprobes/enable", "1");
	for (int i = 0; i < 3; i++)
		drop_caches();
	write_file(TRACING "/events/kprobes/enable", "0");
	read_file(TRACING "/trace", text, sizeof(text));
	for (line = text; line && *line; line = next) {
		char *at = strstr(line, ": uslab_count");
		double time;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (*line == '#' || !at || at > line + strlen(line))
			continue;
		while (at > line && at[-1] != ' ')
			at--;
		time = atof(at);
		if (strstr(line, "uslab_count_in:"))
			start = time;
		else if (start && calls < sizeof(took) / sizeof(took[0])) {
			took[calls++] = time - start;
			start = 0;
		}
	}
	qsort(took, calls, sizeof(took[0]), by_length);
	return calls ? took[calls / 2] * 1e6 : 0;
}

static uint32_t make_pools(int *fd, uint32_t from, uint32_t to)
{
	uint32_t handle;

	for (; from < to; from++) {
		struct uslab_create args = create_args(pool_name("many"), OBJECT);

		fd[from] = raw_create(&args);
		if (fd[from] < 0 || raw_refill(fd[from], 0, &handle, 1) != 1)
			break;
	}
	return from;
}

TEST(ten_thousand_pools_do_not_make_the_shrinker_slow)
{
	bool slow = getenv("USLAB_TEST_SECONDS");	/* a debug kernel needs a minute for each 1000 */
	uint32_t few = 200, many = slow ? 1000 : 10000, made, i;
	struct rlimit limit = { many + 100, many + 100 };
	int *fd = calloc(many, sizeof(*fd));
	double alone, crowded;

	if (write_file(TRACING "/kprobe_events", "p:uslab_count_in uslab:shrinker_count") ||
	    write_file(TRACING "/kprobe_events", "r:uslab_count_out uslab:shrinker_count"))
		SKIP("no kprobe events");
	ASSERT(!setrlimit(RLIMIT_NOFILE, &limit));
	made = make_pools(fd, 0, few);
	ASSERT_EQ(made, few);
	alone = cost_of_count();
	made = make_pools(fd, few, many);
	EXPECT_EQ(made, many);
	crowded = cost_of_count();
	printf("# a count takes %.1f us with %u pools, %.1f us with %u\n", alone, few, crowded,
	       made);
	EXPECT(alone > 0 && crowded > 0);
	EXPECT(crowded < 5 * alone);
	for (i = 0; i < made; i++)
		close(fd[i]);
	free(fd);
	write_file(TRACING "/kprobe_events", "");
}

TEST_MAIN
