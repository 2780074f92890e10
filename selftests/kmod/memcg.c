// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pools and cgroups: who pays, and that a limit takes idle memory before it
 * kills anybody.
 */
#include "kmod.h"

#define OBJECT	4096u

struct member {
	const char *group;
	char name[USLAB_NAME_MAX];
	size_t objects;			/* to get */
	struct turns *turns;
	void (*act)(struct member *member, struct uslab_pool *pool, void **objects);
};

/* Much may lie idle: it is the limit that is to take it, not a threshold below it. */
static bool only_limits(struct uslab_pool *pool)
{
	struct uslab_tunables tunables = { .size = sizeof(tunables) };

	if (uslab_pool_tunables(pool, &tunables))
		return false;
	tunables.idle_background_ratio = 0;
	tunables.idle_ratio = 0;
	return !uslab_pool_tune(pool, &tunables);
}

static void member_main(void *arg)
{
	struct member *member = arg;
	void **objects = calloc(member->objects + 1, sizeof(*objects));
	struct uslab_pool *pool;

	EXPECT(cgroup_enter(member->group));
	pool = uslab_pool_create(member->name, OBJECT, NULL);
	if (EXPECT(pool) && EXPECT(objects) && EXPECT(only_limits(pool)))
		member->act(member, pool, objects);
	uslab_pool_destroy(pool);
}

static struct member must_member(const char *what, size_t bytes, const char *max)
{
	struct member member = { .objects = bytes / OBJECT };

	member.group = must_cgroup(what);
	strcpy(member.name, pool_name(what));
	member.turns = must_turns();
	if (max)
		ASSERT(cgroup_set(member.group, "memory.max", max));
	aging(false);
	return member;
}

static void dismiss(struct member *member)
{
	EXPECT(cgroup_remove(member->group));
	munmap(member->turns, PAGE);
	aging(true);
}

static long long event(const struct member *member, const char *name)
{
	return read_key(cgroup_path(member->group, "memory.events"), name);
}

static size_t get_all(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t i;

	for (i = 0; i < member->objects; i++) {
		objects[i] = uslab_get(pool);
		if (!objects[i])
			break;
		*(size_t *)objects[i] = i;
	}
	return i;
}

static void put_all(struct uslab_pool *pool, void **objects, size_t nr)
{
	while (nr--)
		uslab_put(pool, objects[nr]);
}

static bool touch_memory(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	size_t i;

	if (memory == MAP_FAILED)
		return false;
	/* page by page, and no more than was asked for */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (i = 0; i < bytes; i += PAGE)
		memory[i] = 1;
	munmap(memory, bytes);
	return true;
}

/* Who pays */

static void get_then_reclaim(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t got;

	EXPECT(cgroup_value(member->group, "memory.current") >= 0);
	member->turns->value[0] = cgroup_value(member->group, "memory.current");
	got = get_all(member, pool, objects);
	EXPECT_EQ(got, member->objects);
	member->turns->value[1] = cgroup_value(member->group, "memory.current");
	put_all(pool, objects, got);
	uslab_pool_reclaim(pool, SIZE_MAX);
	EXPECT_EQ(pool_stats(pool).backed_bytes, 0);
	member->turns->value[2] = cgroup_value(member->group, "memory.current");
}

TEST(objects_are_charged_to_the_cgroup_and_uncharged_by_reclaim)
{
	struct member member = must_member("charge", 16 * MIB, NULL);
	long long before, full, after;

	member.act = get_then_reclaim;
	EXPECT(child_ok(spawn(member_main, &member)));
	before = member.turns->value[0];
	full = member.turns->value[1];
	after = member.turns->value[2];
	printf("# %lld, %lld, %lld KiB\n", before >> 10, full >> 10, after >> 10);
	EXPECT_GE(full - before, 15 * (long long)MIB);
	EXPECT_GE(full - after, 14 * (long long)MIB);
	dismiss(&member);
}

static void get_in_another(struct member *member, struct uslab_pool *pool, void **objects)
{
	long long before, after;
	size_t got;

	EXPECT(cgroup_enter(""));
	before = cgroup_value(member->group, "memory.current");
	got = get_all(member, pool, objects);
	after = cgroup_value(member->group, "memory.current");
	EXPECT_EQ(got, member->objects);
	EXPECT_GE(after - before, 15 * (long long)MIB);
	put_all(pool, objects, got);
}

TEST(the_creators_cgroup_pays_whoever_uses_the_pool)
{
	struct member member = must_member("creator", 16 * MIB, NULL);

	member.act = get_in_another;
	EXPECT(child_ok(spawn(member_main, &member)));
	dismiss(&member);
}

TEST(a_pool_that_goes_takes_its_charge_along)
{
	struct member member = must_member("gone", 16 * MIB, NULL);
	const char *stat = cgroup_path(member.group, "memory.stat");

	member.act = get_in_another;
	EXPECT(child_ok(spawn(member_main, &member)));
	EXPECT(WAIT_FOR(read_key(stat, "kernel") < 1500 * (long long)KIB));
	dismiss(&member);
}

/* Limits */

static void cache_then_touch(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t got = get_all(member, pool, objects);
	long long before;

	EXPECT_EQ(got, member->objects);
	put_all(pool, objects, got);
	before = pool_value(member->name, "backed_bytes");
	EXPECT_GE(before, 48 * (long long)MIB);
	EXPECT(touch_memory(40 * MIB));
	EXPECT_LT(pool_value(member->name, "backed_bytes"), before);
	member->turns->value[0] = pool_value(member->name, "backed_bytes");
}

TEST(idle_memory_goes_before_a_limit_kills)
{
	struct member member = must_member("limit", 48 * MIB, "64M");

	member.act = cache_then_touch;
	EXPECT(child_ok(spawn(member_main, &member)));
	EXPECT_EQ(event(&member, "oom_kill"), 0);
	EXPECT_GT(event(&member, "max"), 0);
	/* 24 MiB had to go; it need not have been everything */
	printf("# %lld KiB of 49152 left\n", (long long)member.turns->value[0] >> 10);
	dismiss(&member);
}

/* As much as there is room for, and that much more. */
static void miss(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t missing = (size_t)member->turns->value[0], room;
	size_t got = get_all(member, pool, objects);
	long long before;

	EXPECT_EQ(got, member->objects);
	put_all(pool, objects, got);
	room = 64 * MIB - (size_t)cgroup_value(member->group, "memory.current");
	before = pool_value(member->name, "backed_bytes");
	EXPECT(touch_memory(room + missing));
	member->turns->value[1] = before - pool_value(member->name, "backed_bytes");
}

static long long taken_when_missing(size_t missing)
{
	struct member member = must_member("episode", 40 * MIB, "64M");
	long long taken;

	aging(false);
	member.act = miss;
	member.turns->value[0] = (long long)missing;
	EXPECT(child_ok(spawn(member_main, &member)));
	taken = member.turns->value[1];
	printf("# %zu KiB missing, %lld KiB taken\n", missing >> 10, taken >> 10);
	EXPECT_EQ(event(&member, "oom_kill"), 0);
	dismiss(&member);
	aging(true);
	return taken;
}

/* A CPU that the host stops in the middle makes two episodes of one, but hardly thrice. */
TEST(an_episode_at_a_limit_takes_four_times_what_is_missing_or_a_mebibyte)
{
	static const size_t missing[] = { 128 * KIB, MIB, 4 * MIB, 8 * MIB };
	size_t i;

	for (i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		long long most = 4 * (long long)missing[i], taken;
		int tries = 3;

		if (most < (long long)MIB)
			most = MIB;
		do
			taken = taken_when_missing(missing[i]);
		while (taken > most && --tries);
		EXPECT_LE(taken, most);
	}
}

static void get_then_touch(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t got = 0, i;

	while (got < member->objects && (objects[got] = uslab_get(pool)))
		got++;
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_GT(got, 16 * MIB / OBJECT);
	for (i = 0; i < got; i++)
		memset(objects[i], 1, OBJECT);
	put_all(pool, objects, got);
}

TEST(what_was_got_at_the_limit_can_be_touched)
{
	struct member member = must_member("touch", 64 * MIB, "32M");

	member.act = get_then_touch;
	EXPECT(child_ok(spawn(member_main, &member)));
	EXPECT_EQ(event(&member, "oom_kill"), 0);
	dismiss(&member);
}

static void hold_half_then_touch(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t got = get_all(member, pool, objects), i, wrong = 0;

	EXPECT_EQ(got, member->objects);
	put_all(pool, objects + got / 2, got / 2);
	EXPECT(touch_memory(32 * MIB));
	for (i = 0; i < got / 2; i++)
		wrong += *(size_t *)objects[i] != i;
	EXPECT_EQ(wrong, 0);
}

TEST(what_is_out_survives_a_limit)
{
	struct member member = must_member("half", 48 * MIB, "64M");

	member.act = hold_half_then_touch;
	EXPECT(child_ok(spawn(member_main, &member)));
	EXPECT_EQ(event(&member, "oom_kill"), 0);
	dismiss(&member);
}

static void touch_too_much(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t got = get_all(member, pool, objects);

	EXPECT_EQ(got, member->objects);
	touch_memory(80 * MIB);
	EXPECT(!"survived");
}

TEST(control_what_does_not_fit_is_killed)
{
	struct member member = must_member("kill", 16 * MIB, "64M");
	int status = 0;

	member.act = touch_too_much;
	ASSERT(waitpid(spawn(member_main, &member), &status, 0) > 0);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_GT(event(&member, "oom_kill"), 0);
	EXPECT(WAIT_FOR(!pool_listed(member.name)));
	dismiss(&member);
}

static void get_too_many(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t got, i, wrong = 0;

	/* what is put is to be on this CPU, and not on its way home */
	EXPECT(run_on(0));
	errno = 0;
	got = get_all(member, pool, objects);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_LT(got, member->objects);
	EXPECT_GT(got, 16 * MIB / OBJECT);
	EXPECT_GT(pool_stats(pool).refill_failures, 0);
	for (i = 0; i < got; i++)
		wrong += *(size_t *)objects[i] != i;
	EXPECT_EQ(wrong, 0);
	/* what is put can be got again */
	uslab_put(pool, objects[0]);
	objects[0] = uslab_get(pool);
	EXPECT(objects[0]);
	put_all(pool, objects, got);
}

TEST(get_fails_at_the_limit_and_nobody_is_killed)
{
	struct member member = must_member("enomem", 64 * MIB, "32M");

	member.act = get_too_many;
	EXPECT(child_ok(spawn(member_main, &member)));
	EXPECT_EQ(event(&member, "oom_kill"), 0);
	dismiss(&member);
}

static void shrink_on_request(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t got = get_all(member, pool, objects);

	put_all(pool, objects, got);
	member->turns->turn = 1;
	while (!member->turns->stop)
		nap(0.02);
}

static void shrinks_by(const char *file, const char *text, long long until)
{
	struct member member = must_member("request", 32 * MIB, NULL);
	pid_t pid;

	if (access(cgroup_path(member.group, file), F_OK)) {
		dismiss(&member);
		SKIP("no such file in this kernel");
	}
	member.act = shrink_on_request;
	pid = spawn(member_main, &member);
	ASSERT(turn_is(member.turns, 1));
	EXPECT_GE(pool_value(member.name, "backed_bytes"), 32 * (long long)MIB);
	/* the kernel kills when it does not get there; who is a member waits for drains */
	if (!strcmp(file, "memory.max"))
		EXPECT(cgroup_enter(member.group));
	/* what a shrinker frees is not credited everywhere: the write may say EAGAIN */
	EXPECT(WAIT_FOR(({
		cgroup_set(member.group, file, text);
		pool_value(member.name, "backed_bytes") <= until;
	})));
	EXPECT(cgroup_enter(""));
	member.turns->stop = 1;
	EXPECT(child_ok(pid));
	EXPECT_EQ(event(&member, "oom_kill"), 0);
	dismiss(&member);
}

TEST(memory_reclaim_takes_pool_memory)
{
	shrinks_by("memory.reclaim", "16M", 17 * (long long)MIB);
}

TEST(a_lowered_limit_takes_pool_memory)
{
	shrinks_by("memory.max", "16M", 16 * (long long)MIB);
}

TEST(a_lowered_high_mark_takes_pool_memory)
{
	shrinks_by("memory.high", "16M", 17 * (long long)MIB);
}

TEST(dropping_caches_takes_a_cgroups_pool_memory)
{
	struct member member = must_member("drop", 32 * MIB, NULL);
	pid_t pid;

	member.act = shrink_on_request;
	pid = spawn(member_main, &member);
	ASSERT(turn_is(member.turns, 1));
	EXPECT(WAIT_FOR(!drop_caches() &&
			pool_value(member.name, "backed_bytes") < (long long)MIB));
	member.turns->stop = 1;
	EXPECT(child_ok(pid));
	dismiss(&member);
}

/* Another cgroup's limit is no reason to shrink. */
TEST(control_another_cgroups_limit_takes_nothing)
{
	struct member member = must_member("other", 32 * MIB, NULL);
	struct member neighbour = must_member("neighbour", 48 * MIB, "64M");
	long long before;
	pid_t pid;

	aging(false);
	member.act = shrink_on_request;
	pid = spawn(member_main, &member);
	ASSERT(turn_is(member.turns, 1));
	before = pool_value(member.name, "backed_bytes");
	neighbour.act = cache_then_touch;
	EXPECT(child_ok(spawn(member_main, &neighbour)));
	EXPECT_EQ(pool_value(member.name, "backed_bytes"), before);
	member.turns->stop = 1;
	EXPECT(child_ok(pid));
	dismiss(&neighbour);
	dismiss(&member);
}

/* The embedded engine has no shrinker; it sees the limit coming. */

static void grow_slowly_beside_an_embedded_pool(void *arg)
{
	struct member *member = arg;
	void **objects = calloc(member->objects + 1, sizeof(*objects));
	struct uslab_pool *pool;
	size_t got, i;
	char *memory;

	EXPECT(cgroup_enter(member->group));
	if (member->turns->value[0])
		EXPECT(!setgid(65534) && !setuid(65534));
	setenv("USLAB_ENGINE", "embedded", 1);
	pool = uslab_pool_create(member->name, OBJECT, NULL);
	if (!EXPECT(pool) || !EXPECT(objects) || !EXPECT(only_limits(pool)))
		return;
	got = get_all(member, pool, objects);
	put_all(pool, objects, got);
	memory = mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < 32 * MIB; i += PAGE) {
		memory[i] = 1;
		/* so slowly that a look a second sees it coming */
		if (i % (128 * KIB) == 0)
			nap(i < 8 * MIB ? 0.02 : 0.1);
	}
	/* 72 MiB do not fit into 64 */
	EXPECT_LT(pool_stats(pool).backed_bytes, member->objects * OBJECT - 8 * MIB);
	uslab_pool_destroy(pool);
}

/* Its files say for ever that there is news. */
static void outlive_ones_cgroup(void *arg)
{
	struct member *member = arg;
	void **objects = calloc(member->objects + 1, sizeof(*objects));
	struct uslab_pool *pool;
	uint64_t returns;
	size_t got;

	EXPECT(cgroup_enter(member->group));
	setenv("USLAB_ENGINE", "embedded", 1);
	pool = uslab_pool_create(member->name, OBJECT, NULL);
	if (!EXPECT(pool) || !EXPECT(objects))
		return;
	got = get_all(member, pool, objects);
	EXPECT_EQ(got, member->objects);
	EXPECT(cgroup_enter(""));
	EXPECT(cgroup_remove(member->group));
	put_all(pool, objects, got);
	returns = pool_stats(pool).returns;
	nap(2);
	EXPECT_EQ(pool_stats(pool).returns, returns);
	EXPECT_GE(pool_stats(pool).idle_objects, got);
	uslab_pool_destroy(pool);
}

TEST(an_embedded_pool_keeps_what_it_has_when_its_cgroup_is_gone)
{
	struct member member = must_member("gone", 4 * MIB, NULL);

	EXPECT(child_ok(spawn(outlive_ones_cgroup, &member)));
	dismiss(&member);
}

static void embedded_pool_shrinks(bool unprivileged)
{
	struct member member = must_member("embedded", 40 * MIB, "64M");

	member.turns->value[0] = unprivileged;
	EXPECT(child_ok(spawn(grow_slowly_beside_an_embedded_pool, &member)));
	EXPECT_EQ(event(&member, "oom_kill"), 0);
	dismiss(&member);
}

TEST(an_embedded_pool_shrinks_before_its_cgroup_hits_the_limit)
{
	embedded_pool_shrinks(false);
}

TEST(an_embedded_pool_of_nobody_does_so_too)
{
	embedded_pool_shrinks(true);
}

/* A cgroup that is gone */

static void leave_then_wait(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t got = get_all(member, pool, objects);

	put_all(pool, objects + got / 2, got - got / 2);
	EXPECT(cgroup_enter(""));
	member->turns->turn = 1;
	while (!member->turns->stop)
		nap(0.02);
	/* it can still grow, although its cgroup is no more */
	EXPECT_EQ(get_all(member, pool, objects), got);
	EXPECT_GE(pool_stats(pool).backed_bytes, member->objects * OBJECT);
}

static void cgroup_gone(bool in_parent)
{
	struct member member = must_member("removed", 32 * MIB, NULL);
	pid_t pid;

	member.act = leave_then_wait;
	pid = spawn(member_main, &member);
	ASSERT(turn_is(member.turns, 1));
	EXPECT(cgroup_remove(member.group));
	EXPECT_GE(pool_value(member.name, "backed_bytes"), 32 * (long long)MIB);
	if (in_parent)
		EXPECT(WAIT_FOR(!pool_reclaim_write(member.name, "max") &&
				pool_value(member.name, "backed_bytes") < 17 * (long long)MIB));
	else
		EXPECT(WAIT_FOR(!drop_caches() &&
				pool_value(member.name, "backed_bytes") < 17 * (long long)MIB));
	EXPECT_GE(pool_value(member.name, "backed_bytes"), 16 * (long long)MIB);
	member.turns->stop = 1;
	EXPECT(child_ok(pid));
	munmap(member.turns, PAGE);
	aging(true);
}

TEST(a_removed_cgroups_pool_shrinks_when_caches_are_dropped)
{
	cgroup_gone(false);
}

TEST(a_removed_cgroups_pool_shrinks_on_request)
{
	cgroup_gone(true);
}

TEST(a_removed_cgroups_pool_shrinks_under_global_pressure)
{
	struct member member = must_member("pressed", 32 * MIB, NULL);
	struct turns *turns = must_turns();
	pid_t pid, eater;
	int status;

	member.act = leave_then_wait;
	pid = spawn(member_main, &member);
	ASSERT(turn_is(member.turns, 1));
	EXPECT(cgroup_remove(member.group));
	eater = spawn(eat_memory, turns);
	WAIT_FOR(pool_value(member.name, "backed_bytes") < 20 * (long long)MIB ||
		 waitpid(eater, &status, WNOHANG) == eater);
	EXPECT_LT(pool_value(member.name, "backed_bytes"), 20 * (long long)MIB);
	turns->stop = 1;
	kill(eater, SIGKILL);
	waitpid(eater, &status, 0);
	member.turns->stop = 1;
	EXPECT(child_ok(pid));
	munmap(member.turns, PAGE);
	munmap(turns, PAGE);
	aging(true);
}

/* Nested: the parent's limit takes from the child. */
static void cache_in_child(struct member *member, struct uslab_pool *pool, void **objects)
{
	size_t got = get_all(member, pool, objects);

	EXPECT_EQ(got, member->objects);
	put_all(pool, objects, got);
	EXPECT(touch_memory(40 * MIB));
	EXPECT_LT(pool_value(member->name, "backed_bytes"), 48 * (long long)MIB);
}

TEST(a_parents_limit_takes_from_its_child)
{
	struct member member;
	const char *parent = must_cgroup("parent");
	char child[128];

	ASSERT(cgroup_set(parent, "cgroup.subtree_control", "+memory"));
	ASSERT(cgroup_set(parent, "memory.max", "64M"));
	member = must_member("child", 48 * MIB, NULL);
	cgroup_remove(member.group);
	snprintf(child, sizeof(child), "%s/child", parent);
	ASSERT(!mkdir(cgroup_path(child, ""), 0755));
	member.group = child;
	member.act = cache_in_child;
	EXPECT(child_ok(spawn(member_main, &member)));
	EXPECT_EQ(event(&member, "oom_kill"), 0);
	dismiss(&member);
	EXPECT(cgroup_remove(parent));
}

TEST_MAIN
