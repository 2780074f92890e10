/* SPDX-License-Identifier: MIT */
/* The embedded engine's draining of CPU caches. */
#ifndef USLAB_LIB_DRAIN_H
#define USLAB_LIB_DRAIN_H

#include "background.h"

/*
 * Drain the CPUs that hold objects; with @seen, only those that did nothing
 * since the last call. A CPU that this thread may not run on keeps what it has.
 */
void drain_cpus(struct embedded *embedded, u64 *seen);

/*
 * Have all CPU caches emptied into the engine and wait for that, not for ever.
 * Returns pages freed; 0 in a child process that has made no pool of its own.
 */
u64 drain_and_wait(struct embedded *embedded);

/* The thread that does so; a child process has none until it starts one. */
void drain_start(void);
void drain_forked(void);

#endif /* USLAB_LIB_DRAIN_H */
