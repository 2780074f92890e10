// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tunables: the module's defaults, which are its parameters, and each pool's.
 *
 * A pool follows the defaults, also when they change, in all tunables but those
 * that were set for it. The engine's table (governor.h) says what there is; the text
 * form is made here, for the parameters and for sysfs.
 *
 * Values are read without a lock, one at a time; tunables_lock is for those who
 * change some. It is taken inside the lock of the module's parameters.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "uslab.h"

static struct uslab_tunables defaults;
static u32 defaults_own;		/* a bit for each that somebody has set */
static DEFINE_MUTEX(tunables_lock);
static bool defaults_ready;

static const char * const modes[] = {
	[USLAB_MODE_AUTO]	= "auto",
	[USLAB_MODE_MANUAL]	= "manual",
};

/* Text */

/**
 * uslab_parse_bytes() - a number with an optional K, M or G
 * @buf: text, perhaps with a newline at its end
 * @bytes: written
 *
 * Return: 0 or -EINVAL.
 */
int uslab_parse_bytes(const char *buf, u64 *bytes)
{
	char text[24];
	size_t len;
	u32 shift = 0;

	if (strscpy(text, buf, sizeof(text)) < 0)
		return -EINVAL;
	len = strcspn(text, "\n");
	text[len] = '\0';
	if (len) {
		switch (text[len - 1]) {
		case 'G':
			shift += 10;
			fallthrough;
		case 'M':
			shift += 10;
			fallthrough;
		case 'K':
			shift += 10;
			text[len - 1] = '\0';
		}
	}
	if (kstrtou64(text, 10, bytes) || check_shl_overflow(*bytes, shift, bytes))
		return -EINVAL;
	return 0;
}

/* "N%" for a number of bytes means the percentage beside it. */
static bool tunable_is_percent(u32 *index, const char *buf, u64 *value)
{
	const struct uslab_tunable *tunable = &uslab_tunables_table[*index];
	u32 others = uslab_tunable_group(*index) & ~BIT(*index);
	char text[24];
	char *end;

	if (!others || tunable->width != sizeof(u64) || strscpy(text, buf, sizeof(text)) < 0)
		return false;
	end = text + strcspn(text, "%");
	if (!*end || !sysfs_streq(end, "%"))
		return false;
	*end = '\0';
	if (kstrtou64(text, 10, value))
		return false;
	*index = __ffs(others);
	return true;
}

/* @index becomes that of the tunable which @value is for. */
static int tunable_parse(u32 *index, const char *buf, u64 *value)
{
	int mode;

	if (*index == USLAB_TUNABLE_mode) {
		mode = sysfs_match_string(modes, buf);
		*value = mode;
		return mode < 0 ? -EINVAL : 0;
	}
	if (tunable_is_percent(index, buf, value))
		return 0;
	if (uslab_tunables_table[*index].width == sizeof(u64))
		return uslab_parse_bytes(buf, value);
	return kstrtou64(buf, 10, value) ? -EINVAL : 0;
}

/* Change one of @tunables to what the text says; the rest is checked by the caller. */
static int tunable_change(struct uslab_tunables *tunables, u32 index, const char *buf)
{
	u64 value;
	int err = tunable_parse(&index, buf, &value);

	if (err)
		return err;
	/* a narrow field would cut it */
	if (value > uslab_tunables_table[index].max)
		return -EINVAL;
	uslab_tunable_set(tunables, index, value);
	return 0;
}

static int tunable_print(const struct uslab_tunables *tunables, u32 index, char *buf)
{
	u64 value = uslab_tunable_get(tunables, index);

	if (index == USLAB_TUNABLE_mode)
		return sysfs_emit(buf, "%s\n", modes[value]);
	return sysfs_emit(buf, "%llu\n", value);
}

/* An errno does not say which limit it was. Only root can have this said. */
static void say_why(const char *whose, u32 index, const char *buf)
{
	const struct uslab_tunable *tunable = &uslab_tunables_table[index];
	int len = strcspn(buf, "\n");

	pr_notice_ratelimited("%s: %s '%.*s' refused: it goes from %llu to %llu; background not above hard, pressure levels rising\n",
			      whose, tunable->name, min(len, 24), buf, tunable->min, tunable->max);
}

/* Pools */

/* Values were changed: what follows from them must be, too. */
static void pool_apply(struct uslab_pool *pool)
{
	WRITE_ONCE(pool->core.min_idle, pool->tunables.min_idle);
	uslab_worker_thresholds(pool);
	uslab_worker_kick(pool);
}

/* Take over @wanted; what is changed no longer follows the defaults, see the engine. */
static int pool_set(struct uslab_pool *pool, const struct uslab_tunables *wanted, u32 take,
		    u32 follow)
{
	int err = uslab_tunables_change(&pool->tunables, &pool->own, wanted, take, follow,
					uslab_limits_memory(pool));

	if (!err)
		pool_apply(pool);
	return err;
}

/**
 * uslab_tunables_set() - set all tunables of a pool
 * @pool: the pool
 * @wanted: their values, not checked
 *
 * Return: 0 or -EINVAL.
 */
int uslab_tunables_set(struct uslab_pool *pool, const struct uslab_tunables *wanted)
{
	int err;

	mutex_lock(&tunables_lock);
	err = pool_set(pool, wanted, 0, 0);
	mutex_unlock(&tunables_lock);
	return err;
}

/**
 * uslab_tunables_get() - read all tunables of a pool
 * @pool: the pool
 * @tunables: written
 */
void uslab_tunables_get(struct uslab_pool *pool, struct uslab_tunables *tunables)
{
	mutex_lock(&tunables_lock);
	*tunables = pool->tunables;
	mutex_unlock(&tunables_lock);
}

/**
 * uslab_tunable_store() - set one tunable of a pool
 * @pool: the pool
 * @index: which
 * @buf: its value as text, or "default"
 *
 * Return: 0 or -EINVAL.
 */
int uslab_tunable_store(struct uslab_pool *pool, u32 index, const char *buf)
{
	u32 group = uslab_tunable_group(index);
	struct uslab_tunables wanted;
	int err;

	mutex_lock(&tunables_lock);
	wanted = pool->tunables;
	if (sysfs_streq(buf, "default")) {
		uslab_tunables_follow(&wanted, ~group, &defaults);
		err = pool_set(pool, &wanted, 0, group);
	} else {
		err = tunable_change(&wanted, index, buf);
		if (!err)
			err = pool_set(pool, &wanted, group, 0);
	}
	mutex_unlock(&tunables_lock);
	if (err)
		say_why(kobject_name(&pool->kobj), index, buf);
	return err;
}

/**
 * uslab_tunable_show() - one tunable of a pool as text
 * @pool: the pool
 * @index: which
 * @buf: a page of sysfs
 *
 * Return: its length.
 */
int uslab_tunable_show(const struct uslab_pool *pool, u32 index, char *buf)
{
	return tunable_print(&pool->tunables, index, buf);
}

/**
 * uslab_tunables_follow_defaults() - give a pool the defaults, but for what it has set
 * @pool: the pool
 */
void uslab_tunables_follow_defaults(struct uslab_pool *pool)
{
	mutex_lock(&tunables_lock);
	uslab_tunables_follow(&pool->tunables, pool->own, &defaults);
	pool_apply(pool);
	mutex_unlock(&tunables_lock);
}

/* Defaults */

static void defaults_init(void)
{
	if (!defaults_ready)
		uslab_tunables_init(&defaults);
	defaults_ready = true;
}

static int default_set(const char *buf, const struct kernel_param *param)
{
	u32 index = (uintptr_t)param->arg;
	struct uslab_tunables wanted;
	struct uslab_pool *pool;
	int err;

	mutex_lock(&tunables_lock);
	defaults_init();	/* parameters on the command line come before init */
	wanted = defaults;
	err = tunable_change(&wanted, index, buf);
	if (!err)
		err = uslab_tunables_change(&defaults, &defaults_own, &wanted,
					    uslab_tunable_group(index), 0,
					    (u64)totalram_pages() << PAGE_SHIFT);
	mutex_unlock(&tunables_lock);
	if (err) {
		say_why("default", index, buf);
		return err;
	}
	for (pool = uslab_pool_next(NULL); pool; pool = uslab_pool_next(pool))
		uslab_tunables_follow_defaults(pool);
	return 0;
}

static int default_get(char *buf, const struct kernel_param *param)
{
	return tunable_print(&defaults, (uintptr_t)param->arg, buf);
}

static const struct kernel_param_ops default_ops = {
	.set = default_set,
	.get = default_get,
};

#define DEFAULT(field) \
	module_param_cb(field, &default_ops, (void *)USLAB_TUNABLE_##field, 0644)

DEFAULT(mode);
DEFAULT(idle_background_ratio);
DEFAULT(idle_ratio);
DEFAULT(idle_background_bytes);
DEFAULT(idle_bytes);
DEFAULT(idle_expire_centisecs);
DEFAULT(idle_aging_centisecs);
DEFAULT(cache_pressure);
DEFAULT(transition_centisecs);
DEFAULT(min_reclaim_bytes);
DEFAULT(min_idle);
DEFAULT(reclaim_cpu_percent);
DEFAULT(growth_percent);
DEFAULT(memory_limit);
DEFAULT(memory_limit_percent);
DEFAULT(pressure_low_percent);
DEFAULT(pressure_medium_percent);
DEFAULT(pressure_critical_percent);

/**
 * uslab_tunables_init_defaults() - begin
 */
void __init uslab_tunables_init_defaults(void)
{
	mutex_lock(&tunables_lock);
	defaults_init();
	mutex_unlock(&tunables_lock);
}
