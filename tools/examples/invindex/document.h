/* SPDX-License-Identifier: GPL-2.0-only */
/* Documents: reading one into the index, and dropping it again. */
#ifndef INVINDEX_DOCUMENT_H
#define INVINDEX_DOCUMENT_H

#include "index.h"

/* What a thread needs to read documents, one after the other. */
struct reader;

struct reader *reader_new(struct index *index);
void reader_free(struct reader *reader);

/*
 * Reads a text file, also one compressed by gzip, and indexes it as document
 * id. 1 and *document; 0 when the file is no text or cannot be read; -1 when
 * there is no memory. The path is kept, not copied.
 */
int document_read(struct reader *reader, const char *path, uint32_t id,
		  struct document **document);
void document_drop(struct index *index, struct document *document);

#endif /* INVINDEX_DOCUMENT_H */
