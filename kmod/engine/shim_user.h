/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* shim.h for user space: what the engine takes from the kernel's headers there. */
#ifndef USLAB_ENGINE_SHIM_USER_H
#define USLAB_ENGINE_SHIM_USER_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <linux/uslab.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#define U16_MAX			UINT16_MAX
#define U32_MAX			UINT32_MAX
#define U64_MAX			(~(u64)0)
#define PAGE_SHIFT		12
#define PAGE_SIZE		4096u
#define BITS_PER_LONG		(8 * (unsigned int)sizeof(long))
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)

#define sizeof_field(type, member)	sizeof(((type *)0)->member)

#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value)	__atomic_store_n(&(x), value, __ATOMIC_RELAXED)
#define smp_load_acquire(ptr)	__atomic_load_n(ptr, __ATOMIC_ACQUIRE)
#define smp_store_release(ptr, value) __atomic_store_n(ptr, value, __ATOMIC_RELEASE)

#define min_t(type, a, b)	((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b)	((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define clamp_t(type, v, lo, hi) min_t(type, max_t(type, v, lo), hi)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define round_up(n, to)		((((n) - 1) | ((__typeof__(n))(to) - 1)) + 1)
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

static inline unsigned int ilog2(u64 n)
{
	return 63 - (unsigned int)__builtin_clzll(n);
}

static inline u64 roundup_pow_of_two(u64 n)
{
	return n <= 1 ? 1 : 1ull << (ilog2(n - 1) + 1);
}

static inline bool is_power_of_2(u64 n)
{
	return n && !(n & (n - 1));
}

static inline unsigned long __ffs(unsigned long word)
{
	return (unsigned long)__builtin_ctzl(word);
}

/*
 * Zeroed memory for the engine's tables. Not from malloc(), which a signal handler
 * that gets an object may have interrupted; but for tests, so that sanitizers see it.
 */
#ifdef USLAB_SHIM_MALLOC
#define uslab_zalloc(size)	calloc(1, size)
#define uslab_zfree(ptr, size)	free(ptr)
#else
static inline void *uslab_zalloc(size_t size)
{
	void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return ptr == MAP_FAILED ? NULL : ptr;
}

static inline void uslab_zfree(void *ptr, size_t size)
{
	if (ptr)
		munmap(ptr, size);
}
#endif
#define uslab_resched()	((void)0)
#define uslab_sort(base, nr, size, cmp)	qsort(base, nr, size, cmp)

static inline u64 uslab_cmpxchg64(__u64 *ptr, u64 old, u64 new)
{
	__atomic_compare_exchange_n(ptr, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);
	return old;
}

static inline void uslab_add64(__s64 *ptr, s64 value)
{
	__atomic_fetch_add(ptr, value, __ATOMIC_RELAXED);
}

#endif /* USLAB_ENGINE_SHIM_USER_H */
