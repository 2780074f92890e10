// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/uslab: a directory for each pool, one value a file.
 *
 * The counters come from one table of fields of struct uslab_stats, so that
 * they are those of USLAB_IOC_STATS by construction.
 *
 * Taking a directory away waits for those who read or write its files. They
 * use nothing but the pool, and need no reference to it for that.
 */
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "uslab.h"

/**
 * struct pool_attribute - a file
 * @attr:	name and mode
 * @show:	writes the value
 * @store:	takes one
 * @offset:	for counters: in struct uslab_stats; for tunables: their index
 */
struct pool_attribute {
	struct attribute attr;
	ssize_t (*show)(struct uslab_pool *pool, const struct pool_attribute *attr, char *buf);
	ssize_t (*store)(struct uslab_pool *pool, const struct pool_attribute *attr,
			 const char *buf, size_t size);
	size_t offset;
};

static struct uslab_pool *kobj_pool(struct kobject *kobj)
{
	return container_of(kobj, struct uslab_pool, kobj);
}

static ssize_t stat_show(struct uslab_pool *pool, const struct pool_attribute *attr, char *buf)
{
	struct uslab_stats stats;

	uslab_core_stats(&pool->core, &stats);
	return sysfs_emit(buf, "%llu\n", *(u64 *)((char *)&stats + attr->offset));
}

static ssize_t id_show(struct uslab_pool *pool, const struct pool_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", pool->id);
}

static ssize_t stride_show(struct uslab_pool *pool, const struct pool_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", pool->core.geo.stride);
}

static ssize_t policy_show(struct uslab_pool *pool, const struct pool_attribute *attr, char *buf)
{
	static const char * const names[] = {
		[USLAB_POLICY_LOCAL]		= "local",
		[USLAB_POLICY_BIND]		= "bind",
		[USLAB_POLICY_INTERLEAVE]	= "interleave",
		[USLAB_POLICY_GLOBAL]		= "global",
	};

	return sysfs_emit(buf, "%s\n", names[pool->core.geo.policy]);
}

static ssize_t pressure_show(struct uslab_pool *pool, const struct pool_attribute *attr, char *buf)
{
	static const char * const names[] = {
		[USLAB_PRESSURE_NONE]		= "none",
		[USLAB_PRESSURE_LOW]		= "low",
		[USLAB_PRESSURE_MEDIUM]		= "medium",
		[USLAB_PRESSURE_CRITICAL]	= "critical",
	};

	return sysfs_emit(buf, "%s\n", names[READ_ONCE(pool->governor.level)]);
}

static ssize_t breaker_show(struct uslab_pool *pool, const struct pool_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(pool->governor.breaker));
}

/* Bytes, "max", or how strong it is to be: "trim", "depots", "cpus". */
static ssize_t reclaim_store(struct uslab_pool *pool, const struct pool_attribute *attr,
			     const char *buf, size_t size)
{
	u64 bytes = U64_MAX;
	u32 flags = 0;

	if (sysfs_streq(buf, "trim"))
		flags = USLAB_RECLAIM_TRIM;
	else if (sysfs_streq(buf, "depots"))
		flags = USLAB_RECLAIM_DEPOTS;
	else if (!sysfs_streq(buf, "max") && !sysfs_streq(buf, "cpus") &&
		 uslab_parse_bytes(buf, &bytes))
		return -EINVAL;
	uslab_reclaim_pool(pool, bytes, flags);
	return size;
}

static ssize_t tunable_show(struct uslab_pool *pool, const struct pool_attribute *attr, char *buf)
{
	return uslab_tunable_show(pool, attr->offset, buf);
}

static ssize_t tunable_store(struct uslab_pool *pool, const struct pool_attribute *attr,
			     const char *buf, size_t size)
{
	int err = uslab_tunable_store(pool, attr->offset, buf);

	return err ? err : size;
}

#define STAT(_name) {						\
	.attr	= { .name = #_name, .mode = 0444 },		\
	.show	= stat_show,					\
	.offset	= offsetof(struct uslab_stats, _name),		\
}

static struct pool_attribute pool_files[] = {
	{ .attr = { .name = "id", .mode = 0444 }, .show = id_show },
	{ .attr = { .name = "policy", .mode = 0444 }, .show = policy_show },
	{ .attr = { .name = "object_stride", .mode = 0444 }, .show = stride_show },
	{ .attr = { .name = "pressure", .mode = 0444 }, .show = pressure_show },
	{ .attr = { .name = "breaker", .mode = 0444 }, .show = breaker_show },
	{ .attr = { .name = "reclaim", .mode = 0200 }, .store = reclaim_store },
	STAT(object_size),
	STAT(backed_bytes),
	STAT(out_objects),
	STAT(idle_objects),
	STAT(gets),
	STAT(puts),
	STAT(refills),
	STAT(refill_failures),
	STAT(returns),
	STAT(bad_puts),
	STAT(victim_hits),
	STAT(remote_gets),
	STAT(remote_puts),
	STAT(rotations),
	STAT(reclaimed_bytes),
	STAT(magazines),
	STAT(passes),
	STAT(pass_us),
	STAT(throttles),
	STAT(throttled_us),
#define USLAB_TUNABLE(_name, ...) {					\
	.attr	= { .name = #_name, .mode = 0644 },		\
	.show	= tunable_show,					\
	.store	= tunable_store,				\
	.offset	= USLAB_TUNABLE_##_name,			\
},
#include "engine/tunable_defs.h"
};

/* The same as sysfs wants it; filled in by uslab_sysfs_init(). */
static struct attribute *pool_attrs[ARRAY_SIZE(pool_files) + 1];
ATTRIBUTE_GROUPS(pool);

static ssize_t pool_show(struct kobject *kobj, struct attribute *attr, char *buf)
{
	struct pool_attribute *file = container_of(attr, struct pool_attribute, attr);

	return file->show ? file->show(kobj_pool(kobj), file, buf) : -EIO;
}

static ssize_t pool_store(struct kobject *kobj, struct attribute *attr, const char *buf,
			  size_t size)
{
	struct pool_attribute *file = container_of(attr, struct pool_attribute, attr);

	return file->store ? file->store(kobj_pool(kobj), file, buf, size) : -EIO;
}

static const struct sysfs_ops pool_sysfs_ops = {
	.show	= pool_show,
	.store	= pool_store,
};

static void pool_kobj_release(struct kobject *kobj)
{
	complete(&kobj_pool(kobj)->kobj_gone);
}

static const struct kobj_type pool_ktype = {
	.release	= pool_kobj_release,
	.sysfs_ops	= &pool_sysfs_ops,
	.default_groups	= pool_groups,
};

static struct kobject *uslab_kobj;

/**
 * uslab_sysfs_add() - make a pool's directory
 * @pool: the pool
 * @name: of the directory; not in use
 *
 * Return: 0 or an error.
 */
int uslab_sysfs_add(struct uslab_pool *pool, const char *name)
{
	int err;

	init_completion(&pool->kobj_gone);
	err = kobject_init_and_add(&pool->kobj, &pool_ktype, uslab_kobj, "%s", name);
	if (err) {
		kobject_put(&pool->kobj);
		wait_for_completion(&pool->kobj_gone);
	}
	return err;
}

/**
 * uslab_sysfs_del() - take a pool's directory away, and wait for its users
 * @pool: the pool
 */
void uslab_sysfs_del(struct uslab_pool *pool)
{
	kobject_del(&pool->kobj);
	kobject_put(&pool->kobj);
	wait_for_completion(&pool->kobj_gone);
}

/**
 * uslab_sysfs_init() - begin
 *
 * Return: 0 or -ENOMEM.
 */
int __init uslab_sysfs_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pool_files); i++)
		pool_attrs[i] = &pool_files[i].attr;
	uslab_kobj = kobject_create_and_add("uslab", kernel_kobj);
	return uslab_kobj ? 0 : -ENOMEM;
}

/**
 * uslab_sysfs_exit() - end
 */
void uslab_sysfs_exit(void)
{
	kobject_put(uslab_kobj);
}
