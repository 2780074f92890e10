/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text to words: runs of letters, digits, '_' and bytes of multi-byte
 * characters, in lower case. One character alone is no word; what is longer
 * than WORD_MAX is cut.
 */
#ifndef INVINDEX_TOKENIZE_H
#define INVINDEX_TOKENIZE_H

#include <stddef.h>
#include <stdint.h>

#define WORD_MIN	2
#define WORD_MAX	35

struct tokenizer {
	/* Called for every word; NUL-terminated. Not 0: stop. */
	int (*emit)(void *arg, const char *word, uint32_t position);
	void *arg;
	uint32_t position;	/* of the next word in the text */
	unsigned int length;	/* of the word so far */
	char word[WORD_MAX + 1];
};

/* The text may come in pieces; words may cross them. Return: what emit said last. */
int tokenizer_feed(struct tokenizer *tokenizer, const char *text, size_t length);
/* The text has ended. */
int tokenizer_end(struct tokenizer *tokenizer);

uint64_t word_hash(const char *word);

#endif /* INVINDEX_TOKENIZE_H */
