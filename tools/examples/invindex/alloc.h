/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the index keeps its objects: uslab pools or malloc, behind one tiny
 * interface, so that the same program can be run on both and compared.
 */
#ifndef INVINDEX_ALLOC_H
#define INVINDEX_ALLOC_H

#include <stddef.h>
#include <stdint.h>

enum object_kind {
	OBJECT_DOCUMENT,
	OBJECT_TERM,
	OBJECT_POSTING,
	OBJECT_POSITIONS,
	NR_OBJECT_KINDS,
};

struct allocator {
	const char *name;
	/* One pool a kind. 0, or -1 with a message on stderr. */
	int (*init)(const size_t sizes[NR_OBJECT_KINDS]);
	void (*exit)(void);
	/* get: NULL when there is no memory. put: NULL is allowed. Any thread. */
	void *(*get)(enum object_kind kind);
	void (*put)(enum object_kind kind, void *object);
	/* Bytes of memory behind the objects, as far as the allocator knows. */
	uint64_t (*backed)(void);
	/* Give idle memory back now, because the program asks for it. */
	void (*reclaim)(void);
	/* What serves it: "kernel" or "embedded" for pools, "glibc" for malloc. */
	const char *(*engine)(void);
};

/* "pool" or "malloc"; NULL when there is no such allocator. */
const struct allocator *allocator_find(const char *name);

#endif /* INVINDEX_ALLOC_H */
