/* SPDX-License-Identifier: MIT */
#ifndef USLAB_LIB_EMBEDDED_H
#define USLAB_LIB_EMBEDDED_H

#include <signal.h>
#include <string.h>
#include "kmod/engine/balance.h"
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
	u32 answered;			/* how near the cgroup's limit was, see background.c */
	struct uslab_tunables tunables;	/* read field by field without a lock */
	u32 own;			/* those that were set */
	struct uslab_governor governor;
	pthread_mutex_t governor_lock;	/* with all signals blocked, as a home's lock */
	sigset_t governor_saved;	/* of who holds it */
};

/* The governor's time, in microseconds. */
u64 embedded_now(void);
void embedded_lock_governor(struct embedded *embedded);
void embedded_unlock_governor(struct embedded *embedded);
/* Have puts know at which height they pay. The governor is locked, or the pool is new. */
void embedded_set_thresholds(struct embedded *embedded);
/* Show the governor's pressure level in the control page. */
void embedded_set_pressure(struct embedded *embedded);

#endif /* USLAB_LIB_EMBEDDED_H */
