// SPDX-License-Identifier: GPL-2.0-only
/* Items shared out among threads one by one; see parallel.h. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "parallel.h"

struct crew {
	int (*run)(void *arg, unsigned int thread, size_t item);
	void *arg;
	size_t nr_items;
	atomic_size_t next;
	atomic_int err;
	pthread_mutex_t lock;
	pthread_cond_t left;		/* signalled by the last worker */
	unsigned int nr_working;
};

struct worker {
	struct crew *crew;
	unsigned int number;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct crew *crew = worker->crew;
	size_t item;

	while (!atomic_load(&crew->err)) {
		int err;

		item = atomic_fetch_add(&crew->next, 1);
		if (item >= crew->nr_items)
			break;
		err = crew->run(crew->arg, worker->number, item);
		if (err)
			atomic_store(&crew->err, err);
	}
	pthread_mutex_lock(&crew->lock);
	if (!--crew->nr_working)
		pthread_cond_signal(&crew->left);
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

/* One line that renews itself on a terminal; a line every five seconds elsewhere. */
static void report(const struct crew *crew, const char *what, unsigned int seconds, int last)
{
	int terminal = isatty(STDERR_FILENO);
	size_t done = atomic_load(&crew->next);

	if (done > crew->nr_items)
		done = crew->nr_items;
	if (terminal || (!last && !(seconds % 5)))
		fprintf(stderr, "%sinvindex: %s %zu of %zu%s", terminal ? "\r" : "", what, done,
			crew->nr_items, terminal && !last ? "" : "\n");
}

static void watch(struct crew *crew, const char *what)
{
	unsigned int seconds = 0;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	pthread_mutex_lock(&crew->lock);
	while (crew->nr_working) {
		until.tv_sec++;
		while (crew->nr_working &&
		       pthread_cond_timedwait(&crew->left, &crew->lock, &until) != ETIMEDOUT)
			;
		if (crew->nr_working)
			report(crew, what, ++seconds, 0);
	}
	pthread_mutex_unlock(&crew->lock);
	if (seconds)
		report(crew, what, seconds, 1);
}

int parallel(unsigned int nr_threads, size_t nr_items, const char *what,
	     int (*run)(void *arg, unsigned int thread, size_t item), void *arg)
{
	struct crew crew = { .run = run, .arg = arg, .nr_items = nr_items };
	struct worker *workers = calloc(nr_threads, sizeof(*workers));
	unsigned int started = 0;
	int err = 0;

	if (!workers)
		return -1;
	pthread_mutex_init(&crew.lock, NULL);
	pthread_cond_init(&crew.left, NULL);
	crew.nr_working = nr_threads;
	for (; !err && started < nr_threads; started++) {
		workers[started] = (struct worker){ .crew = &crew, .number = started };
		err = pthread_create(&workers[started].thread, NULL, work, &workers[started]);
	}
	if (err) {
		fprintf(stderr, "invindex: cannot start thread %u of %u: %s\n", started, nr_threads,
			strerror(err));
		atomic_store(&crew.err, -1);
		started--;
		pthread_mutex_lock(&crew.lock);
		crew.nr_working -= nr_threads - started;
		pthread_mutex_unlock(&crew.lock);
	}
	watch(&crew, what);
	while (started)
		pthread_join(workers[--started].thread, NULL);
	pthread_cond_destroy(&crew.left);
	pthread_mutex_destroy(&crew.lock);
	free(workers);
	return atomic_load(&crew.err);
}
