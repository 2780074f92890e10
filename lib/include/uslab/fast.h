/* SPDX-License-Identifier: MIT */
/*
 * get and put, the inline part: one restartable sequence each, which pops a
 * handle from the cache of the CPU it runs on, or pushes one.
 *
 *	get					put
 *	  cache = the one of this CPU		  cache = the one of this CPU
 *	  if cache.count == 0: slow		  if cache.home != home(object): slow
 *	  handle = cache.slot[count - 1]	  if cache.count == cache.capacity: slow
 *	  commit count - 1, gets + 1		  cache.slot[count] = handle
 *						  commit count + 1
 *
 * The commit is a single store; a thread that is preempted, migrated or hit by
 * a signal before it starts over. Included by <uslab.h>; nothing here is meant
 * to be used directly.
 */
#ifndef USLAB_FAST_H
#define USLAB_FAST_H

#include <stddef.h>
#include <stdint.h>

/*
 * The part of a pool that inline code reads. Its layout is part of the
 * library's binary interface; all else about a pool is private.
 */
struct uslab_pool {
	char		*objects;	/* the object space */
	ptrdiff_t	rseq_offset;	/* from the thread pointer to struct rseq */
	ptrdiff_t	slot_offset;	/* from there to a struct uslab_slot */
	uint64_t	key;		/* the pool's half of a slot's key, in the high 32 bits;
					 * ~0: no slot ever has it, there is no fast path */
	uint32_t	granule_shift;
	uint32_t	home_shift;
	char		*cpus;		/* CPU caches, cpu_stride bytes each */
	uint32_t	nr_cpus;	/* 0: no CPU caches */
	uint32_t	cpu_stride;
};

/*
 * Where a thread remembers the cache of its CPU. Comparing the remembered CPU
 * with the present one lets the processor go on with the address before it has
 * read the CPU's number; computing the address from that number costs the fast
 * path a quarter more. Pools share slots; the slow path fills them.
 */
struct uslab_slot {
	uint64_t	key;		/* pool | CPU */
	char		*cache;
} __attribute__((aligned(16)));

/* The slow paths: also right, and taken, when there is no fast one. */
void *__uslab_get_slow(struct uslab_pool *pool);
void __uslab_put_slow(struct uslab_pool *pool, void *object);

/* Inlined where it is used, else the library's own copy is called. */
#define __uslab_inline		extern inline __attribute__((gnu_inline))
#define __uslab_always_inline	extern inline __attribute__((gnu_inline, always_inline))

/* What a section reports. */
enum uslab_section {
	USLAB_SECTION_OK	= 0,
	USLAB_SECTION_SLOW	= -1,	/* empty, full, another home, or another CPU */
	USLAB_SECTION_ABORT	= -2,	/* interrupted: try again */
};

__uslab_always_inline uint32_t __uslab_handle(const struct uslab_pool *pool, const void *object)
{
	return (uint32_t)((size_t)((const char *)object - pool->objects) >> pool->granule_shift);
}

__uslab_always_inline void *__uslab_object(const struct uslab_pool *pool, uint32_t handle)
{
	return pool->objects + ((size_t)handle << pool->granule_shift);
}

__uslab_always_inline uint32_t __uslab_home(const struct uslab_pool *pool, uint32_t handle)
{
	return (uint32_t)((uint64_t)handle >> pool->home_shift);
}

#ifndef USLAB_NO_INLINE

__uslab_inline uint32_t uslab_handle(const struct uslab_pool *pool, const void *object)
{
	return __uslab_handle(pool, object);
}

__uslab_inline void *uslab_object(const struct uslab_pool *pool, uint32_t handle)
{
	return __uslab_object(pool, handle);
}

#endif

#if defined(__x86_64__) && defined(__LP64__) && \
	(defined(__clang__) ? __clang_major__ >= 11 : __GNUC__ >= 11)
#include <uslab/rseq-x86_64.h>
#define USLAB_HAVE_RSEQ	1
#endif

#if defined(USLAB_HAVE_RSEQ) && !defined(USLAB_NO_INLINE)

__uslab_inline void *uslab_get(struct uslab_pool *pool)
{
	uint32_t handle = 0;

	if (__builtin_expect(__uslab_rseq_pop(pool, &handle) == USLAB_SECTION_OK, 1))
		return __uslab_object(pool, handle);
	return __uslab_get_slow(pool);
}

__uslab_inline void uslab_put(struct uslab_pool *pool, void *object)
{
	uint32_t handle = 0;

	if (!object)
		return;
	handle = __uslab_handle(pool, object);
	if (__builtin_expect(__uslab_rseq_push(pool, handle, __uslab_home(pool, handle)) !=
			     USLAB_SECTION_OK, 0))
		__uslab_put_slow(pool, object);
}

#endif /* USLAB_HAVE_RSEQ && !USLAB_NO_INLINE */

#endif /* USLAB_FAST_H */
