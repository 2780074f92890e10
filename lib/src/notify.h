/* SPDX-License-Identifier: MIT */
/* Telling functions of the program that a pool's pressure level has changed. */
#ifndef USLAB_LIB_NOTIFY_H
#define USLAB_LIB_NOTIFY_H

#include "pool.h"

/* The level of a pool of the embedded engine has changed. */
void notify_wake(void);

/* Called by pool.c around fork(). */
void notify_fork_prepare(void);
void notify_fork_parent(void);
void notify_fork_child(void);

/* Nobody is told of this pool any more. */
void notify_remove(struct pool *pool);

#endif /* USLAB_LIB_NOTIFY_H */
