// SPDX-License-Identifier: GPL-2.0-only
/* uslabctl list: a line for each pool. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "uslabctl.h"

enum column { SIZE, BACKED, OUT, IDLE, GETS, REFILLS, NR_COLUMNS };

static const char *const files[NR_COLUMNS] = {
	[SIZE] = "object_size",
	[BACKED] = "backed_bytes",
	[OUT] = "out_objects",
	[IDLE] = "idle_objects",
	[GETS] = "gets",
	[REFILLS] = "refills",
};

/* -1 when the pool has gone meanwhile. */
static int read_pool(const char *pool, uint64_t value[NR_COLUMNS])
{
	for (int i = 0; i < NR_COLUMNS; i++) {
		if (sysfs_read_u64(pool, files[i], &value[i]))
			return -1;
	}
	return 0;
}

static void print_pool(const char *pool, int width, const uint64_t value[NR_COLUMNS])
{
	char size[HUMAN_MAX], backed[HUMAN_MAX], out[HUMAN_MAX], idle[HUMAN_MAX], gets[HUMAN_MAX];

	printf("%-*s %8s %8s %8s %8s %8s %7.1f\n", width, pool, human_bytes(size, value[SIZE]),
	       human_bytes(backed, value[BACKED]), human_count(out, value[OUT]),
	       human_count(idle, value[IDLE]), human_count(gets, value[GETS]),
	       100 * reuse(value[GETS], value[REFILLS]));
}

static json_t *json_pool(const char *pool, const uint64_t value[NR_COLUMNS])
{
	json_t *object = json_pack("{s:s}", "name", pool);

	for (int i = 0; i < NR_COLUMNS; i++)
		json_object_set_new(object, files[i], json_integer((json_int_t)value[i]));
	json_object_set_new(object, "reuse", json_real(reuse(value[GETS], value[REFILLS])));
	return object;
}

int command_list(bool json)
{
	int width = (int)strlen("NAME");
	json_t *array = json_array();
	struct names pools;

	if (sysfs_pools(&pools)) {
		json_decref(array);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < pools.nr; i++) {
		if ((int)strlen(pools.name[i]) > width)
			width = (int)strlen(pools.name[i]);
	}
	if (!json)
		printf("%-*s %8s %8s %8s %8s %8s %7s\n", width, "NAME", "SIZE", "BACKED", "OUT",
		       "IDLE", "GETS", "REUSE%");
	for (size_t i = 0; i < pools.nr; i++) {
		uint64_t value[NR_COLUMNS];

		if (read_pool(pools.name[i], value))
			continue;
		if (json)
			json_array_append_new(array, json_pool(pools.name[i], value));
		else
			print_pool(pools.name[i], width, value);
	}
	if (json) {
		json_dumpf(array, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		putchar('\n');
	}
	json_decref(array);
	names_free(&pools);
	return EXIT_OK;
}
