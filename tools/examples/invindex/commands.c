// SPDX-License-Identifier: GPL-2.0-only
/* The commands, each a function in the table at the end; see commands.h. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "commands.h"
#include "parallel.h"

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Resident bytes of this process; 0 where the kernel does not say. */
static uint64_t resident(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	uint64_t kib = 0;
	char line[256];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Rss: %" SCNu64, &kib) == 1)
			break;
	}
	fclose(file);
	return kib * 1024;
}

/* index, grow: read all files that are not in the index. */

struct reading {
	struct session *session;
	struct reader **reader;		/* one a thread */
	atomic_size_t documents;
	_Atomic uint64_t words;
};

static int read_one(void *arg, unsigned int thread, size_t item)
{
	struct reading *reading = arg;
	struct document **document = &reading->session->document[item];
	int ret;

	if (*document)
		return 0;
	ret = document_read(reading->reader[thread], reading->session->files.path[item],
			    (uint32_t)item, document);
	if (ret == 1) {
		reading->documents++;
		reading->words += (*document)->words;
	}
	return ret < 0 ? ret : 0;
}

static void command_index(struct session *session, char *arg, FILE *out)
{
	struct reading reading = { .session = session };
	double start = now();
	int err = 0;

	(void)arg;
	reading.reader = calloc(session->nr_threads, sizeof(*reading.reader));
	for (unsigned int i = 0; reading.reader && !err && i < session->nr_threads; i++) {
		reading.reader[i] = reader_new(&session->index);
		err = reading.reader[i] ? 0 : -1;
	}
	if (reading.reader && !err)
		err = parallel(session->nr_threads, session->files.nr, "reading file", read_one,
			       &reading);
	for (unsigned int i = 0; reading.reader && i < session->nr_threads; i++)
		reader_free(reading.reader[i]);
	free(reading.reader);
	if (err)
		fprintf(out, "error no memory after %zu documents\n", reading.documents);
	else
		fprintf(out, "ok index documents=%zu words=%" PRIu64 " seconds=%.2f\n",
			reading.documents, reading.words, now() - start);
}

/* drop-half: every second document goes. */

static int drop_one(void *arg, unsigned int thread, size_t item)
{
	struct session *session = arg;
	struct document **document = &session->document[2 * item + 1];

	(void)thread;
	if (*document)
		document_drop(&session->index, *document);
	*document = NULL;
	return 0;
}

static void command_drop_half(struct session *session, char *arg, FILE *out)
{
	double start = now();

	(void)arg;
	if (parallel(session->nr_threads, session->files.nr / 2, "dropping document", drop_one,
		     session))
		fprintf(out, "error not all documents were dropped\n");
	else
		fprintf(out, "ok drop-half seconds=%.2f\n", now() - start);
}

void session_clear(struct session *session)
{
	for (size_t i = 0; i < session->files.nr; i++) {
		if (session->document[i])
			document_drop(&session->index, session->document[i]);
		session->document[i] = NULL;
	}
}

/* query FILE: answer one query a line. */

static void command_query(struct session *session, char *path, FILE *out)
{
	double start = now();
	struct asked asked;
	int err = ask_file(&session->index, session->files.nr, session->nr_threads, path, &asked);

	if (err)
		fprintf(out, "error cannot answer '%s': %s\n", path, strerror(err));
	else
		fprintf(out, "ok query queries=%zu documents=%" PRIu64 " checksum=%016" PRIx64
			" seconds=%.2f\n", asked.nr_queries, asked.answer.documents,
			asked.answer.checksum, now() - start);
}

/* search WORD…: the first documents that have all words. */

static void command_search(struct session *session, char *words, FILE *out)
{
	struct matcher *matcher = matcher_new(&session->index, session->files.nr);
	struct answer answer = { 0 };
	unsigned int shown = 0;
	struct query query;

	if (!matcher || !query_parse(&query, words)) {
		fprintf(out, "error %s\n", matcher ? "search needs a word" : "no memory");
		matcher_free(matcher);
		return;
	}
	matcher_answer(matcher, &query, &answer);
	fprintf(out, "ok search documents=%" PRIu64, answer.documents);
	for (uint32_t i = 0; answer.documents && shown < 5 && i < session->files.nr; i++) {
		if (matcher_has(matcher, i)) {
			fprintf(out, " %s", session->files.path[i]);
			shown++;
		}
	}
	fputc('\n', out);
	matcher_free(matcher);
}

/* checksum: of all that is in the index. */

struct summing {
	struct index *index;
	_Atomic uint64_t sum;
};

static int sum_one(void *arg, unsigned int thread, size_t item)
{
	struct summing *summing = arg;

	(void)thread;
	summing->sum += index_checksum(summing->index, (unsigned int)item);
	return 0;
}

static void command_checksum(struct session *session, char *arg, FILE *out)
{
	struct summing summing = { .index = &session->index };

	(void)arg;
	if (parallel(session->nr_threads, NR_SHARDS, "summing shard", sum_one, &summing))
		fprintf(out, "error not all was summed\n");
	else
		fprintf(out, "ok checksum checksum=%016" PRIx64 "\n", summing.sum);
}

static void command_reclaim(struct session *session, char *arg, FILE *out)
{
	uint64_t before = session->alloc->backed();
	uint64_t resident_before = resident();
	double start = now();

	(void)arg;
	session->alloc->reclaim();
	fprintf(out, "ok reclaim backed=%" PRId64 " resident=%" PRId64 " seconds=%.3f\n",
		(int64_t)(before - session->alloc->backed()),
		(int64_t)(resident_before - resident()), now() - start);
}

static void command_stats(struct session *session, char *arg, FILE *out)
{
	size_t documents = 0, terms = 0, postings = 0;

	(void)arg;
	for (size_t i = 0; i < session->files.nr; i++)
		documents += !!session->document[i];
	for (int i = 0; i < NR_SHARDS; i++) {
		terms += session->index.shard[i].nr_terms;
		postings += session->index.shard[i].nr_postings;
	}
	fprintf(out, "ok stats alloc=%s engine=%s documents=%zu terms=%zu postings=%zu"
		" backed=%" PRIu64 " resident=%" PRIu64 "\n", session->alloc->name,
		session->alloc->engine(), documents, terms, postings, session->alloc->backed(),
		resident());
}

static const struct {
	const char *name;
	bool needs_arg;
	void (*run)(struct session *session, char *arg, FILE *out);
} commands[] = {
	{ "index", false, command_index },
	{ "grow", false, command_index },
	{ "drop-half", false, command_drop_half },
	{ "query", true, command_query },
	{ "search", true, command_search },
	{ "checksum", false, command_checksum },
	{ "reclaim", false, command_reclaim },
	{ "stats", false, command_stats },
};

bool session_command(struct session *session, char *line, FILE *out)
{
	char *name = strtok(line, " \t\n");
	char *arg = strtok(NULL, "\n");

	if (!name)
		return true;
	if (!strcmp(name, "quit")) {
		fprintf(out, "ok quit\n");
		return false;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name))
			continue;
		if (commands[i].needs_arg && !arg)
			fprintf(out, "error '%s' needs an argument\n", name);
		else
			commands[i].run(session, arg, out);
		return true;
	}
	fprintf(out, "error unknown command '%s'; see --help\n", name);
	return true;
}
