// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measuring one cell: threads that live as long as the cell, so that every
 * contender's own caches of the thread are warm, and rounds that go through the
 * contenders in turn, starting with another one each time.
 *
 * A single thread is measured in the CPU time that it used, as it neither sleeps
 * nor waits for anybody: what else runs on the machine then disturbs least.
 * Several threads are measured by the wall clock, from when all are awake to the
 * end of the last one, since they may make each other wait.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

struct crew {
	const struct setup *setup;
	unsigned int depth;
	struct ring *ring;
	unsigned int nr_workers;
	pthread_barrier_t ready, done;
	/* the round's order, set by the main thread before ready */
	const struct contender *contender;	/* NULL: end */
	uint64_t repeats;
	atomic_uint awake;		/* workers that have passed ready */
};

struct worker {
	struct crew *crew;
	unsigned int number;
	pthread_t thread;
	uint64_t used_ns;		/* CPU time for the round */
	uint64_t start_ns, end_ns;	/* of the round, by the wall clock */
	void **hold;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

/* The CPU for the n-th thread: the allowed ones in turn from the first one asked for. */
static void pin_thread(const struct setup *setup, unsigned int n)
{
	int cpus[CPU_SETSIZE], nr = 0, first = 0;
	cpu_set_t set;

	if (setup->pin == PIN_NONE || sched_getaffinity(0, sizeof(set), &set))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		if (cpu == setup->pin)
			first = nr;
		cpus[nr++] = cpu;
	}
	/* By default from the last one down: the first serves most interrupts. */
	if (setup->pin == PIN_DEFAULT)
		first = nr - 1 - (int)n % nr;
	else
		first = (first + (int)n) % nr;
	CPU_ZERO(&set);
	CPU_SET(cpus[first], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void run_round(struct worker *worker)
{
	const struct crew *crew = worker->crew;
	const struct loops *loops = crew->contender->loops;
	void *with = crew->contender->with;
	uint64_t used = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	if (crew->setup->mode == MODE_PAIRS)
		loops->pairs(with, worker->hold, crew->depth, crew->repeats);
	else if (worker->number)
		loops->consume(with, crew->ring, crew->repeats * crew->depth);
	else
		loops->produce(with, crew->ring, crew->depth, crew->repeats);
	worker->used_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - used;
	worker->end_ns = clock_ns(CLOCK_MONOTONIC);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct crew *crew = worker->crew;

	pin_thread(crew->setup, worker->number);
	for (;;) {
		pthread_barrier_wait(&crew->ready);
		if (!crew->contender)
			return NULL;
		atomic_fetch_add(&crew->awake, 1);
		while (atomic_load(&crew->awake) < crew->nr_workers)
			sched_yield();
		worker->start_ns = clock_ns(CLOCK_MONOTONIC);
		run_round(worker);
		pthread_barrier_wait(&crew->done);
	}
}

/* Nanoseconds that the round took; see above. */
static uint64_t one_round(struct crew *crew, const struct worker *workers,
			  const struct contender *contender, uint64_t repeats)
{
	uint64_t start = UINT64_MAX, end = 0;

	crew->contender = contender;
	crew->repeats = repeats;
	atomic_store(&crew->awake, 0);
	pthread_barrier_wait(&crew->ready);
	pthread_barrier_wait(&crew->done);
	if (crew->nr_workers == 1)
		return workers[0].used_ns;
	for (unsigned int i = 0; i < crew->nr_workers; i++) {
		if (workers[i].start_ns < start)
			start = workers[i].start_ns;
		if (workers[i].end_ns > end)
			end = workers[i].end_ns;
	}
	return end - start;
}

/*
 * How many repeats a round needs to last as long as it should. The best of three
 * tries counts, as a disturbance only ever makes a try longer.
 */
static uint64_t calibrate(struct crew *crew, const struct worker *workers,
			  const struct contender *contender)
{
	uint64_t want = crew->setup->round_ms * 1000000ull, repeats = 16;

	for (;;) {
		uint64_t best = UINT64_MAX;

		for (int try = 0; try < 3; try++) {
			uint64_t ns = one_round(crew, workers, contender, repeats);

			if (ns < best)
				best = ns;
		}
		if (best > want / 8)
			return (uint64_t)((double)repeats * (double)want / (double)best) + 1;
		repeats *= best < want / 64 ? 8 : 2;
	}
}

static void run_rounds(struct cell *cell, struct crew *crew, const struct worker *workers,
		       const struct contender *contenders, unsigned int nr_contenders)
{
	uint64_t repeats[MAX_CONTENDERS];
	unsigned int sharing = crew->setup->mode == MODE_PAIRS ? crew->nr_workers : 1;

	for (unsigned int i = 0; i < nr_contenders; i++)
		repeats[i] = calibrate(crew, workers, &contenders[i]);
	for (unsigned int round = 0; round < crew->setup->rounds; round++) {
		for (unsigned int turn = 0; turn < nr_contenders; turn++) {
			unsigned int i = (round + turn) % nr_contenders;
			uint64_t ns = one_round(crew, workers, &contenders[i], repeats[i]);

			cell->ns[i][round] = (double)ns / (double)(repeats[i] * cell->depth) /
					     sharing;
		}
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which the given share of the sorted values lies. */
static double quantile(const double *sorted, unsigned int nr, double share)
{
	double at = share * (nr - 1);
	unsigned int below = (unsigned int)at;

	if (below + 1 >= nr)
		return sorted[nr - 1];
	return sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
}

static struct summary summarise(const double *values, unsigned int nr)
{
	double sorted[MAX_ROUNDS];

	memcpy(sorted, values, nr * sizeof(*sorted));
	qsort(sorted, nr, sizeof(*sorted), compare);
	return (struct summary){
		.median = quantile(sorted, nr, 0.5),
		.min = sorted[0],
		.max = sorted[nr - 1],
		.low = quantile(sorted, nr, 0.25),
		.high = quantile(sorted, nr, 0.75),
	};
}

double cell_ratio(const struct cell *cell, const struct setup *setup, int a, int b)
{
	double ratio[MAX_ROUNDS];

	for (unsigned int i = 0; i < setup->rounds; i++)
		ratio[i] = cell->ns[a][i] / cell->ns[b][i];
	return summarise(ratio, setup->rounds).median;
}

static void start_workers(struct crew *crew, struct worker *workers)
{
	for (unsigned int i = 0; i < crew->nr_workers; i++) {
		int err;

		workers[i] = (struct worker){ .crew = crew, .number = i };
		workers[i].hold = calloc(crew->depth, sizeof(void *));
		err = ENOMEM;
		if (workers[i].hold)
			err = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		if (err) {
			fprintf(stderr, "uslab-bench: cannot start thread %u of %u: %s\n",
				i + 1, crew->nr_workers, strerror(err));
			exit(1);
		}
	}
}

int cell_measure(struct cell *cell, const struct setup *setup, struct contender *contenders,
		 int nr_contenders)
{
	struct crew crew = {
		.setup = setup,
		.depth = cell->depth,
		.ring = ring_new(),
		.nr_workers = setup->mode == MODE_CROSS ? 2 : setup->threads,
	};
	struct worker workers[MAX_THREADS];

	if (!crew.ring)
		return -1;
	for (int i = 0; i < nr_contenders; i++) {
		cell->ns[i] = calloc(setup->rounds, sizeof(double));
		if (!cell->ns[i] || contender_open(&contenders[i], cell->size))
			return -1;
	}
	pthread_barrier_init(&crew.ready, NULL, crew.nr_workers + 1);
	pthread_barrier_init(&crew.done, NULL, crew.nr_workers + 1);
	start_workers(&crew, workers);
	run_rounds(cell, &crew, workers, contenders, (unsigned int)nr_contenders);
	crew.contender = NULL;
	pthread_barrier_wait(&crew.ready);
	for (unsigned int i = 0; i < crew.nr_workers; i++) {
		pthread_join(workers[i].thread, NULL);
		free(workers[i].hold);
	}
	for (int i = 0; i < nr_contenders; i++) {
		cell->summary[i] = summarise(cell->ns[i], setup->rounds);
		contender_close(&contenders[i]);
	}
	pthread_barrier_destroy(&crew.ready);
	pthread_barrier_destroy(&crew.done);
	ring_free(crew.ring);
	return 0;
}

void cell_free(struct cell *cell)
{
	for (int i = 0; i < MAX_CONTENDERS; i++)
		free(cell->ns[i]);
}
