/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uslab-bench-reclaim: what its parts know of each other.
 *
 *	uslab-bench-reclaim.c	options
 *	pauses.c		how long a get or put takes while reclaim runs
 *	aging.c			two sets of tunables beside each other
 *	histogram.c		times, in buckets
 */
#ifndef BENCH_RECLAIM_H
#define BENCH_RECLAIM_H

#include <stdint.h>
#include <time.h>
#include <uslab.h>

#define ROUNDS_MAX	1001

struct setup {
	size_t size;			/* of an object */
	unsigned int threads;
	unsigned int rounds;
	unsigned int round_ms;
	unsigned int objects;		/* held at most, by all threads */
};

/* 0, or 1 with a message. */
int run_pauses(const struct setup *setup);
int run_aging(const struct setup *setup);

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* xorshift */
static inline uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* histogram.c: 16 buckets for each power of two, so within 6 % */

#define HISTOGRAM_BUCKETS	1024

struct histogram {
	uint64_t count[HISTOGRAM_BUCKETS];
	uint64_t total;
	uint64_t max;
};

void histogram_add(struct histogram *histogram, uint64_t ns);
void histogram_merge(struct histogram *to, const struct histogram *from);
/* The time below which that share lies, in nanoseconds. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif /* BENCH_RECLAIM_H */
