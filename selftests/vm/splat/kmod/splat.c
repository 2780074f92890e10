// SPDX-License-Identifier: GPL-2.0
/*
 * A module that does what one must not, on request: the harness has to notice.
 *
 * Write a word of misdeeds[] to /dev/uslab.
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

static int answer;
module_param(answer, int, 0444);
MODULE_PARM_DESC(answer, "to see that parameters arrive");

static DEFINE_SPINLOCK(first);
static DEFINE_SPINLOCK(second);

static void do_warn(void)
{
	WARN_ON(1);
}

static void do_bug(void)
{
	BUG();
}

static void do_oops(void)
{
	WRITE_ONCE(*(volatile int *)8, 0);
}

static void do_panic(void)
{
	panic("asked to");
}

static void do_atomic_sleep(void)
{
	spin_lock(&first);
	msleep(20);
	spin_unlock(&first);
}

static void do_lock_order(void)
{
	spin_lock(&first);
	spin_lock(&second);
	spin_unlock(&second);
	spin_unlock(&first);

	spin_lock(&second);
	spin_lock(&first);
	spin_unlock(&first);
	spin_unlock(&second);
}

static void do_overrun(void)
{
	volatile char *p = kmalloc(40, GFP_KERNEL);

	p[40] = 1;
	kfree((void *)p);
}

static void do_leak(void)
{
	char *p = kmalloc(200, GFP_KERNEL);

	if (p)
		memset(p, 1, 200);
}

/* The module's use count goes up for good. */
static void do_pin(void)
{
	__module_get(THIS_MODULE);
}

/* Nobody can end this but the harness. */
static void do_hang(void)
{
	for (;;)
		schedule_timeout_uninterruptible(HZ);
}

static const struct {
	const char *name;
	void (*commit)(void);
} misdeeds[] = {
	{ "warn", do_warn },
	{ "bug", do_bug },
	{ "oops", do_oops },
	{ "panic", do_panic },
	{ "atomic-sleep", do_atomic_sleep },
	{ "lock-order", do_lock_order },
	{ "overrun", do_overrun },
	{ "leak", do_leak },
	{ "pin", do_pin },
	{ "hang", do_hang },
};

static ssize_t splat_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	char word[32] = "";
	size_t i;

	if (len >= sizeof(word))
		return -EINVAL;
	if (copy_from_user(word, buf, len))
		return -EFAULT;
	for (i = 0; i < ARRAY_SIZE(misdeeds); i++) {
		if (!sysfs_streq(word, misdeeds[i].name))
			continue;
		misdeeds[i].commit();
		return len;
	}
	return -EINVAL;
}

static const struct file_operations splat_fops = {
	.owner = THIS_MODULE,
	.write = splat_write,
};

static struct miscdevice splat_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "uslab",
	.fops = &splat_fops,
};
module_misc_device(splat_device);

MODULE_DESCRIPTION("Misdeeds on request");
MODULE_LICENSE("GPL");
