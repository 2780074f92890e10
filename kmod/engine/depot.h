/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The depot protocol: lock-free stacks of magazines in memory that user space
 * and kernel share.
 *
 * These are Treiber stacks. Pop reads the head, reads next from the magazine it
 * names, and swings the head; between the two somebody else may have popped
 * that magazine, used it and pushed it back, with another next (ABA). Of the
 * known cures this one tags the head: every change adds 1 to 40 bits beside the
 * index, so the compare-and-swap of a stale head fails. Reading next of a
 * magazine that is already somebody else's is harmless because magazines are
 * type-stable: their pages stay until the pool goes.
 *
 * Who may run against whom:
 *
 *		push	pop	take_all	install
 *   push	yes	yes	yes		yes, install then fails
 *   pop		yes	yes		yes
 *   take_all			yes		yes
 *   install					yes, one fails
 *
 * Ordering: push publishes a magazine's contents with the compare-and-swap of
 * the head; pop and take_all read the head with acquire, or learn it from a
 * failed compare-and-swap, and pair with it.
 *
 * The head may be nonsense when user space scribbled over it. Indices are
 * checked by the lookup, retries are bounded by the caller, and no operation
 * walks a chain.
 */
#ifndef USLAB_ENGINE_DEPOT_H
#define USLAB_ENGINE_DEPOT_H

#include "shim.h"

/* Find a magazine by index; NULL when there is none of that index. */
typedef struct uslab_magazine *(*uslab_magazine_fn)(const void *pool, u32 index);

static __always_inline u64 uslab_head_next(u64 head, u32 index)
{
	return ((head & ~USLAB_HEAD_INDEX_MASK) + USLAB_HEAD_TAG) | index;
}

/**
 * uslab_stack_push() - put a magazine on top
 * @mag: the magazine of @index, owned by the caller
 *
 * Return: false after @tries failures; the caller still owns the magazine.
 */
static __always_inline bool uslab_stack_push(struct uslab_stack *stack, u32 index,
					     struct uslab_magazine *mag, u32 tries)
{
	u64 head = READ_ONCE(stack->head);
	s64 objects = READ_ONCE(mag->count);

	while (tries--) {
		u64 seen;

		WRITE_ONCE(mag->next, (u32)(head & USLAB_HEAD_INDEX_MASK));
		seen = uslab_cmpxchg64(&stack->head, head, uslab_head_next(head, index));
		if (likely(seen == head)) {
			if (objects)
				uslab_add64(&stack->objects, objects);
			return true;
		}
		head = seen;
	}
	return false;
}

/**
 * uslab_stack_pop() - take the magazine on top
 *
 * The caller owns the magazine then, and subtracts the objects it finds in it
 * from @stack->objects, see uslab_stack_account().
 *
 * Return: its index; 0 when the stack is empty, its head nonsense, or @tries
 * used up.
 */
static __always_inline u32 uslab_stack_pop(struct uslab_stack *stack, uslab_magazine_fn find,
					   const void *pool, u32 tries)
{
	/* pairs with the compare-and-swap in uslab_stack_push() */
	u64 head = smp_load_acquire(&stack->head);

	while (tries--) {
		u32 index = (u32)(head & USLAB_HEAD_INDEX_MASK);
		struct uslab_magazine *mag;
		u64 seen;
		u32 next;

		if (!index)
			return 0;
		mag = find(pool, index);
		if (unlikely(!mag))
			return 0;
		next = READ_ONCE(mag->next) & (u32)USLAB_HEAD_INDEX_MASK;
		seen = uslab_cmpxchg64(&stack->head, head, uslab_head_next(head, next));
		if (likely(seen == head))
			return index;
		head = seen;
	}
	return 0;
}

static __always_inline void uslab_stack_account(struct uslab_stack *stack, s64 objects)
{
	if (objects)
		uslab_add64(&stack->objects, objects);
}

/* Take the whole chain; returns its first index, 0 as uslab_stack_pop(). */
static __always_inline u32 uslab_stack_take_all(struct uslab_stack *stack, u32 tries)
{
	/* pairs with the compare-and-swap in uslab_stack_push() */
	u64 head = smp_load_acquire(&stack->head);

	while (tries-- && (head & USLAB_HEAD_INDEX_MASK)) {
		u64 seen = uslab_cmpxchg64(&stack->head, head, uslab_head_next(head, 0));

		if (seen == head)
			return (u32)(head & USLAB_HEAD_INDEX_MASK);
		head = seen;
	}
	return 0;
}

/* Make a chain the contents of an empty stack; false when it is not empty. */
static __always_inline bool uslab_stack_install(struct uslab_stack *stack, u32 index, u32 tries)
{
	/* pairs with the compare-and-swap in uslab_stack_push() */
	u64 head = smp_load_acquire(&stack->head);

	while (tries-- && !(head & USLAB_HEAD_INDEX_MASK)) {
		u64 seen = uslab_cmpxchg64(&stack->head, head, uslab_head_next(head, index));

		if (seen == head)
			return true;
		head = seen;
	}
	return false;
}

#endif /* USLAB_ENGINE_DEPOT_H */
