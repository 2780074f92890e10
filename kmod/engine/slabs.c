// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "slabs.h"

#define GROUP_SLABS	64u		/* descriptors in a group */
#define REGION_GROUPS	512u		/* groups in a region */
#define REGION_SLABS	(GROUP_SLABS * REGION_GROUPS)

/* The list a slab is in. */
enum slab_list {
	LIST_NONE = USLAB_FULLNESS,	/* full; below: a fullness list */
	LIST_FREE,
};

struct uslab_slab {
	u32 next;			/* in its list */
	u32 prev;			/* fullness lists only */
	u32 next_dirty;
	u16 list;
	u16 dirty;
	u32 out;			/* objects */
	u32 backed;			/* pages */
	void *page[];			/* [slab_pages], then the bitmap of objects out */
};

static size_t slab_size(const struct uslab_geometry *geo)
{
	return sizeof(struct uslab_slab) + geo->slab_pages * sizeof(void *) +
	       BITS_TO_LONGS(geo->slab_objects) * sizeof(long);
}

size_t uslab_slabs_group_size(const struct uslab_geometry *geo)
{
	return GROUP_SLABS * slab_size(geo);
}

size_t uslab_slabs_region_size(void)
{
	return REGION_GROUPS * sizeof(void *);
}

static size_t dir_size(const struct uslab_geometry *geo)
{
	/* not DIV_ROUND_UP(): there may be almost 2^32 slabs */
	return ((size_t)(geo->nr_slabs - 1) / REGION_SLABS + 1) * sizeof(void *);
}

static unsigned long *slab_bitmap(const struct uslab_geometry *geo, struct uslab_slab *slab)
{
	return (unsigned long *)&slab->page[geo->slab_pages];
}

/*
 * Tables are published with release, and only ever added: whoever finds one
 * with acquire, as the page fault does without the home's lock, may use it
 * until the pool goes.
 */
static void **slabs_region(const struct uslab_slabs *slabs, u32 index)
{
	/* pairs with the release in slabs_table() */
	return smp_load_acquire(&slabs->dir[index / REGION_SLABS]);
}

static struct uslab_slab *slabs_find(const struct uslab_slabs *slabs, u32 index)
{
	void **region = slabs_region(slabs, index);
	char *group;

	if (!region)
		return NULL;
	/* pairs with the release in slabs_table() */
	group = smp_load_acquire(&region[index / GROUP_SLABS % REGION_GROUPS]);
	if (!group)
		return NULL;
	return (struct uslab_slab *)(group + index % GROUP_SLABS * slab_size(slabs->geo));
}

int uslab_slabs_init(struct uslab_slabs *slabs, const struct uslab_geometry *geo)
{
	u32 i;

	memset(slabs, 0, sizeof(*slabs));
	slabs->geo = geo;
	slabs->dir = uslab_zalloc(dir_size(geo));
	if (!slabs->dir)
		return -ENOMEM;
	for (i = 0; i < USLAB_FULLNESS; i++)
		slabs->fullness[i] = USLAB_SLAB_NONE;
	slabs->free = USLAB_SLAB_NONE;
	slabs->dirty = USLAB_SLAB_NONE;
	return 0;
}

void uslab_slabs_destroy(struct uslab_slabs *slabs, void (*page_free)(void *ctx, void *page),
			 void *ctx)
{
	const struct uslab_geometry *geo = slabs->geo;
	u32 i, j, page;

	if (!slabs->dir)
		return;
	for (i = 0; page_free && i < slabs->next_unused; i++) {
		struct uslab_slab *slab = slabs_find(slabs, i);

		for (page = 0; slab->backed && page < geo->slab_pages; page++)
			if (slab->page[page])
				page_free(ctx, slab->page[page]);
		if (i % GROUP_SLABS == 0)
			uslab_resched();
	}
	for (i = 0; i < dir_size(geo) / sizeof(void *); i++) {
		for (j = 0; slabs->dir[i] && j < REGION_GROUPS; j++)
			uslab_zfree(slabs->dir[i][j], uslab_slabs_group_size(geo));
		uslab_zfree(slabs->dir[i], uslab_slabs_region_size());
		uslab_resched();
	}
	uslab_zfree(slabs->dir, dir_size(geo));
	slabs->dir = NULL;
}

/* Lists */

static void list_unlink(struct uslab_slabs *slabs, struct uslab_slab *slab)
{
	if (slab->list >= USLAB_FULLNESS)
		return;
	if (slab->prev != USLAB_SLAB_NONE)
		slabs_find(slabs, slab->prev)->next = slab->next;
	else
		slabs->fullness[slab->list] = slab->next;
	if (slab->next != USLAB_SLAB_NONE)
		slabs_find(slabs, slab->next)->prev = slab->prev;
	slab->list = LIST_NONE;
}

static void list_link(struct uslab_slabs *slabs, struct uslab_slab *slab, u32 index, u16 list)
{
	u32 head = slabs->fullness[list];

	slab->list = list;
	slab->prev = USLAB_SLAB_NONE;
	slab->next = head;
	if (head != USLAB_SLAB_NONE)
		slabs_find(slabs, head)->prev = index;
	slabs->fullness[list] = index;
}

/* Put a slab where its counts say it belongs. */
static void slab_settle(struct uslab_slabs *slabs, struct uslab_slab *slab, u32 index)
{
	u32 objects = slabs->geo->slab_objects;
	u16 list = LIST_NONE;

	if (!slab->out && !slab->backed) {
		list_unlink(slabs, slab);
		if (slab->list != LIST_FREE) {
			slab->list = LIST_FREE;
			slab->next = slabs->free;
			slabs->free = index;
		}
		return;
	}
	if (slab->out < objects)
		list = (u16)(slab->out * USLAB_FULLNESS / objects);
	if (list == slab->list)
		return;
	list_unlink(slabs, slab);
	if (list != LIST_NONE)
		list_link(slabs, slab, index, list);
}

static void slab_set_dirty(struct uslab_slabs *slabs, struct uslab_slab *slab, u32 index)
{
	if (slab->dirty)
		return;
	slab->dirty = 1;
	slab->next_dirty = slabs->dirty;
	slabs->dirty = index;
}

/* Allocation */

/* Make sure that slab @index has a descriptor. */
static bool slabs_table(struct uslab_slabs *slabs, u32 index, struct uslab_bag *bag)
{
	void ***region = &slabs->dir[index / REGION_SLABS];
	void **group;

	if (slabs_find(slabs, index))
		return true;
	bag->want = USLAB_WANT_TABLE;
	if (!*region) {
		if (!bag->region)
			return false;
		/* pairs with slabs_region() */
		smp_store_release(region, bag->region);
		bag->region = NULL;
	}
	group = &(*region)[index / GROUP_SLABS % REGION_GROUPS];
	if (!bag->group)
		return false;
	/* pairs with slabs_find() */
	smp_store_release(group, bag->group);
	bag->group = NULL;
	return true;
}

/* The slab to take from: the fullest, else one without pages, else a new one. */
static u32 slabs_pick(struct uslab_slabs *slabs, struct uslab_bag *bag)
{
	struct uslab_slab *slab;
	u32 index;
	int i;

	for (i = USLAB_FULLNESS - 1; i >= 0; i--)
		if (slabs->fullness[i] != USLAB_SLAB_NONE)
			return slabs->fullness[i];
	index = slabs->free;
	if (index != USLAB_SLAB_NONE) {
		slab = slabs_find(slabs, index);
		slabs->free = slab->next;
		slab->list = LIST_NONE;
		return index;
	}
	index = slabs->next_unused;
	if (index == slabs->geo->nr_slabs) {
		bag->want = USLAB_WANT_SPACE;
		return USLAB_SLAB_NONE;
	}
	if (!slabs_table(slabs, index, bag))
		return USLAB_SLAB_NONE;
	slab = slabs_find(slabs, index);
	slab->list = LIST_NONE;
	slabs->next_unused++;
	return index;
}

static u32 object_page(const struct uslab_geometry *geo, u32 object, u32 byte)
{
	return (object * geo->stride + byte) >> PAGE_SHIFT;
}

/* Back all pages of an object; false when the bag is empty before that. */
static bool slab_back(struct uslab_slabs *slabs, struct uslab_slab *slab, u32 index, u32 object,
		      struct uslab_bag *bag)
{
	const struct uslab_geometry *geo = slabs->geo;
	u32 last = object_page(geo, object, geo->stride - 1);
	u32 page;

	for (page = object_page(geo, object, 0); page <= last; page++) {
		if (slab->page[page])
			continue;
		if (!bag->nr_pages) {
			bag->want = USLAB_WANT_PAGES;
			/* what has been backed so far must be found again */
			if (slab->backed)
				slab_set_dirty(slabs, slab, index);
			return false;
		}
		/*
		 * A fault that runs beside us sees no page or this one; both are
		 * right. Pairs with its dependent load: it sees the page zeroed.
		 */
		smp_store_release(&slab->page[page], bag->page[--bag->nr_pages]);
		slab->backed++;
		WRITE_ONCE(slabs->backed, slabs->backed + 1);	/* read without the lock */
	}
	return true;
}

static u32 slab_handle(const struct uslab_geometry *geo, u32 index, u32 object)
{
	u64 byte = (((u64)index * geo->slab_pages) << PAGE_SHIFT) + (u64)object * geo->stride;

	return (u32)(byte >> geo->granule_shift);
}

/* Take up to @nr objects of one slab. */
static u32 slab_take(struct uslab_slabs *slabs, u32 index, u32 *handles, u32 nr,
		     struct uslab_bag *bag)
{
	const struct uslab_geometry *geo = slabs->geo;
	struct uslab_slab *slab = slabs_find(slabs, index);
	unsigned long *bitmap = slab_bitmap(geo, slab);
	u32 taken = 0;
	u32 word;

	for (word = 0; word < BITS_TO_LONGS(geo->slab_objects); word++) {
		while (taken < nr && ~bitmap[word]) {
			u32 object = word * BITS_PER_LONG + (u32)__ffs(~bitmap[word]);

			if (object >= geo->slab_objects ||
			    !slab_back(slabs, slab, index, object, bag))
				goto out;
			bitmap[word] |= 1ul << object % BITS_PER_LONG;
			slab->out++;
			handles[taken++] = slab_handle(geo, index, object);
		}
	}
out:
	slabs->out += taken;
	slabs->allocated += taken;
	slab_settle(slabs, slab, index);
	return taken;
}

u32 uslab_slabs_alloc(struct uslab_slabs *slabs, u32 *handles, u32 nr, struct uslab_bag *bag)
{
	u32 taken = 0;

	bag->want = USLAB_WANT_NOTHING;
	while (taken < nr) {
		u32 index = slabs_pick(slabs, bag);

		if (index == USLAB_SLAB_NONE)
			break;
		taken += slab_take(slabs, index, handles + taken, nr - taken, bag);
		if (bag->want != USLAB_WANT_NOTHING)
			break;
	}
	return taken;
}

/* Return */

/* Is no object out that overlaps this page of the slab? */
static bool slab_page_idle(const struct uslab_geometry *geo, struct uslab_slab *slab, u32 page)
{
	const unsigned long *bitmap = slab_bitmap(geo, slab);
	u32 object = (page << PAGE_SHIFT) / geo->stride;
	u32 last = min_t(u32, ((page << PAGE_SHIFT) + PAGE_SIZE - 1) / geo->stride,
			 geo->slab_objects - 1);

	while (object <= last) {
		u32 bit = object % BITS_PER_LONG;
		u32 bits = min_t(u32, last - object + 1, BITS_PER_LONG - bit);
		unsigned long mask = (~0ul >> (BITS_PER_LONG - bits)) << bit;

		if (bitmap[object / BITS_PER_LONG] & mask)
			return false;
		object += bits;
	}
	return true;
}

/* Clear the bit of one handle; false when it names no object that is out. */
static bool slabs_free_one(struct uslab_slabs *slabs, u32 handle)
{
	const struct uslab_geometry *geo = slabs->geo;
	u64 byte = (u64)handle << geo->granule_shift;
	u32 index = (u32)(byte >> PAGE_SHIFT) / geo->slab_pages;
	u32 inside, object, page, last;
	unsigned long *word, bit;
	struct uslab_slab *slab;

	if (index >= slabs->next_unused)
		return false;
	inside = (u32)(byte - (((u64)index * geo->slab_pages) << PAGE_SHIFT));
	object = inside / geo->stride;
	if (object >= geo->slab_objects || object * geo->stride != inside)
		return false;

	slab = slabs_find(slabs, index);
	word = &slab_bitmap(geo, slab)[object / BITS_PER_LONG];
	bit = 1ul << object % BITS_PER_LONG;
	if (!(*word & bit))
		return false;
	*word &= ~bit;
	slab->out--;
	slab_settle(slabs, slab, index);

	last = object_page(geo, object, geo->stride - 1);
	for (page = object_page(geo, object, 0); !slab->dirty && page <= last; page++)
		if (slab_page_idle(geo, slab, page))
			slab_set_dirty(slabs, slab, index);
	return true;
}

u32 uslab_slabs_free(struct uslab_slabs *slabs, const u32 *handles, u32 nr)
{
	u32 freed = 0;
	u32 i;

	for (i = 0; i < nr; i++)
		freed += slabs_free_one(slabs, handles[i]);
	slabs->out -= freed;
	slabs->returned += freed;
	slabs->bad += nr - freed;
	return freed;
}

/* Pages that can go */

u32 uslab_slabs_collect(struct uslab_slabs *slabs, struct uslab_page_ref *refs, u32 max)
{
	const struct uslab_geometry *geo = slabs->geo;
	u32 nr = 0;

	while (slabs->dirty != USLAB_SLAB_NONE && nr < max) {
		u32 index = slabs->dirty;
		struct uslab_slab *slab = slabs_find(slabs, index);
		u32 page;

		for (page = 0; page < geo->slab_pages && nr < max; page++) {
			if (!slab->page[page] || !slab_page_idle(geo, slab, page))
				continue;
			refs[nr].page = index * geo->slab_pages + page;
			refs[nr].slab = index;
			refs[nr].slot = &slab->page[page];
			refs[nr].detached = NULL;
			nr++;
		}
		if (page < geo->slab_pages)
			break;		/* no room: the rest of this slab comes next time */
		slabs->dirty = slab->next_dirty;
		slab->dirty = 0;
	}
	return nr;
}

void uslab_slabs_settle(struct uslab_slabs *slabs, const struct uslab_page_ref *refs, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		struct uslab_slab *slab = slabs_find(slabs, refs[i].slab);

		if (*refs[i].slot) {
			slab_set_dirty(slabs, slab, refs[i].slab);
			continue;
		}
		slab->backed--;
		WRITE_ONCE(slabs->backed, slabs->backed - 1);
		WRITE_ONCE(slabs->released, slabs->released + 1);
		slab_settle(slabs, slab, refs[i].slab);
	}
}

void **uslab_slabs_slot(const struct uslab_slabs *slabs, u32 page)
{
	u32 index = page / slabs->geo->slab_pages;
	struct uslab_slab *slab;

	if (index >= slabs->geo->nr_slabs)
		return NULL;
	slab = slabs_find(slabs, index);
	return slab ? &slab->page[page % slabs->geo->slab_pages] : NULL;
}
