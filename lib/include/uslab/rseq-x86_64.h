/* SPDX-License-Identifier: MIT */
/*
 * Restartable sequences on x86-64: everything in uslab that depends on the
 * architecture.
 *
 * A section publishes its descriptor in struct rseq of the C library's
 * registration, reads the CPU's number, and ends in one store. If the thread is
 * preempted, migrated or signalled in between, the kernel resumes it at the
 * abort label instead. Nothing but rseq_cs is written, and that is cleared at
 * the end, so that code holding a section may be unloaded. A section that is left
 * early leaves it set; the slow path then enters one of the library's, which
 * stays loaded, or clears it.
 *
 * Sections contain no call and no system call, and do not move the stack.
 */
#ifndef USLAB_RSEQ_X86_64_H
#define USLAB_RSEQ_X86_64_H

/*
 * struct rseq: cpu_id at 4, rseq_cs at 8. struct uslab_cpu: word at 48,
 * capacity at 56, home at 58, slot at 64. The library asserts these (rseq.c).
 */
#define __USLAB_RSEQ_SIG	"0x53053053"

/*
 * The descriptor, and the address of it in rseq_cs. Numbers 1 to 4 are labels. The
 * sections join the group of the function (?), so that both go when the linker
 * drops one of several copies of a C++ inline function.
 */
#define __USLAB_RSEQ_BEGIN						\
	".pushsection __rseq_cs, \"aw?\"\n\t"				\
	".balign 32\n\t"						\
	"3:\n\t"							\
	".long 0, 0\n\t"						\
	".quad 1f, 2f - 1f, 4f\n\t"					\
	".popsection\n\t"						\
	"leaq 3b(%%rip), %[base]\n\t"					\
	"movq %[base], %%fs:8(%[rseq])\n\t"				\
	"1:\n\t"

/* base = cache of this CPU as the thread's slot has it; a slot of another CPU or pool: slow. */
#define __USLAB_RSEQ_SLOT						\
	"movl %%fs:4(%[rseq]), %k[base]\n\t"				\
	"orq %[key], %[base]\n\t"					\
	"cmpq %%fs:(%[slot]), %[base]\n\t"				\
	"jne %l[slow]\n\t"						\
	"movq %%fs:8(%[slot]), %[base]\n\t"

/* base = cache of this CPU, computed; CPUs out of range (not registered): slow. */
#define __USLAB_RSEQ_CPU						\
	"movl %%fs:4(%[rseq]), %k[base]\n\t"				\
	"cmpl %[nr_cpus], %k[base]\n\t"					\
	"jae %l[slow]\n\t"						\
	"imull %[stride], %k[base]\n\t"					\
	"addq %[cpus], %[base]\n\t"

/* After the commit, and where to go instead of it. */
#define __USLAB_RSEQ_END						\
	"2:\n\t"							\
	"movq $0, %%fs:8(%[rseq])\n\t"					\
	".pushsection __rseq_failure, \"ax?\"\n\t"			\
	".byte 0x0f, 0xb9, 0x3d\n\t" /* ud1 with the signature as operand */ \
	".long " __USLAB_RSEQ_SIG "\n\t"				\
	"4:\n\t"							\
	"jmp %l[aborted]\n\t"						\
	".popsection\n\t"

#define __USLAB_RSEQ_FAST(pool)						\
	[rseq] "r" ((pool)->rseq_offset),				\
	[slot] "r" ((pool)->slot_offset),				\
	[key] "m" ((pool)->key)

#define __USLAB_RSEQ_POOL(pool)						\
	[rseq] "r" ((pool)->rseq_offset),				\
	[nr_cpus] "m" ((pool)->nr_cpus),				\
	[stride] "m" ((pool)->cpu_stride),				\
	[cpus] "m" ((pool)->cpus)

/*
 * if (count == 0) slow
 * *handle = slot[count - 1]
 * commit word: count - 1, gets + 1
 */
__uslab_always_inline enum uslab_section
__uslab_rseq_pop(const struct uslab_pool *pool, uint32_t *handle)
{
	uint64_t base, word, count;
	uint32_t top;

	__asm__ __volatile__ goto (
		__USLAB_RSEQ_BEGIN
		__USLAB_RSEQ_SLOT
		"movq 48(%[base]), %[word]\n\t"
		"movzwl %w[word], %k[count]\n\t"
		"testl %k[count], %k[count]\n\t"
		"jz %l[slow]\n\t"
		"movl 60(%[base], %[count], 4), %[top]\n\t"
		"addq $0xffff, %[word]\n\t"
		"movq %[word], 48(%[base])\n\t"
		__USLAB_RSEQ_END
		: [base] "=&r" (base), [word] "=&r" (word), [count] "=&r" (count),
		  [top] "=&r" (top)
		: __USLAB_RSEQ_FAST(pool)
		: "memory", "cc"
		: slow, aborted);
	*handle = top;
	return USLAB_SECTION_OK;
slow:
	return USLAB_SECTION_SLOW;
aborted:
	return USLAB_SECTION_ABORT;
}

/*
 * if (cache.home != home || count >= capacity) slow
 * slot[count] = handle
 * commit word: count + 1
 */
__uslab_always_inline enum uslab_section
__uslab_rseq_push(const struct uslab_pool *pool, uint32_t handle, uint32_t home)
{
	uint64_t base, word, count;

	__asm__ __volatile__ goto (
		__USLAB_RSEQ_BEGIN
		__USLAB_RSEQ_SLOT
		"movzwl 58(%[base]), %k[count]\n\t"
		"cmpl %k[home], %k[count]\n\t"
		"jne %l[slow]\n\t"
		"movq 48(%[base]), %[word]\n\t"
		"movzwl %w[word], %k[count]\n\t"
		"cmpw 56(%[base]), %w[count]\n\t"
		"jae %l[slow]\n\t"
		"movl %[handle], 64(%[base], %[count], 4)\n\t"
		"incq %[word]\n\t"
		"movq %[word], 48(%[base])\n\t"
		__USLAB_RSEQ_END
		: [base] "=&r" (base), [word] "=&r" (word), [count] "=&r" (count)
		: __USLAB_RSEQ_FAST(pool), [handle] "r" (handle), [home] "r" (home)
		: "memory", "cc"
		: slow, aborted);
	return USLAB_SECTION_OK;
slow:
	return USLAB_SECTION_SLOW;
aborted:
	return USLAB_SECTION_ABORT;
}

/* Which of a CPU's two stacks of handles a batch works on. */
struct uslab_stash {
	uint64_t	word;		/* byte offset of the word */
	uint64_t	slots;		/* byte offset of slot 0 */
	uint64_t	capacity;	/* byte offset of the capacity */
};

/*
 * n = min(count, max); if (n == 0) slow
 * dst[0 .. n) = the n slots on top, in order
 * commit word: word + n * delta
 *
 * Returns n, or a negative enum uslab_section.
 */
__uslab_always_inline int
__uslab_rseq_take(const struct uslab_pool *pool, const struct uslab_stash *stash,
		  uint32_t *dst, uint32_t max, int64_t delta)
{
	uint64_t base, word, taken = max;
	const uint32_t *src;
	uint64_t left;

	__asm__ __volatile__ goto (
		__USLAB_RSEQ_BEGIN
		__USLAB_RSEQ_CPU
		"movl %[max], %k[taken]\n\t"
		"movq %[word_at], %%rsi\n\t"
		"movq (%[base], %%rsi), %[word]\n\t"
		"movzwl %w[word], %%ecx\n\t"
		"cmpl %%ecx, %k[taken]\n\t"
		"cmoval %%ecx, %k[taken]\n\t"
		"subl %k[taken], %%ecx\n\t"		/* slots below those taken */
		"leaq (%[base], %%rcx, 4), %%rsi\n\t"
		"addq %[slots_at], %%rsi\n\t"
		"movl %k[taken], %%ecx\n\t"
		"testl %%ecx, %%ecx\n\t"
		"jz %l[slow]\n\t"
		"movq %[dst], %%rdi\n\t"
		"rep movsl\n\t"
		"movq %[taken], %%rcx\n\t"
		"imulq %[delta], %%rcx\n\t"
		"addq %%rcx, %[word]\n\t"
		"addq %[word_at], %[base]\n\t"
		"movq %[word], (%[base])\n\t"
		__USLAB_RSEQ_END
		: [base] "=&r" (base), [word] "=&r" (word), [taken] "=&r" (taken),
		  "=&S" (src), "=&c" (left)
		: __USLAB_RSEQ_POOL(pool), [max] "m" (max), [word_at] "m" (stash->word),
		  [slots_at] "m" (stash->slots), [delta] "m" (delta), [dst] "m" (dst)
		: "memory", "cc", "rdi"
		: slow, aborted);
	return (int)taken;
slow:
	return USLAB_SECTION_SLOW;
aborted:
	return USLAB_SECTION_ABORT;
}

/*
 * if (cache.home != home) slow, unless home is ~0
 * n = min(capacity - count, nr); if (n == 0) slow
 * the n slots above the top = src[0 .. n)
 * commit word: word + n * delta
 *
 * Returns n, or a negative enum uslab_section.
 */
__uslab_always_inline int
__uslab_rseq_fill(const struct uslab_pool *pool, const struct uslab_stash *stash,
		  uint32_t home, const uint32_t *src, uint32_t nr, int64_t delta)
{
	uint64_t base, word, filled;
	uint32_t *dst;
	uint64_t left;

	__asm__ __volatile__ goto (
		__USLAB_RSEQ_BEGIN
		__USLAB_RSEQ_CPU
		"movl %[home], %%ecx\n\t"
		"cmpl $-1, %%ecx\n\t"
		"je 5f\n\t"
		"movzwl 58(%[base]), %%edi\n\t"
		"cmpl %%ecx, %%edi\n\t"
		"jne %l[slow]\n\t"
		"5:\n\t"
		"movq %[capacity_at], %%rdi\n\t"
		"movzwl (%[base], %%rdi), %k[filled]\n\t"
		"movq %[word_at], %%rdi\n\t"
		"movq (%[base], %%rdi), %[word]\n\t"
		"movzwl %w[word], %%ecx\n\t"
		"leaq (%[base], %%rcx, 4), %%rdi\n\t"
		"addq %[slots_at], %%rdi\n\t"
		"subl %%ecx, %k[filled]\n\t"		/* room */
		"jbe %l[slow]\n\t"
		"movl %[nr], %%ecx\n\t"
		"cmpl %%ecx, %k[filled]\n\t"
		"cmoval %%ecx, %k[filled]\n\t"
		"movl %k[filled], %%ecx\n\t"
		"movq %[src], %%rsi\n\t"
		"rep movsl\n\t"
		"movq %[filled], %%rcx\n\t"
		"imulq %[delta], %%rcx\n\t"
		"addq %%rcx, %[word]\n\t"
		"addq %[word_at], %[base]\n\t"
		"movq %[word], (%[base])\n\t"
		__USLAB_RSEQ_END
		: [base] "=&r" (base), [word] "=&r" (word), [filled] "=&r" (filled),
		  "=&D" (dst), "=&c" (left)
		: __USLAB_RSEQ_POOL(pool), [nr] "m" (nr), [word_at] "m" (stash->word),
		  [slots_at] "m" (stash->slots), [capacity_at] "m" (stash->capacity),
		  [delta] "m" (delta), [src] "m" (src), [home] "m" (home)
		: "memory", "cc", "rsi"
		: slow, aborted);
	return (int)filled;
slow:
	return USLAB_SECTION_SLOW;
aborted:
	return USLAB_SECTION_ABORT;
}

/* Spin in a section until *stop: OK, or ABORT when something interrupted it. */
__uslab_always_inline enum uslab_section
__uslab_rseq_spin(ptrdiff_t rseq_offset, const int *stop)
{
	uint64_t base;

	__asm__ __volatile__ goto (
		__USLAB_RSEQ_BEGIN
		"5:\n\t"
		"pause\n\t"
		"cmpl $0, (%[stop])\n\t"
		"je 5b\n\t"
		__USLAB_RSEQ_END
		: [base] "=&r" (base)
		: [rseq] "r" (rseq_offset), [stop] "r" (stop)
		: "memory", "cc"
		: aborted);
	return USLAB_SECTION_OK;
aborted:
	return USLAB_SECTION_ABORT;
}

/* This thread's CPU, as a hint: it may have moved on. -1, -2: not registered. */
__uslab_always_inline int32_t __uslab_rseq_cpu(const struct uslab_pool *pool)
{
	int32_t cpu;

	__asm__ __volatile__ ("movl %%fs:4(%[rseq]), %[cpu]"
			      : [cpu] "=r" (cpu) : [rseq] "r" (pool->rseq_offset));
	return cpu;
}

/*
 * Fill the thread's slot. One store of 16 bytes: a signal handler that uses a
 * pool of the same slot finds the old pair or the new one.
 */
__uslab_always_inline void __uslab_rseq_bind(const struct uslab_pool *pool, uint32_t cpu)
{
	typedef uint64_t pair __attribute__((vector_size(16)));
	pair slot = { pool->key | cpu, (uintptr_t)pool->cpus + (size_t)cpu * pool->cpu_stride };

	__asm__ __volatile__ ("movaps %[pair], %%fs:(%[slot])"
			      : : [pair] "x" (slot), [slot] "r" (pool->slot_offset) : "memory");
}

/* Forget the descriptor of a section that was left early. */
__uslab_always_inline void __uslab_rseq_clear(const struct uslab_pool *pool)
{
	__asm__ __volatile__ ("movq $0, %%fs:8(%[rseq])"
			      : : [rseq] "r" (pool->rseq_offset) : "memory");
}

#endif /* USLAB_RSEQ_X86_64_H */
