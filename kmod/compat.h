/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel versions: the only file that asks which one this is.
 *
 * Each function is written like the newest kernel's and built from what older
 * ones have. Tested are 6.1, 6.12 and 7.2.
 */
#ifndef USLAB_COMPAT_H
#define USLAB_COMPAT_H

#include <linux/list_lru.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "uslab needs Linux 6.1 or newer"
#endif
#if !defined(CONFIG_64BIT) || defined(CONFIG_HIGHMEM)
#error "uslab needs a 64-bit kernel, whose linear map has all memory"
#endif

/* Since 6.3 the flags of a mapping are written by functions. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void uslab_vm_flags_mod(struct vm_area_struct *vma, unsigned long set,
				      unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#else
static inline void uslab_vm_flags_mod(struct vm_area_struct *vma, unsigned long set,
				      unsigned long clear)
{
	vm_flags_mod(vma, set, clear);
}
#endif

/*
 * Tell reclaim how much a shrinker freed: what scan_objects() returns counts
 * as work, not as progress.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
static inline void uslab_account_reclaimed_pages(unsigned long pages)
{
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
}
#else
static inline void uslab_account_reclaimed_pages(unsigned long pages)
{
	mm_account_reclaimed_pages(pages);
}
#endif

/*
 * A shrinker with the list it walks. Before 6.7 the shrinker gets the number
 * that the list must know by being registered, so there its callbacks may run
 * before the list exists.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline struct shrinker *uslab_shrinker_register(const struct shrinker *ops,
						       struct list_lru *lru, const char *name)
{
	struct shrinker *shrinker = kmemdup(ops, sizeof(*ops), GFP_KERNEL);
	int err;

	if (!shrinker)
		return ERR_PTR(-ENOMEM);
	err = register_shrinker(shrinker, "%s", name);
	if (err)
		goto err_free;
	err = list_lru_init_memcg(lru, shrinker);
	if (err)
		goto err_unregister;
	return shrinker;

err_unregister:
	unregister_shrinker(shrinker);
err_free:
	kfree(shrinker);
	return ERR_PTR(err);
}

static inline void uslab_shrinker_unregister(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#else
static inline struct shrinker *uslab_shrinker_register(const struct shrinker *ops,
						       struct list_lru *lru, const char *name)
{
	struct shrinker *shrinker = shrinker_alloc(ops->flags, "%s", name);
	int err;

	if (!shrinker)
		return ERR_PTR(-ENOMEM);
	shrinker->count_objects = ops->count_objects;
	shrinker->scan_objects = ops->scan_objects;
	shrinker->seeks = ops->seeks;
	err = list_lru_init_memcg(lru, shrinker);
	if (err) {
		shrinker_free(shrinker);
		return ERR_PTR(err);
	}
	shrinker_register(shrinker);
	return shrinker;
}

static inline void uslab_shrinker_unregister(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#endif

/* Items that say by their own memory which node and cgroup they belong to. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define uslab_list_lru_add_obj(lru, item)	list_lru_add(lru, item)
#define uslab_list_lru_del_obj(lru, item)	list_lru_del(lru, item)
#else
#define uslab_list_lru_add_obj(lru, item)	list_lru_add_obj(lru, item)
#define uslab_list_lru_del_obj(lru, item)	list_lru_del_obj(lru, item)
#endif

/* Until 6.13 the callback of a walk was told the lock that it runs under. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define USLAB_LRU_LOCK	spinlock_t *lru_lock,
#else
#define USLAB_LRU_LOCK
#endif

/* Work queued on CPU n runs on CPU n: to be asked for where that can be said. */
#ifdef USLAB_HAVE_WQ_PERCPU
#define USLAB_WQ_PERCPU	WQ_PERCPU
#else
#define USLAB_WQ_PERCPU	0
#endif

#endif /* USLAB_COMPAT_H */
