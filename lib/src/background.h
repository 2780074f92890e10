/* SPDX-License-Identifier: MIT */
/* What the embedded engine does beside the application's threads. */
#ifndef USLAB_LIB_BACKGROUND_H
#define USLAB_LIB_BACKGROUND_H

#include "embedded.h"

/* Called by pool.c around fork(). */
void background_fork_prepare(void);
void background_fork_parent(void);
void background_fork_child(void);

/* Make sure that the process has its background threads. Failure is survived. */
void background_start(void);

/* Have the pools looked at now. May be called in a signal handler. */
void background_kick(void);

/* Start a thread that no signal interrupts: 0 or an error number. */
int background_thread(pthread_t *thread, void *(*fn)(void *), void *arg);

/* The memory that ratios are percent of, in bytes: the machine's, or the cgroup's limit. */
u64 background_memory(void);

#endif /* USLAB_LIB_BACKGROUND_H */
