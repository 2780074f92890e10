// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core.h"

#define REAP_PAGES	32u		/* pages detached, unmapped and freed together */

/* Refill */

static void bag_empty(struct uslab_home *home, struct uslab_bag *bag)
{
	while (bag->nr_pages)
		home->core->ops->page_free(home, bag->page[--bag->nr_pages]);
	uslab_zfree(bag->region, uslab_slabs_region_size());
	uslab_zfree(bag->group, uslab_slabs_group_size(&home->core->geo));
}

/* Bring what the last allocation was short of, for about @nr objects. */
static int bag_fill(struct uslab_home *home, struct uslab_bag *bag, u32 nr)
{
	const struct uslab_geometry *geo = &home->core->geo;
	u64 pages;

	switch (bag->want) {
	case USLAB_WANT_TABLE:
		if (!bag->region)
			bag->region = uslab_zalloc(uslab_slabs_region_size());
		if (!bag->group)
			bag->group = uslab_zalloc(uslab_slabs_group_size(geo));
		return bag->region && bag->group ? 0 : -ENOMEM;
	case USLAB_WANT_PAGES:
		pages = DIV_ROUND_UP((u64)nr * geo->stride, (u64)PAGE_SIZE);
		pages = min_t(u64, pages, USLAB_BAG_PAGES);
		while (bag->nr_pages < pages) {
			void *page = home->core->ops->page_alloc(home);

			if (!page)
				return bag->nr_pages ? 0 : -ENOMEM;
			bag->page[bag->nr_pages++] = page;
		}
		return 0;
	case USLAB_WANT_SPACE:
		return -ENOSPC;
	case USLAB_WANT_NOTHING:
		break;
	}
	return 0;
}

static int page_ref_cmp(const void *a, const void *b)
{
	const struct uslab_page_ref *l = a, *r = b;

	return l->page < r->page ? -1 : l->page > r->page;
}

/*
 * Unmap and free pages that no object needs, up to REAP_PAGES, with the home's
 * lock held all the while: were it dropped between detaching and unmapping, a
 * refill could hand the objects out again, and their owner would write through
 * the old mapping to a page that is about to go.
 *
 * Returns how many pages went.
 */
static u32 home_reap(struct uslab_home *home)
{
	const struct uslab_core_ops *ops = home->core->ops;
	struct uslab_page_ref refs[REAP_PAGES];
	u32 nr = uslab_slabs_collect(&home->slabs, refs, REAP_PAGES);
	u32 detached = 0;
	u32 i, first;

	uslab_sort(refs, nr, sizeof(refs[0]), page_ref_cmp);
	for (i = 0; i < nr; i++)
		detached += ops->page_detach(home, &refs[i]);
	/* One call a run: each costs a shootdown in every process that maps the pool. */
	for (first = 0; detached && first < nr; first = i) {
		i = first + 1;
		if (!refs[first].detached)
			continue;
		while (i < nr && refs[i].detached && refs[i].page == refs[i - 1].page + 1)
			i++;
		ops->unmap(home, refs[first].page, i - first);
	}
	uslab_slabs_settle(&home->slabs, refs, nr);
	for (i = 0; i < nr; i++)
		if (refs[i].detached)
			ops->page_free(home, refs[i].detached);
	return detached;
}

u64 uslab_home_reap(struct uslab_home *home)
{
	u64 released = 0;
	u32 pages;

	do {
		pages = home_reap(home);
		released += pages;
		home->core->ops->resched();
	} while (pages == REAP_PAGES);
	return released;
}

static u32 home_base(const struct uslab_home *home)
{
	return (u32)((u64)home->index << home->core->geo.home_shift);
}

int uslab_core_refill(struct uslab_home *home, u32 *handles, u32 nr)
{
	const struct uslab_core_ops *ops = home->core->ops;
	struct uslab_bag bag = { .want = USLAB_WANT_NOTHING };
	u32 got = 0;
	int err = 0;
	u32 i;

	for (;;) {
		ops->lock(home);
		got += uslab_slabs_alloc(&home->slabs, handles + got, nr - got, &bag);
		ops->unlock(home);
		if (got == nr)
			break;
		err = bag_fill(home, &bag, nr - got);
		if (err)
			break;
	}
	bag_empty(home, &bag);
	if (err) {
		ops->lock(home);
		uslab_home_reap(home);	/* pages of an object that could not be completed */
		if (!got)
			home->refill_failures++;
		ops->unlock(home);
	}
	for (i = 0; i < got; i++)
		handles[i] += home_base(home);
	return got ? (int)got : err;
}

/* Return */

u32 uslab_home_free(struct uslab_home *home, const u32 *handles, u32 nr, u32 *freed)
{
	const struct uslab_geometry *geo = &home->core->geo;
	u32 local[USLAB_FREE_CHUNK];
	u32 mine = 0;
	u32 i;

	for (i = 0; i < nr; i++)
		if (uslab_handle_home(geo, handles[i]) == home->index)
			local[mine++] = handles[i] - home_base(home);
	home->slabs.bad += nr - mine;
	*freed += uslab_slabs_free(&home->slabs, local, mine);
	return (u32)uslab_home_reap(home);
}

u32 uslab_core_return(struct uslab_core *core, const u32 *handles, u32 nr)
{
	u32 freed = 0;
	u32 i, first;

	for (first = 0; first < nr; first = i) {
		u32 index = uslab_handle_home(&core->geo, handles[first]);
		struct uslab_home *home = core->homes[index < core->geo.nr_homes ? index : 0];

		i = first + 1;
		while (i < nr && i - first < USLAB_FREE_CHUNK &&
		       uslab_handle_home(&core->geo, handles[i]) == index)
			i++;
		core->ops->lock(home);
		uslab_home_free(home, handles + first, i - first, &freed);
		core->ops->unlock(home);
	}
	return freed;
}

/* Magazines */

int uslab_core_grow(struct uslab_home *home)
{
	const struct uslab_core_ops *ops = home->core->ops;
	u32 first, nr, i;
	int err = ops->magazines_add(home, &first, &nr);

	if (err)
		return err;
	for (i = 0; i < nr; i++) {
		struct uslab_magazine *mag = ops->magazine(home->core, first + i);

		/* One that cannot be pushed is lost to the pool, at its user's will. */
		if (mag)
			uslab_stack_push(&home->depot->empty, first + i, mag, USLAB_STACK_TRIES);
	}
	return (int)nr;
}

/* Statistics */

static u64 counter(const __s64 *counter)
{
	s64 value = READ_ONCE(*counter);

	return value > 0 ? (u64)value : 0;
}

u64 uslab_core_depot_objects(const struct uslab_home *home)
{
	/* wraps when user space wrote nonsense */
	s64 sum = (s64)((u64)READ_ONCE(home->depot->current_gen.objects) +
			(u64)READ_ONCE(home->depot->victim.objects));

	return counter(&sum);
}

u64 uslab_core_idle_objects(const struct uslab_core *core)
{
	/* never more than there can be, whatever user space counts */
	u64 limit = core->geo.objects_size >> core->geo.granule_shift;
	u64 objects = 0;
	u32 i;

	for (i = 0; i < core->geo.nr_homes; i++)
		objects += min_t(u64, uslab_core_depot_objects(core->homes[i]), limit);
	return min_t(u64, objects, limit);
}

u64 uslab_core_backed_bytes(const struct uslab_core *core)
{
	u64 pages = 0;
	u32 i;

	for (i = 0; i < core->geo.nr_homes; i++)
		pages += READ_ONCE(core->homes[i]->slabs.backed);
	return pages << PAGE_SHIFT;
}

static void stats_add_home(struct uslab_home *home, struct uslab_stats *stats)
{
	const struct uslab_core_ops *ops = home->core->ops;
	const struct uslab_slabs *slabs = &home->slabs;

	/* idle with it: a pass takes magazines out of the depot under this lock */
	ops->lock(home);
	stats->idle_objects += uslab_core_depot_objects(home);
	stats->out_objects += slabs->out;
	stats->backed_bytes += slabs->backed << PAGE_SHIFT;
	stats->refills += slabs->allocated;
	stats->returns += slabs->returned;
	stats->bad_puts += slabs->bad;
	stats->reclaimed_bytes += slabs->released << PAGE_SHIFT;
	stats->refill_failures += home->refill_failures;
	stats->rotations += home->rotations;
	ops->unlock(home);

	stats->victim_hits += READ_ONCE(home->depot->victim_hits);
	stats->remote_gets += READ_ONCE(home->depot->remote_gets);
	stats->gets += READ_ONCE(home->depot->portable_gets);
}

void uslab_core_stats(struct uslab_core *core, struct uslab_stats *stats)
{
	const struct uslab_geometry *geo = &core->geo;
	u64 cached = 0;
	u64 given;
	u32 i;

	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	stats->object_size = geo->object_size;
	for (i = 0; i < geo->nr_homes; i++)
		stats_add_home(core->homes[i], stats);
	for (i = 0; i < geo->nr_cpus; i++) {
		const struct uslab_cpu *cpu = core->ops->cpu(core, i);
		u64 word = READ_ONCE(cpu->word);
		u64 remote = READ_ONCE(cpu->remote_word);

		stats->gets += word >> USLAB_WORD_EVENT_SHIFT;
		stats->remote_puts += remote >> USLAB_WORD_EVENT_SHIFT;
		cached += min_t(u64, word & USLAB_WORD_COUNT_MASK, geo->cpu_capacity) +
			  min_t(u64, remote & USLAB_WORD_COUNT_MASK, geo->remote_capacity);
	}
	/*
	 * What the engine has given out is either idle or held. Neither puts nor
	 * held objects are counted on the fast path: they follow from the rest.
	 */
	given = stats->out_objects;
	stats->idle_objects = min_t(u64, stats->idle_objects + cached, given);
	stats->out_objects = given - stats->idle_objects;
	if (stats->gets > stats->out_objects)
		stats->puts = stats->gets - stats->out_objects;
	else
		stats->puts = 0;
	stats->magazines = core->ops->nr_magazines(core);
	stats->passes = counter(&core->passes);
	stats->pass_us = counter(&core->pass_us);
	stats->throttles = counter(&core->throttles);
	stats->throttled_us = counter(&core->throttled_us);
}
