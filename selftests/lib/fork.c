// SPDX-License-Identifier: GPL-2.0-only
/* What a child may do with the pools of its parent, and what it may not break. */
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include "common.h"

extern char **environ;

static struct uslab_pool *pool;

static void need(const char *engine)
{
	pool = MAKE(64, NULL);
	if (!engine_is(pool, engine)) {
		uslab_pool_destroy(pool);
		SKIP("for the other engine");
	}
}

/* Anybody may do this, parent or child, with a pool that is its own. */
static int use(struct uslab_pool *mine)
{
	struct uslab_stats before = { .size = sizeof(before) }, after = before;
	uint64_t *object[2000];
	uint64_t i;

	if (uslab_pool_stats(mine, &before))
		return 10;
	for (i = 0; i < 2000; i++) {
		object[i] = uslab_get(mine);
		if (!object[i])
			return 11;
		*object[i] = i;
	}
	for (i = 0; i < 2000; i++) {
		if (*object[i] != i)
			return 12;
		uslab_put(mine, object[i]);
	}
	uslab_pool_reclaim(mine, SIZE_MAX);
	if (uslab_pool_stats(mine, &after))
		return 13;
	return after.out_objects == before.out_objects &&
	       after.gets == before.gets + 2000 ? 0 : 14;
}

/* Embedded: a copy, as of the heap */

static uint64_t *shown;

static int use_copy(void *unused)
{
	(void)unused;
	if (*shown != 0x1234)
		return 1;
	*shown = 0x4321;
	uslab_put(pool, shown);
	return use(pool);
}

TEST(embedded_a_child_has_a_copy_of_the_pool)
{
	struct uslab_stats before, after;

	need("embedded");
	shown = uslab_get(pool);
	ASSERT(shown);
	*shown = 0x1234;
	before = STATS(pool);
	EXPECT_EXIT(in_child(use_copy, NULL, 20), 0);
	EXPECT_EQ(*shown, 0x1234);
	after = STATS(pool);
	EXPECT_EQ(after.out_objects, 1);
	EXPECT_EQ(after.gets, before.gets);
	EXPECT_EQ(after.backed_bytes, before.backed_bytes);
	EXPECT_EQ(use(pool), 0);
	uslab_put(pool, shown);
	uslab_pool_destroy(pool);
}

static int destroy_pool(void *unused)
{
	(void)unused;
	uslab_pool_destroy(pool);
	return 0;
}

static int destroy_and_make(void *unused)
{
	int code;

	(void)unused;
	uslab_pool_destroy(pool);
	pool = uslab_pool_create("child", 100, NULL);
	if (!pool)
		return 1;
	code = use(pool);
	uslab_pool_destroy(pool);
	return code;
}

TEST(a_child_that_destroys_the_pool_does_not_disturb_the_parent)
{
	pool = MAKE(64, NULL);
	shown = uslab_get(pool);
	ASSERT(shown);
	*shown = 0x1234;
	EXPECT_EXIT(in_child(destroy_pool, NULL, 20), 0);
	EXPECT_EXIT(in_child(destroy_and_make, NULL, 20), 0);
	EXPECT_EQ(*shown, 0x1234);
	EXPECT_EQ(use(pool), 0);
	uslab_put(pool, shown);
	uslab_pool_destroy(pool);
}

TEST(a_child_may_make_pools_of_its_own)
{
	pool = NULL;
	EXPECT_EXIT(in_child(destroy_and_make, NULL, 20), 0);
}

static int fork_again(void *unused)
{
	int status;

	(void)unused;
	status = in_child(destroy_and_make, NULL, 20);
	if (status == HUNG || !WIFEXITED(status))
		return 99;
	return WEXITSTATUS(status) ? WEXITSTATUS(status) : destroy_and_make(NULL);
}

TEST(a_grandchild_may_make_pools_of_its_own)
{
	pool = MAKE(64, NULL);
	EXPECT_EXIT(in_child(fork_again, NULL, 40), 0);
	EXPECT_EQ(use(pool), 0);
	uslab_pool_destroy(pool);
}

/* Signals */

static int mask_is_empty(void *unused)
{
	sigset_t set;
	int i;

	(void)unused;
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	for (i = 1; i < 32; i++)
		if (sigismember(&set, i))
			return 1;
	return 0;
}

TEST(fork_leaves_the_signal_mask_alone)
{
	enum { N = 3 };
	struct uslab_pool *pools[N];
	int i;

	EXPECT_EXIT(in_child(mask_is_empty, NULL, 20), 0);
	for (i = 0; i < N; i++) {
		pools[i] = MAKE(64, NULL);
		EXPECT_EXIT(in_child(mask_is_empty, NULL, 20), 0);
		if (!EXPECT_EQ(mask_is_empty(NULL), 0)) {
			sigset_t none;

			printf("# the parent's, with %d pools\n", i + 1);
			sigemptyset(&none);
			pthread_sigmask(SIG_SETMASK, &none, NULL);
		}
	}
	for (i = 0; i < N; i++)
		uslab_pool_destroy(pools[i]);
}

/* Kernel: the mappings are not inherited */

static int use_stale(void *unused)
{
	struct uslab_stats stats = { .size = sizeof(stats) };
	void *objects[3] = { NULL };
	struct uslab_pool *view;
	int code;

	(void)unused;
	errno = 0;
	if (uslab_get(pool) || errno != ESTALE)
		return 1;
	errno = 0;
	if (uslab_get_bulk(pool, objects, 3) || errno != ESTALE)
		return 2;
	errno = 7;
	uslab_put(pool, shown);
	objects[0] = shown;
	uslab_put_bulk(pool, objects, 3);
	if (errno != 7)
		return 3;
	if (uslab_pool_prewarm(pool, 10))
		return 4;

	view = uslab_pool_attach(uslab_pool_fd(pool));
	if (!view)
		return 5;
	/* what the parent caches for itself is out to others */
	if (uslab_pool_stats(view, &stats) || stats.bad_puts ||
	    (path_is_rseq(view) && stats.out_objects != 1))
		return 6;
	code = use(view);
	uslab_pool_destroy(view);
	uslab_pool_destroy(pool);
	return code;
}

TEST(kernel_a_child_attaches_or_gets_estale)
{
	struct uslab_stats stats;

	need("kernel");
	shown = uslab_get(pool);
	ASSERT(shown);
	*shown = 0x1234;
	EXPECT_EXIT(in_child(use_stale, NULL, 20), 0);
	EXPECT_EQ(*shown, 0x1234);
	stats = STATS(pool);
	EXPECT_EQ(stats.out_objects, 1);
	EXPECT_EQ(stats.bad_puts, 0);
	EXPECT_EQ(use(pool), 0);
	uslab_put(pool, shown);
	uslab_pool_destroy(pool);
}

static int child_socket;

/* Objects whose contents say which they are go from the child's view to the parent's. */
static int find_in_view(void *unused)
{
	struct uslab_pool *view = uslab_pool_attach(uslab_pool_fd(pool));
	struct uslab_stats stats = { .size = sizeof(stats) };
	uint64_t *object;
	char byte = 0;

	(void)unused;
	if (!view)
		return 1;
	pin(0);
	object = uslab_get(view);
	if (!object || *object != 0x1234)
		return 2;
	*object = 0x5678;
	uslab_put(view, object);
	if (write(child_socket, &byte, 1) != 1 || read(child_socket, &byte, 1) != 1)
		return 3;
	uslab_pool_stats(view, &stats);
	return stats.out_objects == 1 ? 0 : 4;
}

TEST(kernel_parent_and_child_share_objects)
{
	uint64_t *object;
	int sockets[2];
	int status;
	char byte;
	pid_t pid;

	need("kernel");
	if (!path_is_rseq(pool)) {
		uslab_pool_destroy(pool);
		SKIP("without restartable sequences caches are not shared");
	}
	pin(0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	object = uslab_get(pool);
	ASSERT(object);
	*object = 0x1234;
	uslab_put(pool, object);
	child_socket = sockets[1];
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(find_in_view(NULL));
	close(sockets[1]);
	ASSERT_EQ(read(sockets[0], &byte, 1), 1);
	object = uslab_get(pool);
	ASSERT(object);
	EXPECT_EQ(*object, 0x5678);
	EXPECT_EQ(write(sockets[0], &byte, 1), 1);
	status = child_status(pid, 60);
	EXPECT_EXIT(status, 0);
	uslab_put(pool, object);
	close(sockets[0]);
	uslab_pool_destroy(pool);
	pin(-1);
}

static uint32_t sent;

static int look_up(void *unused)
{
	struct uslab_pool *view = uslab_pool_attach(uslab_pool_fd(pool));
	uint64_t *object;

	(void)unused;
	if (!view)
		return 1;
	object = uslab_object(view, sent);
	if (uslab_handle(view, object) != sent || *object != 0x1234)
		return 2;
	*object = 0x5678;
	uslab_pool_destroy(view);
	return 0;
}

TEST(kernel_a_handle_names_the_same_object_in_another_process)
{
	uint64_t *object;

	need("kernel");
	object = uslab_get(pool);
	ASSERT(object);
	*object = 0x1234;
	sent = uslab_handle(pool, object);
	EXPECT_EXIT(in_child(look_up, NULL, 20), 0);
	EXPECT_EQ(*object, 0x5678);
	uslab_put(pool, object);
	uslab_pool_destroy(pool);
}

/* Forks in the midst of work */

static atomic_bool stop;

static void *hammer(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg + 1;
	static __thread void *object[2000];

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		unsigned int n = random_next(&seed) % ARRAY_SIZE(object);

		if (uslab_get_bulk(pool, object, n) != (int)n)
			_exit(77);
		uslab_put_bulk(pool, object, n);
		if (seed % 16 == 0)
			uslab_pool_reclaim(pool, 1 << 16);
	}
	return arg;
}

static void *make_and_destroy(void *arg)
{
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		struct uslab_pool *mine = uslab_pool_create("other", 100, NULL);

		if (mine)
			uslab_put(mine, uslab_get(mine));
		uslab_pool_destroy(mine);
	}
	return arg;
}

/*
 * Everything that is idle in the copy, from every CPU's cache and the depot:
 * no object may be there twice. What other threads had in hand at the fork is
 * lost to the copy, so statistics tell nothing.
 */
static int get_distinct(void)
{
	static uint64_t *object[20000];
	size_t n = 0, i;
	int cpu;

	for (cpu = 0; cpu < allowed_cpus(); cpu++) {
		size_t end = ARRAY_SIZE(object) * (size_t)(cpu + 1) / (size_t)allowed_cpus();

		pin(cpu);
		for (; n < end; n++) {
			object[n] = uslab_get(pool);
			if (!object[n])
				return 20;
			*object[n] = n;
		}
	}
	for (i = 0; i < n; i++)
		if (*object[i] != i)
			return 21;
	uslab_put_bulk(pool, (void **)object, (unsigned int)n);
	pin(-1);
	return 0;
}

static int use_after_fork(void *unused)
{
	struct uslab_pool *mine;
	int code;

	(void)unused;
	if (engine_is(pool, "embedded")) {
		code = get_distinct();
		if (code)
			return code;
	} else if (uslab_get(pool)) {
		return 2;
	}
	mine = uslab_pool_create("child", 64, NULL);
	if (!mine)
		return 3;
	code = use(mine);
	uslab_pool_destroy(mine);
	return code;
}

static void fork_under(void *(*fn)(void *arg))
{
	double end = now() + test_seconds() / 2;
	pthread_t thread[4];
	int i;

	pool = MAKE(64, NULL);
	atomic_store(&stop, false);
	for (i = 0; i < 4; i++)
		ASSERT(!pthread_create(&thread[i], NULL, fn, (void *)(uintptr_t)i));
	while (now() < end)
		if (!EXPECT_EXIT(in_child(use_after_fork, NULL, 60), 0))
			break;
	atomic_store(&stop, true);
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(use(pool), 0);
	uslab_pool_destroy(pool);
}

TEST(children_of_busy_parents_do_not_hang)
{
	fork_under(hammer);
}

TEST(children_of_parents_that_make_pools_do_not_hang)
{
	fork_under(make_and_destroy);
}

/* Other programs */

TEST(other_programs_start_while_pools_are_in_use)
{
	static char *const argv[] = { (char *)"true", NULL };
	double end = now() + test_seconds() / 2;
	pthread_t thread[3];
	int i;

	pool = MAKE(64, NULL);
	atomic_store(&stop, false);
	for (i = 0; i < 3; i++)
		ASSERT(!pthread_create(&thread[i], NULL, hammer, (void *)(uintptr_t)i));
	do {
		int status;
		pid_t pid;

		pid = vfork();
		if (!pid) {
			execv("/bin/true", argv);
			_exit(127);
		}
		EXPECT_EXIT(child_status(pid, 60), 0);
		pid = vfork();
		if (!pid)
			_exit(5);
		EXPECT_EXIT(child_status(pid, 60), 5);
		ASSERT_EQ(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ), 0);
		EXPECT_EXIT(child_status(pid, 60), 0);
		status = system("exit 3");
		EXPECT_EXIT(status, 3);
	} while (now() < end);
	atomic_store(&stop, true);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(use(pool), 0);
	uslab_pool_destroy(pool);
}

TEST(descriptors_are_not_left_to_other_programs)
{
	char command[64];

	need("kernel");
	snprintf(command, sizeof(command), "test ! -e /proc/self/fd/%d", uslab_pool_fd(pool));
	EXPECT_EQ(system(command), 0);
	uslab_pool_destroy(pool);
}

TEST_MAIN
