/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * uslab: the binary interface between the module and user space.
 *
 * A pool is a file. ioctl(USLAB_IOC_CREATE) on /dev/uslab makes one and
 * returns its descriptor; mmap() of that descriptor gives three areas:
 *
 *   file offset        contents                                   protection
 *   0                  control page(s): struct uslab_control      read only
 *   shared_offset      CPU caches, depots, magazines              read/write
 *   objects_offset     the object space                           read/write
 *
 * The control page says where everything else is; nothing is implied.
 * A mapping must be MAP_SHARED, must lie inside one area and may not be
 * executable. The embedded engine of the library lays out the same areas in
 * process memory.
 *
 * Names
 * -----
 * home      a NUMA node with memory, counted densely from 0. Home h owns the
 *           handles [h << home_shift, (h + 1) << home_shift). Pools with
 *           policy global or interleave have one home.
 * granule   the unit of a handle: 1 << granule_shift bytes.
 * handle    a __u32 that names an object: its offset in the object space in
 *           granules. Every process maps a pool elsewhere; handles are the
 *           same for all.
 * magazine  a box of up to magazine_size handles. It is in exactly one stack,
 *           or in the hands of one thread.
 *
 * Who may touch what
 * ------------------
 * CPU cache n: only code that runs on CPU n, and that is either a restartable
 * sequence ending in one store of the word, or kernel code with preemption
 * disabled. Depot stacks: anybody, by compare-and-swap of the head. A magazine
 * that was popped belongs to whoever popped it.
 *
 * The kernel keeps private which objects are out and checks every handle that
 * comes back. Whatever is written to the writable areas harms only those who
 * share the pool.
 */
#ifndef _UAPI_LINUX_USLAB_H
#define _UAPI_LINUX_USLAB_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define USLAB_DEVICE		"/dev/uslab"

#define USLAB_MAGIC		0x62616c73u	/* "slab" */
/*
 * USLAB_ABI rises only when a field changes its meaning. Additions show in
 * header_size and features, so that an old library works on a newer module
 * and the reverse.
 */
#define USLAB_ABI		1

#define USLAB_NAME_MAX		64		/* with the terminating NUL */
#define USLAB_OBJECT_MIN	8		/* smaller sizes are rounded up */
#define USLAB_OBJECT_MAX	(4u << 20)
#define USLAB_ALIGN_MAX		4096u
#define USLAB_BATCH_MAX		1024u		/* handles in one ioctl */

/* Where memory comes from and whom it serves. */
enum uslab_policy {
	/* From the CPU's home; other homes only when home has no memory. */
	USLAB_POLICY_LOCAL	= 0,
	/* From the CPU's home or not at all. */
	USLAB_POLICY_BIND	= 1,
	/* One depot for all; pages from all nodes in turn. */
	USLAB_POLICY_INTERLEAVE	= 2,
	/* One depot for all; pages from the node of who asks. */
	USLAB_POLICY_GLOBAL	= 3,
};

/*
 * struct uslab_control - the read-only header of a pool
 *
 * Constant after creation, but for the words behind "live". Offsets named
 * *_start count from the beginning of the shared area.
 */
struct uslab_control {
	__u32	magic;			/* USLAB_MAGIC */
	__u32	abi;			/* USLAB_ABI */
	__u32	header_size;		/* sizeof(struct uslab_control) of the maker */
	__u32	flags;
	__u64	features;		/* none yet; who does not know one of the high 32 refuses */
	__u64	id;			/* of the pool, unique while the module is loaded */

	/* areas, in bytes of file offset */
	__u64	control_size;
	__u64	shared_offset;
	__u64	shared_size;
	__u64	objects_offset;
	__u64	objects_size;

	/* objects */
	__u32	object_size;		/* as asked for */
	__u32	object_stride;		/* bytes from one object to the next in a slab */
	__u32	granule_shift;
	__u32	home_shift;		/* handle >> home_shift is the object's home */
	__u32	nr_homes;
	__u32	policy;			/* enum uslab_policy */

	/* CPU caches */
	__u32	nr_cpus;		/* possible CPUs */
	__u32	cpu_stride;		/* bytes; a power of two, 4096 at most */
	__u32	cpu_capacity;		/* handles a CPU cache holds at most */
	__u32	cpus_start;

	/* depots and magazines */
	__u32	depot_stride;
	__u32	depots_start;
	__u32	magazine_size;		/* handles a magazine holds at most */
	__u32	magazine_stride;	/* bytes; a power of two, 4096 at most */
	__u32	nr_magazines;		/* indices run from 1 to nr_magazines */
	__u32	magazines_start;

	/* tables of __u16, in bytes from the start of the control page */
	__u32	cpu_home_start;		/* the home of each CPU, nr_cpus entries */
	__u32	home_node_start;	/* the NUMA node of each home */

	char	name[USLAB_NAME_MAX];

	/* live */
	__u32	pressure;		/* enum uslab_pressure */
	__u32	reserved32;
	/* objects in all depots; who puts a magazine there and sees more says BALANCE; 0: none */
	__u64	idle_limit;
	__u64	reserved[7];
};

/*
 * How near the pool's memory is to a limit: its cgroup's or an ancestor's, its
 * own memory_limit, or the machine's; the worst of them counts. Where a level
 * begins is set by pressure_*_percent in struct uslab_tunables. poll() of the pool
 * says EPOLLPRI above none and EPOLLOUT at none; each change wakes those who
 * wait, so that edge-triggered epoll reports every one.
 */
enum uslab_pressure {
	USLAB_PRESSURE_NONE	= 0,
	USLAB_PRESSURE_LOW	= 1,
	USLAB_PRESSURE_MEDIUM	= 2,
	USLAB_PRESSURE_CRITICAL	= 3,
};

/*
 * struct uslab_cpu - the cache of one CPU
 *
 * word packs the number of cached handles (low 16 bits) and the number of
 * gets that this cache has served (high 48), so that one store commits both.
 * Objects of other homes that are put on this CPU wait in the remote stash
 * until there is a magazine of them; its word counts puts in the high part.
 *
 * Programs carry the offsets of these fields inlined: they are part of the ABI, and
 * another layout is another USLAB_ABI.
 *
 * A load that has the same offset in its page as a store in flight waits for it
 * on many processors. The first bytes of objects are written often, so word lies
 * where no object of 64 bytes or more begins.
 */
struct uslab_cpu {
	__u64	reserved[5];
	__u64	remote_word;
	__u64	word;			/* not at the start of a line, where objects are written */
	__u16	capacity;		/* of slot[] */
	__u16	home;
	__u16	remote_capacity;	/* of the stash behind slot[capacity] */
	__u16	reserved16;
	__u32	slot[];
};

#define USLAB_WORD_COUNT_MASK	0xffffull
#define USLAB_WORD_EVENT	0x10000ull	/* one get (word), one put (remote_word) */
#define USLAB_WORD_EVENT_SHIFT	16

/*
 * struct uslab_stack - a lock-free stack of magazines
 *
 * head packs the index of the first magazine (low 24 bits, 0: empty) and a
 * tag (high 40) that every change increments, so that a head that was seen
 * before compares unequal even when the same magazine is on top again.
 * objects is the sum of the counts of the magazines, kept by atomic addition
 * after each push and pop: good for thresholds and statistics, never for
 * decisions that must be right.
 */
struct uslab_stack {
	__u64	head;
	__s64	objects;
	__u64	reserved[6];
};

#define USLAB_HEAD_INDEX_MASK	0xffffffull
#define USLAB_HEAD_TAG		0x1000000ull	/* one change */

/* struct uslab_depot - what one home holds in magazines */
struct uslab_depot {
	struct uslab_stack	current_gen;
	struct uslab_stack	victim;
	struct uslab_stack	empty;
	/* counted by user space, in objects, once a magazine */
	__u64	victim_hits;		/* taken back from the victim */
	__u64	remote_gets;		/* taken by CPUs of other homes */
	__u64	portable_gets;		/* served by caches private to a process */
	__u64	reserved[5];
};

struct uslab_magazine {
	__u32	next;			/* index of the next one in the stack */
	__u32	count;
	__u32	handle[];
};

/*
 * Control
 * -------
 * All structs begin with their size as the caller knows it. A size below the
 * first version's is EINVAL; what is beyond the kernel's version must be
 * zero, else E2BIG. Unknown flags and reserved fields that are not zero are
 * EINVAL. A bad pointer is EFAULT. An unknown command is ENOTTY.
 */

/*
 * USLAB_IOC_CREATE, on /dev/uslab. Returns a descriptor (close-on-exec).
 * EINVAL: object_size 0 or above USLAB_OBJECT_MAX, align not 0 or a power of
 * two up to USLAB_ALIGN_MAX, unknown policy, a name that is empty, not
 * terminated, begins with '.', or has a '/' or a byte that is not printable ASCII.
 * EFBIG: max_bytes beyond what 32-bit handles can name.
 * EEXIST: the name is taken, and so are all made of it by appending the id.
 * ENOMEM, EMFILE, ENFILE.
 */
struct uslab_create {
	__u32	size;
	__u32	flags;			/* 0 */
	__u32	object_size;		/* bytes */
	__u32	align;			/* bytes; 0: natural for the size */
	__u32	policy;
	__u32	reserved;
	__u64	max_bytes;		/* of each home's object space; 0: the machine's memory */
	char	name[USLAB_NAME_MAX];
};

/*
 * USLAB_IOC_REFILL, on a pool. Takes up to nr objects of the home out of the
 * engine, backs them with memory charged to the pool's cgroup, and writes
 * their handles. Returns how many, at least 1. The contents are zero or those
 * of an earlier object of this pool. With objects, they are mapped there as well:
 * page tables that a touch would need at a bad moment are there already.
 * EINVAL: nr 0 or above USLAB_BATCH_MAX, home out of range.
 * ENOMEM: no memory, or the cgroup's limit. ENOSPC: max_bytes reached. EBUSY: the
 * circuit breaker of a pool in manual mode refuses growth.
 */
struct uslab_refill {
	__u32	size;
	__u32	flags;			/* 0 */
	__u32	home;
	__u32	nr;
	__u64	handles;		/* __u32 [nr], written */
	/* where the caller has the object space; 0, or a size that ends before it: nowhere */
	__u64	objects;
};

/*
 * USLAB_IOC_RETURN, on a pool. Gives objects back to the engine and their
 * pages to the system. Returns how many were accepted; a handle that is not
 * out is counted as a bad put and skipped.
 * EINVAL: nr 0 or above USLAB_BATCH_MAX.
 */
struct uslab_return {
	__u32	size;
	__u32	flags;			/* 0 */
	__u32	nr;
	__u32	reserved;
	__u64	handles;		/* const __u32 [nr] */
};

/*
 * USLAB_IOC_GROW, on a pool. Puts new magazines on the home's empty stack.
 * Returns how many, at least 1. EINVAL: home out of range.
 * ENOSPC: all of nr_magazines exist. ENOMEM.
 */
struct uslab_grow {
	__u32	size;
	__u32	flags;			/* 0 */
	__u32	home;
	__u32	reserved;
};

/*
 * USLAB_IOC_RECLAIM, on a pool. Takes idle objects back, victims first, then
 * the rest of the depots, then the CPU caches, until the given number of
 * bytes of pages is free or nothing idle is left. A flag makes it weaker.
 * min_idle does not hold it up. Returns 0.
 * EINVAL: an unknown flag, or both.
 */
struct uslab_reclaim {
	__u32	size;
	__u32	flags;			/* 0, or one of USLAB_RECLAIM_* */
	__u64	bytes;			/* wanted; ~0: all */
	__u64	reclaimed;		/* written */
};

/* Only what nobody has used since the last aging step; then a step is made. */
#define USLAB_RECLAIM_TRIM	0x1u
/* Depots, but no CPU caches. */
#define USLAB_RECLAIM_DEPOTS	0x2u

/*
 * USLAB_IOC_BALANCE, on a pool. Said by who put a magazine into a depot and found
 * more idle than idle_limit allows: takes back up to two magazines of idle
 * objects. The time it takes is counted as throttled. Returns 0.
 */
struct uslab_balance {
	__u32	size;
	__u32	flags;			/* 0 */
};

enum uslab_mode {
	USLAB_MODE_AUTO		= 0,
	/* no automatic reclaim, but at a cgroup's limit and by the circuit breaker */
	USLAB_MODE_MANUAL	= 1,
};

/*
 * struct uslab_tunables - when a pool's idle memory is taken back
 *
 * USLAB_IOC_GET_TUNABLES reads them, USLAB_IOC_SET_TUNABLES sets all that size has room
 * for; read, change, set. What is changed that way no longer follows the module's default. Each
 * is a file of the same name in sysfs, with ranges and meaning in
 * Documentation/sysfs.md.
 *
 * A number of bytes that is not 0 takes the place of the ratio beside it. Ratios are
 * percent of the memory that the pool may use: its cgroup's limit or the
 * machine's memory.
 *
 * EINVAL: one is out of its range; a background threshold above the hard one; or
 * pressure levels that do not rise.
 */
struct uslab_tunables {
	__u32	size;
	__u32	mode;			/* enum uslab_mode */
	__u32	idle_background_ratio;	/* percent; 0: the hard threshold counts */
	__u32	idle_ratio;		/* percent; 0: none */
	__u64	idle_background_bytes;	/* 0: the ratio counts */
	__u64	idle_bytes;		/* 0: the ratio counts */
	__u32	idle_expire_centisecs;
	__u32	idle_aging_centisecs;	/* 0: the background worker takes nothing */
	__u32	cache_pressure;		/* percent */
	__u32	transition_centisecs;
	__u64	min_reclaim_bytes;	/* of one pass */
	__u64	min_idle;		/* objects */
	__u32	reclaim_cpu_percent;
	__u32	growth_percent;		/* 0: none */
	__u64	memory_limit;		/* bytes; 0: the percentage counts */
	__u32	memory_limit_percent;	/* 0: none */
	__u32	pressure_low_percent;
	__u32	pressure_medium_percent;
	__u32	pressure_critical_percent;
};

/*
 * struct uslab_stats - counters of a pool; USLAB_IOC_STATS, on a pool
 *
 * gets, puts and idle_objects come from the shared area; they are exact while
 * nobody operates on the pool, and off by what is in flight otherwise.
 * idle_objects never exceeds what the engine has given out. Caches that are
 * private to a process (no restartable sequences) count as out, and their gets
 * are added a magazine at a time.
 */
struct uslab_stats {
	__u32	size;
	__u32	reserved;
	__u64	object_size;
	__u64	backed_bytes;		/* pages behind objects */
	__u64	out_objects;		/* held by the application */
	__u64	idle_objects;		/* in CPU caches and depots */
	__u64	gets;
	__u64	puts;
	__u64	refills;		/* objects taken out of the engine */
	__u64	refill_failures;	/* refused for lack of memory or space */
	__u64	returns;		/* objects given back to the engine */
	__u64	bad_puts;		/* handles that came back and were not out */
	__u64	victim_hits;		/* objects got from the victim generation */
	__u64	remote_gets;		/* objects got from another home's depot */
	__u64	remote_puts;		/* objects put on another home's CPU */
	__u64	rotations;		/* aging steps */
	__u64	reclaimed_bytes;	/* pages given back, all reasons */
	__u64	magazines;		/* in existence */
	__u64	passes;			/* of the background worker */
	__u64	pass_us;		/* time they took, in microseconds */
	__u64	throttles;		/* puts and gets that had to reclaim */
	__u64	throttled_us;		/* time that took them, in microseconds */
};

#define USLAB_IOC_TYPE		0xBA
#define USLAB_IOC_CREATE	_IOW(USLAB_IOC_TYPE, 0x00, struct uslab_create)
#define USLAB_IOC_REFILL	_IOW(USLAB_IOC_TYPE, 0x10, struct uslab_refill)
#define USLAB_IOC_RETURN	_IOW(USLAB_IOC_TYPE, 0x11, struct uslab_return)
#define USLAB_IOC_GROW		_IOW(USLAB_IOC_TYPE, 0x12, struct uslab_grow)
#define USLAB_IOC_RECLAIM	_IOWR(USLAB_IOC_TYPE, 0x13, struct uslab_reclaim)
#define USLAB_IOC_STATS		_IOWR(USLAB_IOC_TYPE, 0x14, struct uslab_stats)
#define USLAB_IOC_BALANCE	_IOW(USLAB_IOC_TYPE, 0x15, struct uslab_balance)
#define USLAB_IOC_GET_TUNABLES	_IOWR(USLAB_IOC_TYPE, 0x16, struct uslab_tunables)
#define USLAB_IOC_SET_TUNABLES	_IOW(USLAB_IOC_TYPE, 0x17, struct uslab_tunables)

#endif /* _UAPI_LINUX_USLAB_H */
