// SPDX-License-Identifier: GPL-2.0-only
/* The sharded table of terms and their lists of postings; see index.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"

#define FIRST_BUCKETS	64

int index_init(struct index *index, const struct allocator *alloc)
{
	index->alloc = alloc;
	for (int i = 0; i < NR_SHARDS; i++) {
		struct shard *shard = &index->shard[i];

		memset(shard, 0, sizeof(*shard));
		pthread_mutex_init(&shard->lock, NULL);
		shard->nr_buckets = FIRST_BUCKETS;
		shard->bucket = calloc(shard->nr_buckets, sizeof(*shard->bucket));
		if (!shard->bucket) {
			fprintf(stderr, "invindex: no memory for the table of terms\n");
			return -1;
		}
	}
	return 0;
}

void index_exit(struct index *index)
{
	for (int i = 0; i < NR_SHARDS; i++) {
		free(index->shard[i].bucket);
		pthread_mutex_destroy(&index->shard[i].lock);
	}
}

/* The low bits of the hash choose the shard, the others the bucket. */
static struct shard *shard_of(struct index *index, uint64_t hash)
{
	return &index->shard[hash & (NR_SHARDS - 1)];
}

static struct term **bucket_of(struct shard *shard, uint64_t hash)
{
	return &shard->bucket[(hash / NR_SHARDS) & (shard->nr_buckets - 1)];
}

/* Doubles the table; without memory it stays as it is, and slower. */
static void shard_grow(struct shard *shard)
{
	struct term **old = shard->bucket;
	size_t nr_old = shard->nr_buckets;
	struct term **grown = calloc(2 * nr_old, sizeof(*grown));

	if (!grown)
		return;
	shard->bucket = grown;
	shard->nr_buckets = 2 * nr_old;
	for (size_t i = 0; i < nr_old; i++) {
		struct term *term, *next;

		for (term = old[i]; term; term = next) {
			struct term **bucket = bucket_of(shard, term->hash);

			next = term->next;
			term->next = *bucket;
			*bucket = term;
		}
	}
	free(old);
}

static struct term *shard_find(struct shard *shard, const char *word, uint64_t hash)
{
	struct term *term;

	for (term = *bucket_of(shard, hash); term; term = term->next) {
		if (term->hash == hash && !strcmp(term->word, word))
			break;
	}
	return term;
}

static struct term *shard_add(struct index *index, struct shard *shard, const char *word,
			      uint64_t hash)
{
	struct term *term = index->alloc->get(OBJECT_TERM);
	struct term **bucket;

	if (!term)
		return NULL;
	if (shard->nr_terms >= shard->nr_buckets)
		shard_grow(shard);
	bucket = bucket_of(shard, hash);
	term->next = *bucket;
	term->postings = NULL;
	term->hash = hash;
	term->nr_postings = 0;
	strcpy(term->word, word);
	*bucket = term;
	shard->nr_terms++;
	return term;
}

static void shard_remove(struct index *index, struct shard *shard, struct term *term)
{
	struct term **link = bucket_of(shard, term->hash);

	while (*link != term)
		link = &(*link)->next;
	*link = term->next;
	shard->nr_terms--;
	index->alloc->put(OBJECT_TERM, term);
}

int index_link(struct index *index, struct posting *posting, const char *word, uint64_t hash)
{
	struct shard *shard = shard_of(index, hash);
	struct term *term;

	pthread_mutex_lock(&shard->lock);
	term = shard_find(shard, word, hash);
	if (!term)
		term = shard_add(index, shard, word, hash);
	if (term) {
		posting->term = term;
		posting->term_next = term->postings;
		posting->term_link = &term->postings;
		if (term->postings)
			term->postings->term_link = &posting->term_next;
		term->postings = posting;
		term->nr_postings++;
		shard->nr_postings++;
	}
	pthread_mutex_unlock(&shard->lock);
	return term ? 0 : -1;
}

void index_unlink(struct index *index, struct posting *posting)
{
	struct term *term = posting->term;
	struct shard *shard = shard_of(index, term->hash);

	pthread_mutex_lock(&shard->lock);
	*posting->term_link = posting->term_next;
	if (posting->term_next)
		posting->term_next->term_link = posting->term_link;
	posting->term = NULL;
	shard->nr_postings--;
	if (!--term->nr_postings)
		shard_remove(index, shard, term);
	pthread_mutex_unlock(&shard->lock);
}

void index_visit(struct index *index, const char *word,
		 void (*visit)(void *arg, const struct posting *posting), void *arg)
{
	uint64_t hash = word_hash(word);
	struct shard *shard = shard_of(index, hash);
	const struct posting *posting;
	const struct term *term;

	pthread_mutex_lock(&shard->lock);
	term = shard_find(shard, word, hash);
	for (posting = term ? term->postings : NULL; posting; posting = posting->term_next)
		visit(arg, posting);
	pthread_mutex_unlock(&shard->lock);
}

static uint64_t posting_checksum(const struct posting *posting)
{
	uint64_t sum = mix(posting->document + 1ull) + mix(posting->count);
	uint32_t count = posting->count;

	for (uint32_t i = 0; i < count && i < POSTING_PLACES; i++)
		sum += mix(posting->place[i] + 2ull);
	count -= count < POSTING_PLACES ? count : POSTING_PLACES;

	/* Only the first chunk, which is the newest, may be partly filled. */
	for (const struct positions *chunk = posting->more; chunk; chunk = chunk->next) {
		uint32_t filled = count % CHUNK_PLACES ? count % CHUNK_PLACES : CHUNK_PLACES;

		for (uint32_t i = 0; i < filled; i++)
			sum += mix(chunk->place[i] + 2ull);
		count -= filled;
	}
	return mix(sum);
}

uint64_t index_checksum(struct index *index, unsigned int nr)
{
	struct shard *shard = &index->shard[nr];
	uint64_t sum = 0;

	pthread_mutex_lock(&shard->lock);
	for (size_t i = 0; i < shard->nr_buckets; i++) {
		const struct term *term;

		for (term = shard->bucket[i]; term; term = term->next) {
			uint64_t seed = word_hash(term->word);

			for (const struct posting *p = term->postings; p; p = p->term_next)
				sum += mix(seed ^ posting_checksum(p));
		}
	}
	pthread_mutex_unlock(&shard->lock);
	return sum;
}
