/* SPDX-License-Identifier: MIT */
/*
 * Memory pressure as a process can see it: stall information (PSI) of its
 * cgroup or the machine, and the distance to its cgroup's limit.
 */
#ifndef USLAB_LIB_PRESSURE_H
#define USLAB_LIB_PRESSURE_H

#include <stdbool.h>

struct pressure;

/* Never fails: what cannot be had is left out, NULL stands for nothing at all. */
struct pressure *pressure_open(void);

void pressure_close(struct pressure *pressure);

enum pressure_level {
	PRESSURE_NONE,
	PRESSURE_LIMIT,		/* near the limit, which page cache alone may bring about */
	PRESSURE_STALL,		/* tasks wait for memory */
};

/* Sleep for up to @ms, or until tasks wait for memory. */
enum pressure_level pressure_wait(struct pressure *pressure, int ms);

#endif /* USLAB_LIB_PRESSURE_H */
