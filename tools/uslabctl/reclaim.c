// SPDX-License-Identifier: GPL-2.0-only
/* uslabctl reclaim: make a pool give idle memory back now. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "uslabctl.h"

/* How strong it is to be, in words that the file takes as they are. */
static bool is_strength(const char *text)
{
	return !strcmp(text, "trim") || !strcmp(text, "depots") || !strcmp(text, "cpus");
}

int command_reclaim(const char *pool, const char *amount)
{
	uint64_t bytes, before, after;
	char text[32];
	struct names files;

	if (!is_strength(amount) && parse_bytes(amount, &bytes)) {
		fprintf(stderr, "uslabctl: '%s' is neither 'max', 'trim', 'depots' or 'cpus' nor a"
			" number of bytes below 2^64, with or without K, M or G\n", amount);
		return EXIT_USAGE;
	}
	if (sysfs_files(pool, &files))
		return EXIT_FAILED;
	names_free(&files);
	if (is_strength(amount))
		snprintf(text, sizeof(text), "%s\n", amount);
	else if (bytes == UINT64_MAX)
		snprintf(text, sizeof(text), "max\n");
	else
		snprintf(text, sizeof(text), "%" PRIu64 "\n", bytes);

	if (sysfs_read_u64(pool, "backed_bytes", &before)) {
		sysfs_complain("read", pool, "backed_bytes");
		return EXIT_FAILED;
	}
	if (sysfs_write(pool, "reclaim", text)) {
		sysfs_complain("write", pool, "reclaim");
		return EXIT_FAILED;
	}
	if (sysfs_read_u64(pool, "backed_bytes", &after)) {
		sysfs_complain("read", pool, "backed_bytes");
		return EXIT_FAILED;
	}
	/* It may have grown meanwhile. */
	printf("%" PRIu64 "\n", before > after ? before - after : 0);
	return EXIT_OK;
}
