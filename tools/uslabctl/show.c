// SPDX-License-Identifier: GPL-2.0-only
/* uslabctl show: all values of a pool, whatever the kernel has. */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "uslabctl.h"

/* These come first and in this order; what else there is follows by name. */
static const char *const order[] = {
	"id", "policy", "object_size", "object_stride", "backed_bytes", "out_objects",
	"idle_objects", "gets", "puts", "refills", "refill_failures", "returns", "bad_puts",
	"victim_hits", "remote_gets", "remote_puts", "rotations", "reclaimed_bytes", "magazines",
};

#define NR_ORDERED (sizeof(order) / sizeof(order[0]))

static size_t rank(const char *file)
{
	size_t i = 0;

	while (i < NR_ORDERED && strcmp(order[i], file))
		i++;
	return i;
}

static int by_rank(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	size_t rank_x = rank(x), rank_y = rank(y);

	return rank_x == rank_y ? strcmp(x, y) : rank_x < rank_y ? -1 : 1;
}

static bool is_number(const char *value)
{
	return *value && strspn(value, "0123456789") == strlen(value);
}

/* 4194304 bytes are not easy to read; a small number, or one of things, is. */
static void print_value(const char *file, int width, const char *value)
{
	uint64_t number = is_number(value) ? strtoull(value, NULL, 10) : 0;
	size_t length = strlen(file);
	bool bytes = length > 6 && !strcmp(file + length - 6, "_bytes");
	char text[HUMAN_MAX];

	printf("%-*s  %s", width, file, value);
	if (bytes && number >= 1024)
		printf("  (%s)", human_bytes(text, number));
	putchar('\n');
}

/* The one value that is not a file. -1 when what it is made of is not there. */
static int read_reuse(const char *pool, double *share)
{
	uint64_t gets, refills;

	if (sysfs_read_u64(pool, "gets", &gets) || sysfs_read_u64(pool, "refills", &refills))
		return -1;
	*share = reuse(gets, refills);
	return 0;
}

static json_t *json_value(const char *value)
{
	unsigned long long number;

	if (!is_number(value))
		return json_string(value);
	number = strtoull(value, NULL, 10);
	/* JSON knows no bounds, jansson's integers do */
	return number <= LLONG_MAX ? json_integer((json_int_t)number) : json_real((double)number);
}

int command_show(const char *pool, bool json)
{
	json_t *object = json_pack("{s:s}", "name", pool);
	int width = 0, ret = EXIT_OK;
	struct names files;
	double share;

	if (sysfs_files(pool, &files)) {
		json_decref(object);
		return EXIT_FAILED;
	}
	if (files.nr)
		qsort(files.name, files.nr, sizeof(*files.name), by_rank);
	for (size_t i = 0; i < files.nr; i++) {
		if ((int)strlen(files.name[i]) > width)
			width = (int)strlen(files.name[i]);
	}
	if (!json)
		printf("%-*s  %s\n", width, "name", pool);
	for (size_t i = 0; i < files.nr; i++) {
		char value[SYSFS_VALUE_MAX];

		if (sysfs_read(pool, files.name[i], value)) {
			sysfs_complain("read", pool, files.name[i]);
			ret = EXIT_FAILED;
		} else if (json) {
			json_object_set_new(object, files.name[i], json_value(value));
		} else {
			print_value(files.name[i], width, value);
		}
	}
	if (!read_reuse(pool, &share)) {
		if (json)
			json_object_set_new(object, "reuse", json_real(share));
		else
			printf("%-*s  %.1f%%\n", width, "reuse", 100 * share);
	}
	if (json) {
		json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		putchar('\n');
	}
	json_decref(object);
	names_free(&files);
	return ret;
}
