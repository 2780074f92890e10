/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the module share: pools by the raw interface, the module's
 * files in sysfs, children, faults that are expected, cgroups.
 *
 * These tests need root in a machine of their own: they take memory away,
 * drop caches and unload the module. Functions whose names begin with must_ end
 * the test when they fail; they are for the process that runs the tests, not
 * for its children, which use EXPECT_* and leave by child_exit().
 */
#ifndef USLAB_SELFTESTS_KMOD_H
#define USLAB_SELFTESTS_KMOD_H

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uslab.h>

#include "test.h"

#define KIB		1024ull
#define MIB		(1024 * KIB)
#define PAGE		4096ull
#define HELPER		__attribute__((unused)) static

/* Time */

HELPER double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

HELPER void nap(double seconds)
{
	struct timespec ts = { (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* How long a test that could go on for ever does. */
HELPER double test_seconds(double seconds)
{
	const char *value = getenv("USLAB_TEST_SECONDS");

	return value && atof(value) > 0 ? atof(value) : seconds;
}

/* Emulated guests are slow, and so is the debug kernel: wait long, look often. */
#define PATIENCE	240.0

#define WAIT_FOR(cond)							\
	({								\
		double until_ = now() + PATIENCE;			\
		bool met_;						\
		while (!(met_ = (cond)) && now() < until_)		\
			nap(0.05);					\
		met_;							\
	})

/* A CPU cache that is just being drained counts as held until its worker is done. */
#define EXPECT_SETTLES(value, expected)					\
	({								\
		long long value_;					\
		WAIT_FOR((value_ = (long long)(value)) == (long long)(expected)); \
		EXPECT_EQ(value_, expected);				\
	})

/* Files */

HELPER int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int saved;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return n < 0 ? -1 : 0;
}

HELPER ssize_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	size_t done = 0;

	text[0] = '\0';
	if (fd < 0)
		return -1;
	while (done < size - 1 && (n = read(fd, text + done, size - 1 - done)) > 0)
		done += (size_t)n;
	text[done] = '\0';
	close(fd);
	return (ssize_t)done;
}

/* The number after a key in a file of lines "key number"; -1 when there is none. */
HELPER long long read_key(const char *path, const char *key)
{
	static __thread char text[65536];
	size_t len = strlen(key);
	char *line;

	if (read_file(path, text, sizeof(text)) < 0)
		return -1;
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, len) && (line[len] == ' ' || line[len] == ':'))
			return atoll(line + len + 1 + strspn(line + len + 1, " \t"));
	}
	return -1;
}

/* The module's files */

#define USLAB_SYSFS	"/sys/kernel/uslab"

HELPER long long pool_value(const char *dir, const char *file)
{
	char path[256], text[64];

	snprintf(path, sizeof(path), USLAB_SYSFS "/%s/%s", dir, file);
	return read_file(path, text, sizeof(text)) < 0 ? -1 : atoll(text);
}

HELPER bool pool_listed(const char *dir)
{
	char path[256];

	snprintf(path, sizeof(path), USLAB_SYSFS "/%s", dir);
	return !access(path, F_OK);
}

HELPER int pool_write(const char *dir, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), USLAB_SYSFS "/%s/%s", dir, file);
	return write_file(path, text);
}

HELPER int pool_reclaim_write(const char *dir, const char *text)
{
	return pool_write(dir, "reclaim", text);
}

/* What a pool's file says, without the newline; good until the next call. */
HELPER const char *pool_text(const char *dir, const char *file)
{
	static __thread char text[64];
	char path[256];

	snprintf(path, sizeof(path), USLAB_SYSFS "/%s/%s", dir, file);
	read_file(path, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	return text;
}

#define USLAB_DEFAULTS	"/sys/module/uslab/parameters"

HELPER int default_write(const char *tunable, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), USLAB_DEFAULTS "/%s", tunable);
	return write_file(path, text);
}

HELPER int drop_caches(void)
{
	static bool quiet;

	if (!quiet)		/* 4: say nothing about it in the log */
		quiet = !write_file("/proc/sys/vm/drop_caches", "4");
	return write_file("/proc/sys/vm/drop_caches", "2");
}

/* Age is not to take what a test wants to see taken, or not taken. */
HELPER void aging(bool on)
{
	default_write("idle_aging_centisecs", on ? "500" : "0");
}

/* A name for a pool that no other test uses. */
HELPER const char *pool_name(const char *what)
{
	static char name[USLAB_NAME_MAX];
	static int number;

	snprintf(name, sizeof(name), "%s-%d-%d", what, (int)getpid(), number++);
	return name;
}

/* Pools by the raw interface */

struct raw {
	int fd;
	char name[USLAB_NAME_MAX];
	const struct uslab_control *control;
	char *shared;
	char *objects;
};

HELPER struct uslab_create create_args(const char *name, uint32_t object_size)
{
	struct uslab_create args = { .size = sizeof(args), .object_size = object_size };

	memccpy(args.name, name, 0, sizeof(args.name) - 1);
	return args;
}

/* A descriptor, or -1 and errno. */
HELPER int raw_create(const struct uslab_create *args)
{
	int device = open(USLAB_DEVICE, O_RDWR | O_CLOEXEC);
	int fd, saved;

	if (device < 0)
		return -1;
	fd = ioctl(device, USLAB_IOC_CREATE, args);
	saved = errno;
	close(device);
	errno = saved;
	return fd;
}

HELPER void *raw_map(int fd, uint64_t offset, uint64_t size, int prot)
{
	return mmap(NULL, size, prot, MAP_SHARED, fd, (off_t)offset);
}

HELPER bool raw_attach(struct raw *raw, int fd)
{
	void *control = raw_map(fd, 0, PAGE, PROT_READ);
	uint64_t size;

	raw->fd = fd;
	if (control == MAP_FAILED)
		return false;
	size = ((struct uslab_control *)control)->control_size;
	munmap(control, PAGE);
	raw->control = raw_map(fd, 0, size, PROT_READ);
	if (raw->control == MAP_FAILED)
		return false;
	memcpy(raw->name, raw->control->name, sizeof(raw->name));
	raw->shared = raw_map(fd, raw->control->shared_offset, raw->control->shared_size,
			      PROT_READ | PROT_WRITE);
	raw->objects = raw_map(fd, raw->control->objects_offset, raw->control->objects_size,
			       PROT_READ | PROT_WRITE);
	return raw->shared != MAP_FAILED && raw->objects != MAP_FAILED;
}

HELPER void raw_close(struct raw *raw)
{
	munmap(raw->objects, raw->control->objects_size);
	munmap(raw->shared, raw->control->shared_size);
	munmap((void *)(uintptr_t)raw->control, raw->control->control_size);
	close(raw->fd);
}

HELPER struct raw must_raw(const struct uslab_create *args)
{
	struct raw raw;
	int fd = raw_create(args);

	ASSERT(fd >= 0);
	ASSERT(raw_attach(&raw, fd));
	return raw;
}

HELPER struct raw must_raw_size(const char *what, uint32_t object_size)
{
	struct uslab_create args = create_args(pool_name(what), object_size);

	return must_raw(&args);
}

HELPER int raw_refill(int fd, uint32_t home, uint32_t *handles, uint32_t nr)
{
	struct uslab_refill args = {
		.size = sizeof(args), .home = home, .nr = nr, .handles = (uintptr_t)handles,
	};

	return ioctl(fd, USLAB_IOC_REFILL, &args);
}

HELPER int raw_return(int fd, const uint32_t *handles, uint32_t nr)
{
	struct uslab_return args = {
		.size = sizeof(args), .nr = nr, .handles = (uintptr_t)handles,
	};

	return ioctl(fd, USLAB_IOC_RETURN, &args);
}

HELPER int raw_grow(int fd, uint32_t home)
{
	struct uslab_grow args = { .size = sizeof(args), .home = home };

	return ioctl(fd, USLAB_IOC_GROW, &args);
}

/* Bytes reclaimed, or -1. */
HELPER long long raw_reclaim(int fd, uint64_t bytes)
{
	struct uslab_reclaim args = { .size = sizeof(args), .bytes = bytes };

	return ioctl(fd, USLAB_IOC_RECLAIM, &args) ? -1 : (long long)args.reclaimed;
}

HELPER struct uslab_stats raw_stats(int fd)
{
	struct uslab_stats stats = { .size = sizeof(stats) };

	if (ioctl(fd, USLAB_IOC_STATS, &stats))
		TEST_FAIL("no statistics: %s", strerror(errno));
	return stats;
}

HELPER char *raw_object(const struct raw *raw, uint32_t handle)
{
	return raw->objects + ((size_t)handle << raw->control->granule_shift);
}

HELPER struct uslab_cpu *raw_cpu(const struct raw *raw, uint32_t cpu)
{
	return (struct uslab_cpu *)(raw->shared + raw->control->cpus_start +
				    (size_t)cpu * raw->control->cpu_stride);
}

HELPER struct uslab_depot *raw_depot(const struct raw *raw, uint32_t home)
{
	return (struct uslab_depot *)(raw->shared + raw->control->depots_start +
				      (size_t)home * raw->control->depot_stride);
}

HELPER struct uslab_magazine *raw_magazine(const struct raw *raw, uint32_t index)
{
	return (struct uslab_magazine *)(raw->shared + raw->control->magazines_start +
					 (size_t)index * raw->control->magazine_stride);
}

/* Put handles in a magazine on a home's current stack, when nobody else uses the pool. */
HELPER bool raw_stash(const struct raw *raw, uint32_t home, const uint32_t *handles, uint32_t nr)
{
	struct uslab_depot *depot = raw_depot(raw, home);
	struct uslab_magazine *mag;
	uint32_t index, n;

	while (nr) {
		if (!(depot->empty.head & USLAB_HEAD_INDEX_MASK) && raw_grow(raw->fd, home) < 0)
			return false;
		index = depot->empty.head & USLAB_HEAD_INDEX_MASK;
		mag = raw_magazine(raw, index);
		depot->empty.head = ((depot->empty.head & ~USLAB_HEAD_INDEX_MASK) +
				     USLAB_HEAD_TAG) | mag->next;
		n = nr < raw->control->magazine_size ? nr : raw->control->magazine_size;
		memcpy(mag->handle, handles, n * sizeof(*handles));
		mag->count = n;
		mag->next = depot->current_gen.head & USLAB_HEAD_INDEX_MASK;
		depot->current_gen.head = ((depot->current_gen.head & ~USLAB_HEAD_INDEX_MASK) +
					   USLAB_HEAD_TAG) | index;
		depot->current_gen.objects += n;
		handles += n;
		nr -= n;
	}
	return true;
}

/* Pools by the library */

HELPER struct uslab_pool *must_pool(const char *name, size_t size, uint32_t policy)
{
	struct uslab_attr attr = USLAB_ATTR_INIT;
	struct uslab_pool *pool;

	attr.policy = policy;
	pool = uslab_pool_create(name, size, &attr);
	ASSERT(pool);
	ASSERT(!strcmp(uslab_pool_engine(pool), "kernel"));
	return pool;
}

HELPER struct uslab_stats pool_stats(const struct uslab_pool *pool)
{
	struct uslab_stats stats = { .size = sizeof(stats) };

	if (uslab_pool_stats(pool, &stats))
		TEST_FAIL("no statistics: %s", strerror(errno));
	return stats;
}

/* The kernel engine, or no test. */
__attribute__((constructor)) HELPER void want_kernel_engine(void)
{
	setenv("USLAB_ENGINE", "kernel", 1);
}

/* Faults */

static __thread sigjmp_buf fault_env;

HELPER void fault_handler(int signal)
{
	siglongjmp(fault_env, signal);
}

/* Read a byte, or write it back: 0, SIGBUS or SIGSEGV. */
HELPER int fault_of(volatile char *p, bool write)
{
	struct sigaction act = { .sa_handler = fault_handler }, bus, segv;
	int sig;

	sigaction(SIGBUS, &act, &bus);
	sigaction(SIGSEGV, &act, &segv);
	sig = sigsetjmp(fault_env, 1);
	if (!sig) {
		char c = *p;

		if (write)
			*p = c;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return sig;
}

/* Children: they die with the process that runs the tests. */

HELPER void child_exit(void)
{
	fflush(stdout);
	_exit(test_failed);
}

HELPER pid_t spawn(void (*fn)(void *), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	test_failed = 0;
	fn(arg);
	child_exit();
	return 0;
}

HELPER bool child_ok(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return false;
	if (WIFSIGNALED(status))
		printf("# child %d: killed by signal %d\n", (int)pid, WTERMSIG(status));
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Two processes that take turns: each waits for the other's number. */
struct turns {
	_Atomic int turn;
	_Atomic int stop;
	_Atomic long long value[14];
};

HELPER struct turns *must_turns(void)
{
	struct turns *turns = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT(turns != MAP_FAILED);
	return turns;
}

HELPER bool turn_is(struct turns *turns, int turn)
{
	return WAIT_FOR(turns->turn >= turn);
}

/*
 * The main function of a child that takes memory until it is told to stop. It goes
 * by huge pages where there are any, as guests are slow, and volunteers when
 * somebody has to be killed.
 */
HELPER void eat_memory(void *arg)
{
	struct turns *turns = arg;
	size_t step = 4 * MIB, i;

	write_file("/proc/self/oom_score_adj", "1000");
	while (!turns->stop) {
		char *more = mmap(NULL, step, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (more == MAP_FAILED)
			break;
		madvise(more, step, MADV_HUGEPAGE);
		for (i = 0; i < step; i += PAGE)
			more[i] = 1;
		turns->value[0] += (long long)step;
	}
	while (!turns->stop)
		nap(0.05);
}

/* cgroups */

#define CGROUP_ROOT	"/sys/fs/cgroup"

HELPER bool cgroups_usable(void)
{
	return !access(CGROUP_ROOT "/cgroup.controllers", F_OK) &&
	       !access(CGROUP_ROOT "/memory.stat", F_OK);
}

HELPER const char *cgroup_path(const char *group, const char *file)
{
	static __thread char path[2][256];
	static __thread int which;

	which ^= 1;
	snprintf(path[which], sizeof(path[which]), CGROUP_ROOT "/%s/%s", group, file);
	return path[which];
}

HELPER long long cgroup_value(const char *group, const char *file)
{
	char text[64];

	return read_file(cgroup_path(group, file), text, sizeof(text)) < 0 ? -1 : atoll(text);
}

HELPER bool cgroup_set(const char *group, const char *file, const char *text)
{
	return !write_file(cgroup_path(group, file), text);
}

HELPER const char *must_cgroup(const char *what)
{
	static char name[4][64];
	static int number;
	char *group = name[number++ % 4];

	if (!cgroups_usable())
		SKIP("no memory controller");
	snprintf(group, sizeof(name[0]), "uslab-%s-%d-%d", what, (int)getpid(), number);
	ASSERT(!mkdir(cgroup_path(group, ""), 0755) || errno == EEXIST);
	return group;
}

HELPER bool cgroup_enter(const char *group)
{
	return !write_file(*group ? cgroup_path(group, "cgroup.procs") :
			   CGROUP_ROOT "/cgroup.procs", "0");
}

HELPER bool cgroup_remove(const char *group)
{
	return WAIT_FOR(!rmdir(cgroup_path(group, "")) || errno == ENOENT);
}

/* CPUs */

HELPER bool run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

HELPER void run_anywhere(void)
{
	cpu_set_t set;
	int cpu;

	CPU_ZERO(&set);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

#endif /* USLAB_SELFTESTS_KMOD_H */
