/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * When to take idle objects back, and how much: decisions, without means.
 *
 * Whoever owns a pool shows what it sees (struct uslab_view) and is told what to do
 * (struct uslab_plan); shrink.h knows how. Nothing here locks, allocates or reads a
 * clock, so that every decision can be tested by itself.
 *
 * Bytes idle, and what follows at each height:
 *
 *	memory --+
 *	         |  a put pays: it takes back more than it puts
 *	hard  ---+
 *	         |  the worker takes back what is above background, once that has
 *	         |  been so for the transition period
 *	background
 *	         |  age alone
 *	min_idle-+
 *	         |  left alone by all of these
 *	0     ---+
 *
 * Times are in microseconds and never 0.
 *
 * Locking: the functions that take a struct uslab_governor run under its owner's lock.
 */
#ifndef USLAB_ENGINE_GOVERNOR_H
#define USLAB_ENGINE_GOVERNOR_H

#include "shim.h"

#define USLAB_CENTISEC		10000ull	/* microseconds */
#define USLAB_PASS_BYTES	(16ull << 20)	/* taken back by one pass at most */

/* How much of a limit is in use; 1000 at the limit and beyond. */
static inline u32 uslab_per_mille(u64 used, u64 limit)
{
	if (used >= limit)
		return 1000;
	return (u32)(limit >> 54 ? used / (limit / 1000) : used * 1000 / limit);
}

/* Which tunable is what; tunable_defs.h is the one list of them. */
struct uslab_tunable {
	const char *name;
	u16 offset;			/* in struct uslab_tunables */
	u16 width;			/* bytes: 4 or 8 */
	u16 group;			/* setting one to a value clears the others; 0: none */
	u64 min;
	u64 max;
	u64 initial;
};

enum uslab_tunable_index {
#define USLAB_TUNABLE(field, ...)	USLAB_TUNABLE_##field,
#include "tunable_defs.h"
	USLAB_NR_TUNABLES
};

extern const struct uslab_tunable uslab_tunables_table[USLAB_NR_TUNABLES];

u64 uslab_tunable_get(const struct uslab_tunables *tunables, u32 index);
/* Does not check; a value other than 0 clears what stands in the same group. */
void uslab_tunable_set(struct uslab_tunables *tunables, u32 index, u64 value);

/* A bit for each tunable that a change of this one may change. */
u32 uslab_tunable_group(u32 index);

void uslab_tunables_init(struct uslab_tunables *tunables);

/* Take over the defaults of all tunables but those whose bit in @own is set. */
void uslab_tunables_follow(struct uslab_tunables *tunables, u32 own,
			   const struct uslab_tunables *defaults);
/* A bit for each tunable in which the two differ. */
u32 uslab_tunables_differ(const struct uslab_tunables *a, const struct uslab_tunables *b);

/**
 * uslab_tunables_check() - may these values stand together?
 * @memory: bytes that the ratios are of
 * @changed: a bit for each that is to be changed: those that stand together already may
 *	have become strange to each other, by new defaults or another limit, and are
 *	not held against the rest
 *
 * Return: 0 or -EINVAL.
 */
int uslab_tunables_check(const struct uslab_tunables *tunables, u64 memory, u32 changed);

/* The same, all of them. */
#define USLAB_TUNABLES_ALL	U32_MAX

/**
 * uslab_tunables_change() - take over other values
 * @own: a bit for each that was set and does not follow a default; gains those changed
 * @take: and these, changed or not
 * @follow: but for these, which follow it again
 *
 * Return: 0; or -EINVAL, and nothing was changed.
 */
int uslab_tunables_change(struct uslab_tunables *tunables, u32 *own,
			  const struct uslab_tunables *wanted, u32 take, u32 follow, u64 memory);

/* Bytes of idle objects; U64_MAX: no such threshold. */
struct uslab_thresholds {
	u64 background;			/* never above hard */
	u64 hard;
};

struct uslab_thresholds uslab_thresholds(const struct uslab_tunables *tunables,
					 u64 memory);

/* The limit that memory_limit sets, in bytes; U64_MAX: none. */
u64 uslab_memory_limit(const struct uslab_tunables *tunables, u64 memory);

/**
 * struct uslab_view - what a decision is made from
 * @now:	time
 * @memory:	bytes that the ratios are of
 * @idle:	bytes of objects in depots and in CPU caches
 * @backed:	bytes of pages behind the pool
 * @used:	how much of the nearest limit outside the pool is in use, per mille
 */
struct uslab_view {
	u64 now;
	u64 memory;
	u64 idle;
	u64 backed;
	u32 used;
};

/**
 * struct uslab_plan - what to do now
 * @age:	make an aging step
 * @idle:	take back so many bytes of idle objects
 * @pages:	take back so many pages
 * @again:	there is more to do than one pass may
 */
struct uslab_plan {
	bool age;
	bool again;
	u64 idle;
	u64 pages;
};

/* struct uslab_governor - what decisions depend on besides; zeroed to begin with */
struct uslab_governor {
	u64 over;			/* since when idle is above background; 0: it is not */
	u64 not_before;			/* the next pass, by the share of the CPU it may have */
	u64 aged;			/* the last aging step */
	u64 held;			/* bytes in use after the last pass, for growth */
	u64 grown;			/* bytes backed then */
	u64 falling;			/* since when a lower level would do; 0: it would not */
	u64 tripped;			/* the circuit breaker's last level-1 event */
	__u64 pressed;			/* the kernel last took from the pool */
	bool again;			/* the last plan was cut */
	u32 level;			/* enum uslab_pressure */
	u32 breaker;			/* 0: closed; 1: reclaims; 2: refuses growth; 3: told */
	u32 trips;
	u64 ceiling;			/* bytes backed when growth was refused */
};

/**
 * uslab_governor_plan() - what the background worker should do
 *
 * A pass is bounded; what is left is for the next one.
 */
void uslab_governor_plan(struct uslab_governor *gov, const struct uslab_tunables *tunables,
			 const struct uslab_view *view, struct uslab_plan *plan);

/**
 * uslab_governor_done() - a pass was made
 * @view: what is seen after it
 * @took: how long it took
 */
void uslab_governor_done(struct uslab_governor *gov, const struct uslab_tunables *tunables,
			 const struct uslab_view *view, u64 took);

/*
 * The worker should look again at this time, at the latest; 0: at no time. @again:
 * the last plan said so, and carrying it out was of use.
 */
u64 uslab_governor_next(const struct uslab_governor *gov, const struct uslab_tunables *tunables,
			u64 now, bool again);

/* Has the pool grown by so much over what was in use that a step of aging is due? */
bool uslab_governor_grown(const struct uslab_governor *gov, const struct uslab_tunables *tunables,
			  u64 backed);

/* The level at which so much of a limit is in use, per mille. */
u32 uslab_pressure_level(const struct uslab_tunables *tunables, u32 used);

/**
 * uslab_governor_look() - see how near the limits are
 *
 * The level rises at once, and falls when a lower one has done for the transition
 * period.
 *
 * Return: whether the level changed.
 */
bool uslab_governor_look(struct uslab_governor *gov, const struct uslab_tunables *tunables,
			 const struct uslab_view *view);

/* What the circuit breaker of a pool in manual mode has to say. */
enum uslab_breaker {
	USLAB_BREAKER_NOTHING	= 0,
	USLAB_BREAKER_RECLAIMS	= 1,	/* near the limit: reclaims in spite of the mode */
	USLAB_BREAKER_REFUSES	= 2,	/* the third time: growth is refused from now on */
	USLAB_BREAKER_TELLS	= 3,	/* growth was refused: somebody has to look */
	USLAB_BREAKER_CLOSES	= 4,	/* all is well again */
};

enum uslab_breaker uslab_governor_breaker(struct uslab_governor *gov,
					  const struct uslab_tunables *tunables,
					const struct uslab_view *view);

/*
 * May a pool become @bytes large, and by how many objects at a time? While memory is being
 * taken from it, it gets @few, not the @nr it asks for: what is taken should not be back
 * at once. 0: it may not grow, that is, beyond what it was when the breaker said so.
 */
u32 uslab_governor_batch(struct uslab_governor *gov, const struct uslab_tunables *tunables,
			 u64 now, u64 bytes, u32 nr, u32 few, enum uslab_breaker *event);

#endif /* USLAB_ENGINE_GOVERNOR_H */
