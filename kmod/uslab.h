/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share: the pool, and who answers for which part
 * of it.
 *
 *	main.c		loading and unloading
 *	device.c	/dev/uslab, ioctls
 *	pool.c		life and death of a pool, the list of pools
 *	region.c	mappings and faults, unmapping
 *	backing.c	memory: pages, CPU caches, depots, magazines; the engine's ops
 *	drain.c		emptying CPU caches
 *	shrinker.c	the kernel wants memory
 *	reclaim.c	somebody else wants memory: RECLAIM, a put or get over a threshold
 *	worker.c	looks at all pools from time to time: age, thresholds, growth
 *	limits.c	what a pool may use, how near it is to that, who is told
 *	tunables.c	the module's defaults and each pool's values
 *	sysfs.c		/sys/kernel/uslab
 *
 * Locks, outermost first; what is on one line never nests:
 *
 *	cpu_hotplug_lock (callback in drain.c)
 *	pools_lock (pool.c), tunables_lock (tunables.c)
 *	pool->grow
 *	fs_reclaim: the shrinker is entered from any allocation
 *	node->lock: try only, in the shrinker; no allocation while it is held
 *	page lock of an object page: try only, under node->lock; i_mmap_rwsem
 *	node->slots_lock; the list_lru's lock; pool->governor_lock
 *
 * A pool lives as long as its file. Whoever else finds one, in the list of
 * pools or on the shrinker's list, uses it under a reference that release
 * waits for, see uslab_pool_get().
 */
#ifndef USLAB_H
#define USLAB_H

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "engine/balance.h"

struct mem_cgroup;
struct poll_table_struct;
struct uslab_drain;
struct uslab_item;

/* Memory of a pool: charged to its cgroup, and -ENOMEM rather than an OOM kill. */
#define USLAB_GFP	(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/* A CPU cache that did not change for this long is idle, to the shrinker. */
#define USLAB_IDLE_JIFFIES	(HZ / 10)

/* Room for a name with what makes it unique in sysfs. */
#define USLAB_DIR_MAX	(2 * USLAB_NAME_MAX)

/**
 * struct uslab_node - a home, and what the module adds to it
 * @home:	the engine's part
 * @lock:	the home's lock
 * @slots_lock:	taking a page out of its slot against looking one up in a fault
 * @nid:	the NUMA node its pages come from, by most policies
 */
struct uslab_node {
	struct uslab_home	home;
	struct mutex		lock;		/* see above */
	spinlock_t		slots_lock;	/* see above */
	int			nid;
};

/**
 * struct uslab_pool - a pool
 * @core:		the engine's part; its homes are in struct uslab_node
 * @id:			unique while the module is loaded
 * @name:		as given by its creator
 * @dir:		its name in sysfs; kept while it is linked, @kobj forgets it earlier
 * @link:		in the list of pools, under pools_lock
 * @users:		references, among them the file's
 * @unused:		the last reference is gone
 * @kobj:		its directory in sysfs
 * @kobj_gone:		nobody has a reference to @kobj
 * @mapping:		the address space of its inode
 * @memcg:		the cgroup of its creator, may be NULL
 * @nids:		nodes with memory when it was created
 * @nr_nids:		how many of them
 * @rotor:		for interleaving
 * @control:		the control pages
 * @shared:		pages of the shared area before the magazines
 * @nr_shared:		how many of them
 * @grow:		adding to @magazines; not taken by the shrinker
 * @magazines:		pages of magazines by their number in the magazine area
 * @nr_magazine_pages:	how many of them
 * @drains:		a struct uslab_drain for each CPU
 * @nr_draining:	works queued and not done
 * @drained:		@nr_draining may have become 0
 * @looked:		when the CPU caches were last looked at, in jiffies
 * @cached:		objects that were in them then
 * @cached_idle:	of which in caches not used for a while
 * @items:		on the shrinker's lists, @nr_items of them
 * @nr_items:		a home has one, the single home of a pool one per node
 * @limit_hit:		when a limit of the cgroup was last seen exhausted, in jiffies
 * @tunables:		their values; read field by field without a lock
 * @own:		a bit for each that does not follow the defaults, under tunables_lock
 * @governor:		what its decisions depend on, under @governor_lock
 * @governor_lock:	a spinlock
 * @next_look:		when the worker looks again, in jiffies
 * @last_look:		when it did so last
 * @limits_looked:	when the limits were last looked at, in jiffies
 * @pressure_wait:	who waits for the pressure level to change
 */
struct uslab_pool {
	struct uslab_core	core;
	u64			id;
	char			name[USLAB_NAME_MAX];
	char			dir[USLAB_DIR_MAX];

	struct list_head	link;
	refcount_t		users;
	struct completion	unused;
	struct kobject		kobj;
	struct completion	kobj_gone;

	struct address_space	*mapping;
	struct mem_cgroup	*memcg;
	int			*nids;
	u32			nr_nids;
	atomic_t		rotor;

	struct uslab_control	*control;
	struct page		**shared;
	u32			nr_shared;
	struct mutex		grow;		/* see above */
	struct xarray		magazines;
	u32			nr_magazine_pages;

	struct uslab_drain	*drains;
	atomic_t		nr_draining;
	wait_queue_head_t	drained;
	unsigned long		looked;
	u64			cached;
	u64			cached_idle;

	struct uslab_item	**items;
	u32			nr_items;
	unsigned long		limit_hit;

	struct uslab_tunables	tunables;
	u32			own;
	struct uslab_governor	governor;
	spinlock_t		governor_lock;	/* see above */
	unsigned long		next_look;
	unsigned long		last_look;
	unsigned long		limits_looked;
	wait_queue_head_t	pressure_wait;
};

static inline struct uslab_pool *uslab_pool(const struct uslab_core *core)
{
	return (struct uslab_pool *)container_of(core, struct uslab_pool, core);
}

static inline struct uslab_node *uslab_node(const struct uslab_home *home)
{
	return (struct uslab_node *)container_of(home, struct uslab_node, home);
}

static inline struct uslab_cpu *uslab_cpu_cache(const struct uslab_pool *pool, u32 cpu)
{
	return pool->core.ops->cpu(&pool->core, cpu);
}

/* Bytes of the object space that one home owns, as a shift. */
static inline u32 uslab_span_shift(const struct uslab_geometry *geo)
{
	return geo->home_shift + geo->granule_shift;
}

static inline u64 uslab_objects_to_pages(const struct uslab_geometry *geo, u64 objects)
{
	/* never more than the object space, whatever user space counts there */
	objects = min_t(u64, objects, geo->objects_size >> geo->granule_shift);
	return objects * geo->stride >> PAGE_SHIFT;
}

/* device.c */
int uslab_device_init(void);
void uslab_device_exit(void);
extern const struct file_operations uslab_pool_fops;

/* pool.c */
struct file *uslab_pool_create(const struct uslab_create *request);
void uslab_pool_release(struct uslab_pool *pool);
bool uslab_pool_get(struct uslab_pool *pool);
void uslab_pool_put(struct uslab_pool *pool);
struct uslab_pool *uslab_pool_next(struct uslab_pool *pool);

/* region.c */
int uslab_region_mmap(struct file *file, struct vm_area_struct *vma);
bool uslab_region_detach(struct uslab_home *home, struct uslab_page_ref *ref);
void uslab_region_unmap(struct uslab_home *home, u32 first_page, u32 nr_pages);

/* backing.c */
int uslab_backing_init(struct uslab_pool *pool);
void uslab_backing_destroy(struct uslab_pool *pool);
struct page *uslab_backing_shared_page(struct uslab_pool *pool, pgoff_t page);
int uslab_backing_refill(struct uslab_home *home, u32 *handles, u32 nr);
int uslab_backing_grow(struct uslab_home *home);

/* drain.c */
int uslab_drain_init(void);
void uslab_drain_exit(void);
int uslab_drain_add(struct uslab_pool *pool);
void uslab_drain_del(struct uslab_pool *pool);
void uslab_drain_look(struct uslab_pool *pool);
void uslab_drain_queue(struct uslab_pool *pool, unsigned long idle);
long uslab_drain_wait(struct uslab_pool *pool, unsigned long timeout);

/* shrinker.c */
int uslab_shrinker_init(void);
void uslab_shrinker_exit(void);
int uslab_shrinker_add(struct uslab_pool *pool);
void uslab_shrinker_del(struct uslab_pool *pool);
void uslab_shrinker_publish(struct uslab_pool *pool);
void uslab_shrinker_unpublish(struct uslab_pool *pool);

/* reclaim.c */
u64 uslab_reclaim_pool(struct uslab_pool *pool, u64 bytes, u32 flags);
void uslab_reclaim_put(struct uslab_pool *pool);
void uslab_reclaim_get(struct uslab_pool *pool, u32 nr);

/* worker.c */
int uslab_worker_init(void);
void uslab_worker_exit(void);
void uslab_worker_add(struct uslab_pool *pool);
void uslab_worker_kick(struct uslab_pool *pool);
void uslab_worker_watch(struct uslab_pool *pool);
void uslab_worker_thresholds(struct uslab_pool *pool);

/* limits.c */
bool uslab_memcg_is_root(struct mem_cgroup *memcg);
unsigned long uslab_memcg_margin(struct mem_cgroup *memcg, bool high);
unsigned long uslab_memcg_room(struct mem_cgroup *memcg);
bool uslab_memcg_is_mine(struct mem_cgroup *memcg, unsigned long margin);
u64 uslab_limits_memory(const struct uslab_pool *pool);
void uslab_limits_view(const struct uslab_pool *pool, struct uslab_view *view);
void uslab_limits_look(struct uslab_pool *pool, const struct uslab_view *view);
u32 uslab_limits_admit(struct uslab_pool *pool, u32 nr);
__poll_t uslab_limits_poll(struct file *file, struct poll_table_struct *wait);

/* tunables.c */
void uslab_tunables_init_defaults(void);
void uslab_tunables_follow_defaults(struct uslab_pool *pool);
void uslab_tunables_get(struct uslab_pool *pool, struct uslab_tunables *tunables);
int uslab_tunables_set(struct uslab_pool *pool, const struct uslab_tunables *wanted);
int uslab_tunable_store(struct uslab_pool *pool, u32 index, const char *buf);
int uslab_tunable_show(const struct uslab_pool *pool, u32 index, char *buf);
int uslab_parse_bytes(const char *buf, u64 *bytes);

/* sysfs.c */
int uslab_sysfs_init(void);
void uslab_sysfs_exit(void);
int uslab_sysfs_add(struct uslab_pool *pool, const char *name);
void uslab_sysfs_del(struct uslab_pool *pool);

#endif /* USLAB_H */
