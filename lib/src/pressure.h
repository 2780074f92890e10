/* SPDX-License-Identifier: MIT */
/*
 * Memory pressure as a process can see it: stall information (PSI) of its
 * cgroup or the machine or, where it may not have that, the events of its cgroup;
 * and the distance to a limit.
 */
#ifndef USLAB_LIB_PRESSURE_H
#define USLAB_LIB_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

struct pressure;

/* Never fails: what cannot be had is left out, NULL stands for nothing at all. */
struct pressure *pressure_open(void);
void pressure_close(struct pressure *pressure);

enum pressure_event {
	PRESSURE_NOTHING,
	PRESSURE_STALL,		/* tasks wait for memory, or the cgroup has hit a limit */
};

/* Sleep for up to @ms (-1: for ever), until tasks wait for memory, or until a kick. */
enum pressure_event pressure_wait(struct pressure *pressure, int ms);

/* End a sleep. May be called in a signal handler. */
void pressure_kick(struct pressure *pressure);

/* The memory that the process may use, in bytes: the machine's, or its cgroup's limit. */
uint64_t pressure_memory(const struct pressure *pressure);

/*
 * How much is in use, per mille: of the cgroup's limit, not counting page cache that is
 * not active, and of the machine's memory, not counting what is available.
 */
uint32_t pressure_cgroup_used(const struct pressure *pressure);
uint32_t pressure_machine_used(const struct pressure *pressure);

#endif /* USLAB_LIB_PRESSURE_H */
