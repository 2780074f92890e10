/* SPDX-License-Identifier: GPL-2.0-only */
/* A file full of queries, answered by several threads. */
#ifndef INVINDEX_ASK_H
#define INVINDEX_ASK_H

#include "query.h"

struct asked {
	size_t nr_queries;
	struct answer answer;		/* of all queries together */
};

/* One query a line; lines without a word are none. 0, or an errno. */
int ask_file(struct index *index, size_t nr_documents, unsigned int nr_threads, const char *path,
	     struct asked *asked);

#endif /* INVINDEX_ASK_H */
