/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The index: which word occurs where in which document.
 *
 *	term ──► posting ──► posting ──► …	one for each document with the word
 *	            ▲           ▲
 *	document ───┘ document ─┘		and each document knows its own
 *
 * A posting holds the first places of its word in its document; what does not
 * fit follows in chunks. All of these are objects of the allocator, so dropping
 * a document frees objects here and there among those of its neighbours.
 *
 * Locking: terms live in shards by the hash of their word. A shard's lock
 * covers its table, its terms and the postings' links in their term's list.
 * A document, and its postings' links in the document's list, belong to the
 * thread that works on the document. No thread holds two shards' locks.
 */
#ifndef INVINDEX_INDEX_H
#define INVINDEX_INDEX_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc.h"
#include "tokenize.h"

#define NR_SHARDS		64	/* a power of two */
#define POSTING_PLACES		4
#define CHUNK_PLACES		14

/* More places of a word in a document. */
struct positions {
	struct positions *next;
	uint32_t place[CHUNK_PLACES];
};

struct posting {
	struct posting *term_next;	/* in the term's list */
	struct posting **term_link;	/* what points here */
	struct posting *document_next;	/* in the document's list */
	struct term *term;
	struct positions *more;		/* the newest chunk first */
	uint32_t document;
	uint32_t count;			/* of places */
	uint32_t place[POSTING_PLACES];
};

struct term {
	struct term *next;		/* in the bucket */
	struct posting *postings;
	uint64_t hash;
	uint32_t nr_postings;
	char word[WORD_MAX + 1];
};

struct document {
	uint32_t id;
	uint32_t nr_postings;
	uint64_t words;
	struct posting *postings;
	const char *path;
};

struct shard {
	pthread_mutex_t lock;
	struct term **bucket;
	size_t nr_buckets;		/* a power of two */
	size_t nr_terms;
	size_t nr_postings;
} __attribute__((aligned(64)));

struct index {
	const struct allocator *alloc;
	struct shard shard[NR_SHARDS];
};

/* 0, or -1 with a message on stderr. */
int index_init(struct index *index, const struct allocator *alloc);
/* The documents must have been dropped. */
void index_exit(struct index *index);

/* Puts the document's posting on the list of its word. 0, or -1: no memory. */
int index_link(struct index *index, struct posting *posting, const char *word, uint64_t hash);
/* Takes it off again; the last one takes its term along. */
void index_unlink(struct index *index, struct posting *posting);

/*
 * Calls visit for each document that has the word, in no certain order and
 * under the shard's lock.
 */
void index_visit(struct index *index, const char *word,
		 void (*visit)(void *arg, const struct posting *posting), void *arg);

/*
 * A number that changes when any word, place or document of the shard does. It
 * depends neither on the order of insertion nor on addresses.
 */
uint64_t index_checksum(struct index *index, unsigned int shard);

static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

#endif /* INVINDEX_INDEX_H */
