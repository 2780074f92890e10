// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The slab engine of one home, against a model that only knows which objects are out. */
#include "fixture.h"

#define SLABS		200u		/* more than one group of descriptors */
#define STEPS		3000u
#define AT_ONCE		40u

struct world {
	struct uslab_geometry geo;
	struct uslab_slabs slabs;
	struct test_pages pages;
	u8 *out;			/* [objects]: the model */
	u32 nr_out;
	u64 bad;
	u32 tables;			/* how many may still be given */
	u32 seed;
};

static void forget_page(void *ctx, void *page)
{
	test_page_free(ctx, page);
}

static void world_close(struct world *world)
{
	uslab_slabs_destroy(&world->slabs, forget_page, &world->pages);
	test_free(world->pages.given);
	test_free(world->out);
	memset(world, 0, sizeof(*world));
}

static void world_open(struct kunit *test, u32 object_size, u32 slabs)
{
	struct world *world = test->priv;

	world_close(world);
	world->tables = U32_MAX;
	world->seed = 2463534242u;
	KUNIT_ASSERT_EQ(test, test_geometry(&world->geo, object_size, slabs, 4, 1), 0);
	KUNIT_ASSERT_EQ(test, uslab_slabs_init(&world->slabs, &world->geo), 0);
	KUNIT_ASSERT_EQ(test, test_pages_init(&world->pages,
					      world->geo.nr_slabs * world->geo.slab_pages), 0);
	world->out = test_alloc(test_objects(&world->geo));
	KUNIT_ASSERT_PTR_NE(test, world->out, NULL);
}

static int world_init(struct kunit *test)
{
	test->priv = test_alloc(sizeof(struct world));
	return test->priv ? 0 : -ENOMEM;
}

static void world_exit(struct kunit *test)
{
	if (!test->priv)
		return;
	world_close(test->priv);
	test_free(test->priv);
}

static void *table(struct world *world, size_t size)
{
	if (!world->tables)
		return NULL;
	if (world->tables != U32_MAX)
		world->tables--;
	return uslab_zalloc(size);
}

/* Bring what is missing; false when there is no more of it. */
static bool fill(struct world *world, struct uslab_bag *bag)
{
	switch (bag->want) {
	case USLAB_WANT_PAGES:
		bag->page[bag->nr_pages] = test_page_alloc(&world->pages);
		if (!bag->page[bag->nr_pages])
			return false;
		bag->nr_pages++;
		return true;
	case USLAB_WANT_TABLE:
		if (!bag->region)
			bag->region = table(world, uslab_slabs_region_size());
		if (!bag->group)
			bag->group = table(world, uslab_slabs_group_size(&world->geo));
		/* the engine takes what it is given, be it one of the two */
		return bag->region && bag->group;
	default:
		return false;
	}
}

static void spill(struct world *world, struct uslab_bag *bag)
{
	while (bag->nr_pages)
		test_page_free(&world->pages, bag->page[--bag->nr_pages]);
	uslab_zfree(bag->region, uslab_slabs_region_size());
	uslab_zfree(bag->group, uslab_slabs_group_size(&world->geo));
}

/* Take objects as uslab_core_refill() does, and enter them in the model. */
static u32 take(struct kunit *test, u32 *handles, u32 nr, enum uslab_want *want)
{
	struct world *world = test->priv;
	struct uslab_bag bag = { .want = USLAB_WANT_NOTHING };
	u32 got = 0, i, page;

	for (;;) {
		u32 n = uslab_slabs_alloc(&world->slabs, handles + got, nr - got, &bag);

		KUNIT_ASSERT_LE(test, n, nr - got);
		got += n;
		KUNIT_EXPECT_EQ(test, got == nr, bag.want == USLAB_WANT_NOTHING);
		if (got == nr || !fill(world, &bag))
			break;
	}
	if (want)
		*want = bag.want;
	spill(world, &bag);
	for (i = 0; i < got; i++) {
		u32 object = test_object(&world->geo, handles[i]);

		KUNIT_ASSERT_LT(test, object, test_objects(&world->geo));
		KUNIT_ASSERT_EQ(test, world->out[object], 0);
		world->out[object] = 1;
		for (page = test_first_page(&world->geo, object);
		     page <= test_last_page(&world->geo, object); page++)
			KUNIT_ASSERT_PTR_NE(test, *uslab_slabs_slot(&world->slabs, page), NULL);
	}
	world->nr_out += got;
	return got;
}

/* Give handles back that the model says are out. */
static void give(struct kunit *test, const u32 *handles, u32 nr)
{
	struct world *world = test->priv;
	u32 i;

	for (i = 0; i < nr; i++)
		world->out[test_object(&world->geo, handles[i])] = 0;
	world->nr_out -= nr;
	KUNIT_EXPECT_EQ(test, uslab_slabs_free(&world->slabs, handles, nr), nr);
}

static bool page_needed(const struct world *world, u32 page)
{
	const struct uslab_geometry *geo = &world->geo;
	u32 first = page / geo->slab_pages * geo->slab_objects;
	u32 object = first + (u32)(((u64)(page % geo->slab_pages) << PAGE_SHIFT) / geo->stride);

	for (; object < first + geo->slab_objects && test_first_page(geo, object) <= page; object++)
		if (world->out[object])
			return true;
	return false;
}

/* Every count and every page as the model has it; with @all, nothing else is backed. */
static void compare(struct kunit *test, bool all)
{
	struct world *world = test->priv;
	u32 backed = 0, wrong = 0, extra = 0, page;

	for (page = 0; page < world->geo.nr_slabs * world->geo.slab_pages; page++) {
		void **slot = uslab_slabs_slot(&world->slabs, page);
		bool has = slot && *slot;
		bool needed = page_needed(world, page);

		backed += has;
		wrong += needed && !has;
		extra += has && !needed;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0u);
	if (all)
		KUNIT_EXPECT_EQ(test, extra, 0u);
	KUNIT_EXPECT_EQ(test, world->slabs.backed, (u64)backed);
	KUNIT_EXPECT_EQ(test, world->pages.out, backed);
	KUNIT_EXPECT_EQ(test, world->pages.errors, 0u);
	KUNIT_EXPECT_EQ(test, world->slabs.out, (u64)world->nr_out);
	KUNIT_EXPECT_EQ(test, world->slabs.allocated - world->slabs.returned, (u64)world->nr_out);
	KUNIT_EXPECT_EQ(test, world->slabs.bad, world->bad);
}

/* Collect up to @max pages; of @refuse in 16 the slot stays. Returns how many were offered. */
static u32 collect(struct kunit *test, u32 max, u32 refuse)
{
	struct world *world = test->priv;
	struct uslab_page_ref refs[AT_ONCE];
	u32 nr = uslab_slabs_collect(&world->slabs, refs, max);
	u32 i, j;

	KUNIT_ASSERT_LE(test, nr, max);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_FALSE(test, page_needed(world, refs[i].page));
		KUNIT_EXPECT_PTR_EQ(test, refs[i].slot,
				    uslab_slabs_slot(&world->slabs, refs[i].page));
		KUNIT_EXPECT_EQ(test, refs[i].slab, refs[i].page / world->geo.slab_pages);
		KUNIT_ASSERT_PTR_NE(test, *refs[i].slot, NULL);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, refs[i].page, refs[j].page);
	}
	for (i = 0; i < nr; i++) {
		if (test_below(&world->seed, 16) < refuse)
			continue;
		refs[i].detached = *refs[i].slot;
		*refs[i].slot = NULL;
	}
	uslab_slabs_settle(&world->slabs, refs, nr);
	for (i = 0; i < nr; i++)
		if (refs[i].detached)
			test_page_free(&world->pages, refs[i].detached);
	return nr;
}

static void collect_all(struct kunit *test)
{
	while (collect(test, AT_ONCE, 0))
		;
}

/* Handles that name nothing that is out: none may change anything. */
static void give_bad(struct kunit *test)
{
	struct world *world = test->priv;
	u32 handles[8];
	u32 nr = 0;

	while (nr < 8) {
		u32 handle = test_random(&world->seed);
		u32 object;

		if (nr & 1)	/* near those that exist */
			handle %= test_handle(&world->geo, test_objects(&world->geo) - 1) + 2;
		object = test_object(&world->geo, handle);
		if (object == U32_MAX || !world->out[object])
			handles[nr++] = handle;
	}
	KUNIT_EXPECT_EQ(test, uslab_slabs_free(&world->slabs, handles, nr), 0u);
	world->bad += nr;
}

/* Some of what is out, chosen at random. */
static u32 pick_out(struct world *world, u32 *handles, u32 max)
{
	u32 objects = test_objects(&world->geo);
	u32 start = test_below(&world->seed, objects);
	u32 nr = 0, i;

	for (i = 0; i < objects && nr < max && nr < world->nr_out; i++) {
		u32 object = (start + i) % objects;

		if (world->out[object] && test_below(&world->seed, 4))
			handles[nr++] = test_handle(&world->geo, object);
	}
	return nr;
}

static void live_at_random(struct kunit *test, u32 size)
{
	struct world *world = test->priv;
	u32 handles[AT_ONCE];
	u32 step;

	world_open(test, size, SLABS);
	for (step = 0; step < STEPS; step++) {
		/* Phases in which the pool grows take turns with phases in which it shrinks. */
		bool grow = step / 300 % 2 == 0;

		switch (test_below(&world->seed, 8)) {
		case 0:
			collect(test, 1 + test_below(&world->seed, AT_ONCE),
				test_below(&world->seed, 8));
			break;
		case 1:
			give_bad(test);
			break;
		case 2:
		case 3:
		case 4:
			if (grow)
				take(test, handles, 1 + test_below(&world->seed, AT_ONCE), NULL);
			else
				give(test, handles, pick_out(world, handles, AT_ONCE));
			break;
		default:
			if (grow && step % 3)
				take(test, handles, 1 + test_below(&world->seed, 8), NULL);
			else
				give(test, handles, pick_out(world, handles, 8));
		}
		if (step % 100 == 0)
			compare(test, false);
		if (step % 500 == 0) {
			collect_all(test);
			compare(test, true);
		}
	}
	while (world->nr_out)
		give(test, handles, pick_out(world, handles, AT_ONCE));
	collect_all(test);
	compare(test, true);
	KUNIT_EXPECT_EQ(test, world->slabs.backed, 0ull);
}

static void random_life_of_small_objects(struct kunit *test)
{
	live_at_random(test, 64);
	live_at_random(test, 24);
}

static void random_life_of_objects_of_a_page(struct kunit *test)
{
	live_at_random(test, 4096);
	live_at_random(test, 2048);
}

static void random_life_of_straddling_objects(struct kunit *test)
{
	live_at_random(test, 3000);
	live_at_random(test, 5000);
	live_at_random(test, 1360);
}

static void random_life_of_large_objects(struct kunit *test)
{
	live_at_random(test, 12288);
	live_at_random(test, 100000);
}

static void space_ends_where_the_geometry_says(struct kunit *test)
{
	static const u32 sizes[] = { 1000, 3000, 4096, 100000 };
	struct world *world = test->priv;
	u32 handles[AT_ONCE];
	enum uslab_want want;
	u32 i, n;

	for (i = 0; i < 4; i++) {
		world_open(test, sizes[i], 130);
		do
			n = take(test, handles, AT_ONCE, &want);
		while (n == AT_ONCE);
		KUNIT_EXPECT_EQ(test, want, USLAB_WANT_SPACE);
		KUNIT_EXPECT_EQ(test, world->nr_out, test_objects(&world->geo));
		KUNIT_EXPECT_EQ(test, take(test, handles, 1, &want), 0u);
		KUNIT_EXPECT_EQ(test, want, USLAB_WANT_SPACE);
		compare(test, true);
		handles[0] = test_handle(&world->geo, 77);
		give(test, handles, 1);
		KUNIT_EXPECT_EQ(test, take(test, handles, 2, &want), 1u);
		KUNIT_EXPECT_EQ(test, handles[0], test_handle(&world->geo, 77));
	}
}

static void fullest_slabs_are_taken_first(struct kunit *test)
{
	struct world *world = test->priv;
	u32 per_slab, i, slab, handle;

	world_open(test, 64, 8);
	per_slab = world->geo.slab_objects;
	for (i = 0; i < 4 * per_slab; i++)
		KUNIT_ASSERT_EQ(test, take(test, &handle, 1, NULL), 1u);
	/* slab 0 keeps nearly nothing, 1 a quarter, 2 a half, 3 nearly all */
	for (slab = 0; slab < 4; slab++)
		for (i = 0; i < per_slab; i++) {
			u32 keep[] = { 1, per_slab / 4, per_slab / 2, per_slab - 3 };

			if (i < keep[slab])
				continue;
			handle = test_handle(&world->geo, slab * per_slab + i);
			give(test, &handle, 1);
		}
	for (i = 0; i < 3; i++) {
		take(test, &handle, 1, NULL);
		KUNIT_EXPECT_EQ(test, test_object(&world->geo, handle) / per_slab, 3u);
	}
	for (i = 0; i < per_slab - per_slab / 2; i++) {
		take(test, &handle, 1, NULL);
		KUNIT_EXPECT_EQ(test, test_object(&world->geo, handle) / per_slab, 2u);
	}
	take(test, &handle, 1, NULL);
	KUNIT_EXPECT_EQ(test, test_object(&world->geo, handle) / per_slab, 1u);
	compare(test, false);
}

static void slabs_without_pages_are_used_before_new_ones(struct kunit *test)
{
	struct world *world = test->priv;
	u32 used, n;
	u32 handles[AT_ONCE];

	world_open(test, 4096, SLABS);
	for (n = 0; n < 3; n++) {
		take(test, handles, AT_ONCE, NULL);
		give(test, handles, AT_ONCE);
		collect_all(test);
		compare(test, true);
		if (!n)
			used = world->slabs.next_unused;
	}
	KUNIT_EXPECT_EQ(test, world->slabs.next_unused, used);
}

/* The n-th page or table that is asked for does not come, for every n. */
static void short_bags_lose_nothing(struct kunit *test)
{
	static const u32 sizes[] = { 64, 3000, 5000, 12288, 100000 };
	struct world *world = test->priv;
	u32 handles[AT_ONCE];
	enum uslab_want want;
	u32 i, n, got;

	for (i = 0; i < 5; i++)
		for (n = 0; n < 120; n++) {
			world_open(test, sizes[i], SLABS);
			world->pages.budget = n;
			got = take(test, handles, AT_ONCE, &want);
			if (got < AT_ONCE)
				KUNIT_EXPECT_EQ(test, want, USLAB_WANT_PAGES);
			compare(test, false);
			collect_all(test);	/* what was backed for the one that failed */
			compare(test, true);
			world->pages.budget = U32_MAX;
			KUNIT_EXPECT_EQ(test, take(test, handles + got, AT_ONCE - got, &want),
					AT_ONCE - got);
			compare(test, true);
			give(test, handles, AT_ONCE);
			collect_all(test);
			KUNIT_EXPECT_EQ(test, world->pages.out, 0u);
		}
}

static void short_tables_lose_nothing(struct kunit *test)
{
	struct world *world = test->priv;
	u32 handles[AT_ONCE];
	enum uslab_want want;
	u32 n, total, last = 0;

	for (n = 0; n < 9; n++) {
		world_open(test, 4096, SLABS);
		world->tables = n;
		total = 0;
		do {
			u32 got = take(test, handles, AT_ONCE, &want);

			total += got;
			if (got < AT_ONCE)
				break;
		} while (total < test_objects(&world->geo));
		if (n < 2)
			KUNIT_EXPECT_EQ(test, total, 0u);
		KUNIT_EXPECT_GE(test, total, last);
		KUNIT_EXPECT_TRUE(test, total % 64 == 0 || total == test_objects(&world->geo));
		if (total < test_objects(&world->geo))
			KUNIT_EXPECT_EQ(test, want, USLAB_WANT_TABLE);
		last = total;
		compare(test, true);
		world->tables = U32_MAX;
		if (total <= 160)
			KUNIT_EXPECT_EQ(test, take(test, handles, AT_ONCE, &want), AT_ONCE);
		compare(test, true);
	}
	KUNIT_EXPECT_EQ(test, last, test_objects(&world->geo));
}

static void bad_handles_are_counted_and_dropped(struct kunit *test)
{
	struct world *world = test->priv;
	u32 handles[AT_ONCE];
	u32 bad[3];
	u32 i;

	world_open(test, 3000, SLABS);
	/* before anything was handed out */
	for (i = 0; i < 1000; i++)
		give_bad(test);
	compare(test, true);
	take(test, handles, AT_ONCE, NULL);
	for (i = 0; i < 1000; i++)
		give_bad(test);

	/* twice in one call, again later, and inside of objects */
	bad[0] = bad[1] = handles[3];
	bad[2] = handles[4] + 1;
	KUNIT_EXPECT_EQ(test, uslab_slabs_free(&world->slabs, bad, 3), 1u);
	KUNIT_EXPECT_EQ(test, uslab_slabs_free(&world->slabs, bad, 1), 0u);
	world->bad += 3;
	world->out[test_object(&world->geo, handles[3])] = 0;
	world->nr_out--;
	compare(test, false);

	/* the waste behind the last object of a slab; the end of the home; the end of all */
	bad[0] = (u32)((((u64)world->geo.slab_pages << PAGE_SHIFT) - 8) >>
		       world->geo.granule_shift);
	bad[1] = (u32)(((u64)world->geo.nr_slabs * world->geo.slab_pages << PAGE_SHIFT) >>
		       world->geo.granule_shift);
	bad[2] = U32_MAX;
	KUNIT_EXPECT_EQ(test, uslab_slabs_free(&world->slabs, bad, 3), 0u);
	world->bad += 3;
	compare(test, false);
}

static void bad_handles_of_slabs_without_descriptor_are_dropped(struct kunit *test)
{
	struct world *world = test->priv;
	u32 handles[AT_ONCE];
	u32 object, handle;

	world_open(test, 4096, SLABS);
	take(test, handles, 32, NULL);
	take(test, handles, 32, NULL);
	KUNIT_EXPECT_EQ(test, world->slabs.next_unused, 64u);	/* a whole group */
	for (object = 64; object < SLABS; object++) {
		handle = test_handle(&world->geo, object);
		KUNIT_EXPECT_EQ(test, uslab_slabs_free(&world->slabs, &handle, 1), 0u);
		world->bad++;
	}
	compare(test, true);
}

static void a_page_goes_with_the_last_object_over_it(struct kunit *test)
{
	struct world *world = test->priv;
	u32 keep, i, handle;

	/* 4 objects over 3 pages: 0-2999, 3000-5999, 6000-8999, 9000-11999 */
	for (keep = 0; keep < 4; keep++) {
		world_open(test, 3000, 8);
		for (i = 0; i < 4; i++)
			take(test, &handle, 1, NULL);
		for (i = 0; i < 4; i++) {
			if (i == keep)
				continue;
			handle = test_handle(&world->geo, i);
			give(test, &handle, 1);
			collect_all(test);
			compare(test, true);
		}
		KUNIT_EXPECT_EQ(test, world->slabs.backed,
				(u64)(test_last_page(&world->geo, keep) -
				      test_first_page(&world->geo, keep) + 1));
		handle = test_handle(&world->geo, keep);
		give(test, &handle, 1);
		collect_all(test);
		KUNIT_EXPECT_EQ(test, world->slabs.backed, 0ull);
	}
}

static void refused_pages_are_offered_again(struct kunit *test)
{
	struct world *world = test->priv;
	u32 handles[AT_ONCE];
	u32 i;

	world_open(test, 100000, 8);
	take(test, handles, 3, NULL);
	give(test, handles, 3);
	for (i = 0; i < 50; i++)
		KUNIT_EXPECT_GT(test, collect(test, AT_ONCE, 16), 0u);
	compare(test, false);
	collect_all(test);
	compare(test, true);
	KUNIT_EXPECT_EQ(test, world->slabs.backed, 0ull);
}

static void pages_in_use_again_are_not_collected(struct kunit *test)
{
	u32 handles[AT_ONCE];

	world_open(test, 1000, SLABS);
	take(test, handles, AT_ONCE, NULL);
	give(test, handles, AT_ONCE);
	take(test, handles, AT_ONCE, NULL);
	KUNIT_EXPECT_EQ(test, collect(test, AT_ONCE, 0), 0u);
	compare(test, true);
}

static void slots_of_slabs_that_were_never_used_do_not_exist(struct kunit *test)
{
	struct world *world = test->priv;
	u32 pages, handle;

	world_open(test, 3000, SLABS);
	pages = world->geo.nr_slabs * world->geo.slab_pages;
	KUNIT_EXPECT_PTR_EQ(test, uslab_slabs_slot(&world->slabs, 0), NULL);
	take(test, &handle, 1, NULL);
	KUNIT_EXPECT_PTR_NE(test, uslab_slabs_slot(&world->slabs, 0), NULL);
	KUNIT_EXPECT_PTR_EQ(test, uslab_slabs_slot(&world->slabs, pages - 1), NULL);
	KUNIT_EXPECT_PTR_EQ(test, uslab_slabs_slot(&world->slabs, pages), NULL);
	KUNIT_EXPECT_PTR_EQ(test, uslab_slabs_slot(&world->slabs, U32_MAX), NULL);
}

static void the_end_takes_all_pages_along(struct kunit *test)
{
	struct world *world = test->priv;
	u32 handles[AT_ONCE];

	world_open(test, 5000, SLABS);
	take(test, handles, AT_ONCE, NULL);
	give(test, handles, 13);
	KUNIT_EXPECT_GT(test, world->pages.out, 0u);
	uslab_slabs_destroy(&world->slabs, forget_page, &world->pages);
	KUNIT_EXPECT_EQ(test, world->pages.out, 0u);
	KUNIT_EXPECT_EQ(test, world->pages.errors, 0u);
}

/* As many slabs as handles can name. */
static void the_largest_space_has_tables(struct kunit *test)
{
	static const u32 sizes[] = { 8, 3000, 4096, 65536, 4 << 20 };
	struct uslab_geometry geo;
	struct uslab_slabs slabs;
	u32 i;

	for (i = 0; i < 5; i++) {
		struct uslab_create request = test_request(sizes[i], 0);
		u32 handle = U32_MAX;

		KUNIT_ASSERT_EQ(test, uslab_geometry_init(&geo, &request, 1, 1, 1 << 20), 0);
		request.max_bytes = 1ull << (32 + geo.granule_shift);
		KUNIT_ASSERT_EQ(test, uslab_geometry_init(&geo, &request, 1, 1, 1 << 20), 0);
		KUNIT_ASSERT_EQ(test, uslab_slabs_init(&slabs, &geo), 0);
		KUNIT_EXPECT_TRUE(test, !uslab_slabs_slot(&slabs, 0));
		KUNIT_EXPECT_TRUE(test, !uslab_slabs_slot(&slabs, geo.nr_slabs * geo.slab_pages - 1));
		KUNIT_EXPECT_TRUE(test, !uslab_slabs_slot(&slabs, U32_MAX));
		KUNIT_EXPECT_EQ(test, uslab_slabs_free(&slabs, &handle, 1), 0u);
		uslab_slabs_destroy(&slabs, NULL, NULL);
	}
}

/* The oracle itself: an engine that were wrong by one would be seen. */
static void control_the_model_sees_a_lost_page(struct kunit *test)
{
	struct world *world = test->priv;
	u32 handle, page, needed = 0;

	world_open(test, 3000, 8);
	take(test, &handle, 1, NULL);
	take(test, &handle, 1, NULL);
	for (page = 0; page < world->geo.slab_pages; page++)
		needed += page_needed(world, page);
	KUNIT_EXPECT_EQ(test, needed, 2u);
	world->out[0] = 0;
	KUNIT_EXPECT_TRUE(test, page_needed(world, 0));
	world->out[1] = 0;
	KUNIT_EXPECT_FALSE(test, page_needed(world, 0));
	world->out[0] = world->out[1] = 1;
}

static struct kunit_case slabs_cases[] = {
	KUNIT_CASE(random_life_of_small_objects),
	KUNIT_CASE(random_life_of_objects_of_a_page),
	KUNIT_CASE(random_life_of_straddling_objects),
	KUNIT_CASE(random_life_of_large_objects),
	KUNIT_CASE(space_ends_where_the_geometry_says),
	KUNIT_CASE(fullest_slabs_are_taken_first),
	KUNIT_CASE(slabs_without_pages_are_used_before_new_ones),
	KUNIT_CASE(short_bags_lose_nothing),
	KUNIT_CASE(short_tables_lose_nothing),
	KUNIT_CASE(bad_handles_are_counted_and_dropped),
	KUNIT_CASE(bad_handles_of_slabs_without_descriptor_are_dropped),
	KUNIT_CASE(a_page_goes_with_the_last_object_over_it),
	KUNIT_CASE(refused_pages_are_offered_again),
	KUNIT_CASE(pages_in_use_again_are_not_collected),
	KUNIT_CASE(slots_of_slabs_that_were_never_used_do_not_exist),
	KUNIT_CASE(the_end_takes_all_pages_along),
	KUNIT_CASE(the_largest_space_has_tables),
	KUNIT_CASE(control_the_model_sees_a_lost_page),
	{ }
};

static struct kunit_suite slabs_suite = {
	.name = "uslab_slabs",
	.init = world_init,
	.exit = world_exit,
	.test_cases = slabs_cases,
};

kunit_test_suite(slabs_suite);
