// SPDX-License-Identifier: GPL-2.0-only
/*
 * invindex: an inverted index over text files, as an example of a program whose
 * memory lies in uslab pools.
 *
 *	main.c		options, the loop over commands
 *	commands.c	what a command does
 *	walk.c		which files there are
 *	document.c	a file's words into the index, and out again
 *	tokenize.c	text to words
 *	index.c		terms and postings, sharded
 *	query.c		which documents have these words
 *	ask.c		a file of queries
 *	parallel.c	items shared out among threads
 *	alloc.c		pools or malloc: the only file that knows about uslab
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

static const char usage[] =
	"usage: invindex [OPTION]... [FOLDER]...\n"
	"Index the words of text files (also .gz), answer queries, drop documents.\n"
	"\n"
	"  -a, --alloc=pool|malloc  where the index lies (default pool)\n"
	"  -t, --threads=N          that index and answer (default 2)\n"
	"  -f, --max-files=N        read no more files\n"
	"  -b, --max-bytes=SIZE     read no more bytes; suffixes K, M, G\n"
	"  -h, --help\n"
	"\n"
	"Folders default to /usr/include /usr/src /usr/share/doc. Commands come on\n"
	"standard input, one a line, and are answered with one line each:\n"
	"\n"
	"  index         read all files that are not in the index\n"
	"  query FILE    answer the queries in FILE: on each line words that a document\n"
	"                must have; prints a checksum over all answers\n"
	"  search WORD...  name the first documents that have all words\n"
	"  drop-half     drop every second document\n"
	"  grow          as index: take the dropped documents in again\n"
	"  checksum      of the whole index; the same for any allocator and threads\n"
	"  reclaim       ask the allocator to give idle memory back\n"
	"  stats         documents, bytes behind the index, resident bytes\n"
	"  quit\n"
	"\n"
	"Exit status: 0, 1 when something failed, 2 for wrong usage.\n";

struct options {
	const char *alloc;
	uint64_t threads;
	uint64_t max_files;
	uint64_t max_bytes;
};

static int wrong(const char *what, const char *value, const char *limit)
{
	fprintf(stderr, "invindex: %s '%s' %s\n", what, value, limit);
	return -1;
}

/* A number with an optional suffix K, M or G. */
static int parse_number(const char *text, uint64_t *value)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-')
		return -1;
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		unsigned int shift = 10 * (unsigned int)(suffix - suffixes + 1);

		if (*value > UINT64_MAX >> shift)
			return -1;
		*value <<= shift;
		end++;
	}
	return *end ? -1 : 0;
}

/* 0; 1: --help was given; -1 with a message on stderr. */
static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "alloc", required_argument, NULL, 'a' },
		{ "threads", required_argument, NULL, 't' },
		{ "max-files", required_argument, NULL, 'f' },
		{ "max-bytes", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "a:t:f:b:h", longs, NULL)) >= 0) {
		switch (c) {
		case 'a':
			options->alloc = optarg;
			break;
		case 't':
			if (parse_number(optarg, &options->threads) || !options->threads ||
			    options->threads > 1024)
				return wrong("number of threads", optarg, "is not from 1 to 1024");
			break;
		case 'f':
			if (parse_number(optarg, &options->max_files))
				return wrong("number of files", optarg, "is not a number");
			break;
		case 'b':
			if (parse_number(optarg, &options->max_bytes))
				return wrong("size", optarg, "is not a number of bytes");
			break;
		case 'h':
			return 1;
		default:
			return -1;
		}
	}
	return 0;
}

static int session_start(struct session *session, const struct options *options, char **folders)
{
	static const size_t sizes[NR_OBJECT_KINDS] = {
		[OBJECT_DOCUMENT] = sizeof(struct document),
		[OBJECT_TERM] = sizeof(struct term),
		[OBJECT_POSTING] = sizeof(struct posting),
		[OBJECT_POSITIONS] = sizeof(struct positions),
	};

	session->nr_threads = (unsigned int)options->threads;
	if (file_list_walk(&session->files, folders, options->max_files, options->max_bytes))
		return -1;
	fprintf(stderr, "invindex: %zu files, %llu KiB\n", session->files.nr,
		(unsigned long long)session->files.bytes / 1024);
	if (session->files.nr > UINT32_MAX)
		return wrong("number of files", "beyond 4294967295", "cannot be indexed");
	session->document = calloc(session->files.nr + 1, sizeof(*session->document));
	if (!session->document || session->alloc->init(sizes))
		return -1;
	return index_init(&session->index, session->alloc);
}

static void session_stop(struct session *session)
{
	session_clear(session);
	index_exit(&session->index);
	session->alloc->exit();
	free(session->document);
	file_list_free(&session->files);
}

int main(int argc, char **argv)
{
	static char *default_folders[] = {
		"/usr/include", "/usr/src", "/usr/share/doc", NULL,
	};
	struct options options = { .alloc = "pool", .threads = 2 };
	struct session session = { 0 };
	char *line = NULL;
	size_t size = 0;
	int ret = parse_options(&options, argc, argv);

	if (ret > 0) {
		fputs(usage, stdout);
		return 0;
	}
	session.alloc = ret ? NULL : allocator_find(options.alloc);
	if (!session.alloc) {
		if (!ret)
			wrong("allocator", options.alloc, "is neither pool nor malloc");
		fprintf(stderr, "Try 'invindex --help'.\n");
		return 2;
	}
	if (session_start(&session, &options, argv[optind] ? argv + optind : default_folders))
		return 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (getline(&line, &size, stdin) >= 0 && session_command(&session, line, stdout))
		;
	free(line);
	session_stop(&session);
	return 0;
}
