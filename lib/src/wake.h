/* SPDX-License-Identifier: MIT */
/*
 * Waking a thread that polls. A program may close descriptors that are not its own,
 * and open others of the same numbers: so each use looks whether the pipe is still there.
 */
#ifndef USLAB_LIB_WAKE_H
#define USLAB_LIB_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct wake {
	int in;			/* to be polled for POLLIN; -1: none */
	int out;
	ino_t inode;
	atomic_bool pending;
};

#define WAKE_INIT { .in = -1, .out = -1 }

/* 0 or -errno. */
int wake_open(struct wake *wake);
/* Has the program left it open? */
bool wake_is_ours(const struct wake *wake);
void wake_close(struct wake *wake);

/*
 * Wake the thread, if nobody has since it last woke. May be called in a signal handler;
 * not a cancellation point.
 */
void wake_up(struct wake *wake);

/* The thread has woken. False when the pipe is not ours any more: poll it no longer. */
bool wake_drain(struct wake *wake);

#endif /* USLAB_LIB_WAKE_H */
