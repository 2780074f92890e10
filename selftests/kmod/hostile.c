// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that scribbles over what it shares with the kernel hurts itself and
 * nobody else: not the kernel, not another pool, and not for longer than it
 * lives. Nor does a process that is killed at any moment.
 */
#include <limits.h>

#include "kmod.h"

/* One lie at a time: what the kernel makes of it, and that it is done soon */

#define BOUND	20.0		/* seconds; generous, as guests may be slow */

static struct raw pool;
static uint32_t handles[USLAB_BATCH_MAX];

/* A pool with 512 objects of a page, 256 of them in magazines of home 0. */
static void must_fill(void)
{
	struct uslab_create request = create_args(pool_name("lies"), PAGE);

	request.max_bytes = 4 * MIB;
	pool = must_raw(&request);
	ASSERT_EQ(raw_refill(pool.fd, 0, handles, 512), 512);
	ASSERT(raw_stash(&pool, 0, handles, 256));
}

/* The kernel does all it does with pools; objects that are out must be there after. */
static void expect_all_is_well(void)
{
	double begin = now();
	uint32_t i, wrong = 0;

	for (i = 256; i < 512; i++)
		raw_object(&pool, handles[i])[9] = (char)i;
	raw_stats(pool.fd);
	EXPECT_GE(raw_reclaim(pool.fd, UINT64_MAX), 0);
	EXPECT_EQ(pool_reclaim_write(pool.name, "max"), 0);
	EXPECT_EQ(drop_caches(), 0);
	EXPECT_GE(pool_value(pool.name, "idle_objects"), 0);
	for (i = 256; i < 512; i++)
		wrong += raw_object(&pool, handles[i])[9] != (char)i;
	EXPECT_EQ(wrong, 0);
	EXPECT_LE(raw_stats(pool.fd).idle_objects, 512);
	EXPECT_LE(raw_stats(pool.fd).backed_bytes, 512 * PAGE);
	EXPECT_EQ(raw_return(pool.fd, handles + 256, 256), 256);
	/* few at a time, while memory is being taken */
	EXPECT_GE(raw_refill(pool.fd, 0, handles, 64), 1);
	raw_object(&pool, handles[0])[0] = 1;
	raw_close(&pool);
	EXPECT(!pool_listed(pool.name));
	if (now() - begin > BOUND)
		TEST_FAIL("took %.1f s", now() - begin);
}

static uint32_t top(const struct uslab_stack *stack)
{
	return stack->head & USLAB_HEAD_INDEX_MASK;
}

TEST(a_magazine_that_follows_itself)
{
	must_fill();
	raw_magazine(&pool, top(&raw_depot(&pool, 0)->current_gen))->next =
		top(&raw_depot(&pool, 0)->current_gen);
	expect_all_is_well();
}

TEST(magazines_in_a_circle)
{
	struct uslab_magazine *mag;
	uint32_t first;

	must_fill();
	first = top(&raw_depot(&pool, 0)->current_gen);
	for (mag = raw_magazine(&pool, first); mag->next; )
		mag = raw_magazine(&pool, mag->next);
	mag->next = first;
	expect_all_is_well();
}

TEST(one_magazine_on_all_stacks)
{
	struct uslab_depot *depot;

	must_fill();
	depot = raw_depot(&pool, 0);
	depot->victim.head = depot->current_gen.head;
	depot->empty.head = depot->current_gen.head;
	expect_all_is_well();
}

TEST(heads_that_point_nowhere)
{
	static const uint64_t heads[] = {
		1, 2, 1000000, USLAB_HEAD_INDEX_MASK, UINT64_MAX, UINT64_MAX - 1, 1ull << 63,
	};
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct uslab_depot *depot;

		must_fill();
		depot = raw_depot(&pool, 0);
		depot->current_gen.head = heads[i];
		depot->victim.head = heads[i];
		depot->empty.head = heads[i];
		expect_all_is_well();
	}
}

TEST(counts_of_magazines_that_are_too_large)
{
	static const uint32_t counts[] = { 497, 4096, 1u << 31, UINT_MAX };
	size_t i;

	for (i = 0; i < 4; i++) {
		must_fill();
		raw_magazine(&pool, top(&raw_depot(&pool, 0)->current_gen))->count = counts[i];
		expect_all_is_well();
	}
}

TEST(sums_of_stacks_that_are_wrong)
{
	static const int64_t sums[] = { INT64_MIN, -1, 0, 1ll << 40, INT64_MAX };
	size_t i;

	for (i = 0; i < 5; i++) {
		struct uslab_depot *depot;

		must_fill();
		depot = raw_depot(&pool, 0);
		depot->current_gen.objects = sums[i];
		depot->victim.objects = sums[i];
		depot->empty.objects = sums[i];
		expect_all_is_well();
	}
}

TEST(cpu_caches_that_claim_too_much)
{
	static const uint64_t words[] = {
		0xffff, 0x8000, UINT64_MAX, 497, UINT64_MAX - 0xffff,
	};
	uint32_t cpu;
	size_t i;

	for (i = 0; i < 5; i++) {
		must_fill();
		for (cpu = 0; cpu < pool.control->nr_cpus; cpu++) {
			struct uslab_cpu *cache = raw_cpu(&pool, cpu);

			cache->word = words[i];
			cache->remote_word = words[i];
			cache->capacity = cache->remote_capacity = 0xffff;
			cache->home = 0xffff;
		}
		expect_all_is_well();
	}
}

TEST(magazines_of_nonsense)
{
	uint32_t index, i;

	must_fill();
	for (index = top(&raw_depot(&pool, 0)->current_gen); index;
	     index = raw_magazine(&pool, index)->next)
		for (i = 0; i < pool.control->magazine_size; i++)
			raw_magazine(&pool, index)->handle[i] =
				i & 1 ? UINT_MAX - i : 0x80000000u + 7 * i;
	expect_all_is_well();
}

TEST(one_handle_in_all_places)
{
	uint32_t index, i, cpu;

	must_fill();
	for (index = top(&raw_depot(&pool, 0)->current_gen); index;
	     index = raw_magazine(&pool, index)->next)
		for (i = 0; i < pool.control->magazine_size; i++)
			raw_magazine(&pool, index)->handle[i] = handles[0];
	for (cpu = 0; cpu < pool.control->nr_cpus; cpu++) {
		for (i = 0; i < pool.control->cpu_capacity; i++)
			raw_cpu(&pool, cpu)->slot[i] = handles[0];
		raw_cpu(&pool, cpu)->word = pool.control->cpu_capacity;
	}
	expect_all_is_well();
}

/* The shortest of three. */
static double time_of_drop(void)
{
	double least = PATIENCE, begin;
	int i;

	for (i = 0; i < 3; i++) {
		begin = now();
		EXPECT_EQ(drop_caches(), 0);
		if (now() - begin < least)
			least = now() - begin;
	}
	return least;
}

/*
 * How long the kernel follows a circle may depend on how much the pool has, not
 * on how much it might have: everybody's reclaim comes along here.
 */
TEST(a_circle_in_a_small_pool_is_left_soon)
{
	double straight, circle;
	struct raw raw = must_raw_size("circle", 8);
	uint32_t index;

	straight = time_of_drop();
	ASSERT_EQ(raw_refill(raw.fd, 0, handles, 1), 1);
	ASSERT(raw_stash(&raw, 0, handles, 1));
	index = top(&raw_depot(&raw, 0)->current_gen);
	/* what is emptied goes from one stack to the other, and is on top again */
	raw_magazine(&raw, index)->next = index;
	raw_depot(&raw, 0)->empty.head = index;
	raw_depot(&raw, 0)->current_gen.objects = 1ll << 40;
	/* objects held, so that there is always something that might be reclaimed */
	ASSERT_EQ(raw_refill(raw.fd, 0, handles, 1024), 1024);
	circle = time_of_drop();
	printf("# %u magazines of at most %u: %.2f s, without %.2f s\n",
	       (uint32_t)raw_stats(raw.fd).magazines, raw.control->nr_magazines, circle, straight);
	EXPECT_LT(circle, straight + 2);
	raw_close(&raw);
}

/*
 * What a process does put away behind its own back is its own loss: the page
 * goes, and the next touch says so. It is also the control that the tests of
 * contents can fail.
 */
TEST(control_an_object_put_away_while_in_use_is_lost)
{
	must_fill();
	ASSERT(raw_stash(&pool, 0, handles + 300, 1));
	EXPECT_EQ(fault_of(raw_object(&pool, handles[300]), true), 0);
	raw_reclaim(pool.fd, UINT64_MAX);
	EXPECT_EQ(fault_of(raw_object(&pool, handles[300]), true), SIGBUS);
	EXPECT_EQ(fault_of(raw_object(&pool, handles[301]), true), 0);
	EXPECT_EQ(raw_stats(pool.fd).out_objects, 255);
	raw_close(&pool);
}

TEST(handles_of_the_wrong_home)
{
	must_fill();
	if (pool.control->nr_homes < 2) {
		raw_close(&pool);
		SKIP("one home");
	}
	/* into the other home's depot: its own home does not see them there */
	ASSERT(raw_stash(&pool, 1, handles + 200, 56));
	expect_all_is_well();
}

/* All lies at once, and all the time */

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

struct vandal {
	struct raw *raw;
	uint32_t magazines;
	uint64_t seed;
	_Atomic bool *stop;
	pthread_t thread;
};

static uint32_t some_handle(struct vandal *vandal)
{
	switch (next_random(&vandal->seed) % 4) {
	case 0:
		return (uint32_t)next_random(&vandal->seed);
	case 1:
		return (uint32_t)(next_random(&vandal->seed) % 64);
	}
	return handles[next_random(&vandal->seed) % USLAB_BATCH_MAX];
}

static void forge_magazine(struct vandal *vandal, struct uslab_magazine *mag)
{
	uint32_t i;

	mag->next = (uint32_t)(next_random(&vandal->seed) % (vandal->magazines + 2));
	mag->count = (uint32_t)(next_random(&vandal->seed) %
				(vandal->raw->control->magazine_size + 2));
	for (i = 0; i < vandal->raw->control->magazine_size; i++)
		mag->handle[i] = some_handle(vandal);
}

static void forge_head(struct vandal *vandal, struct uslab_stack *stack)
{
	uint64_t index = next_random(&vandal->seed) % (vandal->magazines + 2);

	/* one that looks right is worth more than noise */
	__atomic_store_n(&stack->head, (stack->head & ~USLAB_HEAD_INDEX_MASK) + USLAB_HEAD_TAG +
			 index, __ATOMIC_RELAXED);
	if (next_random(&vandal->seed) % 16 == 0)
		stack->objects = (int64_t)next_random(&vandal->seed);
	else
		stack->objects = (int64_t)(next_random(&vandal->seed) % 100000);
}

static void forge_cache(struct vandal *vandal, struct uslab_cpu *cache)
{
	uint32_t capacity = vandal->raw->control->cpu_capacity, i;

	for (i = 0; i < 32; i++)
		cache->slot[next_random(&vandal->seed) % capacity] = some_handle(vandal);
	cache->word = next_random(&vandal->seed) % (capacity + 2);
	cache->remote_word = next_random(&vandal->seed);
}

static void scribble(struct vandal *vandal)
{
	const struct uslab_control *c = vandal->raw->control;
	uint64_t end = c->magazines_start + (uint64_t)vandal->magazines * c->magazine_stride;
	uint64_t at = next_random(&vandal->seed) % (end / 8) * 8;

	*(volatile uint64_t *)(vandal->raw->shared + at) = next_random(&vandal->seed);
}

static void *vandalise(void *arg)
{
	struct vandal *vandal = arg;
	const struct raw *raw = vandal->raw;
	uint64_t r;

	while (!*vandal->stop) {
		r = next_random(&vandal->seed);
		switch (r % 8) {
		case 0:
		case 1:
			scribble(vandal);
			break;
		case 2:
		case 3:
			forge_head(vandal, &raw_depot(raw, (uint32_t)(r >> 8) %
						      raw->control->nr_homes)->current_gen +
				   (r >> 32) % 3);
			break;
		case 4:
		case 5:
			forge_magazine(vandal, raw_magazine(raw, 1 + (uint32_t)(r >> 8) %
							    vandal->magazines));
			break;
		case 6:
			forge_cache(vandal, raw_cpu(raw, (uint32_t)(r >> 8) %
						    raw->control->nr_cpus));
			break;
		case 7:
			if (r >> 62 == 0) {
				raw_refill(raw->fd, 0, handles, USLAB_BATCH_MAX / 4);
				raw_refill(raw->fd, raw->control->nr_homes - 1,
					   handles + USLAB_BATCH_MAX / 2, USLAB_BATCH_MAX / 4);
			} else if (r >> 62 == 1) {
				uint32_t handle = some_handle(vandal);

				raw_return(raw->fd, &handle, 1);
			}
			break;
		}
	}
	return NULL;
}

struct attack {
	char name[USLAB_NAME_MAX];
	const char *group;
	uint32_t size;
	struct turns *turns;
};

#define VANDALS	3

static void vandal_main(void *arg)
{
	struct attack *attack = arg;
	struct uslab_create request = create_args(attack->name, attack->size);
	struct vandal vandal[VANDALS];
	_Atomic bool stop = false;
	struct raw raw;
	uint32_t i;
	int fd;

	if (attack->group)
		EXPECT(cgroup_enter(attack->group));
	request.max_bytes = 64 * MIB;
	fd = raw_create(&request);
	if (!EXPECT_GE(fd, 0) || !EXPECT(raw_attach(&raw, fd)))
		return;
	for (i = 0; i < 8; i++)
		raw_grow(raw.fd, i % raw.control->nr_homes);
	raw_refill(raw.fd, 0, handles, USLAB_BATCH_MAX);
	for (i = 0; i < VANDALS; i++) {
		vandal[i] = (struct vandal){
			.raw = &raw, .stop = &stop, .seed = (uint64_t)getpid() * 31 + i + 1,
			.magazines = (uint32_t)raw_stats(raw.fd).magazines,
		};
		pthread_create(&vandal[i].thread, NULL, vandalise, &vandal[i]);
	}
	attack->turns->turn = 1;
	while (!attack->turns->stop)
		nap(0.02);
	stop = true;
	for (i = 0; i < VANDALS; i++)
		pthread_join(vandal[i].thread, NULL);
}

/* Somebody else's pool, in good order. */
struct citizen {
	char name[USLAB_NAME_MAX];
	struct turns *turns;
};

#define CITIZEN_OBJECTS	512u

static void citizen_main(void *arg)
{
	struct citizen *citizen = arg;
	struct uslab_pool *good = uslab_pool_create(citizen->name, 512, NULL);
	static uint64_t *object[CITIZEN_OBJECTS];
	uint64_t seed = 4711, wrong = 0, foreign = 0, rounds = 0, i, held = 0;

	if (!EXPECT(good))
		return;
	citizen->turns->turn = 1;
	while (!citizen->turns->stop || rounds < 1000) {
		i = next_random(&seed) % CITIZEN_OBJECTS;
		rounds++;
		if (object[i]) {
			wrong += object[i][0] != (0xc171ull << 48 | i) || object[i][63] != ~i;
			uslab_put(good, object[i]);
			object[i] = NULL;
			held--;
			continue;
		}
		object[i] = uslab_get(good);
		if (!EXPECT(object[i]))
			return;
		foreign += object[i][0] && object[i][0] >> 48 != 0xc171;
		object[i][0] = 0xc171ull << 48 | i;
		object[i][63] = ~i;
		held++;
	}
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(foreign, 0);
	EXPECT_SETTLES(pool_stats(good).out_objects, held);
	EXPECT_EQ(pool_stats(good).bad_puts, 0);
	uslab_pool_destroy(good);
}

/* Everything the kernel does with pools by itself or on request, from several sides. */
struct provocation {
	const char *name;
	double until;
};

static void provoke_by_file(void *arg)
{
	struct provocation *provocation = arg;
	char path[256], text[64];
	int round = 0;

	snprintf(path, sizeof(path), USLAB_SYSFS "/%s/idle_objects", provocation->name);
	while (now() < provocation->until) {
		pool_reclaim_write(provocation->name, round++ & 1 ? "max" : "64K");
		read_file(path, text, sizeof(text));
	}
	printf("# %d rounds\n", round);
}

static void provoke_by_drop(void *arg)
{
	struct provocation *provocation = arg;

	while (now() < provocation->until)
		drop_caches();
}

static void provoke(const char *name, double seconds)
{
	struct provocation provocation = { name, now() + seconds };
	pid_t pid[3];
	int i;

	write_file("/sys/module/uslab/parameters/idle_expire_centisecs", "20");
	write_file("/sys/module/uslab/parameters/idle_aging_centisecs", "5");
	for (i = 0; i < 3; i++)
		pid[i] = spawn(i ? provoke_by_file : provoke_by_drop, &provocation);
	for (i = 0; i < 3; i++)
		EXPECT(child_ok(pid[i]));
	write_file("/sys/module/uslab/parameters/idle_expire_centisecs", "3000");
	aging(true);
}

/* @kill_it: the pool goes while the vandals are at work. */
static void attack_with(uint32_t size, bool kill_it)
{
	struct attack attack = { .size = size, .turns = must_turns() };
	struct citizen citizen = { .turns = must_turns() };
	pid_t vandal, good;
	double begin;

	if (cgroups_usable())
		attack.group = must_cgroup("hostile");
	strcpy(attack.name, pool_name("hostile"));
	strcpy(citizen.name, pool_name("citizen"));
	good = spawn(citizen_main, &citizen);
	vandal = spawn(vandal_main, &attack);
	EXPECT(turn_is(attack.turns, 1));
	EXPECT(turn_is(citizen.turns, 1));
	provoke(attack.name, test_seconds(4));

	begin = now();
	if (kill_it) {
		kill(vandal, SIGKILL);
		waitpid(vandal, NULL, 0);
	} else {
		attack.turns->stop = 1;
		EXPECT(child_ok(vandal));
	}
	EXPECT(WAIT_FOR(!pool_listed(attack.name)));
	if (now() - begin > BOUND)
		TEST_FAIL("the pool took %.1f s to go", now() - begin);
	citizen.turns->stop = 1;
	EXPECT(child_ok(good));
	if (attack.group) {
		const char *stat = cgroup_path(attack.group, "memory.stat");

		if (!WAIT_FOR(read_key(stat, "kernel") < 1500 * (long long)KIB))
			TEST_FAIL("kernel memory left: %lld", read_key(stat, "kernel"));
		EXPECT(cgroup_remove(attack.group));
	}
	munmap(attack.turns, PAGE);
	munmap(citizen.turns, PAGE);
}

TEST(scribbling_hurts_nobody_else)
{
	attack_with(256, false);
}

TEST(scribbling_with_large_objects_hurts_nobody_else)
{
	attack_with(12000, false);
}

TEST(a_scribbler_can_be_killed)
{
	attack_with(256, true);
}

/* Murder */

struct company {
	struct uslab_pool *pool;
	_Atomic int *ready;
};

#define WORKER_OBJECTS	64u

static void worker_main(void *arg)
{
	struct company *company = arg;
	struct uslab_pool *mine = uslab_pool_attach(uslab_pool_fd(company->pool));
	static uint64_t *object[WORKER_OBJECTS];
	uint64_t seed = (uint64_t)getpid() * 2654435761u, me = (uint64_t)getpid(), i;

	if (!EXPECT(mine))
		return;
	(*company->ready)++;
	for (;;) {
		i = next_random(&seed) % WORKER_OBJECTS;
		if (object[i]) {
			if (*object[i] != me)
				abort();
			uslab_put(mine, object[i]);
			object[i] = NULL;
		} else {
			object[i] = uslab_get(mine);
			if (!object[i])
				abort();
			*object[i] = me;
		}
	}
}

static void kill_workers(int workers)
{
	struct turns *turns = must_turns();
	struct company company = { .ready = &turns->turn };
	uint64_t *kept[256], i, wrong = 0;
	struct uslab_stats stats;
	int n, status, killed = 0;

	company.pool = must_pool(pool_name("murder"), 384, 0);
	for (i = 0; i < 256; i++) {
		kept[i] = uslab_get(company.pool);
		ASSERT(kept[i]);
		*kept[i] = i << 32;
	}
	for (n = 0; n < workers; n++) {
		pid_t pid = spawn(worker_main, &company), second;

		EXPECT(turn_is(turns, 2 * n + 1));
		second = spawn(worker_main, &company);
		EXPECT(turn_is(turns, 2 * n + 2));
		nap((double)(rand() % 20000) / 1e6);
		kill(pid, SIGKILL);
		nap((double)(rand() % 2000) / 1e6);
		kill(second, SIGKILL);
		waitpid(pid, &status, 0);
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		waitpid(second, &status, 0);
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		if (n % 8 == 0)
			uslab_pool_reclaim(company.pool, SIZE_MAX);
	}
	/* anything else is what a worker found wrong */
	EXPECT_EQ(killed, 2 * workers);
	for (i = 0; i < 256; i++)
		wrong += *kept[i] != i << 32;
	EXPECT_EQ(wrong, 0);
	stats = pool_stats(company.pool);
	EXPECT_GE(stats.out_objects, 256);
	/* a worker's death loses what it held and what it was just carrying, not more */
	EXPECT_LE(stats.out_objects, 256 + 2ull * (uint64_t)workers * (WORKER_OBJECTS + 512));
	EXPECT_EQ(stats.bad_puts, 0);
	for (i = 0; i < 256; i++)
		uslab_put(company.pool, kept[i]);
	uslab_pool_destroy(company.pool);
	munmap(turns, PAGE);
}

TEST(workers_that_are_killed_hurt_nobody)
{
	kill_workers(25);
}

/* A leak shows in the debug kernel only, and two scans are needed to be sure. */
TEST(nothing_has_leaked)
{
	static char text[4096];

	if (access("/sys/kernel/debug/kmemleak", W_OK))
		SKIP("no kmemleak");
	nap(6);
	write_file("/sys/kernel/debug/kmemleak", "scan");
	write_file("/sys/kernel/debug/kmemleak", "scan");
	read_file("/sys/kernel/debug/kmemleak", text, sizeof(text));
	if (*text)
		TEST_FAIL("%s", text);
}

TEST_MAIN
