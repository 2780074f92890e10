// SPDX-License-Identifier: GPL-2.0-only
/* Numbers for people and from people. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "uslabctl.h"

static const char *human(char text[HUMAN_MAX], uint64_t value, double base)
{
	static const char suffixes[] = "KMGTPE";
	double scaled = (double)value / base;
	const char *suffix = suffixes;

	if ((double)value < base) {
		snprintf(text, HUMAN_MAX, "%u", (unsigned int)value);
		return text;
	}
	/* 999.95 would be shown as 1000.0 */
	while (scaled >= base - 0.05 && suffix[1]) {
		scaled /= base;
		suffix++;
	}
	snprintf(text, HUMAN_MAX, "%.1f%c", scaled, *suffix);
	return text;
}

const char *human_bytes(char text[HUMAN_MAX], uint64_t bytes)
{
	return human(text, bytes, 1024);
}

const char *human_count(char text[HUMAN_MAX], uint64_t count)
{
	return human(text, count, 1000);
}

int parse_bytes(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	char *end;

	if (!strcmp(text, "max")) {
		*bytes = UINT64_MAX;
		return 0;
	}
	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	*bytes = strtoull(text, &end, 10);
	if (errno)
		return -1;
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		unsigned int shift = 10 * (unsigned int)(suffix - suffixes + 1);

		if (*bytes > UINT64_MAX >> shift)
			return -1;
		*bytes <<= shift;
		end++;
	}
	return *end ? -1 : 0;
}

double reuse(uint64_t gets, uint64_t refills)
{
	/* Refills come in batches: at first there are more of them than gets. */
	if (!gets || refills >= gets)
		return 0;
	return (double)(gets - refills) / (double)gets;
}
