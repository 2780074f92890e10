// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two allocators of alloc.h. They hold all that differs between a program
 * with pools and one without; the rest of invindex does not know which it has.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uslab.h>

#include "alloc.h"

/* Pools: one a kind of object. */

static const char *const pool_names[NR_OBJECT_KINDS] = {
	[OBJECT_DOCUMENT] = "invindex-documents",
	[OBJECT_TERM] = "invindex-terms",
	[OBJECT_POSTING] = "invindex-postings",
	[OBJECT_POSITIONS] = "invindex-positions",
};

static struct uslab_pool *pools[NR_OBJECT_KINDS];

static void pool_exit(void)
{
	for (int kind = 0; kind < NR_OBJECT_KINDS; kind++) {
		uslab_pool_destroy(pools[kind]);
		pools[kind] = NULL;
	}
}

static int pool_init(const size_t sizes[NR_OBJECT_KINDS])
{
	for (int kind = 0; kind < NR_OBJECT_KINDS; kind++) {
		pools[kind] = uslab_pool_create(pool_names[kind], sizes[kind], NULL);
		if (!pools[kind]) {
			fprintf(stderr, "invindex: no pool '%s' for objects of %zu bytes: %s\n",
				pool_names[kind], sizes[kind], strerror(errno));
			pool_exit();
			return -1;
		}
	}
	return 0;
}

static void *pool_get(enum object_kind kind)
{
	return uslab_get(pools[kind]);
}

static void pool_put(enum object_kind kind, void *object)
{
	uslab_put(pools[kind], object);
}

static uint64_t pool_backed(void)
{
	struct uslab_stats stats = { .size = sizeof(stats) };
	uint64_t sum = 0;

	for (int kind = 0; kind < NR_OBJECT_KINDS; kind++) {
		if (!uslab_pool_stats(pools[kind], &stats))
			sum += stats.backed_bytes;
	}
	return sum;
}

static void pool_reclaim(void)
{
	for (int kind = 0; kind < NR_OBJECT_KINDS; kind++)
		uslab_pool_reclaim(pools[kind], SIZE_MAX);
}

static const char *pool_engine(void)
{
	return uslab_pool_engine(pools[0]);
}

/* malloc: the C library's. What it holds is what it took from the system. */

static size_t malloc_sizes[NR_OBJECT_KINDS];

static int malloc_init(const size_t sizes[NR_OBJECT_KINDS])
{
	memcpy(malloc_sizes, sizes, sizeof(malloc_sizes));
	return 0;
}

static void malloc_exit(void)
{
}

static void *malloc_get(enum object_kind kind)
{
	return malloc(malloc_sizes[kind]);
}

static void malloc_put(enum object_kind kind, void *object)
{
	(void)kind;
	free(object);
}

/* The sum over all arenas; mallinfo2() knows only the main one. */
static uint64_t malloc_backed(void)
{
	char *text = NULL, *at, *system = NULL;
	unsigned long long bytes = 0;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return 0;
	malloc_info(0, file);
	fclose(file);
	/* The last "system current" element is the total. */
	for (at = text; at && (at = strstr(at, "<system type=\"current\"")); at++)
		system = at;
	if (system)
		sscanf(system, "<system type=\"current\" size=\"%llu\"", &bytes);
	free(text);
	return bytes;
}

static void malloc_reclaim(void)
{
	malloc_trim(0);
}

static const char *malloc_engine(void)
{
	return "glibc";
}

static const struct allocator allocators[] = {
	{
		.name = "pool", .init = pool_init, .exit = pool_exit,
		.get = pool_get, .put = pool_put,
		.backed = pool_backed, .reclaim = pool_reclaim, .engine = pool_engine,
	},
	{
		.name = "malloc", .init = malloc_init, .exit = malloc_exit,
		.get = malloc_get, .put = malloc_put,
		.backed = malloc_backed, .reclaim = malloc_reclaim, .engine = malloc_engine,
	},
};

const struct allocator *allocator_find(const char *name)
{
	for (size_t i = 0; i < sizeof(allocators) / sizeof(allocators[0]); i++) {
		if (!strcmp(allocators[i].name, name))
			return &allocators[i];
	}
	return NULL;
}
