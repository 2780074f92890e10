/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Who takes a pool over a threshold pays: how much, and when. In the manner of
 * balance_dirty_pages(): a task that puts more than may lie idle takes back more than
 * it put before it goes on, and no more than that, so that its pause is bounded.
 *
 * Here is the amount; the surroundings do it, and count the time.
 */
#ifndef USLAB_ENGINE_BALANCE_H
#define USLAB_ENGINE_BALANCE_H

#include "governor.h"
#include "shrink.h"

/**
 * uslab_balance_set() - set the height at which puts pay
 * @memory: bytes that the ratios are of
 *
 * Return: that height in objects, for the control page; 0: none.
 */
u64 uslab_balance_set(struct uslab_core *core, const struct uslab_tunables *tunables, u64 memory);

/* Does a put pay now? Then @pass is set to what. */
bool uslab_balance_put(const struct uslab_core *core, struct uslab_pass *pass);

/* Does a get that makes the pool grow by @nr objects beyond memory_limit? The same. */
bool uslab_balance_get(const struct uslab_core *core, const struct uslab_tunables *tunables,
		       u64 memory, u32 nr, struct uslab_pass *pass);

#endif /* USLAB_ENGINE_BALANCE_H */
