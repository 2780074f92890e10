/* SPDX-License-Identifier: GPL-2.0-only */
/* Queries: the documents that have all of some words. */
#ifndef INVINDEX_QUERY_H
#define INVINDEX_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index.h"

#define QUERY_WORDS	8

struct query {
	uint64_t hash;
	unsigned int nr_words;
	char word[QUERY_WORDS][WORD_MAX + 1];
};

/*
 * The checksum changes when a query has another answer or a word another place
 * in a document; it is the same for any order of documents and queries.
 */
struct answer {
	uint64_t documents;
	uint64_t checksum;
};

/* Takes the words of a line as those of documents are taken; returns how many. */
unsigned int query_parse(struct query *query, const char *line);

/* What a thread needs to answer queries, one after the other. */
struct matcher;

struct matcher *matcher_new(struct index *index, size_t nr_documents);
void matcher_free(struct matcher *matcher);

/* Adds to *answer. */
void matcher_answer(struct matcher *matcher, const struct query *query, struct answer *answer);
/* Does the document belong to the answer given last? */
bool matcher_has(const struct matcher *matcher, uint32_t document);

#endif /* INVINDEX_QUERY_H */
