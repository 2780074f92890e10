/* SPDX-License-Identifier: MIT */
#ifndef USLAB_LIB_EMBEDDED_H
#define USLAB_LIB_EMBEDDED_H

#include <signal.h>
#include <string.h>
#include "kmod/engine/core.h"
#include "pool.h"

struct embedded_home {
	struct uslab_home home;
	pthread_mutex_t lock;
	sigset_t saved;			/* of who holds the lock */
};

struct embedded {
	struct pool pool;
	struct uslab_core core;
	struct embedded_home *homes;	/* [core.geo.nr_homes] */
	atomic_uint magazines;		/* made so far */
	atomic_bool drain_wanted;	/* see background.c */
	u64 *seen;			/* CPU cache words at the last aging step */
};

#endif /* USLAB_LIB_EMBEDDED_H */
