/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uslab-bench: what its parts know of each other.
 *
 *	uslab-bench.c	options, the cells one after the other
 *	contenders.c	who takes part, and how each is set up
 *	loops.c		the measured loops
 *	measure.c	threads, rounds, medians
 *	report.c	table, CSV, JSON, aims
 *	machine.c	what the machine is
 */
#ifndef USLAB_BENCH_H
#define USLAB_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_CONTENDERS	8
#define MAX_LIST	16		/* sizes and depths */
#define MAX_DEPTH	4096
#define MAX_CROSS_DEPTH	512
#define MAX_THREADS	256
#define MAX_ROUNDS	1001

/* loops.c */

/* Objects on their way from one thread to another. */
struct ring;

struct ring *ring_new(void);
void ring_free(struct ring *ring);

/*
 * What a contender is asked to do. with is what the contender has set up. Each
 * object is checked for NULL and its first 8 bytes are written.
 */
struct loops {
	/* repeats times: get depth objects, then put them in the same order. */
	void (*pairs)(void *with, void **hold, unsigned int depth, uint64_t repeats);
	/* repeats times: get depth objects and hand them over together. */
	void (*produce)(void *with, struct ring *ring, unsigned int depth, uint64_t repeats);
	/* Receive that many objects, read and put each. */
	void (*consume)(void *with, struct ring *ring, uint64_t objects);
};

/* A bare array of pointers of the thread's own: nothing can do less. */
struct limit {
	size_t size;
	atomic_uint nr_threads;
	void *objects[MAX_THREADS];	/* what each thread's array points to */
};

void limit_free(struct limit *limit);

/* An allocator that is called by pointer. */
struct calls {
	size_t size;
	void *(*get)(size_t size);
	void (*put)(void *object);
};

extern const struct loops limit_loops;	/* with: struct limit */
extern const struct loops uslab_loops;	/* with: struct uslab_pool */
extern const struct loops calls_loops;	/* with: struct calls */

/* contenders.c */

enum contender_kind {
	CONTENDER_LIMIT,
	CONTENDER_USLAB,
	CONTENDER_ALLOCATOR,
};

struct contender {
	const char *name;
	enum contender_kind kind;
	const char *library;		/* to be loaded; NULL: none */
	const char *get_symbol;
	const char *put_symbol;
	const struct loops *loops;
	void *with;			/* for the size that is being measured */
	struct calls calls;
};

/*
 * The runtime linker needs room for the allocators' thread-local data. May start
 * the program over, so this comes first.
 */
void contenders_make_room(char **argv);
/*
 * Those named in a list with commas, all for NULL. Libraries that are not there are
 * left out with a note on stderr. Returns how many, or -1 with a message.
 */
int contenders_load(struct contender *contenders, const char *list);
/* 0, or -1 with a message. */
int contender_open(struct contender *contender, size_t size);
void contender_close(struct contender *contender);

/* measure.c */

enum mode {
	MODE_PAIRS,			/* each thread puts what it got */
	MODE_CROSS,			/* one thread gets, another puts */
};

struct setup {
	enum mode mode;
	unsigned int threads;
	unsigned int rounds;
	unsigned int round_ms;
	int pin;			/* CPU of the first thread, or one of the below */
};

#define PIN_DEFAULT	-1		/* from the last allowed one down */
#define PIN_NONE	-2

struct summary {
	double median, min, max, low, high;	/* low, high: quartiles */
};

/* One size and depth, measured on all contenders. */
struct cell {
	size_t size;
	unsigned int depth;
	double *ns[MAX_CONTENDERS];	/* a pair (cross: an object), by round */
	struct summary summary[MAX_CONTENDERS];
};

int cell_measure(struct cell *cell, const struct setup *setup, struct contender *contenders,
		 int nr_contenders);
void cell_free(struct cell *cell);
/* The median of the ratios a/b round by round: what disturbs both cancels out. */
double cell_ratio(const struct cell *cell, const struct setup *setup, int a, int b);

/* machine.c */

struct machine {
	char cpu[128];
	char kernel[128];
	int cpus;
	const char *engine;
	const char *path;
};

void machine_read(struct machine *machine);

/* report.c */

struct report {
	const struct setup *setup;
	const struct machine *machine;
	const struct contender *contenders;
	int nr_contenders;
	struct cell *cells;
	int nr_cells;
};

void report_table_head(const struct report *report, FILE *out);
void report_table_cell(const struct report *report, const struct cell *cell, FILE *out);
void report_csv(const struct report *report, FILE *out);
int report_json(const struct report *report, FILE *out);
/* Says of each cell whether it meets the aims; returns how many do not. */
int report_aims(const struct report *report, FILE *out);

#endif /* USLAB_BENCH_H */
