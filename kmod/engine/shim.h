/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The few things the engine needs from its surroundings, for the kernel and
 * for user space. Everything else in this directory is plain C.
 */
#ifndef USLAB_ENGINE_SHIM_H
#define USLAB_ENGINE_SHIM_H

#ifdef __KERNEL__

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include <uapi/linux/uslab.h>

#define uslab_zalloc(size)						\
	kvzalloc(size, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define uslab_zfree(ptr, size)	kvfree(ptr)
#define uslab_resched()	cond_resched()
#define uslab_sort(base, nr, size, cmp)	sort(base, nr, size, cmp, NULL)

/* Fully ordered; returns what was there. */
#define uslab_cmpxchg64(ptr, old, new)	cmpxchg(ptr, old, new)

static inline void uslab_add64(__s64 *ptr, s64 value)
{
	BUILD_BUG_ON(sizeof(atomic64_t) != sizeof(__s64));
	atomic64_add(value, (atomic64_t *)ptr);
}

#else
#include "shim_user.h"
#endif /* __KERNEL__ */

#endif /* USLAB_ENGINE_SHIM_H */
