// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a get or a put takes: with nothing else going on, and while another
 * thread takes everything idle out of the pool, over and over. The two take turns.
 *
 * Each operation is timed, what the clock itself costs included. Threads hold some
 * objects and replace them in random order, so that caches run empty and full.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum phase { PHASE_QUIET, PHASE_RECLAIM, PHASES };
enum operation { OPERATION_GET, OPERATION_PUT, OPERATIONS };

static const char * const phase_names[] = { "quiet", "reclaim" };
static const char * const operation_names[] = { "get", "put" };

struct worker {
	pthread_t thread;
	const struct setup *setup;
	struct uslab_pool *pool;
	void **held;
	uint32_t seed;
	bool failed;
	struct histogram times[PHASES][OPERATIONS];
};

static atomic_int phase = -1;		/* -1: wait */
static atomic_bool over;

static void get(struct worker *worker, enum phase now, void **object)
{
	uint64_t start = now_ns();

	*object = uslab_get(worker->pool);
	histogram_add(&worker->times[now][OPERATION_GET], now_ns() - start);
	if (*object)
		*(uint32_t *)*object = 1;
	else
		worker->failed = true;
}

static void put(struct worker *worker, enum phase now, void **object)
{
	uint64_t start = now_ns();

	uslab_put(worker->pool, *object);
	histogram_add(&worker->times[now][OPERATION_PUT], now_ns() - start);
	*object = NULL;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	unsigned int objects = worker->setup->objects / worker->setup->threads;

	while (!atomic_load(&over)) {
		int now = atomic_load_explicit(&phase, memory_order_relaxed);
		void **object = &worker->held[random_next(&worker->seed) % objects];

		if (now < 0)
			continue;
		if (*object)
			put(worker, now, object);
		else
			get(worker, now, object);
	}
	for (unsigned int i = 0; i < objects; i++)
		uslab_put(worker->pool, worker->held[i]);
	return NULL;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

/* Returns passes made. */
static uint64_t run_phase(const struct setup *setup, struct uslab_pool *pool, enum phase which)
{
	uint64_t end = now_ns() + (uint64_t)setup->round_ms * 1000000, passes = 0;

	atomic_store(&phase, which);
	if (which == PHASE_QUIET) {
		sleep_ms(setup->round_ms);
	} else {
		for (; now_ns() < end; passes++)
			uslab_pool_reclaim(pool, SIZE_MAX);
	}
	atomic_store(&phase, -1);
	return passes;
}

static void print(const struct worker *workers, unsigned int threads)
{
	static struct histogram all[PHASES][OPERATIONS];

	printf("%-8s %-4s %12s %9s %9s %9s %9s %9s\n", "", "", "operations", "p50", "p99", "p99.9",
	       "p99.99", "max");
	for (int p = 0; p < PHASES; p++)
		for (int o = 0; o < OPERATIONS; o++) {
			struct histogram *times = &all[p][o];

			for (unsigned int i = 0; i < threads; i++)
				histogram_merge(times, &workers[i].times[p][o]);
			printf("%-8s %-4s %12llu %8.2f  %8.2f  %8.2f  %8.2f  %8.2f\n",
			       phase_names[p], operation_names[o],
			       (unsigned long long)times->total,
			       (double)histogram_quantile(times, 0.5) / 1e3,
			       (double)histogram_quantile(times, 0.99) / 1e3,
			       (double)histogram_quantile(times, 0.999) / 1e3,
			       (double)histogram_quantile(times, 0.9999) / 1e3,
			       (double)times->max / 1e3);
		}
	printf("p99.9 under reclaim: get %.2f us, put %.2f us (aim: under 100)\n",
	       (double)histogram_quantile(&all[PHASE_RECLAIM][OPERATION_GET], 0.999) / 1e3,
	       (double)histogram_quantile(&all[PHASE_RECLAIM][OPERATION_PUT], 0.999) / 1e3);
	printf("longest, in units of the longest without reclaim: get %.1f, put %.1f\n",
	       (double)all[PHASE_RECLAIM][OPERATION_GET].max /
	       (double)all[PHASE_QUIET][OPERATION_GET].max,
	       (double)all[PHASE_RECLAIM][OPERATION_PUT].max /
	       (double)all[PHASE_QUIET][OPERATION_PUT].max);
}

int run_pauses(const struct setup *setup)
{
	struct uslab_pool *pool = uslab_pool_create("bench", setup->size, NULL);
	struct worker *workers = calloc(setup->threads, sizeof(*workers));
	uint64_t passes = 0;
	bool failed = false;

	if (!pool || !workers) {
		perror("uslab-bench-reclaim: pool");
		return 1;
	}
	printf("%zu bytes, %u threads, %u objects held at most; engine %s, path %s; microseconds\n",
	       setup->size, setup->threads, setup->objects, uslab_pool_engine(pool),
	       uslab_pool_path(pool));
	for (unsigned int i = 0; i < setup->threads; i++) {
		workers[i].setup = setup;
		workers[i].pool = pool;
		workers[i].seed = i + 1;
		workers[i].held = calloc(setup->objects / setup->threads, sizeof(void *));
		if (!workers[i].held ||
		    pthread_create(&workers[i].thread, NULL, work, &workers[i])) {
			perror("uslab-bench-reclaim: thread");
			exit(1);
		}
	}
	for (unsigned int i = 0; i < setup->rounds; i++) {
		run_phase(setup, pool, PHASE_QUIET);
		passes += run_phase(setup, pool, PHASE_RECLAIM);
	}
	atomic_store(&over, true);
	for (unsigned int i = 0; i < setup->threads; i++) {
		pthread_join(workers[i].thread, NULL);
		failed |= workers[i].failed;
		free(workers[i].held);
	}
	print(workers, setup->threads);
	printf("%llu passes over the pool in %.1f s\n", (unsigned long long)passes,
	       setup->rounds * setup->round_ms / 1e3);
	uslab_pool_destroy(pool);
	free(workers);
	if (failed)
		fprintf(stderr, "uslab-bench-reclaim: a get failed\n");
	return failed;
}
