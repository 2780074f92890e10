/* SPDX-License-Identifier: MIT */
/*
 * uslab: object pools whose idle memory the kernel takes back by itself.
 *
 * A pool hands out objects of one size. get and put touch only the cache of
 * the CPU they run on and make no system call; memory that lies idle in a pool
 * is reclaimed under pressure, object by object and page by page, without help
 * from the process.
 *
 *	struct uslab_pool *pool = uslab_pool_create("nodes", sizeof(struct node), NULL);
 *	struct node *n = uslab_get(pool);
 *	...
 *	uslab_put(pool, n);
 *	uslab_pool_destroy(pool);
 *
 * All functions may be called from any thread, and get and put also from
 * signal handlers that interrupt them, unless said otherwise. The contents of
 * an object that was just got are undefined.
 *
 * After fork(), the child may not use kernel pools of the parent: its gets fail
 * with ESTALE, its puts do nothing, and touching their objects is SIGSEGV (attach
 * to the descriptor for a view of its own). On the embedded engine it has a copy
 * of the pool, as it has of the heap. A vfork() child may only exec or _exit.
 */
#ifndef USLAB_H
#define USLAB_H

#include <stddef.h>
#include <stdint.h>
#include <linux/uslab.h>

#ifdef __cplusplus
extern "C" {
#endif

#define USLAB_VERSION_MAJOR	0
#define USLAB_VERSION_MINOR	1

struct uslab_pool;

/**
 * struct uslab_attr - how to make a pool
 *
 * Initialise with USLAB_ATTR_INIT, then set what should differ. A field that
 * is 0 means its default.
 */
struct uslab_attr {
	size_t		size;		/* sizeof(struct uslab_attr); set by USLAB_ATTR_INIT */
	uint32_t	flags;		/* 0 */
	uint32_t	policy;		/* enum uslab_policy; default local */
	size_t		align;		/* bytes, a power of two up to 4096; default: the largest
					 * power of two that divides the size, 8 to 4096 */
	uint64_t	max_bytes;	/* of each node's object space; default: the machine's memory */
	size_t		prewarm;	/* objects to have ready; default 0 */
};

#define USLAB_ATTR_INIT { sizeof(struct uslab_attr), 0, 0, 0, 0, 0 }

/**
 * uslab_pool_create() - make a pool
 * @name: shown in sysfs and by uslabctl; 1 to 63 printable ASCII characters without
 *	'/', not beginning with '.'
 * @object_size: bytes, 1 to USLAB_OBJECT_MAX
 * @attr: NULL for defaults
 *
 * Uses the kernel engine where /dev/uslab can be opened and speaks this ABI, and
 * the embedded engine elsewhere; the environment variable USLAB_ENGINE (kernel, embedded,
 * auto) overrides that.
 *
 * Return: the pool, or NULL and errno: EINVAL (an argument, a name, or
 * USLAB_ENGINE out of range), EFBIG (max_bytes), ENOSPC (@attr->prewarm beyond
 * max_bytes), EEXIST (no free name in sysfs), ENOMEM, EMFILE, ENFILE; with
 * USLAB_ENGINE=kernel what open("/dev/uslab") says, or EPROTO when the module
 * speaks another ABI. Since 0.1.
 */
struct uslab_pool *uslab_pool_create(const char *name, size_t object_size,
				     const struct uslab_attr *attr)
	__attribute__((nonnull(1), warn_unused_result));

/**
 * uslab_pool_attach() - another process's view of a kernel pool
 * @fd: from uslab_pool_fd() in another process, inherited or received over a
 *	socket. It is duplicated; the caller keeps @fd.
 *
 * Return: the pool, or NULL and errno: EBADF, EINVAL (not a pool), EPROTO (an
 * unknown ABI), ENOMEM, EMFILE. Since 0.1.
 */
struct uslab_pool *uslab_pool_attach(int fd) __attribute__((warn_unused_result));

/**
 * uslab_pool_destroy() - let go of a pool
 * @pool: NULL is allowed
 *
 * Objects of the pool may not be touched any more by this process, even those
 * that were not put. A kernel pool goes when the last process has let go. No
 * other call on @pool may be running. Since 0.1.
 */
void uslab_pool_destroy(struct uslab_pool *pool);

/**
 * uslab_pool_prewarm() - have objects ready
 * @n: objects that should be idle in the depot of the caller's node, beyond
 *	those that already are. Thresholds and memory_limit hold for them as for all
 *	that is idle, and may have part of it go again
 *
 * Return: how many were added; less than @n with errno ENOMEM, ENOSPC or ESTALE.
 * Since 0.1.
 */
size_t uslab_pool_prewarm(struct uslab_pool *pool, size_t n) __attribute__((nonnull));

/**
 * uslab_pool_reclaim() - give idle memory back now
 * @bytes: how much; SIZE_MAX: all that is idle
 *
 * Return: bytes of pages given back. Since 0.1.
 */
size_t uslab_pool_reclaim(struct uslab_pool *pool, size_t bytes) __attribute__((nonnull));

/**
 * uslab_pool_tunables() - read when the pool's idle memory is taken back
 * uslab_pool_tune() - say when it is to be
 * @tunables: @tunables->size must be set to sizeof(*tunables); what they mean is in
 *	uslab-reclaim(7). Read them, change some, set them.
 *
 * Return: 0, or -1 and errno EINVAL (a value out of range, a background threshold above
 * the hard one, pressure levels that do not rise; nothing was changed). Not for signal
 * handlers. Since 0.1.
 */
int uslab_pool_tunables(const struct uslab_pool *pool, struct uslab_tunables *tunables)
	__attribute__((nonnull));
int uslab_pool_tune(struct uslab_pool *pool, const struct uslab_tunables *tunables)
	__attribute__((nonnull));

/* How near the pool's memory is to a limit, now. Costs a load. Since 0.1. */
enum uslab_pressure uslab_pool_pressure(const struct uslab_pool *pool) __attribute__((nonnull));

/**
 * typedef uslab_pressure_fn - is told that the pressure level has changed
 *
 * Called by a thread of the library, with all signals blocked. It may call any function
 * of the library, and others that wait for it wait. Levels that came and went before it
 * could be called are left out.
 */
typedef void (*uslab_pressure_fn)(struct uslab_pool *pool, enum uslab_pressure level, void *arg);

/**
 * uslab_pool_on_pressure() - have a function told of pressure
 * @fn: NULL: nobody is told any more; it has returned then, but for who calls this in it
 * @arg: for @fn
 *
 * A pool has one function; a second one takes its place. If there is pressure already,
 * it is told at once. A child process is told nothing until it asks for it.
 *
 * Return: 0, or -1 and errno: ESTALE, ENOMEM, EMFILE, ENFILE, ENOSPC (epoll
 * watches), EAGAIN (no thread). Since 0.1.
 */
int uslab_pool_on_pressure(struct uslab_pool *pool, uslab_pressure_fn fn, void *arg)
	__attribute__((nonnull(1)));

/**
 * uslab_pool_stats() - read the pool's counters
 * @stats: @stats->size must be set to sizeof(*stats)
 *
 * Return: 0, or -1 and errno EINVAL. Since 0.1.
 */
int uslab_pool_stats(const struct uslab_pool *pool, struct uslab_stats *stats)
	__attribute__((nonnull));

/* The descriptor of a kernel pool, -1 on the embedded engine. Owned by @pool. */
int uslab_pool_fd(const struct uslab_pool *pool) __attribute__((nonnull));

/* "kernel" or "embedded". */
const char *uslab_pool_engine(const struct uslab_pool *pool) __attribute__((nonnull));

/*
 * How get and put reach the CPU caches: "rseq", or "portable" where restartable
 * sequences are not to be had (old C library, valgrind, qemu-user, or
 * GLIBC_TUNABLES=glibc.pthread.rseq=0): correct, slower, with caches that are
 * private to the process.
 */
const char *uslab_pool_path(const struct uslab_pool *pool) __attribute__((nonnull));

/**
 * uslab_put() - give an object back
 * @object: from uslab_get() on the same pool and view of it; NULL is allowed and
 *	does nothing
 *
 * No system call but when a CPU cache overflows and no empty magazine is left, or more
 * lies in depots than the hard threshold allows. errno is preserved. Since 0.1.
 */
void uslab_put(struct uslab_pool *pool, void *object);

/**
 * uslab_get() - take an object
 *
 * No system call while the CPU's cache or the node's depot has one. Before it
 * fails, what lies idle in other CPUs' caches is taken back once.
 *
 * Return: the object, aligned as the pool was made, or NULL and errno: ENOMEM
 * (no memory, or the cgroup's limit), ENOSPC (the pool's max_bytes), ESTALE (a
 * pool of the parent process). Since 0.1.
 */
void *uslab_get(struct uslab_pool *pool) __attribute__((warn_unused_result));

/**
 * uslab_get_bulk() - take several objects
 * @objects: room for @n pointers, INT_MAX at most
 *
 * Return: how many were got; less than @n with errno as uslab_get(). Since 0.1.
 */
int uslab_get_bulk(struct uslab_pool *pool, void **objects, unsigned int n)
	__attribute__((warn_unused_result));

/* uslab_put_bulk() - give several objects back; NULL entries are skipped. Since 0.1. */
void uslab_put_bulk(struct uslab_pool *pool, void *const *objects, unsigned int n);

/*
 * uslab_handle() - a number that names an object in every process that shares its pool
 * uslab_object() - the object of a number, where this process has the pool mapped
 *
 * Neither checks anything. For an object of @pool that is out; 0 is a handle, too.
 * Since 0.1.
 */
uint32_t uslab_handle(const struct uslab_pool *pool, const void *object);
void *uslab_object(const struct uslab_pool *pool, uint32_t handle);

/*
 * USLAB_DEFINE_TYPED(prefix, type) - a typed pool
 *
 * Defines struct prefix_pool and prefix_pool_create(pool, name, attr),
 * prefix_pool_destroy(pool), prefix_get(pool) and prefix_put(pool, object), so that
 * putting a foreign type, or into another type's pool, does not compile. In C, pointers
 * of incompatible types are errors in the rest of the file then, as GCC 14 has it anyway.
 */
#ifdef __cplusplus
#define __uslab_strict_pointers
#else
#define __uslab_strict_pointers	_Pragma("GCC diagnostic error \"-Wincompatible-pointer-types\"")
#endif
#define __uslab_typed static inline __attribute__((unused))
#define USLAB_DEFINE_TYPED(prefix, type)					\
	__uslab_strict_pointers							\
	struct prefix##_pool { struct uslab_pool *pool; };			\
	__uslab_typed int prefix##_pool_create(struct prefix##_pool *typed,	\
			const char *name, const struct uslab_attr *attr)	\
	{									\
		typed->pool = uslab_pool_create(name, sizeof(type), attr);	\
		return typed->pool ? 0 : -1;					\
	}									\
	__uslab_typed void prefix##_pool_destroy(struct prefix##_pool *typed)	\
	{									\
		uslab_pool_destroy(typed->pool);				\
		typed->pool = NULL;						\
	}									\
	__uslab_typed type *prefix##_get(struct prefix##_pool *typed)		\
	{									\
		return (type *)uslab_get(typed->pool);				\
	}									\
	__uslab_typed void prefix##_put(struct prefix##_pool *typed, type *object) \
	{									\
		uslab_put(typed->pool, object);					\
	}									\
	struct prefix##_pool

#include <uslab/fast.h>

#ifdef __cplusplus
}
#endif

#endif /* USLAB_H */
