// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The engine once more, for the module of its suites: nothing of it is exported. */
#include <linux/module.h>
#include "../geometry.c"
#include "../slabs.c"
#include "../core.c"
#include "../shrink.c"
#include "../governor.c"

MODULE_DESCRIPTION("KUnit suites of the uslab engine");
MODULE_LICENSE("Dual MIT/GPL");
