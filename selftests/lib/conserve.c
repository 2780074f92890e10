// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conservation: no object is given to two owners, and none is lost.
 *
 * Each object has an entry in an array that is outside the pool. Whoever gets
 * it exchanges itself in and must find nobody there; whoever puts it exchanges
 * nobody in and must find itself. While it is held the object carries its
 * owner's stamp, which must still be there in the end. The entries are found by
 * the object's offset in its mapping, which is the same in every process.
 *
 * Meanwhile everything happens that may come between: threads migrate, handlers
 * of signals get and put in the middle of gets and puts, objects change hands,
 * all that is idle is reclaimed over and over, and on the kernel engine a second
 * process works on the same pool. Then the pool must hold as many objects as in
 * the beginning.
 *
 * With CONSERVE_BROKEN get and put are plain C instead of restartable sequences.
 * Then this must be found out, else the test cannot find anything.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "common.h"

#define SPACE		(8ul << 20)	/* of the pool's objects */
#define ENTRIES		(1ul << 27)	/* one for 8 bytes of offset */
#define HELD		48u
#define COUNT		16u		/* operations told at a time */
#define BULK		40u
#define THREADS_MAX	64u
#define RING		256u
#define STAMP_WORDS	16u

/* What a process that found a violation exits with. */
#define CAUGHT		42

#ifdef CONSERVE_BROKEN

static inline struct uslab_cpu *plain_cache(struct uslab_pool *pool)
{
	return (struct uslab_cpu *)(pool->cpus + (size_t)sched_getcpu() * pool->cpu_stride);
}

/* In the midst of it: let others run, but not always. */
static void give_way(void)
{
	static __thread unsigned int calls;

	if (++calls % 64 == 0)
		sched_yield();
}

static void *get(struct uslab_pool *pool)
{
	volatile struct uslab_cpu *cpu = plain_cache(pool);
	uint64_t word = cpu->word;
	uint32_t count = word & USLAB_WORD_COUNT_MASK;

	if (!count)
		return uslab_get(pool);
	void *object = __uslab_object(pool, cpu->slot[count - 1]);

	give_way();
	cpu->word = word - 1 + USLAB_WORD_EVENT;
	return object;
}

static void put(struct uslab_pool *pool, void *object)
{
	uint32_t handle = __uslab_handle(pool, object);
	volatile struct uslab_cpu *cpu = plain_cache(pool);
	uint64_t word = cpu->word;

	if (cpu->home != __uslab_home(pool, handle) ||
	    (word & USLAB_WORD_COUNT_MASK) == cpu->capacity) {
		uslab_put(pool, object);
		return;
	}
	cpu->slot[word & USLAB_WORD_COUNT_MASK] = handle;
	give_way();
	cpu->word = word + 1;
}

#else

#define get	uslab_get
#define put	uslab_put

#endif /* CONSERVE_BROKEN */

/* Shared by the processes of a run. */
struct shared {
	_Atomic uint64_t ring[RING];	/* offsets of objects that change hands, plus 1 */
	atomic_uint ring_at;
	atomic_bool stop;
	atomic_ulong operations;
	atomic_ulong signals;
	atomic_ulong reclaims;
	atomic_uint ids;
};

static struct shared *shared;
static _Atomic uint32_t *owners;	/* [ENTRIES] */
static struct uslab_pool *pool;
static char *base;
static size_t object_size;

static __thread uint32_t my_id;
static __thread bool in_handler;

/* The start of the mapping that holds an address. */
static char *mapping_of(const void *address)
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned long start, end, found = 0;
	char line[512];

	while (file && !found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 &&
		    start <= (uintptr_t)address && (uintptr_t)address < end)
			found = start;
	if (file)
		fclose(file);
	return (char *)found;
}

static void find_base(void)
{
	double end = now() + 30;
	void *object;

	/* the other process may have them all */
	while (!(object = uslab_get(pool)))
		if (now() > end)
			_exit(91);
	base = mapping_of(object);
	uslab_put(pool, object);
}

/* Safe in handlers, and right in whatever state the pool is. */
static void caught(const char *what, size_t entry, uint32_t saw)
{
	char text[160];
	int length = snprintf(text, sizeof(text), "# %s: object %#zx, saw %#x, am %#x%s\n", what,
			      entry * 8, saw, my_id, in_handler ? ", in a handler" : "");

	if (write(1, text, (size_t)length) < 0)
		_exit(CAUGHT + 1);
	_exit(CAUGHT);
}

static size_t entry_of(const void *object)
{
	size_t entry = (size_t)((const char *)object - base) / 8;

	if ((const char *)object < base || entry >= ENTRIES)
		caught("an object outside of the pool", entry, 0);
	return entry;
}

static uint32_t me(void)
{
	return my_id | (in_handler ? 0x80000000u : 0);
}

static uint64_t stamp_word(size_t entry, size_t i)
{
	return (uint64_t)me() << 32 ^ entry * 0x9e3779b97f4a7c15ull ^ i;
}

static size_t stamp_words(void)
{
	return object_size / 8 < STAMP_WORDS ? object_size / 8 : STAMP_WORDS;
}

/* Words at both ends: of the page that the object begins in, and of the last. */
static uint64_t *stamp_at(uint64_t *object, size_t i)
{
	return i & 1 ? object + object_size / 8 - 1 - i / 2 : object + i / 2;
}

static void own(void *object)
{
	size_t entry = entry_of(object);
	uint32_t was = atomic_exchange_explicit(&owners[entry], me(), memory_order_acq_rel);
	size_t i;

	if (was)
		caught("given to two owners", entry, was);
	for (i = 0; i < stamp_words(); i++)
		*stamp_at(object, i) = stamp_word(entry, i);
}

static void disown(void *object)
{
	size_t entry = entry_of(object);
	uint32_t was;
	size_t i;

	for (i = 0; i < stamp_words(); i++)
		if (*stamp_at(object, i) != stamp_word(entry, i))
			caught("overwritten", entry, (uint32_t)(*stamp_at(object, i) >> 32));
	was = atomic_exchange_explicit(&owners[entry], 0, memory_order_acq_rel);
	if (was != me())
		caught("taken from its owner", entry, was);
}

static void refused(void)
{
	if (errno != ENOSPC && errno != ENOMEM)
		caught("refused for no reason", 0, (uint32_t)errno);
}

static void handler(int number)
{
	int saved = errno;
	void *object[3];
	int i;

	(void)number;
	if (!my_id)		/* a thread that works has one */
		return;
	in_handler = true;
	for (i = 0; i < 3; i++) {
		object[i] = get(pool);
		if (object[i])
			own(object[i]);
		else
			refused();
	}
	for (i = 0; i < 3; i++) {
		if (object[i])
			disown(object[i]);
		if (object[i])
			put(pool, object[i]);
	}
	in_handler = false;
	atomic_fetch_add_explicit(&shared->signals, 1, memory_order_relaxed);
	errno = saved;
}

/* Work */

static void pass_on(void *object)
{
	unsigned int at = atomic_fetch_add(&shared->ring_at, 1) % RING;
	uint64_t other;

	disown(object);
	other = atomic_exchange(&shared->ring[at], entry_of(object) * 8 + 1);
	if (other) {
		own(base + other - 1);
		disown(base + other - 1);
		put(pool, base + other - 1);
	}
}

static void get_some(void **held, unsigned int n)
{
	void *object[BULK];
	unsigned int i, at;
	int got;

	got = uslab_get_bulk(pool, object, n);
	if (got < (int)n)
		refused();
	for (i = 0, at = 0; i < (unsigned int)got; i++) {
		own(object[i]);
		while (at < HELD && held[at])
			at++;
		if (at < HELD) {
			held[at] = object[i];
			continue;
		}
		disown(object[i]);
		put(pool, object[i]);
	}
}

static void put_some(void **held, unsigned int from, unsigned int n)
{
	void *object[BULK];
	unsigned int i;

	for (i = 0; i < n; i++) {
		object[i] = held[(from + i) % HELD];
		held[(from + i) % HELD] = NULL;
		if (object[i])
			disown(object[i]);
	}
	uslab_put_bulk(pool, object, n);
}

static void work_once(void **held, uint32_t dice)
{
	void **mine = &held[dice % HELD];

	switch (dice >> 8 & 63) {
	case 0:
		pin((int)(dice >> 16));
		break;
	case 1:
	case 2:
		get_some(held, 1 + (dice >> 16) % BULK);
		break;
	case 3:
	case 4:
		put_some(held, dice >> 16, 1 + (dice >> 20) % BULK);
		break;
	case 5:
	case 6:
		if (*mine)
			pass_on(*mine);
		*mine = NULL;
		break;
	default:
		if (*mine) {
			disown(*mine);
			put(pool, *mine);
			*mine = NULL;
			break;
		}
		*mine = get(pool);
		if (*mine)
			own(*mine);
		else
			refused();
	}
}

static void *work(void *unused)
{
	uint32_t id = atomic_fetch_add(&shared->ids, 1) + 1;
	void *held[HELD] = { NULL };
	unsigned long operations = 0;
	uint32_t seed = id * 2654435761u;

	(void)unused;
	my_id = id;
	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		work_once(held, random_next(&seed));
		if (++operations % COUNT == 0)
			atomic_fetch_add_explicit(&shared->operations, COUNT,
						  memory_order_relaxed);
	}
	put_some(held, 0, BULK);
	put_some(held, BULK, HELD - BULK);
	return NULL;
}

static pthread_t worker[THREADS_MAX];
static unsigned int nr_workers;

static void *send_signals(void *unused)
{
	uint32_t seed = 12345;

	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		pthread_kill(worker[random_next(&seed) % nr_workers], SIGUSR1);
		nap_us(20 + seed % 100);
	}
	return unused;
}

static void *reclaim(void *unused)
{
	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		uslab_pool_reclaim(pool, SIZE_MAX);
		atomic_fetch_add_explicit(&shared->reclaims, 1, memory_order_relaxed);
		nap_us(500);
	}
	return unused;
}

static void run_threads(void)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	pthread_t signaller, reclaimer;
	unsigned int i;

	sigaction(SIGUSR1, &action, NULL);
	nr_workers = 2 * (unsigned int)allowed_cpus();
	if (nr_workers > THREADS_MAX)
		nr_workers = THREADS_MAX;
	for (i = 0; i < nr_workers; i++)
		if (pthread_create(&worker[i], NULL, work, NULL))
			_exit(92);
	if (pthread_create(&signaller, NULL, send_signals, NULL) ||
	    pthread_create(&reclaimer, NULL, reclaim, NULL))
		_exit(92);
	pthread_join(signaller, NULL);	/* before the threads that it signals */
	for (i = 0; i < nr_workers; i++)
		pthread_join(worker[i], NULL);
	pthread_join(reclaimer, NULL);
}

/* Everything the pool can hold: how many objects that is, all of them distinct. */
static size_t census(void)
{
	size_t max = SPACE / object_size + 1, n = 0, i;
	void **object = malloc(max * sizeof(*object));

	uslab_pool_reclaim(pool, SIZE_MAX);
	pin(0);
	my_id = 0xffff;
	while (object && n < max && (object[n] = uslab_get(pool)))
		own(object[n++]);
	if (n == max || errno != ENOSPC)
		caught("no end of objects", n, (uint32_t)errno);
	for (i = 0; i < n; i++)
		disown(object[i]);
	uslab_put_bulk(pool, object, (unsigned int)n);
	uslab_pool_reclaim(pool, SIZE_MAX);
	my_id = 0;
	pin(-1);
	free(object);
	return n;
}

static int second_process(void)
{
	pool = uslab_pool_attach(uslab_pool_fd(pool));
	if (!pool)
		return 93;
	find_base();
	run_threads();
	uslab_pool_destroy(pool);
	return 0;
}

static void empty_ring(void)
{
	unsigned int i;

	my_id = 0xfffe;
	for (i = 0; i < RING; i++) {
		uint64_t other = atomic_exchange(&shared->ring[i], 0);

		if (!other)
			continue;
		own(base + other - 1);
		disown(base + other - 1);
		put(pool, base + other - 1);
	}
	my_id = 0;
}

static void *share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

struct plan {
	size_t size;
	uint32_t policy;
	double seconds;
};

/* Less would show nothing. */
static bool enough(void)
{
	return atomic_load(&shared->operations) >= 1000 && atomic_load(&shared->signals) >= 10 &&
	       atomic_load(&shared->reclaims);
}

/* On a slow machine time is not up before something has been tried. */
static void *time_is_up(void *plan)
{
	double end = now() + 40;

	nap_us((long)(((struct plan *)plan)->seconds * 1e6));
	while (!enough() && now() < end)
		nap_us(1000);
	atomic_store(&shared->stop, true);
	return NULL;
}

static void check_counters(void)
{
	struct uslab_stats stats = settled(pool, 0);

	if (stats.out_objects || stats.gets != stats.puts || stats.bad_puts ||
	    stats.refills - stats.returns != stats.idle_objects) {
		printf("# out %ju, idle %ju, gets %ju, puts %ju, refilled %ju, back %ju, bad %ju\n",
		       (uintmax_t)stats.out_objects, (uintmax_t)stats.idle_objects,
		       (uintmax_t)stats.gets, (uintmax_t)stats.puts, (uintmax_t)stats.refills,
		       (uintmax_t)stats.returns, (uintmax_t)stats.bad_puts);
		fflush(stdout);
		caught("counters do not add up", 0, 0);
	}
	uslab_pool_reclaim(pool, SIZE_MAX);
	uslab_pool_stats(pool, &stats);
	if (stats.backed_bytes || stats.idle_objects)
		caught("idle memory stayed", 0, (uint32_t)stats.backed_bytes);
}

/* In the broken build: one owner of two returns the object, its page goes under the other. */
static bool lost_a_page(int status)
{
#ifdef CONSERVE_BROKEN
	return status != HUNG && WIFSIGNALED(status) &&
	       (WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGSEGV);
#else
	(void)status;
	return false;
#endif
}

static int run(void *arg)
{
	struct uslab_attr attr = USLAB_ATTR_INIT;
	struct plan *plan = arg;
	pthread_t clock;
	pid_t second = 0;
	size_t objects;
	int status;

	object_size = plan->size;
	attr.max_bytes = SPACE;
	attr.policy = plan->policy;
	shared = share(sizeof(*shared));
	owners = share(ENTRIES * sizeof(*owners));
	pool = uslab_pool_create("test", plan->size, &attr);
	if (!shared || !owners || !pool)
		return 90;
	find_base();
	objects = plan->policy == USLAB_POLICY_GLOBAL ? census() : 0;

	if (engine_is(pool, "kernel")) {
		second = fork();
		if (!second) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(second_process());
		}
	}
	if (pthread_create(&clock, NULL, time_is_up, plan))
		return 92;
	run_threads();
	pthread_join(clock, NULL);
	if (second) {
		status = child_status(second, 20);
		if (lost_a_page(status))
			return CAUGHT;
		if (status == HUNG || !WIFEXITED(status) || WEXITSTATUS(status))
			return status != HUNG && WIFEXITED(status) ? WEXITSTATUS(status) : 94;
	}
	empty_ring();
	check_counters();
	if (objects && census() != objects)
		caught("objects were lost or made", objects, 0);
	printf("# size %zu: %lu operations, %lu signals, %lu reclaims\n", plan->size,
	       atomic_load(&shared->operations), atomic_load(&shared->signals),
	       atomic_load(&shared->reclaims));
	uslab_pool_destroy(pool);
	return enough() ? 0 : 95;
}

static int run_plan(size_t size, uint32_t policy, double seconds)
{
	struct plan plan = { .size = size, .policy = policy, .seconds = seconds };

	return in_child(run, &plan, seconds + 100);
}

#ifdef CONSERVE_BROKEN

TEST(control_plain_c_in_place_of_sequences_is_caught)
{
	struct uslab_pool *probe = MAKE(64, NULL);
	bool rseq = path_is_rseq(probe);
	double end = now() + 60;
	int status;

	uslab_pool_destroy(probe);
	if (!rseq)
		SKIP("breaks restartable sequences");
	do
		status = run_plan(64, USLAB_POLICY_GLOBAL, 3);
	while (!status && now() < end);
	if (!lost_a_page(status))
		EXPECT_EXIT(status, CAUGHT);
}

#else

TEST(small_objects_are_conserved)
{
	EXPECT_EXIT(run_plan(64, USLAB_POLICY_GLOBAL, test_seconds() / 4), 0);
}

TEST(objects_that_straddle_pages_are_conserved)
{
	EXPECT_EXIT(run_plan(3000, USLAB_POLICY_GLOBAL, test_seconds() / 4), 0);
}

TEST(large_objects_are_conserved)
{
	EXPECT_EXIT(run_plan(100000, USLAB_POLICY_GLOBAL, test_seconds() / 4), 0);
}

TEST(objects_of_nodes_are_conserved)
{
	EXPECT_EXIT(run_plan(512, USLAB_POLICY_LOCAL, test_seconds() / 4), 0);
}

#endif

TEST_MAIN
