/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uslabctl: what its parts know of each other.
 *
 *	uslabctl.c	the command line
 *	list.c		uslabctl list
 *	show.c		uslabctl show
 *	reclaim.c	uslabctl reclaim
 *	sysfs.c		pools and their values, as the kernel shows them
 *	units.c		numbers for people
 */
#ifndef USLABCTL_H
#define USLABCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EXIT_OK		= 0,
	EXIT_FAILED	= 1,
	EXIT_USAGE	= 2,
};

/* Commands: 0 or another of the above; messages are on stderr. */
int command_list(bool json);
int command_show(const char *pool, bool json);
/* amount: bytes with K, M or G, or "max" */
int command_reclaim(const char *pool, const char *amount);

/* sysfs.c */

#define SYSFS_VALUE_MAX	128

/* Where the pools are: /sys/kernel/uslab, or $USLAB_SYSFS. */
const char *sysfs_root(void);

struct names {
	char **name;
	size_t nr;
};

/* Sorted. -1 with a message on stderr when there is no such place. */
int sysfs_pools(struct names *pools);
/* The readable files of a pool, sorted. -1 with a message when there is no such pool. */
int sysfs_files(const char *pool, struct names *files);
void names_free(struct names *names);

/* Without the newline. -1 and errno. */
int sysfs_read(const char *pool, const char *file, char value[SYSFS_VALUE_MAX]);
int sysfs_read_u64(const char *pool, const char *file, uint64_t *value);
int sysfs_write(const char *pool, const char *file, const char *value);
/* Says on stderr that a file of the pool cannot be read or written: errno. */
void sysfs_complain(const char *what, const char *pool, const char *file);

/* units.c */

#define HUMAN_MAX	16

/* "1536" to "1.5K": in powers of 1024 for bytes, of 1000 for counts. */
const char *human_bytes(char text[HUMAN_MAX], uint64_t bytes);
const char *human_count(char text[HUMAN_MAX], uint64_t count);
/* "64", "10K", "2M", "1G", "max" (UINT64_MAX). -1: none of these, or too large. */
int parse_bytes(const char *text, uint64_t *bytes);

/* The share of gets that no refill had to serve, 0 to 1; 0 without gets. */
double reuse(uint64_t gets, uint64_t refills);

#endif /* USLABCTL_H */
