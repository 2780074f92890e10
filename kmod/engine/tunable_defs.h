/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The tunables: name, group, least, most and initial value. Included by those who
 * define USLAB_TUNABLE() to make something of each; undefined at the end. Setting
 * one of a group (not 0) to a value clears the others.
 */
USLAB_TUNABLE(mode, 0, 0, USLAB_MODE_MANUAL, USLAB_MODE_AUTO)
USLAB_TUNABLE(idle_background_ratio, 1, 0, 100, 10)
USLAB_TUNABLE(idle_ratio, 2, 0, 100, 30)
USLAB_TUNABLE(idle_background_bytes, 1, 0, U64_MAX, 0)
USLAB_TUNABLE(idle_bytes, 2, 0, U64_MAX, 0)
USLAB_TUNABLE(idle_expire_centisecs, 0, 1, 8640000, 3000)
USLAB_TUNABLE(idle_aging_centisecs, 0, 0, 360000, 500)
USLAB_TUNABLE(cache_pressure, 0, 1, 10000, 100)
USLAB_TUNABLE(transition_centisecs, 0, 0, 360000, 100)
USLAB_TUNABLE(min_reclaim_bytes, 0, 0, USLAB_PASS_BYTES, 1u << 20)
USLAB_TUNABLE(min_idle, 0, 0, U64_MAX, 0)
USLAB_TUNABLE(reclaim_cpu_percent, 0, 1, 100, 10)
USLAB_TUNABLE(growth_percent, 0, 0, 10000, 0)
USLAB_TUNABLE(memory_limit, 3, 0, U64_MAX, 0)
USLAB_TUNABLE(memory_limit_percent, 3, 0, 100, 0)
USLAB_TUNABLE(pressure_low_percent, 0, 1, 100, 92)
USLAB_TUNABLE(pressure_medium_percent, 0, 1, 100, 95)
USLAB_TUNABLE(pressure_critical_percent, 0, 1, 100, 97)
#undef USLAB_TUNABLE
