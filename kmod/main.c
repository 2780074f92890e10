// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading. Each file brings up its part; /dev/uslab comes last,
 * so that the first pool finds everything there. Pools hold a reference to the
 * module, so there is none left when it goes.
 */
#include <linux/module.h>

#include "uslab.h"

static int __init uslab_init(void)
{
	int err;

	uslab_tunables_init_defaults();
	err = uslab_drain_init();
	if (err)
		return err;
	err = uslab_shrinker_init();
	if (err)
		goto err_drain;
	err = uslab_worker_init();
	if (err)
		goto err_shrinker;
	err = uslab_sysfs_init();
	if (err)
		goto err_worker;
	err = uslab_device_init();
	if (err)
		goto err_sysfs;
	return 0;

err_sysfs:
	uslab_sysfs_exit();
err_worker:
	uslab_worker_exit();
err_shrinker:
	uslab_shrinker_exit();
err_drain:
	uslab_drain_exit();
	return err;
}

static void __exit uslab_exit(void)
{
	uslab_device_exit();
	uslab_sysfs_exit();
	uslab_worker_exit();
	uslab_shrinker_exit();
	uslab_drain_exit();
}

module_init(uslab_init);
module_exit(uslab_exit);

MODULE_DESCRIPTION("Slab-style object pools for user space");
MODULE_LICENSE("GPL");
