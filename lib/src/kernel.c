// SPDX-License-Identifier: MIT
/*
 * The kernel engine: a pool is a file of /dev/uslab.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "pool.h"

static int kernel_refill(struct pool *pool, u32 home, u32 *handles, u32 nr)
{
	struct uslab_refill refill = {
		.size = sizeof(refill), .home = home, .nr = nr,
		.handles = (uintptr_t)handles, .objects = (uintptr_t)pool->hot.objects,
	};
	int got = ioctl(pool->fd, USLAB_IOC_REFILL, &refill);

	return got > 0 ? got : -errno;
}

static void kernel_give(struct pool *pool, const u32 *handles, u32 nr)
{
	struct uslab_return ret = {
		.size = sizeof(ret), .nr = nr, .handles = (uintptr_t)handles,
	};

	ioctl(pool->fd, USLAB_IOC_RETURN, &ret);
}

static int kernel_grow(struct pool *pool, u32 home)
{
	struct uslab_grow grow = { .size = sizeof(grow), .home = home };
	int grown = ioctl(pool->fd, USLAB_IOC_GROW, &grow);

	return grown > 0 ? grown : -errno;
}

static u64 kernel_reclaim(struct pool *pool, u64 bytes)
{
	struct uslab_reclaim reclaim = { .size = sizeof(reclaim), .bytes = bytes };

	ioctl(pool->fd, USLAB_IOC_RECLAIM, &reclaim);
	return reclaim.reclaimed;
}

static void kernel_balance(struct pool *pool)
{
	struct uslab_balance balance = { .size = sizeof(balance) };

	ioctl(pool->fd, USLAB_IOC_BALANCE, &balance);
}

static int kernel_get_tunables(struct pool *pool, struct uslab_tunables *tunables)
{
	return ioctl(pool->fd, USLAB_IOC_GET_TUNABLES, tunables) ? -errno : 0;
}

static int kernel_set_tunables(struct pool *pool, const struct uslab_tunables *tunables)
{
	return ioctl(pool->fd, USLAB_IOC_SET_TUNABLES, tunables) ? -errno : 0;
}

static int kernel_stats(struct pool *pool, struct uslab_stats *stats)
{
	return ioctl(pool->fd, USLAB_IOC_STATS, stats) ? -errno : 0;
}

static void unmap(struct pool *pool)
{
	if (pool->hot.objects)
		munmap(pool->hot.objects, pool->control->objects_size);
	if (pool->shared)
		munmap(pool->shared, pool->control->shared_size);
	if (pool->control)
		munmap((void *)(uintptr_t)pool->control, pool->control->control_size);
}

static void kernel_destroy(struct pool *pool)
{
	pool_fini(pool);
	if (!pool->orphan)	/* there, other things may be mapped at these addresses by now */
		unmap(pool);
	close(pool->fd);
	free(pool);
}

/* The mappings are not inherited, see VM_DONTCOPY in the module. */
static void kernel_fork_child(struct pool *pool)
{
	pool->orphan = true;
	rseq_disable(&pool->hot);
}

static const struct backend backend = {
	.name = "kernel",
	.refill = kernel_refill,
	.give = kernel_give,
	.grow = kernel_grow,
	.reclaim = kernel_reclaim,
	.balance = kernel_balance,
	.get_tunables = kernel_get_tunables,
	.set_tunables = kernel_set_tunables,
	.stats = kernel_stats,
	.destroy = kernel_destroy,
	.fork_child = kernel_fork_child,
};

static void *map(int fd, u64 offset, u64 size, int prot)
{
	void *address = mmap(NULL, size, prot, MAP_SHARED, fd, (off_t)offset);

	return address == MAP_FAILED ? NULL : address;
}

static int map_control(struct pool *pool)
{
	struct uslab_control *control = map(pool->fd, 0, PAGE_SIZE, PROT_READ);
	u64 size;

	if (!control)
		return -errno;
	if (control->magic != USLAB_MAGIC || control->abi != USLAB_ABI ||
	    control->header_size < offsetof(struct uslab_control, pressure) ||
	    control->features >> 32) {
		munmap(control, PAGE_SIZE);
		return -EPROTO;
	}
	size = control->control_size;
	munmap(control, PAGE_SIZE);
	pool->control = map(pool->fd, 0, size, PROT_READ);
	return pool->control ? 0 : -errno;
}

static int map_all(struct pool *pool)
{
	const struct uslab_control *control;
	int err = map_control(pool);

	if (err)
		return err;
	control = pool->control;
	pool->shared = map(pool->fd, control->shared_offset, control->shared_size,
			   PROT_READ | PROT_WRITE);
	if (!pool->shared)
		return -errno;
	pool->hot.objects = map(pool->fd, control->objects_offset, control->objects_size,
				PROT_READ | PROT_WRITE);
	if (!pool->hot.objects)
		return -errno;
	return pool_init(pool);
}

/* Takes over @fd. */
static struct pool *open_pool(int fd)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int err = -ENOMEM;

	if (pool) {
		pool->backend = &backend;
		pool->fd = fd;
		err = map_all(pool);
	}
	if (!err)
		return pool;
	if (pool)
		unmap(pool);
	free(pool);
	close(fd);
	errno = -err;
	return NULL;
}

struct pool *kernel_create(const struct uslab_create *request)
{
	int device = open(USLAB_DEVICE, O_RDWR | O_CLOEXEC);
	int fd, saved;

	if (device < 0)
		return NULL;
	fd = ioctl(device, USLAB_IOC_CREATE, request);
	saved = errno == ENOTTY ? EPROTO : errno;
	close(device);
	if (fd < 0) {
		errno = saved;
		return NULL;
	}
	return open_pool(fd);
}

struct pool *kernel_attach(int fd)
{
	struct uslab_stats stats = { .size = sizeof(stats) };

	/* Ask before mapping: reading the mapping of a short file kills. */
	if (ioctl(fd, USLAB_IOC_STATS, &stats)) {
		if (errno != EBADF)
			errno = EINVAL;
		return NULL;
	}
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		return open_pool(fd);
	if (errno == EINVAL)	/* what it says when no descriptor at all is allowed */
		errno = EMFILE;
	return NULL;
}
