// SPDX-License-Identifier: GPL-2.0-only
/* Reading a file of queries and answering them in parallel; see ask.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "parallel.h"

struct asking {
	struct query *query;
	size_t nr_queries;
	struct matcher **matcher;	/* one a thread */
	struct answer *answer;		/* one a thread */
	unsigned int nr_threads;
};

/* The next query's place, or NULL: no memory. Room doubles at powers of two. */
static struct query *asking_room(struct asking *asking)
{
	size_t nr = asking->nr_queries;

	if (!(nr & (nr - 1))) {
		struct query *grown = realloc(asking->query, (nr ? 2 * nr : 1) * sizeof(*grown));

		if (!grown)
			return NULL;
		asking->query = grown;
	}
	return &asking->query[nr];
}

static int asking_load(struct asking *asking, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	if (!file)
		return errno;
	while (!err && getline(&line, &size, file) >= 0) {
		struct query *query = asking_room(asking);

		if (!query)
			err = ENOMEM;
		else if (query_parse(query, line))
			asking->nr_queries++;
	}
	if (ferror(file))
		err = EIO;
	free(line);
	fclose(file);
	return err;
}

static int asking_start(struct asking *asking, struct index *index, size_t nr_documents,
			unsigned int nr_threads)
{
	asking->nr_threads = nr_threads;
	asking->matcher = calloc(nr_threads, sizeof(*asking->matcher));
	asking->answer = calloc(nr_threads, sizeof(*asking->answer));
	if (!asking->matcher || !asking->answer)
		return ENOMEM;
	for (unsigned int i = 0; i < nr_threads; i++) {
		asking->matcher[i] = matcher_new(index, nr_documents);
		if (!asking->matcher[i])
			return ENOMEM;
	}
	return 0;
}

static void asking_stop(struct asking *asking)
{
	for (unsigned int i = 0; asking->matcher && i < asking->nr_threads; i++)
		matcher_free(asking->matcher[i]);
	free(asking->matcher);
	free(asking->answer);
	free(asking->query);
}

static int ask_one(void *arg, unsigned int thread, size_t item)
{
	struct asking *asking = arg;

	matcher_answer(asking->matcher[thread], &asking->query[item], &asking->answer[thread]);
	return 0;
}

int ask_file(struct index *index, size_t nr_documents, unsigned int nr_threads, const char *path,
	     struct asked *asked)
{
	struct asking asking = { 0 };
	int err;

	err = asking_load(&asking, path);
	if (!err)
		err = asking_start(&asking, index, nr_documents, nr_threads);
	if (!err && parallel(nr_threads, asking.nr_queries, "answering query", ask_one, &asking))
		err = ENOMEM;
	*asked = (struct asked){ .nr_queries = asking.nr_queries };
	for (unsigned int i = 0; !err && i < nr_threads; i++) {
		asked->answer.documents += asking.answer[i].documents;
		asked->answer.checksum += asking.answer[i].checksum;
	}
	asking_stop(&asking);
	return err;
}
