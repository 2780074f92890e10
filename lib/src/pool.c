// SPDX-License-Identifier: MIT
/*
 * Pools as a whole: making them, finding an engine for them, and what becomes
 * of them in a child process.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "background.h"
#include "notify.h"
#include "pool.h"

/* The list */

static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pools_left = PTHREAD_COND_INITIALIZER;
static struct pool *pools;
static sigset_t fork_mask;		/* of the thread that forks */

/*
 * All locks, in order. A handler that gets an object would wait for those that its own
 * thread holds: signals are blocked until the last is free and, in the child, all is mended.
 */
static void fork_prepare(void)
{
	struct pool *pool;
	sigset_t all, saved;

	notify_fork_prepare();
	background_fork_prepare();
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	pthread_mutex_lock(&pools_lock);
	fork_mask = saved;
	for (pool = pools; pool; pool = pool->next)
		if (pool->backend->fork_prepare)
			pool->backend->fork_prepare(pool);
}

static void fork_parent(void)
{
	sigset_t saved = fork_mask;
	struct pool *pool;

	for (pool = pools; pool; pool = pool->next)
		if (pool->backend->fork_parent)
			pool->backend->fork_parent(pool);
	pthread_mutex_unlock(&pools_lock);
	background_fork_parent();
	notify_fork_parent();
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

static void fork_child(void)
{
	sigset_t saved = fork_mask;
	struct pool *pool;

	for (pool = pools; pool; pool = pool->next) {
		/* those threads are the parent's */
		pool->visitors = 0;
		if (pool->backend->fork_child)
			pool->backend->fork_child(pool);
	}
	pools_left = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	pthread_mutex_unlock(&pools_lock);
	background_fork_child();
	notify_fork_child();
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

static void register_fork(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

void pools_add(struct pool *pool)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_fork);
	pthread_mutex_lock(&pools_lock);
	pool->next = pools;
	pool->pprev = &pools;
	if (pools)
		pools->pprev = &pool->next;
	pools = pool;
	pthread_mutex_unlock(&pools_lock);
}

void pools_remove(struct pool *pool)
{
	pthread_mutex_lock(&pools_lock);
	pool->leaving = true;
	while (pool->visitors)
		pthread_cond_wait(&pools_left, &pools_lock);
	*pool->pprev = pool->next;
	if (pool->next)
		pool->next->pprev = pool->pprev;
	pthread_mutex_unlock(&pools_lock);
}

void pools_for_each(void (*fn)(struct pool *pool))
{
	struct pool *pool;

	pthread_mutex_lock(&pools_lock);
	for (pool = pools; pool; pool = pool->next) {
		if (pool->leaving)
			continue;
		pool->visitors++;
		pthread_mutex_unlock(&pools_lock);
		fn(pool);
		pthread_mutex_lock(&pools_lock);
		/* it is in the list still: who takes it off waits for us */
		if (!--pool->visitors)
			pthread_cond_broadcast(&pools_left);
	}
	pthread_mutex_unlock(&pools_lock);
}

/* Set-up that both engines share */

int pool_init(struct pool *pool)
{
	const struct uslab_control *control = pool->control;
	u32 first_batch = clamp_t(u32, 4096 / control->object_stride, 2, control->magazine_size);
	u32 i;

	if (control->magazine_size > USLAB_MAGAZINE_MAX || !control->magazine_size)
		return -EPROTO;
	pool->nr_cpus = control->nr_cpus;
	pool->nr_homes = control->nr_homes;
	pool->magazine_size = control->magazine_size;
	pool->cpu_home = (const __u16 *)((const char *)control + control->cpu_home_start);
	pool->local.word = offsetof(struct uslab_cpu, word);
	pool->local.slots = offsetof(struct uslab_cpu, slot);
	pool->local.capacity = offsetof(struct uslab_cpu, capacity);
	pool->remote.word = offsetof(struct uslab_cpu, remote_word);
	pool->remote.slots = pool->local.slots + control->cpu_capacity * sizeof(u32);
	pool->remote.capacity = offsetof(struct uslab_cpu, remote_capacity);

	pool->batch = calloc(pool->nr_homes, sizeof(*pool->batch));
	if (!pool->batch)
		return -ENOMEM;
	for (i = 0; i < pool->nr_homes; i++)
		pool->batch[i] = first_batch;

	pool->hot.cpus = pool->shared + control->cpus_start;
	pool->hot.cpu_stride = control->cpu_stride;
	pool->hot.granule_shift = control->granule_shift;
	pool->hot.home_shift = control->home_shift;
	rseq_setup(&pool->hot, pool->nr_cpus);
	pools_add(pool);
	return 0;
}

void pool_fini(struct pool *pool)
{
	pools_remove(pool);
	if (!pool->orphan)	/* others may share the pool */
		portable_flush(pool);
	portable_destroy(pool);
	free(pool->batch);
}

/* The interface */

static struct pool *create_auto(const struct uslab_create *request)
{
	struct pool *pool = kernel_create(request);

	/* No module, no right to use it, or one of another age: not an error here. */
	if (!pool && (errno == ENOENT || errno == ENODEV || errno == ENXIO || errno == EACCES ||
		      errno == EPERM || errno == EPROTO))
		pool = embedded_create(request);
	return pool;
}

static struct pool *create(const struct uslab_create *request)
{
	const char *engine = getenv("USLAB_ENGINE");

	if (!engine || !*engine || !strcmp(engine, "auto"))
		return create_auto(request);
	if (!strcmp(engine, "kernel"))
		return kernel_create(request);
	if (!strcmp(engine, "embedded"))
		return embedded_create(request);
	errno = EINVAL;
	return NULL;
}

/* Is what lies beyond @known of @size bytes zero? A newer caller may ask for more. */
static bool is_zero(const char *beyond, size_t size, size_t known)
{
	for (; size > known; size--)
		if (beyond[size - known - 1])
			return false;
	return true;
}

USLAB_API struct uslab_pool *uslab_pool_create(const char *name, size_t object_size,
					       const struct uslab_attr *attr)
{
	struct uslab_attr defaults = USLAB_ATTR_INIT;
	struct uslab_create request = { .size = sizeof(request) };
	size_t length = strnlen(name, USLAB_NAME_MAX);
	struct pool *pool;

	if (attr) {
		/* a caller from an older header: what it does not know keeps its default */
		if (attr->size < offsetof(struct uslab_attr, prewarm) || attr->size > 4096)
			goto inval;
		memcpy(&defaults, attr, min_t(size_t, attr->size, sizeof(defaults)));
		if (!is_zero((const char *)attr + sizeof(defaults), attr->size, sizeof(defaults)))
			goto inval;
	}
	if (!length || length == USLAB_NAME_MAX || defaults.flags)
		goto inval;
	if (!object_size || object_size > USLAB_OBJECT_MAX || defaults.align > USLAB_ALIGN_MAX)
		goto inval;
	memcpy(request.name, name, length);
	request.object_size = (u32)object_size;
	request.align = (u32)defaults.align;
	request.policy = defaults.policy;
	request.max_bytes = defaults.max_bytes;

	pool = create(&request);
	if (!pool)
		return NULL;
	if (defaults.prewarm && uslab_pool_prewarm(&pool->hot, defaults.prewarm) < defaults.prewarm) {
		int saved = errno;

		uslab_pool_destroy(&pool->hot);
		errno = saved;
		return NULL;
	}
	return &pool->hot;
inval:
	errno = EINVAL;
	return NULL;
}

USLAB_API struct uslab_pool *uslab_pool_attach(int fd)
{
	struct pool *pool = kernel_attach(fd);

	return pool ? &pool->hot : NULL;
}

USLAB_API void uslab_pool_destroy(struct uslab_pool *hot)
{
	if (!hot)
		return;
	notify_remove(pool_of(hot));
	pool_of(hot)->backend->destroy(pool_of(hot));
}

USLAB_API size_t uslab_pool_reclaim(struct uslab_pool *hot, size_t bytes)
{
	struct pool *pool = pool_of(hot);

	if (!bytes)
		return 0;
	if (!pool->orphan)
		portable_flush(pool);
	return (size_t)pool->backend->reclaim(pool, bytes == SIZE_MAX ? U64_MAX : bytes);
}

static int fail(int err)
{
	if (!err)
		return 0;
	errno = -err;
	return -1;
}

/* The struct ends here in the first version. */
#define TUNABLES_LEAST	(offsetof(struct uslab_tunables, pressure_critical_percent) + sizeof(__u32))

USLAB_API int uslab_pool_tunables(const struct uslab_pool *hot, struct uslab_tunables *tunables)
{
	struct pool *pool = pool_of(hot);
	struct uslab_tunables full = { .size = sizeof(full) };
	u32 size = tunables->size;
	int err;

	if (size < TUNABLES_LEAST || size > 4096)
		return fail(-EINVAL);
	err = pool->backend->get_tunables(pool, &full);
	if (err)
		return fail(err);
	memset(tunables, 0, size);
	memcpy(tunables, &full, min_t(u32, size, sizeof(full)));
	tunables->size = size;
	return 0;
}

USLAB_API int uslab_pool_tune(struct uslab_pool *hot, const struct uslab_tunables *tunables)
{
	struct pool *pool = pool_of(hot);
	struct uslab_tunables full = { .size = sizeof(full) };
	u32 size = tunables->size;
	int err;

	if (size < TUNABLES_LEAST || size > 4096 ||
	    !is_zero((const char *)tunables + sizeof(full), size, sizeof(full)))
		return fail(-EINVAL);
	/* what a caller from an older header does not know of stays as it is */
	err = pool->backend->get_tunables(pool, &full);
	if (err)
		return fail(err);
	memcpy(&full, tunables, min_t(u32, size, sizeof(full)));
	full.size = sizeof(full);
	return fail(pool->backend->set_tunables(pool, &full));
}

USLAB_API enum uslab_pressure uslab_pool_pressure(const struct uslab_pool *hot)
{
	struct pool *pool = pool_of(hot);

	if (pool->orphan)
		return USLAB_PRESSURE_NONE;
	return (enum uslab_pressure)READ_ONCE(pool->control->pressure);
}

USLAB_API int uslab_pool_stats(const struct uslab_pool *hot, struct uslab_stats *stats)
{
	struct pool *pool = pool_of(hot);
	struct uslab_stats full = { .size = sizeof(full) };
	u32 size = stats->size;
	int err = -EINVAL;

	if (size >= offsetof(struct uslab_stats, object_size)) {
		if (!pool->orphan)
			portable_flush(pool);
		err = pool->backend->stats(pool, &full);
	}
	if (err)
		return fail(err);
	memset(stats, 0, size);
	memcpy(stats, &full, min_t(u32, size, sizeof(full)));
	stats->size = size;
	return 0;
}

USLAB_API int uslab_pool_fd(const struct uslab_pool *hot)
{
	return pool_of(hot)->fd;
}

USLAB_API const char *uslab_pool_engine(const struct uslab_pool *hot)
{
	return pool_of(hot)->backend->name;
}

USLAB_API const char *uslab_pool_path(const struct uslab_pool *hot)
{
	return hot->nr_cpus ? "rseq" : "portable";
}
