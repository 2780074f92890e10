/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef INVINDEX_PARALLEL_H
#define INVINDEX_PARALLEL_H

#include <stddef.h>

/*
 * Calls run(arg, thread, item) once for each item in 0 … nr_items - 1, from
 * nr_threads threads numbered from 0, and returns when all are done. What is
 * not 0 from run stops everything and is returned. Says on stderr what it does
 * and how far it is when it takes more than a second.
 */
int parallel(unsigned int nr_threads, size_t nr_items, const char *what,
	     int (*run)(void *arg, unsigned int thread, size_t item), void *arg);

#endif /* INVINDEX_PARALLEL_H */
