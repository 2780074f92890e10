// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading documents. A thread first collects a document's postings in a table
 * of its own, without any lock, and links them to the index when the text has
 * ended: one lock a word and document, not one a place.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "document.h"

#define BLOCK		(64 * 1024)
#define DOCUMENT_MAX	(4 * 1024 * 1024)	/* bytes of text; what follows is left out */
#define FIRST_SLOTS	1024			/* a power of two */

/* A word of the document. */
struct entry {
	uint64_t hash;
	struct posting *posting;
	char word[WORD_MAX + 1];
};

struct reader {
	struct index *index;
	struct document *document;
	struct entry *entry;		/* those of the document, in order */
	uint32_t *slot;			/* open addressing: place in entry[] + 1; 0: free */
	size_t nr_entries;
	size_t nr_slots;		/* at most half of them are taken */
	char block[BLOCK];
};

static int reader_resize(struct reader *reader, size_t nr_slots)
{
	struct entry *entry = realloc(reader->entry, nr_slots / 2 * sizeof(*entry));
	uint32_t *slot;

	if (!entry)
		return -1;
	reader->entry = entry;
	slot = calloc(nr_slots, sizeof(*slot));
	if (!slot)
		return -1;
	free(reader->slot);
	reader->slot = slot;
	reader->nr_slots = nr_slots;
	for (size_t i = 0; i < reader->nr_entries; i++) {
		size_t at = entry[i].hash & (nr_slots - 1);

		while (slot[at])
			at = (at + 1) & (nr_slots - 1);
		slot[at] = (uint32_t)i + 1;
	}
	return 0;
}

struct reader *reader_new(struct index *index)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->index = index;
	if (reader_resize(reader, FIRST_SLOTS)) {
		reader_free(reader);
		return NULL;
	}
	return reader;
}

void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	free(reader->entry);
	free(reader->slot);
	free(reader);
}

static struct posting *posting_new(const struct allocator *alloc, struct document *document)
{
	struct posting *posting = alloc->get(OBJECT_POSTING);

	if (!posting)
		return NULL;
	posting->term = NULL;
	posting->more = NULL;
	posting->document = document->id;
	posting->count = 0;
	posting->document_next = document->postings;
	document->postings = posting;
	document->nr_postings++;
	return posting;
}

static int posting_add(const struct allocator *alloc, struct posting *posting, uint32_t place)
{
	uint32_t beyond;

	if (posting->count < POSTING_PLACES) {
		posting->place[posting->count++] = place;
		return 0;
	}
	beyond = (posting->count - POSTING_PLACES) % CHUNK_PLACES;
	if (!beyond) {
		struct positions *chunk = alloc->get(OBJECT_POSITIONS);

		if (!chunk)
			return -1;
		chunk->next = posting->more;
		posting->more = chunk;
	}
	posting->more->place[beyond] = place;
	posting->count++;
	return 0;
}

static void posting_free(const struct allocator *alloc, struct posting *posting)
{
	struct positions *chunk, *next;

	for (chunk = posting->more; chunk; chunk = next) {
		next = chunk->next;
		alloc->put(OBJECT_POSITIONS, chunk);
	}
	alloc->put(OBJECT_POSTING, posting);
}

/* The word's entry in the reader's table; made when the document has it first. */
static struct entry *reader_entry(struct reader *reader, const char *word)
{
	uint64_t hash = word_hash(word);
	struct entry *entry;
	size_t at;

	if (reader->nr_entries == reader->nr_slots / 2 &&
	    reader_resize(reader, 2 * reader->nr_slots))
		return NULL;
	at = hash & (reader->nr_slots - 1);
	while (reader->slot[at]) {
		entry = &reader->entry[reader->slot[at] - 1];
		if (entry->hash == hash && !strcmp(entry->word, word))
			return entry;
		at = (at + 1) & (reader->nr_slots - 1);
	}
	entry = &reader->entry[reader->nr_entries];
	entry->hash = hash;
	entry->posting = posting_new(reader->index->alloc, reader->document);
	if (!entry->posting)
		return NULL;
	strcpy(entry->word, word);
	reader->slot[at] = (uint32_t)++reader->nr_entries;
	return entry;
}

static int reader_word(void *arg, const char *word, uint32_t place)
{
	struct reader *reader = arg;
	struct entry *entry = reader_entry(reader, word);

	if (!entry)
		return -1;
	reader->document->words++;
	return posting_add(reader->index->alloc, entry->posting, place);
}

/* As document_read(), but for the postings' way into the index. */
static int reader_text(struct reader *reader, const char *path)
{
	struct tokenizer tokenizer = { .emit = reader_word, .arg = reader };
	gzFile file = gzopen(path, "re");
	size_t total = 0;
	int n, ret = 1;

	if (!file)
		return 0;
	while (ret == 1 && total < DOCUMENT_MAX && (n = gzread(file, reader->block, BLOCK)) > 0) {
		if (!total && memchr(reader->block, '\0', (size_t)n))
			ret = 0;
		else if (tokenizer_feed(&tokenizer, reader->block, (size_t)n))
			ret = -1;
		total += (size_t)n;
	}
	if (ret == 1 && tokenizer_end(&tokenizer))
		ret = -1;
	gzclose(file);
	return total ? ret : 0;
}

static int reader_publish(struct reader *reader)
{
	for (size_t i = 0; i < reader->nr_entries; i++) {
		struct entry *entry = &reader->entry[i];

		if (index_link(reader->index, entry->posting, entry->word, entry->hash))
			return -1;
	}
	return 0;
}

int document_read(struct reader *reader, const char *path, uint32_t id,
		  struct document **document)
{
	struct document *fresh = reader->index->alloc->get(OBJECT_DOCUMENT);
	int ret;

	if (!fresh)
		return -1;
	*fresh = (struct document){ .id = id, .path = path };
	reader->document = fresh;
	reader->nr_entries = 0;
	memset(reader->slot, 0, reader->nr_slots * sizeof(*reader->slot));

	ret = reader_text(reader, path);
	if (ret == 1 && reader_publish(reader))
		ret = -1;
	if (ret == 1)
		*document = fresh;
	else
		document_drop(reader->index, fresh);
	return ret;
}

void document_drop(struct index *index, struct document *document)
{
	struct posting *posting, *next;

	for (posting = document->postings; posting; posting = next) {
		next = posting->document_next;
		if (posting->term)
			index_unlink(index, posting);
		posting_free(index->alloc, posting);
	}
	index->alloc->put(OBJECT_DOCUMENT, document);
}
