// SPDX-License-Identifier: GPL-2.0-only
/*
 * Idle memory is reclaimed from a process that cannot help: one that is
 * stopped, one that waits in a system call, one that never calls the library
 * again. What it holds stays.
 */
#include "kmod.h"

#define OBJECT		1024u
#define OBJECTS		16384u		/* 16 MiB */
#define HALF		(OBJECTS / 2)
#define BYTES		((long long)OBJECTS * OBJECT)

enum idleness { STOPPED, WAITING, SPINNING };

struct victim {
	char name[USLAB_NAME_MAX];
	enum idleness how;
	bool keep_all;		/* a control: nothing is idle */
	struct turns *turns;
	int pipe[2];
	pid_t pid;
};

static char *objects[OBJECTS];

static void stamp(char *object, uint32_t i)
{
	uint32_t *word = (uint32_t *)object;

	word[0] = i;
	word[OBJECT / 4 - 1] = ~i;
}

static bool stamped(const char *object, uint32_t i)
{
	const uint32_t *word = (const uint32_t *)object;

	return word[0] == i && word[OBJECT / 4 - 1] == ~i;
}

static void be_idle(struct victim *victim)
{
	char c;

	victim->turns->turn = 1;
	switch (victim->how) {
	case STOPPED:
		raise(SIGSTOP);
		break;
	case WAITING:
		if (read(victim->pipe[0], &c, 1) != 1)
			_exit(9);
		break;
	case SPINNING:
		while (victim->turns->turn < 2)
			;
		break;
	}
}

static void victim_main(void *arg)
{
	struct victim *victim = arg;
	struct uslab_pool *pool = uslab_pool_create(victim->name, OBJECT, NULL);
	uint32_t i, wrong = 0;

	/* all that a CPU's cache holds back is less than what may stay */
	if (!EXPECT(pool) || !EXPECT(run_on(0)))
		return;
	/* what stays and what goes are not to share pages: they are got one after the other */
	for (i = 0; i < OBJECTS; i++) {
		objects[i] = uslab_get(pool);
		if (!EXPECT(objects[i]))
			return;
		stamp(objects[i], i);
	}
	for (i = HALF; i < OBJECTS && !victim->keep_all; i++)
		uslab_put(pool, objects[i]);
	be_idle(victim);
	for (i = 0; i < HALF; i++)
		wrong += !stamped(objects[i], i);
	EXPECT_EQ(wrong, 0);
	for (i = HALF; i < OBJECTS && !victim->keep_all; i++) {
		objects[i] = uslab_get(pool);
		if (!EXPECT(objects[i]))
			return;
		stamp(objects[i], i);
	}
	for (i = 0; i < OBJECTS; i++)
		wrong += !stamped(objects[i], i);
	EXPECT_EQ(wrong, 0);
	EXPECT_SETTLES(pool_stats(pool).out_objects, OBJECTS);
	uslab_put_bulk(pool, (void **)objects, OBJECTS);
	EXPECT_SETTLES(pool_stats(pool).out_objects, 0);
	uslab_pool_destroy(pool);
}

static bool must_start(struct victim *victim, enum idleness how, bool keep_all)
{
	aging(false);
	strcpy(victim->name, pool_name("stopped"));
	victim->how = how;
	victim->keep_all = keep_all;
	victim->turns = must_turns();
	ASSERT(!pipe(victim->pipe));
	victim->pid = spawn(victim_main, victim);
	ASSERT(turn_is(victim->turns, 1));
	if (how == STOPPED) {
		int status;

		ASSERT_EQ(waitpid(victim->pid, &status, WUNTRACED), victim->pid);
		ASSERT(WIFSTOPPED(status));
	}
	return true;
}

/* The process goes on, and finds all as it must be. */
static void finish(struct victim *victim)
{
	switch (victim->how) {
	case STOPPED:
		kill(victim->pid, SIGCONT);
		break;
	case WAITING:
		EXPECT_EQ(write(victim->pipe[1], "x", 1), 1);
		break;
	case SPINNING:
		victim->turns->turn = 2;
		break;
	}
	EXPECT(child_ok(victim->pid));
	EXPECT(WAIT_FOR(!pool_listed(victim->name)));
	close(victim->pipe[0]);
	close(victim->pipe[1]);
	aging(true);
}

static long long backed(const struct victim *victim)
{
	return pool_value(victim->name, "backed_bytes");
}

static void trigger_file(const struct victim *victim)
{
	EXPECT_EQ(pool_reclaim_write(victim->name, "max"), 0);
}

static void trigger_drop(const struct victim *victim)
{
	(void)victim;
	EXPECT_EQ(drop_caches(), 0);
}

/*
 * Take memory until the pool has shrunk below a size, or there is no more to take. The
 * kernel may kill who takes while shrinkers still have something: it goes by the LRU lists.
 */
static void press(const struct victim *victim, long long until)
{
	struct turns *turns = must_turns();
	int status, tries = 5;
	pid_t pid;

	do {
		pid = spawn(eat_memory, turns);
		WAIT_FOR(backed(victim) <= until || waitpid(pid, &status, WNOHANG) == pid);
	} while (backed(victim) > until && --tries);
	printf("# %lld MiB taken\n", (long long)(turns->value[0] / MIB));
	turns->stop = 1;
	nap(0.1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	munmap(turns, PAGE);
}

static void trigger_pressure(const struct victim *victim)
{
	press(victim, BYTES / 2 + BYTES / 16);
}

static void shrinks(enum idleness how, void (*trigger)(const struct victim *))
{
	struct victim victim;
	long long before;

	must_start(&victim, how, false);
	before = backed(&victim);
	EXPECT_GE(before, BYTES);
	/* nobody has asked: it stays */
	nap(1);
	EXPECT_EQ(backed(&victim), before);
	/* it may take a second time: CPU caches are emptied in the background */
	trigger(&victim);
	if (trigger != trigger_pressure && !WAIT_FOR(({
		if (backed(&victim) > BYTES / 2 + BYTES / 16)
			trigger(&victim);
		backed(&victim) <= BYTES / 2 + BYTES / 16;
	})))
		TEST_FAIL("idle memory stays");
	EXPECT_LE(backed(&victim), BYTES / 2 + BYTES / 16);
	EXPECT_GE(backed(&victim), BYTES / 2);
	finish(&victim);
}

TEST(a_stopped_process_shrinks_on_request)
{
	shrinks(STOPPED, trigger_file);
}

TEST(a_stopped_process_shrinks_when_caches_are_dropped)
{
	shrinks(STOPPED, trigger_drop);
}

TEST(a_stopped_process_shrinks_under_pressure)
{
	shrinks(STOPPED, trigger_pressure);
}

TEST(a_waiting_process_shrinks_on_request)
{
	shrinks(WAITING, trigger_file);
}

TEST(a_waiting_process_shrinks_when_caches_are_dropped)
{
	shrinks(WAITING, trigger_drop);
}

TEST(a_waiting_process_shrinks_under_pressure)
{
	shrinks(WAITING, trigger_pressure);
}

TEST(a_process_that_never_calls_again_shrinks_on_request)
{
	shrinks(SPINNING, trigger_file);
}

TEST(a_process_that_never_calls_again_shrinks_when_caches_are_dropped)
{
	shrinks(SPINNING, trigger_drop);
}

TEST(control_without_anything_idle_nothing_falls)
{
	struct victim victim;
	long long before;

	must_start(&victim, STOPPED, true);
	before = backed(&victim);
	trigger_file(&victim);
	trigger_drop(&victim);
	trigger_drop(&victim);
	/* the last refill may have brought a few objects more than were got */
	EXPECT_GE(backed(&victim), before - (long long)MIB);
	EXPECT_GE(backed(&victim), BYTES);
	finish(&victim);
}

/* With age on, idle memory goes without anybody's asking. */
TEST(a_stopped_process_shrinks_with_age)
{
	struct victim victim;

	must_start(&victim, STOPPED, false);
	write_file("/sys/module/uslab/parameters/idle_expire_centisecs", "200");
	write_file("/sys/module/uslab/parameters/idle_aging_centisecs", "50");
	EXPECT(WAIT_FOR(backed(&victim) <= BYTES / 2 + BYTES / 16));
	EXPECT_GE(backed(&victim), BYTES / 2);
	write_file("/sys/module/uslab/parameters/idle_expire_centisecs", "3000");
	finish(&victim);
}

TEST_MAIN
