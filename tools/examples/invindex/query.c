// SPDX-License-Identifier: GPL-2.0-only
/*
 * Answering queries. The words' lists are in no order, so they are not merged:
 * each document has a counter, and a document that has met the first n words
 * may meet the next. The counters belong to the thread and are not cleared
 * between queries; the query's number in them says whether they count.
 */
#include <stdlib.h>
#include <string.h>

#include "query.h"

struct counter {
	uint32_t query;
	uint32_t words;
	uint64_t sum;
};

struct matcher {
	struct index *index;
	uint32_t query;			/* number of the current query, from 1 */
	uint32_t words;			/* of it that were visited before */
	struct counter counter[];	/* one a document */
};

static int query_word(void *arg, const char *word, uint32_t position)
{
	struct query *query = arg;

	(void)position;
	query->hash = mix(query->hash + word_hash(word));
	strcpy(query->word[query->nr_words++], word);
	return query->nr_words == QUERY_WORDS;
}

unsigned int query_parse(struct query *query, const char *line)
{
	struct tokenizer tokenizer = { .emit = query_word, .arg = query };

	query->nr_words = 0;
	query->hash = 0;
	if (!tokenizer_feed(&tokenizer, line, strlen(line)))
		tokenizer_end(&tokenizer);
	return query->nr_words;
}

struct matcher *matcher_new(struct index *index, size_t nr_documents)
{
	struct matcher *matcher;

	matcher = calloc(1, sizeof(*matcher) + nr_documents * sizeof(matcher->counter[0]));
	if (matcher)
		matcher->index = index;
	return matcher;
}

void matcher_free(struct matcher *matcher)
{
	free(matcher);
}

static void matcher_visit(void *arg, const struct posting *posting)
{
	struct matcher *matcher = arg;
	struct counter *counter = &matcher->counter[posting->document];
	uint64_t sum = mix(posting->count) + mix(posting->place[0] + 1ull);

	if (!matcher->words) {
		*counter = (struct counter){ .query = matcher->query, .words = 1, .sum = sum };
	} else if (counter->query == matcher->query && counter->words == matcher->words) {
		counter->words++;
		counter->sum += sum;
	}
}

/* Adds up the documents on the last word's list that have met all words. */
struct total {
	struct matcher *matcher;
	const struct query *query;
	struct answer *answer;
};

static void total_visit(void *arg, const struct posting *posting)
{
	struct total *total = arg;
	const struct counter *counter = &total->matcher->counter[posting->document];

	if (!matcher_has(total->matcher, posting->document))
		return;
	total->answer->documents++;
	total->answer->checksum +=
		mix(total->query->hash + mix(posting->document + counter->sum));
}

void matcher_answer(struct matcher *matcher, const struct query *query, struct answer *answer)
{
	struct total total = { .matcher = matcher, .query = query, .answer = answer };

	matcher->query++;
	for (matcher->words = 0; matcher->words < query->nr_words; matcher->words++)
		index_visit(matcher->index, query->word[matcher->words], matcher_visit, matcher);
	if (query->nr_words)
		index_visit(matcher->index, query->word[query->nr_words - 1], total_visit, &total);
}

bool matcher_has(const struct matcher *matcher, uint32_t document)
{
	const struct counter *counter = &matcher->counter[document];

	return counter->query == matcher->query && counter->words == matcher->words;
}
