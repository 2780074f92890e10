// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages go while others touch them: no object that is out loses what was
 * written to it, no object that is got shows a page that had gone, or one of
 * another pool, and in the end every page is accounted for.
 */
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kmod.h"

/*
 * Every word that is written says which pool it belongs to and which tenancy
 * of which object wrote it. What a new tenant finds is zero or carries the
 * pool's number.
 */
#define STEP		64u		/* bytes from one word that is written to the next */
#define COOKIE_SHIFT	48
#define SLOTS		2048u		/* objects a thread holds at most */
#define SLOT_BYTES	(256 * KIB)

struct arena {
	struct uslab_pool *pool;
	uint64_t cookie;
	size_t size;
	_Atomic bool stop;
	_Atomic uint64_t cycles;
	_Atomic uint64_t foreign, lost, failed;
};

struct tenant {
	struct arena *arena;
	uint64_t number;
	uint64_t sequence;
	uint64_t seed;
	pthread_t thread;
};

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Words that a former tenant of this pool cannot have left. */
static uint64_t count_foreign(const char *object, size_t size, uint64_t cookie)
{
	uint64_t foreign = 0;
	size_t i;

	for (i = 0; i + 8 <= size; i += STEP) {
		uint64_t word = *(const volatile uint64_t *)(object + i);

		foreign += word && word >> COOKIE_SHIFT != cookie;
	}
	return foreign;
}

static uint64_t count_lost(const char *object, size_t size, uint64_t stamp)
{
	uint64_t lost = 0;
	size_t i;

	for (i = 0; i + 8 <= size; i += STEP)
		lost += *(const volatile uint64_t *)(object + i) != stamp;
	return lost;
}

static void write_stamp(char *object, size_t size, uint64_t stamp)
{
	size_t i;

	for (i = 0; i + 8 <= size; i += STEP)
		*(volatile uint64_t *)(object + i) = stamp;
}

static void move_in(struct tenant *tenant, char **object, uint64_t *stamp)
{
	struct arena *arena = tenant->arena;

	*object = uslab_get(arena->pool);
	if (!*object) {
		arena->failed++;
		return;
	}
	arena->foreign += count_foreign(*object, arena->size, arena->cookie);
	*stamp = arena->cookie << COOKIE_SHIFT | tenant->number << 40 | ++tenant->sequence;
	write_stamp(*object, arena->size, *stamp);
	arena->cycles++;
}

static void move_out(struct arena *arena, char **object, uint64_t stamp)
{
	arena->lost += count_lost(*object, arena->size, stamp);
	uslab_put(arena->pool, *object);
	*object = NULL;
}

/* In tides, as reclaim would find little to do in a steady state. */
static void *live(void *arg)
{
	struct tenant *tenant = arg;
	struct arena *arena = tenant->arena;
	uint32_t slots = SLOT_BYTES / arena->size, i, step;
	char *object[SLOTS] = { NULL };
	uint64_t stamp[SLOTS] = { 0 };
	bool in = true;

	if (slots > SLOTS)
		slots = SLOTS;
	while (!arena->stop) {
		for (step = 0; step < slots && !arena->stop; step++) {
			i = (uint32_t)(next_random(&tenant->seed) % slots);
			if (object[i] && !(in && next_random(&tenant->seed) % 4))
				move_out(arena, &object[i], stamp[i]);
			else if (!object[i] && (in || !(next_random(&tenant->seed) % 4)))
				move_in(tenant, &object[i], &stamp[i]);
		}
		in = !in;
		nap(0.001);
	}
	for (i = 0; i < slots; i++)
		if (object[i])
			move_out(arena, &object[i], stamp[i]);
	return NULL;
}

struct reaper {
	_Atomic bool stop;
	const char *dir[2];
	_Atomic uint64_t rounds;
};

static void *reap_by_file(void *arg)
{
	struct reaper *reaper = arg;

	while (!reaper->stop) {
		pool_reclaim_write(reaper->dir[0], "max");
		pool_reclaim_write(reaper->dir[1], "max");
		reaper->rounds++;
	}
	return NULL;
}

static void *reap_by_drop(void *arg)
{
	struct reaper *reaper = arg;

	while (!reaper->stop) {
		drop_caches();
		nap(0.01);
	}
	return NULL;
}

static void expect_accounts(struct arena *arena)
{
	struct uslab_stats stats;

	EXPECT_EQ(arena->foreign, 0);
	EXPECT_EQ(arena->lost, 0);
	EXPECT_EQ(arena->failed, 0);
	EXPECT_SETTLES(pool_stats(arena->pool).out_objects, 0);
	stats = pool_stats(arena->pool);
	EXPECT_EQ(stats.bad_puts, 0);
	EXPECT_EQ(stats.refill_failures, 0);
	EXPECT_EQ(stats.gets, arena->cycles);
	uslab_pool_reclaim(arena->pool, SIZE_MAX);
	stats = pool_stats(arena->pool);
	EXPECT_EQ(stats.idle_objects, 0);
	EXPECT_EQ(stats.backed_bytes, 0);
	EXPECT_EQ(stats.refills, stats.returns);
}

/* Two pools, so that there is somebody whose pages must not show up here. */
static void hammer(void *arg)
{
	size_t size = (size_t)arg;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char name[2][USLAB_NAME_MAX];
	struct arena arena[2];
	struct tenant tenant[16];
	struct reaper reaper = { .dir = { name[0], name[1] } };
	pthread_t by_file, by_drop;
	int i, nr = cpus > 8 ? 16 : (int)cpus * 2;

	memset(arena, 0, sizeof(arena));
	for (i = 0; i < 2; i++) {
		strcpy(name[i], pool_name("safety"));
		arena[i].pool = uslab_pool_create(name[i], size, NULL);
		arena[i].cookie = 0x5a00u + (uint64_t)i;
		arena[i].size = size;
		if (!EXPECT(arena[i].pool))
			return;
	}
	for (i = 0; i < nr; i++) {
		tenant[i] = (struct tenant){
			.arena = &arena[i & 1], .number = (uint64_t)i,
			.seed = (uint64_t)i * 7919 + 1,
		};
		pthread_create(&tenant[i].thread, NULL, live, &tenant[i]);
	}
	pthread_create(&by_file, NULL, reap_by_file, &reaper);
	pthread_create(&by_drop, NULL, reap_by_drop, &reaper);
	nap(test_seconds(4));
	arena[0].stop = arena[1].stop = true;
	for (i = 0; i < nr; i++)
		pthread_join(tenant[i].thread, NULL);
	reaper.stop = true;
	pthread_join(by_file, NULL);
	pthread_join(by_drop, NULL);
	printf("# %zu bytes: %llu cycles, %llu pages reclaimed in %llu rounds\n", size,
	       (unsigned long long)(arena[0].cycles + arena[1].cycles),
	       (unsigned long long)pool_stats(arena[0].pool).reclaimed_bytes / PAGE,
	       (unsigned long long)reaper.rounds);
	EXPECT_GT(arena[0].cycles, 100);
	EXPECT_GT(pool_stats(arena[0].pool).reclaimed_bytes, 0);
	for (i = 0; i < 2; i++) {
		expect_accounts(&arena[i]);
		uslab_pool_destroy(arena[i].pool);
	}
}

struct hammer_in {
	const char *group;
	size_t size;
};

static void hammer_in_cgroup(void *arg)
{
	struct hammer_in *in = arg;

	EXPECT(cgroup_enter(in->group));
	hammer((void *)in->size);
}

/* In a cgroup, so that a page that stays behind shows. */
static void touch_against_reclaim(size_t size)
{
	struct hammer_in in = { .size = size };
	const char *stat;

	if (!cgroups_usable()) {
		EXPECT(child_ok(spawn(hammer, (void *)size)));
		return;
	}
	in.group = must_cgroup("safety");
	stat = cgroup_path(in.group, "memory.stat");
	EXPECT(child_ok(spawn(hammer_in_cgroup, &in)));
	/* what remains are the CPUs' stocks, and files' pages */
	if (!WAIT_FOR(read_key(stat, "kernel") < 1500 * (long long)KIB))
		TEST_FAIL("kernel memory left: %lld", read_key(stat, "kernel"));
	EXPECT(cgroup_remove(in.group));
}

TEST(small_objects_survive_reclaim_of_their_neighbours)
{
	touch_against_reclaim(64);
}

TEST(objects_across_pages_survive_reclaim)
{
	touch_against_reclaim(3000);
}

TEST(objects_of_two_pages_survive_reclaim)
{
	touch_against_reclaim(8192);
}

TEST(control_the_oracle_tells_foreign_and_lost_words)
{
	char object[256] = { 0 };

	EXPECT_EQ(count_foreign(object, sizeof(object), 0x5a00), 0);
	write_stamp(object, sizeof(object), 0x5a00ull << COOKIE_SHIFT | 7);
	EXPECT_EQ(count_foreign(object, sizeof(object), 0x5a00), 0);
	EXPECT_EQ(count_lost(object, sizeof(object), 0x5a00ull << COOKIE_SHIFT | 7), 0);
	*(uint64_t *)(object + 64) = 0x5a01ull << COOKIE_SHIFT | 7;
	EXPECT_EQ(count_foreign(object, sizeof(object), 0x5a00), 1);
	EXPECT_EQ(count_lost(object, sizeof(object), 0x5a00ull << COOKIE_SHIFT | 7), 1);
}

/* An object that is put although somebody still writes to it: the oracle must see that. */
TEST(control_the_oracle_notices_an_object_that_went_too_early)
{
	struct raw raw = must_raw_size("early", PAGE);
	uint32_t handle, again;
	char *object;

	ASSERT_EQ(raw_refill(raw.fd, 0, &handle, 1), 1);
	object = raw_object(&raw, handle);
	write_stamp(object, PAGE, 42);
	EXPECT_EQ(count_lost(object, PAGE, 42), 0);
	ASSERT_EQ(raw_return(raw.fd, &handle, 1), 1);
	ASSERT_EQ(raw_refill(raw.fd, 0, &again, 1), 1);
	EXPECT_EQ(again, handle);
	EXPECT_GT(count_lost(object, PAGE, 42), 0);
	raw_close(&raw);
}

/* Threads that touch a page that comes and goes see it, or a bus error, but never an old one. */
struct toucher {
	struct raw *raw;
	_Atomic uint32_t handle;
	_Atomic uint64_t generation;	/* odd: the object is out and says so */
	_Atomic bool stop;
	_Atomic uint64_t faults, stale, touches;
};

static void *touch_blindly(void *arg)
{
	struct toucher *toucher = arg;
	volatile uint64_t *word =
		(volatile uint64_t *)raw_object(toucher->raw, toucher->handle);

	while (!toucher->stop) {
		uint64_t before = toucher->generation, value;

		if (sigsetjmp(fault_env, 0)) {
			toucher->faults++;
			continue;
		}
		value = *word;
		toucher->touches++;
		/* whole generation seen: the value is its own */
		if ((before & 1) && toucher->generation == before && value != before)
			toucher->stale++;
	}
	return NULL;
}

TEST(a_late_fault_does_not_revive_a_page)
{
	struct sigaction act = { .sa_handler = fault_handler, .sa_flags = SA_NODEFER }, old;
	double until = now() + test_seconds(3);
	struct raw raw = must_raw_size("revive", PAGE);
	struct toucher toucher = { .raw = &raw };
	uint32_t handle = 0;
	pthread_t thread[4];
	int i;

	ASSERT_EQ(raw_refill(raw.fd, 0, &handle, 1), 1);
	toucher.handle = handle;
	sigaction(SIGBUS, &act, &old);
	for (i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, touch_blindly, &toucher);
	while (now() < until) {
		uint64_t generation = toucher.generation + 1;

		*(volatile uint64_t *)raw_object(&raw, handle) = generation;
		toucher.generation = generation;
		sched_yield();
		if (!EXPECT_EQ(*(volatile uint64_t *)raw_object(&raw, handle), generation))
			break;
		toucher.generation = generation + 1;
		if (!EXPECT_EQ(raw_return(raw.fd, &handle, 1), 1))
			break;
		if (!EXPECT_EQ(raw_refill(raw.fd, 0, &handle, 1), 1) ||
		    !EXPECT_EQ(handle, toucher.handle))
			break;
	}
	toucher.stop = true;
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	sigaction(SIGBUS, &old, NULL);
	printf("# %llu generations, %llu touches, %llu faults\n",
	       (unsigned long long)toucher.generation / 2,
	       (unsigned long long)toucher.touches, (unsigned long long)toucher.faults);
	EXPECT_EQ(toucher.stale, 0);
	EXPECT_GT(toucher.touches, 0);
	raw_close(&raw);
}

/* Pages that somebody else has pinned */

static uint32_t handles[64];

/* Objects of a quarter page; every fourth, and so a part of each page, stays out. */
static struct raw must_neighbours(void)
{
	struct raw raw = must_raw_size("pinned", 1024);
	uint32_t i, kept = 0, gone[64], nr_gone = 0;

	ASSERT_EQ(raw_refill(raw.fd, 0, handles, 64), 64);
	for (i = 0; i < 64; i++)
		memset(raw_object(&raw, handles[i]), (int)i + 1, 1024);
	for (i = 0; i < 64; i++) {
		if (i % 4 && i < 32)
			gone[nr_gone++] = handles[i];
		else
			handles[kept++] = handles[i];
	}
	ASSERT(raw_stash(&raw, 0, gone, nr_gone));
	return raw;
}

TEST(another_process_writes_into_the_right_object)
{
	struct raw raw = must_neighbours();
	char from[1024], *object = raw_object(&raw, handles[2]);
	struct iovec local = { from, sizeof(from) }, remote = { object, 1024 };
	char next = raw_object(&raw, handles[3])[0];

	memset(from, 99, sizeof(from));
	raw_reclaim(raw.fd, UINT64_MAX);
	ASSERT_EQ(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), 1024);
	EXPECT_EQ(object[0], 99);
	EXPECT_EQ(object[1023], 99);
	EXPECT_EQ(raw_object(&raw, handles[3])[0], next);
	/* and an object that has gone cannot be written */
	ASSERT_EQ(raw_return(raw.fd, handles, 8), 8);
	raw_reclaim(raw.fd, UINT64_MAX);
	EXPECT_ERRNO(process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == -1, EFAULT);
	raw_close(&raw);
}

TEST(what_a_pipe_has_pinned_does_not_change_hands)
{
	struct raw raw = must_raw_size("spliced", PAGE);
	uint32_t handle, other;
	struct iovec iov;
	char byte[PAGE];
	int fd[2];

	ASSERT(!pipe(fd));
	ASSERT_EQ(raw_refill(raw.fd, 0, &handle, 1), 1);
	memset(raw_object(&raw, handle), 7, PAGE);
	iov = (struct iovec){ raw_object(&raw, handle), PAGE };
	ASSERT_EQ(vmsplice(fd[1], &iov, 1, 0), PAGE);
	ASSERT_EQ(raw_return(raw.fd, &handle, 1), 1);
	EXPECT_EQ(raw_stats(raw.fd).backed_bytes, 0);
	ASSERT_EQ(raw_refill(raw.fd, 0, &other, 1), 1);
	EXPECT_EQ(other, handle);
	memset(raw_object(&raw, other), 8, PAGE);
	/* the pipe keeps the old page, nobody else has it */
	ASSERT_EQ(read(fd[0], byte, PAGE), PAGE);
	EXPECT_EQ(byte[0], 7);
	EXPECT_EQ(byte[PAGE - 1], 7);
	EXPECT_EQ(raw_object(&raw, other)[0], 8);
	close(fd[0]);
	close(fd[1]);
	raw_close(&raw);
}

/* A read into buffers that were pinned for long before. */
struct ring {
	int fd;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

static bool ring_open(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;

	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)syscall(SYS_io_uring_setup, 4, p);
	if (ring->fd < 0)
		return false;
	ring->sq = mmap(NULL, p->sq_off.array + p->sq_entries * 4, PROT_READ | PROT_WRITE,
			MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->cq = mmap(NULL, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
			PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_CQ_RING);
	ring->sqes = mmap(NULL, p->sq_entries * sizeof(struct io_uring_sqe),
			  PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQES);
	return ring->sq != MAP_FAILED && ring->cq != MAP_FAILED && ring->sqes != MAP_FAILED;
}

static int ring_read_fixed(struct ring *ring, int fd, void *to, unsigned int size)
{
	struct io_uring_params *p = &ring->params;
	_Atomic uint32_t *tail = (_Atomic uint32_t *)(ring->sq + p->sq_off.tail);
	_Atomic uint32_t *head = (_Atomic uint32_t *)(ring->cq + p->cq_off.head);
	uint32_t mask = *(uint32_t *)(ring->cq + p->cq_off.ring_mask);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(ring->cq + p->cq_off.cqes);
	uint32_t slot = *tail & *(uint32_t *)(ring->sq + p->sq_off.ring_mask);
	int result;

	memset(&ring->sqes[slot], 0, sizeof(ring->sqes[slot]));
	ring->sqes[slot].opcode = IORING_OP_READ_FIXED;
	ring->sqes[slot].fd = fd;
	ring->sqes[slot].addr = (uintptr_t)to;
	ring->sqes[slot].len = size;
	((uint32_t *)(ring->sq + p->sq_off.array))[slot] = slot;
	(*tail)++;
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	result = cqes[*head & mask].res;
	(*head)++;
	return result;
}

TEST(io_into_a_pinned_object_lands_in_it_after_reclaim)
{
	struct raw raw;
	struct ring ring;
	struct iovec iov;
	char data[1024], before;
	int fd;

	if (!ring_open(&ring))
		SKIP("no io_uring");
	raw = must_neighbours();
	fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ASSERT(fd >= 0);
	memset(data, 123, sizeof(data));
	ASSERT_EQ(pwrite(fd, data, sizeof(data), 0), sizeof(data));
	iov = (struct iovec){ raw_object(&raw, handles[1]), 1024 };
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &iov, 1)) {
		EXPECT_EQ(errno, EOPNOTSUPP);
		raw_close(&raw);
		SKIP("this kernel pins no memory of files for long");
	}
	before = raw_object(&raw, handles[2])[0];
	raw_reclaim(raw.fd, UINT64_MAX);
	drop_caches();
	EXPECT_EQ(raw_object(&raw, handles[1])[0], 5);
	EXPECT_EQ(ring_read_fixed(&ring, fd, iov.iov_base, 1024), 1024);
	EXPECT_EQ(memcmp(raw_object(&raw, handles[1]), data, 1024), 0);
	EXPECT_EQ(raw_object(&raw, handles[2])[0], before);
	/* I/O to an object that was put goes to the page that is pinned, to nobody else's */
	ASSERT_EQ(raw_return(raw.fd, handles, 8), 8);
	ASSERT_EQ(raw_refill(raw.fd, 0, handles, 64 - 24 - 24), 16);
	before = raw_object(&raw, handles[1])[0];
	EXPECT_EQ(ring_read_fixed(&ring, fd, iov.iov_base, 1024), 1024);
	EXPECT_EQ(raw_object(&raw, handles[1])[0], before);
	close(ring.fd);
	close(fd);
	raw_close(&raw);
}

TEST_MAIN
