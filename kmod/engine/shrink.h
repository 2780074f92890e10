/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Taking idle objects out of depots: how it is done. When, and how much, is
 * decided in governor.h.
 *
 * A depot has two generations. An aging step drops what is left of the victim and
 * makes current the victim; gets take from current first, then from the victim,
 * which rescues it. So what is left of a victim at the next step is the working-set
 * minimum of the time between: what was in the depot all that time and was never
 * needed. That much goes, and no more, whatever bursts there were.
 *
 * Three strengths: the victim is trimmed; the depots are drained; the CPU caches are
 * drained, too, which is not done here.
 */
#ifndef USLAB_ENGINE_SHRINK_H
#define USLAB_ENGINE_SHRINK_H

#include "core.h"

/* How reclaim behaves. */
#define USLAB_SHRINK_TRYLOCK	0x1	/* give up rather than wait for a home's lock */
#define USLAB_SHRINK_FORCE	0x2	/* min_idle does not count */

/**
 * struct uslab_pass - one pass over a pool: how much is wanted, and what came of it
 * @pages:	enough when so many pages came free,
 * @objects:	or so many objects went back
 * @flags:	USLAB_SHRINK_*
 * @released:	pages that came free
 * @returned:	objects that went back
 */
struct uslab_pass {
	u64 pages;
	u64 objects;
	u32 flags;
	u64 released;
	u64 returned;
};

/**
 * uslab_core_trim() - empty victims, each home's in proportion to what it holds
 * uslab_core_drain() - victims first, then what else is in the depots
 *
 * Takes each home's lock for one magazine at a time.
 */
void uslab_core_trim(struct uslab_core *core, struct uslab_pass *pass);
void uslab_core_drain(struct uslab_core *core, struct uslab_pass *pass);

/**
 * uslab_core_shrink_victim() - empty the victim generation, magazine by magazine
 * @pages: stop after this many pages
 *
 * Return: pages freed.
 */
u64 uslab_core_shrink_victim(struct uslab_home *home, u64 pages, u32 flags);

/* One aging step: drop the old victim, make the current depot the victim. Pages freed. */
u64 uslab_core_age(struct uslab_home *home);

/* Make the current depot the victim if there is no victim. False when busy (TRYLOCK). */
bool uslab_core_rotate(struct uslab_home *home, u32 flags);

/* Victim and current depot of a home, oldest generation first. Pages freed. */
u64 uslab_core_shrink_depot(struct uslab_home *home, u64 pages, u32 flags);

#endif /* USLAB_ENGINE_SHRINK_H */
