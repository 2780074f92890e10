// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "shrink.h"

#define SHRINK_MAGAZINES 64u		/* emptied by one call of a shrinker */
#define NO_LIMIT	(U64_MAX >> 16)		/* a goal above this is everything */
#define SHRINK_BARREN	64u		/* in a row that gave nothing: there is nothing here */
#define SHRINK_ROUNDS	64u		/* over all homes: others may put as fast as we take */

static bool pass_done(const struct uslab_pass *pass)
{
	return pass->released >= pass->pages || pass->returned >= pass->objects;
}

/* Would one more magazine leave less than the floor? */
static bool at_floor(const struct uslab_core *core, const struct uslab_pass *pass)
{
	u64 floor = READ_ONCE(core->min_idle);
	u64 idle;

	if (!floor || pass->flags & USLAB_SHRINK_FORCE)
		return false;
	idle = uslab_core_idle_objects(core);
	return idle < floor || idle - floor < core->geo.magazine_size;
}

/* Free what a popped magazine holds and push it on the empty stack. Lock held. */
static void home_empty_magazine(struct uslab_home *home, struct uslab_stack *stack, u32 index,
				struct uslab_pass *pass)
{
	struct uslab_core *core = home->core;
	struct uslab_magazine *mag = core->ops->magazine(core, index);
	u32 nr = min_t(u32, READ_ONCE(mag->count), core->geo.magazine_size);
	u32 handles[USLAB_FREE_CHUNK];
	u32 freed = 0;
	u32 i, j;

	uslab_stack_account(stack, -(s64)nr);
	for (i = 0; i < nr; i += j) {
		for (j = 0; j < USLAB_FREE_CHUNK && i + j < nr; j++)
			handles[j] = READ_ONCE(mag->handle[i + j]);
		pass->released += uslab_home_free(home, handles, j, &freed);
	}
	pass->returned += freed;
	WRITE_ONCE(mag->count, 0);
	uslab_stack_push(&home->depot->empty, index, mag, USLAB_STACK_TRIES);
}

static bool home_lock(struct uslab_home *home, u32 flags)
{
	if (flags & USLAB_SHRINK_TRYLOCK)
		return home->core->ops->trylock(home);
	home->core->ops->lock(home);
	return true;
}

/*
 * Empty a stack, one magazine a hold of the lock. Neither what others push
 * meanwhile nor a chain that user space made a circle keeps us here: no more
 * magazines than exist are looked at, and few by a shrinker or where they hold nothing.
 * False when the lock was not to be had.
 */
static bool home_shrink_stack(struct uslab_home *home, struct uslab_stack *stack,
			      struct uslab_pass *pass)
{
	const struct uslab_core_ops *ops = home->core->ops;
	u32 left = ops->nr_magazines(home->core);
	u32 barren = 0;

	if (pass->flags & USLAB_SHRINK_TRYLOCK)
		left = min_t(u32, left, SHRINK_MAGAZINES);
	/* who wants little does not look far: what user space put there may be empty */
	if (pass->objects < NO_LIMIT)
		left = min_t(u64, left, SHRINK_MAGAZINES +
			     pass->objects / home->core->geo.magazine_size * 4);
	while (!pass_done(pass) && left-- && barren < SHRINK_BARREN &&
	       !at_floor(home->core, pass)) {
		u64 before = pass->returned;
		u32 index;

		if (!home_lock(home, pass->flags))
			return false;
		index = uslab_stack_pop(stack, ops->magazine, home->core, USLAB_STACK_TRIES);
		if (index)
			home_empty_magazine(home, stack, index, pass);
		ops->unlock(home);
		if (!index)
			break;
		barren = pass->returned == before ? barren + 1 : 0;
		ops->resched();
	}
	return true;
}

static void home_victim(struct uslab_home *home, struct uslab_pass *pass)
{
	home_shrink_stack(home, &home->depot->victim, pass);
}

static void home_depot(struct uslab_home *home, struct uslab_pass *pass)
{
	/* not by a rotation: what is left of current would age by it */
	if (!home_shrink_stack(home, &home->depot->victim, pass) ||
	    !home_shrink_stack(home, &home->depot->current_gen, pass))
		return;
	/* pages that a fault held when they were due */
	if (!pass_done(pass) && home_lock(home, pass->flags)) {
		pass->released += uslab_home_reap(home);
		home->core->ops->unlock(home);
	}
}

u64 uslab_core_shrink_victim(struct uslab_home *home, u64 pages, u32 flags)
{
	struct uslab_pass pass = { .pages = pages, .objects = U64_MAX, .flags = flags };

	home_victim(home, &pass);
	return pass.released;
}

u64 uslab_core_shrink_depot(struct uslab_home *home, u64 pages, u32 flags)
{
	struct uslab_pass pass = { .pages = pages, .objects = U64_MAX, .flags = flags };

	home_depot(home, &pass);
	return pass.released;
}

bool uslab_core_rotate(struct uslab_home *home, u32 flags)
{
	struct uslab_depot *depot = home->depot;
	s64 objects;
	u32 chain;

	if (!home_lock(home, flags))
		return false;
	if (!(READ_ONCE(depot->victim.head) & USLAB_HEAD_INDEX_MASK)) {
		chain = uslab_stack_take_all(&depot->current_gen, USLAB_STACK_TRIES);
		/*
		 * The counter of current moves along, with the error that
		 * operations in flight leave in it: their sum stays right.
		 */
		objects = READ_ONCE(depot->current_gen.objects);
		uslab_stack_account(&depot->current_gen, (s64)-(u64)objects);
		uslab_stack_account(&depot->victim, objects);
		if (chain)
			uslab_stack_install(&depot->victim, chain, USLAB_STACK_TRIES);
		home->rotations++;
	}
	home->core->ops->unlock(home);
	return true;
}

u64 uslab_core_age(struct uslab_home *home)
{
	u64 released = uslab_core_shrink_victim(home, U64_MAX, 0);

	uslab_core_rotate(home, 0);
	/* pages that a fault held when they were due */
	home->core->ops->lock(home);
	released += uslab_home_reap(home);
	home->core->ops->unlock(home);
	return released;
}

/* A whole pool */

/* Objects that a pass still wants, as far as pages tell. */
static u64 pass_wants(const struct uslab_core *core, const struct uslab_pass *pass)
{
	u64 pages = pass->pages - pass->released;
	u64 objects = pass->objects - pass->returned;

	if (pages > NO_LIMIT >> PAGE_SHIFT)
		return objects;
	return min_t(u64, objects, DIV_ROUND_UP(pages << PAGE_SHIFT, (u64)core->geo.stride));
}

/* What is taken from: how much a home has of it, and how it is taken. */
struct source {
	u64 (*objects)(const struct uslab_home *home);
	void (*shrink)(struct uslab_home *home, struct uslab_pass *pass);
};

static u64 victim_objects(const struct uslab_home *home)
{
	s64 objects = READ_ONCE(home->depot->victim.objects);

	return objects > 0 ? (u64)objects : 0;
}

static const struct source victims = { victim_objects, home_victim };
static const struct source depots = { uslab_core_depot_objects, home_depot };

static void home_gives(struct uslab_home *home, const struct source *source, u64 objects,
		       struct uslab_pass *pass)
{
	struct uslab_pass part = {
		.pages = pass->pages - pass->released, .objects = objects, .flags = pass->flags,
	};

	source->shrink(home, &part);
	pass->released += part.released;
	pass->returned += part.returned;
}

/* All that is wanted from one home: the one that seems to have most, else any other. */
static void one_gives(struct uslab_core *core, const struct source *source,
		      struct uslab_pass *pass)
{
	u64 before = pass->returned;
	u32 fullest = 0;
	u32 i;

	for (i = 1; i < core->geo.nr_homes; i++)
		if (source->objects(core->homes[i]) > source->objects(core->homes[fullest]))
			fullest = i;
	for (i = 0; i < core->geo.nr_homes && pass->returned == before && !pass_done(pass); i++)
		home_gives(core->homes[(fullest + i) % core->geo.nr_homes], source,
			   pass_wants(core, pass), pass);
}

/* Each home gives in proportion to what it has, to the nearest magazine. */
static void all_give(struct uslab_core *core, const struct source *source,
		     struct uslab_pass *pass)
{
	/* whatever user space counts, no more objects have a handle */
	u64 limit = min_t(u64, core->geo.objects_size >> core->geo.granule_shift, U32_MAX);
	u32 size = core->geo.magazine_size;
	u64 want = pass_wants(core, pass);
	u64 total = 0;
	u32 i;

	for (i = 0; i < core->geo.nr_homes; i++)
		total += min_t(u64, source->objects(core->homes[i]), limit);
	for (i = 0; i < core->geo.nr_homes && !pass_done(pass); i++) {
		u64 have = min_t(u64, source->objects(core->homes[i]), limit);
		u64 share = want;

		if (want < NO_LIMIT) {
			have = min_t(u64, have, total);
			want = min_t(u64, want, limit);
			share = have ? want * have / total : 0;
			share = (share + size / 2) / size * size;
			total -= have;
			want -= min_t(u64, want, share);
		}
		if (share)
			home_gives(core->homes[i], source, share, pass);
	}
}

/* So that no home is emptied while others are full; until there is no more. */
static void core_shrink(struct uslab_core *core, const struct source *source,
			struct uslab_pass *pass)
{
	u32 rounds = SHRINK_ROUNDS;
	u64 before;

	do {
		before = pass->returned;
		all_give(core, source, pass);
		if (!pass_done(pass) && pass->returned == before)
			one_gives(core, source, pass);
	} while (!pass_done(pass) && pass->returned != before && --rounds);
}

void uslab_core_trim(struct uslab_core *core, struct uslab_pass *pass)
{
	core_shrink(core, &victims, pass);
}

void uslab_core_drain(struct uslab_core *core, struct uslab_pass *pass)
{
	core_shrink(core, &victims, pass);
	core_shrink(core, &depots, pass);
}
