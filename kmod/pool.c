// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life and death of a pool, and the list of all pools.
 *
 * A pool is a file. Each has an inode of its own, in a file system that only
 * the kernel mounts, because reclaim unmaps by address space: it needs no mm
 * and no VMA, and finds every mapping however it was moved, split or inherited.
 *
 * Mappings hold the file, so release comes after the last of them. It makes
 * the pool invisible, waits for those who had found it before, and frees
 * everything by the pool's own tables.
 *
 * pools_lock guards the list and the names in sysfs. It is held around no work
 * on a pool: walkers take a reference and let go of it.
 */
#include <linux/file.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "uslab.h"

static LIST_HEAD(pools);
static DEFINE_MUTEX(pools_lock);
static atomic64_t last_id = ATOMIC64_INIT(0);

/* The file system. It owns the module for as long as it is mounted. */

static int pool_fs_init_context(struct fs_context *fc)
{
	if (!init_pseudo(fc, USLAB_MAGIC))
		return -ENOMEM;
	/* no mapping is executable, nor can be made so */
	fc->s_iflags |= SB_I_NOEXEC;
	return 0;
}

static struct file_system_type pool_fs = {
	.name			= "uslab",
	.owner			= THIS_MODULE,
	.init_fs_context	= pool_fs_init_context,
	.kill_sb		= kill_anon_super,
};

static struct vfsmount *pool_mount;
static int pool_mount_users;

static struct inode *pool_inode(void)
{
	struct inode *inode;
	int err;

	err = simple_pin_fs(&pool_fs, &pool_mount, &pool_mount_users);
	if (err)
		return ERR_PTR(err);
	inode = alloc_anon_inode(pool_mount->mnt_sb);
	if (IS_ERR(inode))
		simple_release_fs(&pool_mount, &pool_mount_users);
	return inode;
}

static struct file *pool_file(struct uslab_pool *pool, struct inode *inode)
{
	char name[USLAB_NAME_MAX + 8];
	struct file *file;

	snprintf(name, sizeof(name), "uslab:%s", pool->name);
	/* alloc_file_pseudo() takes no reference, but the last fput() drops one */
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(inode, pool_mount, name, O_RDWR, &uslab_pool_fops);
	if (IS_ERR(file))
		module_put(THIS_MODULE);
	else
		file->private_data = pool;
	return file;
}

/* References */

/**
 * uslab_pool_get() - use a pool beyond the lock under which it was found
 * @pool: a pool that is still in the list of pools, or on the shrinker's
 *
 * Return: false when it is about to go.
 */
bool uslab_pool_get(struct uslab_pool *pool)
{
	return refcount_inc_not_zero(&pool->users);
}

/**
 * uslab_pool_put() - end a use of a pool
 * @pool: the pool
 */
void uslab_pool_put(struct uslab_pool *pool)
{
	if (refcount_dec_and_test(&pool->users))
		complete(&pool->unused);
}

/**
 * uslab_pool_next() - walk all pools
 * @pool: where the walk is, NULL to begin; the reference to it is dropped
 *
 * Return: the next pool, with a reference to it; NULL at the end.
 */
struct uslab_pool *uslab_pool_next(struct uslab_pool *pool)
{
	struct uslab_pool *next = NULL;
	struct uslab_pool *p;

	mutex_lock(&pools_lock);
	/* @pool is still linked: release waits for our reference before it unlinks */
	p = list_prepare_entry(pool, &pools, link);
	list_for_each_entry_continue(p, &pools, link) {
		if (uslab_pool_get(p)) {
			next = p;
			break;
		}
	}
	mutex_unlock(&pools_lock);
	if (pool)
		uslab_pool_put(pool);
	return next;
}

/* Nodes and homes */

static int pool_init_nodes(struct uslab_pool *pool)
{
	int nid;

	pool->nids = kvcalloc(nr_node_ids, sizeof(*pool->nids), USLAB_GFP);
	if (!pool->nids)
		return -ENOMEM;
	/* pages of objects cannot be migrated, so they need more than movable memory */
	for_each_node_state(nid, N_NORMAL_MEMORY)
		pool->nids[pool->nr_nids++] = nid;
	return 0;
}

static int pool_init_homes(struct uslab_pool *pool)
{
	struct uslab_core *core = &pool->core;
	u32 i;

	core->homes = kvcalloc(core->geo.nr_homes, sizeof(*core->homes), USLAB_GFP);
	if (!core->homes)
		return -ENOMEM;
	for (i = 0; i < core->geo.nr_homes; i++) {
		int nid = pool->nids[i];
		struct uslab_node *node = kzalloc_node(sizeof(*node), USLAB_GFP, nid);
		int err;

		if (!node)
			return -ENOMEM;
		node->nid = nid;
		mutex_init(&node->lock);
		spin_lock_init(&node->slots_lock);
		node->home.core = core;
		node->home.index = i;
		core->homes[i] = &node->home;
		err = uslab_slabs_init(&node->home.slabs, &core->geo);
		if (err)
			return err;
	}
	return 0;
}

static void pool_free_homes(struct uslab_pool *pool)
{
	u32 i;

	if (!pool->core.homes)
		return;
	for (i = 0; i < pool->core.geo.nr_homes && pool->core.homes[i]; i++)
		kfree(uslab_node(pool->core.homes[i]));
	kvfree(pool->core.homes);
}

/* The home nearest to a CPU, whose own node may have no memory. */
static u32 nearest_home(const struct uslab_pool *pool, u32 cpu)
{
	int node = cpu_possible(cpu) ? cpu_to_mem(cpu) : NUMA_NO_NODE;
	int best = INT_MAX;
	u32 home = 0;
	u32 i;

	if (node == NUMA_NO_NODE)
		return 0;
	for (i = 0; i < pool->core.geo.nr_homes; i++) {
		int distance = node_distance(node, pool->nids[i]);

		if (distance < best) {
			best = distance;
			home = i;
		}
	}
	return home;
}

/* Write the control page and set the CPU caches up. */
static void pool_describe(struct uslab_pool *pool)
{
	struct uslab_control *control = pool->control;
	struct uslab_geometry *geo = &pool->core.geo;
	u16 *cpu_home, *home_node;
	u32 i;

	uslab_geometry_describe(geo, control);
	control->id = pool->id;
	memcpy(control->name, pool->name, sizeof(control->name));
	cpu_home = (void *)control + control->cpu_home_start;
	home_node = (void *)control + control->home_node_start;
	for (i = 0; i < geo->nr_homes; i++)
		home_node[i] = pool->nids[i];
	for (i = 0; i < geo->nr_cpus; i++) {
		cpu_home[i] = nearest_home(pool, i);
		uslab_cpu_init(geo, uslab_cpu_cache(pool, i), cpu_home[i]);
	}
}

/* Visibility */

static bool dir_taken(const char *dir)
{
	struct uslab_pool *pool;

	list_for_each_entry(pool, &pools, link)
		if (!strcmp(pool->dir, dir))
			return true;
	return false;
}

/* Let others find the pool: sysfs, the shrinker, those who walk the list. */
static int pool_publish(struct uslab_pool *pool)
{
	char dir[USLAB_DIR_MAX];
	int err = -EEXIST;

	mutex_lock(&pools_lock);
	/* somebody may have called a pool "name.id"; then append once more */
	snprintf(dir, sizeof(dir), "%s", pool->name);
	while (dir_taken(dir)) {
		size_t len = strlen(dir);
		size_t room = sizeof(dir) - len;

		if (snprintf(dir + len, room, ".%llu", pool->id) >= room)
			goto out;
	}
	err = uslab_sysfs_add(pool, dir);
	if (!err) {
		memcpy(pool->dir, dir, sizeof(dir));
		list_add_tail(&pool->link, &pools);
	}
out:
	mutex_unlock(&pools_lock);
	if (err)
		return err;
	uslab_shrinker_publish(pool);
	/* now that it is in the list, no change of a default passes it by */
	uslab_tunables_follow_defaults(pool);
	return 0;
}

static void pool_unpublish(struct uslab_pool *pool)
{
	uslab_pool_put(pool);
	wait_for_completion(&pool->unused);
	/* not earlier: who has a reference may tell of changes in sysfs */
	uslab_sysfs_del(pool);
	uslab_shrinker_unpublish(pool);
	mutex_lock(&pools_lock);
	list_del(&pool->link);
	mutex_unlock(&pools_lock);
}

/* Creation and release */

static void pool_free(struct uslab_pool *pool)
{
	uslab_drain_del(pool);
	uslab_shrinker_del(pool);
	uslab_backing_destroy(pool);
	pool_free_homes(pool);
	kvfree(pool->nids);
	mem_cgroup_put(pool->memcg);
	kfree(pool);
}

static int pool_build(struct uslab_pool *pool, const struct uslab_create *request)
{
	int err;

	err = pool_init_nodes(pool);
	if (err)
		return err;
	err = uslab_geometry_init(&pool->core.geo, request, nr_cpu_ids, pool->nr_nids,
				  (u64)totalram_pages() << PAGE_SHIFT);
	if (err)
		return err;
	err = pool_init_homes(pool);
	if (err)
		return err;
	err = uslab_backing_init(pool);
	if (err)
		return err;
	err = uslab_drain_add(pool);
	if (err)
		return err;
	err = uslab_shrinker_add(pool);
	if (err)
		return err;
	pool_describe(pool);
	uslab_tunables_init(&pool->tunables);
	return 0;
}

static struct uslab_pool *pool_new(const struct uslab_create *request)
{
	struct uslab_pool *pool = kzalloc(sizeof(*pool), USLAB_GFP);
	struct mem_cgroup *old;
	int err;

	if (!pool)
		return ERR_PTR(-ENOMEM);
	pool->id = atomic64_inc_return(&last_id);
	memcpy(pool->name, request->name, sizeof(pool->name));
	refcount_set(&pool->users, 1);
	init_completion(&pool->unused);
	uslab_worker_add(pool);
	/* who created the pool pays for it, whoever uses it */
	pool->memcg = get_mem_cgroup_from_mm(current->mm);

	old = set_active_memcg(pool->memcg);
	err = pool_build(pool, request);
	set_active_memcg(old);
	if (err) {
		pool_free(pool);
		return ERR_PTR(err);
	}
	return pool;
}

/**
 * uslab_pool_create() - make a pool
 * @request: a private copy of what user space asks for, not checked yet
 *
 * Return: the pool's file, or an error as struct uslab_create documents it.
 */
struct file *uslab_pool_create(const struct uslab_create *request)
{
	struct uslab_pool *pool;
	struct inode *inode;
	struct file *file;
	int err;

	err = uslab_name_check(request->name);
	if (err)
		return ERR_PTR(err);
	pool = pool_new(request);
	if (IS_ERR(pool))
		return ERR_CAST(pool);
	inode = pool_inode();
	if (IS_ERR(inode)) {
		err = PTR_ERR(inode);
		goto err_pool;
	}
	pool->mapping = inode->i_mapping;
	err = pool_publish(pool);
	if (err)
		goto err_inode;
	file = pool_file(pool, inode);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_publish;
	}
	return file;

err_publish:
	pool_unpublish(pool);
err_inode:
	iput(inode);
	simple_release_fs(&pool_mount, &pool_mount_users);
err_pool:
	pool_free(pool);
	return ERR_PTR(err);
}

/**
 * uslab_pool_release() - the last reference to a pool's file is gone
 * @pool: the pool
 *
 * Waits for those who work on the pool, all of whom do bounded work.
 */
void uslab_pool_release(struct uslab_pool *pool)
{
	pool_unpublish(pool);
	pool_free(pool);
	/* the file holds its own reference to the mount until it is gone */
	simple_release_fs(&pool_mount, &pool_mount_users);
}
