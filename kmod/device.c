// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way in from user space: /dev/uslab, and the operations of a pool's file.
 *
 * Commands are told apart by type and number, not by size: a struct says its
 * size in its first field, so that it may grow. Arguments are copied once and
 * checked here or by the engine; arrays of handles are copied in chunks.
 */
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ioctl.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "uslab.h"

#define HANDLE_CHUNK	128u		/* handles copied at once */

/* Structs end here in the first version of the ABI. */
#define CREATE_SIZE	offsetofend(struct uslab_create, name)
#define REFILL_SIZE	offsetofend(struct uslab_refill, handles)
#define RETURN_SIZE	offsetofend(struct uslab_return, handles)
#define GROW_SIZE	offsetofend(struct uslab_grow, reserved)
#define RECLAIM_SIZE	offsetofend(struct uslab_reclaim, reclaimed)
#define STATS_SIZE	offsetofend(struct uslab_stats, throttled_us)
#define BALANCE_SIZE	offsetofend(struct uslab_balance, flags)
#define TUNABLES_SIZE	offsetofend(struct uslab_tunables, pressure_critical_percent)

/*
 * Copy a struct of any version: what the caller does not know of is zero, and
 * what we do not know of must be. Returns the size as the caller knows it.
 */
static int copy_args(void *args, size_t size, size_t least, const void __user *from)
{
	u32 user_size;
	int err;

	if (get_user(user_size, (const u32 __user *)from))
		return -EFAULT;
	if (user_size < least)
		return -EINVAL;
	if (user_size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(args, size, from, user_size);
	return err ? err : (int)user_size;
}

static struct uslab_home *pool_home(struct uslab_pool *pool, u32 home)
{
	u32 nr = pool->core.geo.nr_homes;

	return home < nr ? pool->core.homes[array_index_nospec(home, nr)] : NULL;
}

/* Pools */

/*
 * Map objects where the caller has the object space. Whether that works does not
 * matter: what is not mapped here is by the first touch.
 */
static void populate(const struct uslab_pool *pool, u64 objects, const u32 *handles, u32 nr)
{
	const struct uslab_geometry *geo = &pool->core.geo;
	u64 last = U64_MAX;	/* page that was mapped; objects in a row share pages */
	u32 i;

	for (i = 0; objects && i < nr && !fatal_signal_pending(current); i++) {
		u64 start = objects + ((u64)handles[i] << geo->granule_shift);
		u64 end = start + geo->stride;

		if (PAGE_ALIGN_DOWN(start) == last)
			start = last + PAGE_SIZE;
		if (start >= end)
			continue;
		fault_in_safe_writeable(u64_to_user_ptr(start), end - start);
		last = PAGE_ALIGN_DOWN(end - 1);
	}
}

static long pool_refill(struct uslab_pool *pool, void __user *arg)
{
	u32 handles[HANDLE_CHUNK];
	struct uslab_refill args;
	struct uslab_home *home;
	u32 __user *to;
	u32 done = 0;
	int err;

	err = copy_args(&args, sizeof(args), REFILL_SIZE, arg);
	if (err < 0)
		return err;
	home = pool_home(pool, args.home);
	if (!home || args.flags || !args.nr || args.nr > USLAB_BATCH_MAX)
		return -EINVAL;

	to = u64_to_user_ptr(args.handles);
	while (done < args.nr) {
		u32 want = min(args.nr - done, HANDLE_CHUNK);
		int got = uslab_backing_refill(home, handles, want);

		if (got < 0)
			return done ? done : got;
		if (copy_to_user(to + done, handles, got * sizeof(*handles))) {
			uslab_core_return(&pool->core, handles, got);
			return done ? done : -EFAULT;
		}
		populate(pool, args.objects, handles, got);
		done += got;
		if (got < want)
			break;
	}
	return done;
}

static long pool_return(struct uslab_pool *pool, void __user *arg)
{
	u32 handles[HANDLE_CHUNK];
	struct uslab_return args;
	const u32 __user *from;
	u32 accepted = 0;
	u32 done, nr;
	int err;

	err = copy_args(&args, sizeof(args), RETURN_SIZE, arg);
	if (err < 0)
		return err;
	if (args.flags || args.reserved || !args.nr || args.nr > USLAB_BATCH_MAX)
		return -EINVAL;

	from = u64_to_user_ptr(args.handles);
	for (done = 0; done < args.nr; done += nr) {
		nr = min(args.nr - done, HANDLE_CHUNK);
		if (copy_from_user(handles, from + done, nr * sizeof(*handles)))
			return accepted ? accepted : -EFAULT;
		accepted += uslab_core_return(&pool->core, handles, nr);
	}
	return accepted;
}

static long pool_grow(struct uslab_pool *pool, void __user *arg)
{
	struct uslab_grow args;
	struct uslab_home *home;
	int err;

	err = copy_args(&args, sizeof(args), GROW_SIZE, arg);
	if (err < 0)
		return err;
	home = pool_home(pool, args.home);
	if (!home || args.flags || args.reserved)
		return -EINVAL;
	return uslab_backing_grow(home);
}

static long pool_reclaim(struct uslab_pool *pool, void __user *arg)
{
	struct uslab_reclaim __user *to = arg;
	struct uslab_reclaim args;
	u64 reclaimed;
	int err;

	err = copy_args(&args, sizeof(args), RECLAIM_SIZE, arg);
	if (err < 0)
		return err;
	if (args.flags != 0 && args.flags != USLAB_RECLAIM_TRIM &&
	    args.flags != USLAB_RECLAIM_DEPOTS)
		return -EINVAL;
	reclaimed = uslab_reclaim_pool(pool, args.bytes, args.flags);
	return put_user(reclaimed, &to->reclaimed);
}

static long pool_balance(struct uslab_pool *pool, void __user *arg)
{
	struct uslab_balance args;
	int err;

	err = copy_args(&args, sizeof(args), BALANCE_SIZE, arg);
	if (err < 0)
		return err;
	if (args.flags)
		return -EINVAL;
	uslab_reclaim_put(pool);
	return 0;
}

static long pool_get_tunables(struct uslab_pool *pool, void __user *arg)
{
	struct uslab_tunables tunables;
	size_t size;
	int err;

	err = copy_args(&tunables, sizeof(tunables), TUNABLES_SIZE, arg);
	if (err < 0)
		return err;
	size = min_t(size_t, err, sizeof(tunables));
	uslab_tunables_get(pool, &tunables);
	tunables.size = size;
	return copy_to_user(arg, &tunables, size) ? -EFAULT : 0;
}

static long pool_set_tunables(struct uslab_pool *pool, void __user *arg)
{
	struct uslab_tunables tunables, now;
	int err;

	err = copy_args(&tunables, sizeof(tunables), TUNABLES_SIZE, arg);
	if (err < 0)
		return err;
	/* what the caller does not know of stays as it is */
	uslab_tunables_get(pool, &now);
	memcpy(&now, &tunables, min_t(size_t, err, sizeof(now)));
	return uslab_tunables_set(pool, &now);
}

static long pool_stats(struct uslab_pool *pool, void __user *arg)
{
	struct uslab_stats stats;
	size_t size;
	int err;

	err = copy_args(&stats, sizeof(stats), STATS_SIZE, arg);
	if (err < 0)
		return err;
	if (stats.reserved)
		return -EINVAL;
	size = min_t(size_t, err, sizeof(stats));
	uslab_core_stats(&pool->core, &stats);
	stats.size = size;
	return copy_to_user(arg, &stats, size) ? -EFAULT : 0;
}

static long pool_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct uslab_pool *pool = file->private_data;
	void __user *user = (void __user *)arg;

	if (_IOC_TYPE(cmd) != USLAB_IOC_TYPE)
		return -ENOTTY;
	switch (_IOC_NR(cmd)) {
	case _IOC_NR(USLAB_IOC_REFILL):
		return pool_refill(pool, user);
	case _IOC_NR(USLAB_IOC_RETURN):
		return pool_return(pool, user);
	case _IOC_NR(USLAB_IOC_GROW):
		return pool_grow(pool, user);
	case _IOC_NR(USLAB_IOC_RECLAIM):
		return pool_reclaim(pool, user);
	case _IOC_NR(USLAB_IOC_STATS):
		return pool_stats(pool, user);
	case _IOC_NR(USLAB_IOC_BALANCE):
		return pool_balance(pool, user);
	case _IOC_NR(USLAB_IOC_GET_TUNABLES):
		return pool_get_tunables(pool, user);
	case _IOC_NR(USLAB_IOC_SET_TUNABLES):
		return pool_set_tunables(pool, user);
	default:
		return -ENOTTY;
	}
}

static int pool_release(struct inode *inode, struct file *file)
{
	uslab_pool_release(file->private_data);
	return 0;
}

const struct file_operations uslab_pool_fops = {
	.owner		= THIS_MODULE,
	.release	= pool_release,
	.mmap		= uslab_region_mmap,
	.poll		= uslab_limits_poll,
	.unlocked_ioctl	= pool_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

/* The device */

static long create_pool(void __user *arg)
{
	struct uslab_create args;
	struct file *file;
	int err, fd;

	err = copy_args(&args, sizeof(args), CREATE_SIZE, arg);
	if (err < 0)
		return err;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = uslab_pool_create(&args);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (_IOC_TYPE(cmd) == USLAB_IOC_TYPE && _IOC_NR(cmd) == _IOC_NR(USLAB_IOC_CREATE))
		return create_pool((void __user *)arg);
	return -ENOTTY;
}

static const struct file_operations device_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= device_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "uslab",
	.fops	= &device_fops,
	.mode	= 0666,
};

/**
 * uslab_device_init() - from here on pools can be made
 *
 * Return: 0 or an error.
 */
int __init uslab_device_init(void)
{
	return misc_register(&device);
}

/**
 * uslab_device_exit() - no more pools; there are none left
 */
void uslab_device_exit(void)
{
	misc_deregister(&device);
}
