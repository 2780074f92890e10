// SPDX-License-Identifier: GPL-2.0-only
/* Text to words; see tokenize.h. */
#include <stdbool.h>

#include "tokenize.h"

static bool is_word(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c >= 0x80;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

int tokenizer_end(struct tokenizer *tokenizer)
{
	unsigned int length = tokenizer->length;

	tokenizer->length = 0;
	if (length < WORD_MIN)
		return 0;
	tokenizer->word[length] = '\0';
	return tokenizer->emit(tokenizer->arg, tokenizer->word, tokenizer->position++);
}

int tokenizer_feed(struct tokenizer *tokenizer, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (is_word((unsigned char)text[i])) {
			if (tokenizer->length < WORD_MAX)
				tokenizer->word[tokenizer->length++] = lower(text[i]);
		} else if (tokenizer->length) {
			int err = tokenizer_end(tokenizer);

			if (err)
				return err;
		}
	}
	return 0;
}

/* FNV-1a */
uint64_t word_hash(const char *word)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (; *word; word++)
		hash = (hash ^ (unsigned char)*word) * 0x100000001b3ull;
	return hash ^ (hash >> 32);
}
