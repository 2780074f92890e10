// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The depot protocol, one thread at a time. What other threads do between two
 * steps of an operation is done by the magazine lookup, which pop calls between
 * reading the head and swinging it. So that it comes after the read of next, the
 * lookup shows pop the magazine as it was before.
 */
#include "fixture.h"

#define MAGAZINES	16u
#define TRIES		100u

struct box {
	struct uslab_magazine mag;
	u32 handle[4];
};

struct world {
	struct uslab_stack stack;
	struct box box[MAGAZINES + 1];
	struct uslab_magazine before;
	u32 lookups;
	void (*meanwhile)(struct world *world);
};

static struct uslab_magazine *look(const void *pool, u32 index)
{
	struct world *world = (struct world *)pool;
	void (*meanwhile)(struct world *world) = world->meanwhile;

	world->lookups++;
	if (!index || index > MAGAZINES)
		return NULL;
	if (!meanwhile)
		return &world->box[index].mag;
	world->before.next = world->box[index].mag.next;
	world->meanwhile = NULL;
	meanwhile(world);
	return &world->before;
}

static int world_init(struct kunit *test)
{
	test->priv = test_alloc(sizeof(struct world));
	return test->priv ? 0 : -ENOMEM;
}

static void world_exit(struct kunit *test)
{
	test_free(test->priv);
}

static bool push(struct world *world, u32 index, u32 count)
{
	world->box[index].mag.count = count;
	return uslab_stack_push(&world->stack, index, &world->box[index].mag, TRIES);
}

static u32 pop(struct world *world)
{
	return uslab_stack_pop(&world->stack, look, world, TRIES);
}

static u32 index_of(u64 head)
{
	return (u32)(head & USLAB_HEAD_INDEX_MASK);
}

static void last_pushed_is_first_popped(struct kunit *test)
{
	struct world *world = test->priv;
	u32 i;

	KUNIT_EXPECT_EQ(test, pop(world), 0u);
	for (i = 1; i <= MAGAZINES; i++)
		KUNIT_EXPECT_TRUE(test, push(world, i, i));
	KUNIT_EXPECT_EQ(test, world->stack.objects, (s64)(MAGAZINES * (MAGAZINES + 1) / 2));
	for (i = MAGAZINES; i >= 1; i--) {
		KUNIT_EXPECT_EQ(test, pop(world), i);
		uslab_stack_account(&world->stack, -(s64)i);
	}
	KUNIT_EXPECT_EQ(test, pop(world), 0u);
	KUNIT_EXPECT_EQ(test, world->stack.objects, 0ll);
}

static void every_change_changes_the_tag(struct kunit *test)
{
	struct world *world = test->priv;
	u64 seen[7];
	u32 i, j;

	seen[0] = world->stack.head;
	push(world, 1, 0);
	seen[1] = world->stack.head;
	push(world, 2, 0);
	seen[2] = world->stack.head;
	pop(world);
	seen[3] = world->stack.head;
	push(world, 2, 0);
	seen[4] = world->stack.head;
	uslab_stack_take_all(&world->stack, TRIES);
	seen[5] = world->stack.head;
	uslab_stack_install(&world->stack, 2, TRIES);
	seen[6] = world->stack.head;
	for (i = 0; i < 7; i++)
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, seen[i] >> 24, seen[j] >> 24);
	KUNIT_EXPECT_EQ(test, index_of(seen[6]), index_of(seen[4]));
}

static void a_tag_that_overflows_leaves_the_index_alone(struct kunit *test)
{
	struct world *world = test->priv;

	world->stack.head = ~USLAB_HEAD_INDEX_MASK;
	KUNIT_EXPECT_TRUE(test, push(world, 3, 0));
	KUNIT_EXPECT_EQ(test, world->stack.head, 3ull);
	KUNIT_EXPECT_EQ(test, pop(world), 3u);
	KUNIT_EXPECT_EQ(test, world->stack.head, USLAB_HEAD_TAG);
}

static void take_all_takes_the_chain(struct kunit *test)
{
	struct world *world = test->priv;

	KUNIT_EXPECT_EQ(test, uslab_stack_take_all(&world->stack, TRIES), 0u);
	push(world, 1, 0);
	push(world, 2, 0);
	push(world, 3, 0);
	KUNIT_EXPECT_EQ(test, uslab_stack_take_all(&world->stack, TRIES), 3u);
	KUNIT_EXPECT_EQ(test, world->box[3].mag.next, 2u);
	KUNIT_EXPECT_EQ(test, world->box[2].mag.next, 1u);
	KUNIT_EXPECT_EQ(test, world->box[1].mag.next, 0u);
	KUNIT_EXPECT_EQ(test, pop(world), 0u);
}

static void install_needs_an_empty_stack(struct kunit *test)
{
	struct world *world = test->priv;
	u32 chain;

	push(world, 1, 0);
	push(world, 2, 0);
	chain = uslab_stack_take_all(&world->stack, TRIES);
	KUNIT_EXPECT_TRUE(test, uslab_stack_install(&world->stack, chain, TRIES));
	KUNIT_EXPECT_FALSE(test, uslab_stack_install(&world->stack, 3, TRIES));
	KUNIT_EXPECT_EQ(test, pop(world), 2u);
	KUNIT_EXPECT_EQ(test, pop(world), 1u);
	KUNIT_EXPECT_EQ(test, pop(world), 0u);
}

/* ABA: between pop's read of next and its swap, the same magazine comes back on top. */

static void pop_two_push_the_first(struct world *world)
{
	pop(world);
	pop(world);
	push(world, 3, 0);
}

static void stack_of_three(struct world *world)
{
	push(world, 1, 0);
	push(world, 2, 0);
	push(world, 3, 0);
	world->meanwhile = pop_two_push_the_first;
}

static void pop_is_not_fooled_by_a_magazine_that_came_back(struct kunit *test)
{
	struct world *world = test->priv;

	stack_of_three(world);
	KUNIT_EXPECT_EQ(test, pop(world), 3u);
	KUNIT_EXPECT_EQ(test, pop(world), 1u);
	KUNIT_EXPECT_EQ(test, pop(world), 0u);
}

/* The same pop, but for the tag. */
static u32 pop_untagged(struct world *world)
{
	u32 head = index_of(world->stack.head);
	u32 next = look(world, head)->next;

	if (index_of(world->stack.head) != head)
		return 0;
	world->stack.head = next;
	return head;
}

static void control_without_tags_the_same_schedule_goes_wrong(struct kunit *test)
{
	struct world *world = test->priv;

	stack_of_three(world);
	KUNIT_EXPECT_EQ(test, pop_untagged(world), 3u);
	KUNIT_EXPECT_EQ(test, pop(world), 2u);	/* somebody else holds it */
}

static void push_another(struct world *world)
{
	push(world, 9, 0);
}

static void take_everything(struct world *world)
{
	uslab_stack_take_all(&world->stack, TRIES);
}

static void pop_goes_on_with_what_it_finds(struct kunit *test)
{
	struct world *world = test->priv;

	push(world, 1, 0);
	world->meanwhile = push_another;
	KUNIT_EXPECT_EQ(test, pop(world), 9u);
	world->meanwhile = take_everything;
	KUNIT_EXPECT_EQ(test, pop(world), 0u);
	KUNIT_EXPECT_EQ(test, index_of(world->stack.head), 0u);
}

/* Nonsense */

static void scribble(struct world *world)
{
	world->stack.head += USLAB_HEAD_TAG;
	world->meanwhile = scribble;
}

static void retries_are_bounded(struct kunit *test)
{
	struct world *world = test->priv;
	u64 head;

	push(world, 1, 0);
	push(world, 2, 0);
	world->lookups = 0;
	world->meanwhile = scribble;
	KUNIT_EXPECT_EQ(test, pop(world), 0u);
	KUNIT_EXPECT_EQ(test, world->lookups, TRIES);
	world->meanwhile = NULL;

	head = world->stack.head;
	KUNIT_EXPECT_EQ(test, uslab_stack_pop(&world->stack, look, world, 0), 0u);
	KUNIT_EXPECT_FALSE(test, uslab_stack_push(&world->stack, 3, &world->box[3].mag, 0));
	KUNIT_EXPECT_EQ(test, uslab_stack_take_all(&world->stack, 0), 0u);
	KUNIT_EXPECT_FALSE(test, uslab_stack_install(&world->stack, 3, 0));
	KUNIT_EXPECT_EQ(test, world->stack.head, head);
}

static void heads_that_name_nothing_pop_nothing(struct kunit *test)
{
	struct world *world = test->priv;
	u32 seed = 7, i;

	for (i = 0; i < 10000; i++) {
		u64 head = (u64)test_random(&seed) << 32 | test_random(&seed);
		u32 index = index_of(head);

		if (i & 1)
			head = (head & ~USLAB_HEAD_INDEX_MASK) | (MAGAZINES + 1 + i);
		else if (index <= MAGAZINES)
			continue;
		world->stack.head = head;
		KUNIT_EXPECT_EQ(test, pop(world), 0u);
		KUNIT_EXPECT_EQ(test, world->stack.head, head);
	}
}

static void a_next_that_names_nothing_ends_the_stack(struct kunit *test)
{
	struct world *world = test->priv;
	u32 seed = 7, i;

	for (i = 0; i < 10000; i++) {
		world->stack.head = 0;
		push(world, 1, 0);
		world->box[1].mag.next = test_random(&seed) | 0x100;
		KUNIT_EXPECT_EQ(test, pop(world), 1u);
		KUNIT_EXPECT_EQ(test, world->stack.head >> 24, 2ull);	/* the tag is untouched */
		KUNIT_EXPECT_EQ(test, pop(world), 0u);
		/* a push on top of it works, and does not grow out of the index's bits */
		KUNIT_EXPECT_TRUE(test, push(world, 2, 0));
		KUNIT_EXPECT_EQ(test, pop(world), 2u);
	}
}

static void a_cycle_is_popped_one_at_a_time(struct kunit *test)
{
	struct world *world = test->priv;
	u32 i;

	push(world, 1, 0);
	push(world, 2, 0);
	world->box[1].mag.next = 2;
	world->lookups = 0;
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, pop(world), i & 1 ? 1u : 2u);
	KUNIT_EXPECT_EQ(test, world->lookups, 10u);
	KUNIT_EXPECT_NE(test, uslab_stack_take_all(&world->stack, TRIES), 0u);
	KUNIT_EXPECT_EQ(test, world->lookups, 10u);	/* no walk */
}

/* A stack, a chain that was taken, and a hand, against arrays. */
struct model {
	u32 on[MAGAZINES], nr;		/* the top is last */
	u32 taken[MAGAZINES], nr_taken;
	u32 hand[MAGAZINES], held;
	s64 objects;
};

static void model_pop(struct kunit *test, struct model *model)
{
	struct world *world = test->priv;
	u32 index = pop(world);

	KUNIT_ASSERT_EQ(test, index, model->nr ? model->on[--model->nr] : 0u);
	if (!index)
		return;
	uslab_stack_account(&world->stack, -(s64)world->box[index].mag.count);
	model->objects -= index % 5;
	model->hand[model->held++] = index;
}

static void model_push(struct kunit *test, struct model *model, u32 pick)
{
	u32 index = model->hand[pick];

	model->hand[pick] = model->hand[--model->held];
	model->on[model->nr++] = index;
	model->objects += index % 5;
	KUNIT_EXPECT_TRUE(test, push(test->priv, index, index % 5));
}

static void model_take_all(struct kunit *test, struct model *model)
{
	struct world *world = test->priv;

	KUNIT_EXPECT_EQ(test, uslab_stack_take_all(&world->stack, TRIES),
			model->nr ? model->on[model->nr - 1] : 0u);
	memcpy(model->taken, model->on, sizeof(model->on));
	model->nr_taken = model->nr;
	model->nr = 0;
}

static void model_install(struct kunit *test, struct model *model)
{
	struct world *world = test->priv;
	bool done = uslab_stack_install(&world->stack, model->taken[model->nr_taken - 1], TRIES);

	KUNIT_EXPECT_EQ(test, done, !model->nr);
	if (!done)
		return;
	memcpy(model->on, model->taken, sizeof(model->on));
	model->nr = model->nr_taken;
	model->nr_taken = 0;
}

static void random_life_of_a_stack(struct kunit *test)
{
	struct world *world = test->priv;
	struct model model = { .held = MAGAZINES };
	u32 seed = 123456789u;
	u32 i;

	for (i = 0; i < MAGAZINES; i++)
		model.hand[i] = i + 1;
	for (i = 0; i < 20000; i++) {
		switch (test_below(&seed, 16)) {
		case 0:
			if (!model.nr_taken)
				model_take_all(test, &model);
			break;
		case 1:
		case 2:
			if (model.nr_taken)
				model_install(test, &model);
			break;
		case 3:
		case 4:
		case 5:
		case 6:
		case 7:
		case 8:
			model_pop(test, &model);
			break;
		default:
			if (model.held)
				model_push(test, &model, test_below(&seed, model.held));
		}
		KUNIT_EXPECT_EQ(test, world->stack.objects, model.objects);
		KUNIT_EXPECT_EQ(test, model.nr + model.nr_taken + model.held, MAGAZINES);
	}
}

static struct kunit_case depot_cases[] = {
	KUNIT_CASE(last_pushed_is_first_popped),
	KUNIT_CASE(every_change_changes_the_tag),
	KUNIT_CASE(a_tag_that_overflows_leaves_the_index_alone),
	KUNIT_CASE(take_all_takes_the_chain),
	KUNIT_CASE(install_needs_an_empty_stack),
	KUNIT_CASE(pop_is_not_fooled_by_a_magazine_that_came_back),
	KUNIT_CASE(control_without_tags_the_same_schedule_goes_wrong),
	KUNIT_CASE(pop_goes_on_with_what_it_finds),
	KUNIT_CASE(retries_are_bounded),
	KUNIT_CASE(heads_that_name_nothing_pop_nothing),
	KUNIT_CASE(a_next_that_names_nothing_ends_the_stack),
	KUNIT_CASE(a_cycle_is_popped_one_at_a_time),
	KUNIT_CASE(random_life_of_a_stack),
	{ }
};

static struct kunit_suite depot_suite = {
	.name = "uslab_depot",
	.init = world_init,
	.exit = world_exit,
	.test_cases = depot_cases,
};

kunit_test_suite(depot_suite);
