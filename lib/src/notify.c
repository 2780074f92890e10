// SPDX-License-Identifier: MIT
/*
 * Telling functions of the program that a pool's pressure level has changed.
 *
 * A thread waits for what may have changed a level: the descriptors of kernel pools,
 * edge-triggered, so that it is woken once for each change, and a wake for those
 * of the embedded engine. Then it compares, for all pools that are watched, the level
 * in the control page with the one that was told last.
 *
 * notify_lock is held while a function is called, so that it has returned when its
 * removal has. It is the outermost lock of the library, and the thread may take it again:
 * the function may do whatever the program may, and destroy its pool.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "background.h"
#include "notify.h"
#include "wake.h"

struct watch {
	struct watch *next;
	struct pool *pool;
	uslab_pressure_fn fn;
	void *arg;
	enum uslab_pressure told;
};

static pthread_mutex_t notify_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static struct watch *watches;
static int epoll_fd = -1;		/* -1: there is no thread */
static struct wake wake = WAKE_INIT;

/* A pool whose level is not the one that was told; NULL: there is none. */
static struct watch *changed(enum uslab_pressure *level)
{
	struct watch *watch;

	for (watch = watches; watch; watch = watch->next) {
		*level = uslab_pool_pressure(&watch->pool->hot);
		if (*level != watch->told)
			return watch;
	}
	return NULL;
}

static void tell_all(void)
{
	enum uslab_pressure level;
	struct watch *watch;

	pthread_mutex_lock(&notify_lock);
	/* from the beginning each time: the function may have changed the list */
	while ((watch = changed(&level))) {
		watch->told = level;
		watch->fn(&watch->pool->hot, level, watch->arg);
	}
	pthread_mutex_unlock(&notify_lock);
}

static void *notifier(void *arg)
{
	int epoll = (int)(intptr_t)arg;
	struct epoll_event event;
	int n;

	pthread_setname_np(pthread_self(), "uslab-notify");
	do {
		n = epoll_wait(epoll, &event, 1, -1);
		if (n > 0 && !event.data.ptr)
			wake_drain(&wake);
		if (n > 0)
			tell_all();
	} while (n >= 0 || errno == EINTR);	/* else it is not ours any more */
	return NULL;
}

void notify_wake(void)
{
	wake_up(&wake);
}

static int add_fd(int fd, uint32_t events, void *pool)
{
	struct epoll_event event = { .events = events | EPOLLET, .data.ptr = pool };

	/* a pool may have been watched before */
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) && errno != EEXIST ? -errno : 0;
}

/* Threads do not exist in a child, and what was shared with the parent is the parent's. */
void notify_fork_prepare(void)
{
	pthread_mutex_lock(&notify_lock);
}

void notify_fork_parent(void)
{
	pthread_mutex_unlock(&notify_lock);
}

static void stop(void)
{
	/* all of epoll are one inode: who closed the pipe closed this as well */
	bool ours = wake.out < 0 || wake_is_ours(&wake);

	wake_close(&wake);
	if (epoll_fd >= 0 && ours)
		close(epoll_fd);
	epoll_fd = -1;
}

void notify_fork_child(void)
{
	struct watch *watch;

	while ((watch = watches)) {
		watches = watch->next;
		free(watch);
	}
	stop();
	/* its owner was a thread of the parent, so that it could not be unlocked */
	notify_lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
}

/* Make sure that there is a thread: 0 or -errno. */
static int start(void)
{
	pthread_t thread;
	int err;

	if (epoll_fd >= 0)
		return 0;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = epoll_fd < 0 ? -errno : wake_open(&wake);
	if (!err)
		err = add_fd(wake.in, EPOLLIN, NULL);
	if (!err)
		err = -background_thread(&thread, notifier, (void *)(intptr_t)epoll_fd);
	if (err)
		stop();
	else
		pthread_detach(thread);
	return err;
}

static struct watch **find(const struct pool *pool)
{
	struct watch **watch = &watches;

	while (*watch && (*watch)->pool != pool)
		watch = &(*watch)->next;
	return watch;
}

static void forget(struct pool *pool)
{
	struct watch **at = find(pool);
	struct watch *watch = *at;

	if (!watch)
		return;
	if (pool->fd >= 0 && epoll_fd >= 0)
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, pool->fd, NULL);
	*at = watch->next;
	free(watch);
}

static int watch_pool(struct pool *pool, uslab_pressure_fn fn, void *arg)
{
	struct watch **at = find(pool);
	int err = start();

	if (!err && pool->fd >= 0)
		err = add_fd(pool->fd, EPOLLPRI | EPOLLOUT, pool);
	if (err)
		return err;
	if (!*at)
		*at = calloc(1, sizeof(**at));
	if (!*at)
		return -ENOMEM;
	(*at)->pool = pool;
	(*at)->fn = fn;
	(*at)->arg = arg;
	(*at)->told = USLAB_PRESSURE_NONE;
	notify_wake();
	return 0;
}

USLAB_API int uslab_pool_on_pressure(struct uslab_pool *hot, uslab_pressure_fn fn, void *arg)
{
	struct pool *pool = pool_of(hot);
	int err = 0;

	pthread_mutex_lock(&notify_lock);
	if (!fn)
		forget(pool);
	else if (pool->orphan)
		err = -ESTALE;
	else
		err = watch_pool(pool, fn, arg);
	pthread_mutex_unlock(&notify_lock);
	if (!err)
		return 0;
	errno = -err;
	return -1;
}

void notify_remove(struct pool *pool)
{
	pthread_mutex_lock(&notify_lock);
	forget(pool);
	pthread_mutex_unlock(&notify_lock);
}
