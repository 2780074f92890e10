// SPDX-License-Identifier: GPL-2.0-only
/*
 * uslab-bench: what a get and a put cost, compared with a bare array of pointers,
 * which is the limit, and with allocators. See bench.h for the parts.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <uslab.h>

#include "bench.h"

static const char usage[] =
	"usage: uslab-bench [OPTION]...\n"
	"Compare uslab's get and put with a bare array of pointers and with allocators.\n"
	"\n"
	"  -s, --sizes=N,...       bytes of an object (default 64,128,1024)\n"
	"  -d, --depths=N,...      objects held at a time (default 1,16,256)\n"
	"  -r, --rounds=N          alternating rounds (default 15)\n"
	"  -m, --round-ms=N        length of a round (default 5)\n"
	"  -c, --contenders=NAME,...  of limit uslab malloc jemalloc mimalloc tcmalloc\n"
	"  -t, --threads=N         threads with objects of their own (default 1)\n"
	"  -x, --cross             one thread gets, another puts\n"
	"  -p, --pin=CPU|none      CPU of the first thread (default: the last one)\n"
	"  -e, --engine=NAME       kernel, embedded or auto\n"
	"      --csv               figures as CSV instead of a table\n"
	"      --json              figures as JSON, with every round's\n"
	"      --check             exit with 1 when an aim is missed\n"
	"  -h, --help\n"
	"      --version\n"
	"\n"
	"Exit status: 0, 1 when something failed, 2 for wrong usage.\n";

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON };

struct options {
	struct setup setup;
	unsigned int sizes[MAX_LIST], depths[MAX_LIST];
	int nr_sizes, nr_depths;
	const char *contenders;
	enum format format;
	bool check;
};

/* Exits: a wrong value is named with what would be right. */
static void __attribute__((noreturn)) wrong(const char *what, const char *value, unsigned int min,
					    unsigned int max)
{
	fprintf(stderr, "uslab-bench: %s '%s' is not from %u to %u\n", what, value, min, max);
	exit(2);
}

static unsigned int parse_number(const char *what, const char *text, unsigned int min,
				 unsigned int max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min || value > max)
		wrong(what, text, min, max);
	return (unsigned int)value;
}

/* "1,16,256"; returns how many. */
static int parse_list(const char *what, char *text, unsigned int *list, unsigned int min,
		      unsigned int max)
{
	char *item;
	int nr = 0;

	while ((item = strsep(&text, ","))) {
		if (nr == MAX_LIST) {
			fprintf(stderr, "uslab-bench: more than %d values of %s\n", MAX_LIST, what);
			exit(2);
		}
		list[nr++] = parse_number(what, item, min, max);
	}
	return nr;
}

static int parse_pin(const char *text)
{
	cpu_set_t set;
	int cpu;

	if (!strcmp(text, "none"))
		return PIN_NONE;
	cpu = (int)parse_number("CPU", text, 0, CPU_SETSIZE - 1);
	if (!sched_getaffinity(0, sizeof(set), &set) && !CPU_ISSET(cpu, &set)) {
		fprintf(stderr, "uslab-bench: CPU %d is not among those allowed\n", cpu);
		exit(2);
	}
	return cpu;
}

static void set_engine(const char *name)
{
	if (strcmp(name, "kernel") && strcmp(name, "embedded") && strcmp(name, "auto")) {
		fprintf(stderr, "uslab-bench: engine '%s' is not kernel, embedded or auto\n", name);
		exit(2);
	}
	setenv("USLAB_ENGINE", name, 1);
}

/* What getopt_long() returns for options without a letter. */
enum { OPTION_CSV = 256, OPTION_JSON, OPTION_CHECK, OPTION_VERSION };

static const struct option longs[] = {
	{ "sizes", required_argument, NULL, 's' },
	{ "depths", required_argument, NULL, 'd' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "round-ms", required_argument, NULL, 'm' },
	{ "contenders", required_argument, NULL, 'c' },
	{ "threads", required_argument, NULL, 't' },
	{ "cross", no_argument, NULL, 'x' },
	{ "pin", required_argument, NULL, 'p' },
	{ "engine", required_argument, NULL, 'e' },
	{ "csv", no_argument, NULL, OPTION_CSV },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

static void parse_option(struct options *options, int c)
{
	switch (c) {
	case 's':
		options->nr_sizes = parse_list("size", optarg, options->sizes, 8, 1u << 20);
		break;
	case 'd':
		options->nr_depths = parse_list("depth", optarg, options->depths, 1, MAX_DEPTH);
		break;
	case 'r':
		options->setup.rounds = parse_number("number of rounds", optarg, 1, MAX_ROUNDS);
		break;
	case 'm':
		options->setup.round_ms = parse_number("length of a round", optarg, 1, 10000);
		break;
	case 'c':
		options->contenders = optarg;
		break;
	case 't':
		options->setup.threads = parse_number("number of threads", optarg, 1, MAX_THREADS);
		break;
	case 'x':
		options->setup.mode = MODE_CROSS;
		break;
	case 'p':
		options->setup.pin = parse_pin(optarg);
		break;
	case 'e':
		set_engine(optarg);
		break;
	case OPTION_CSV:
		options->format = FORMAT_CSV;
		break;
	case OPTION_JSON:
		options->format = FORMAT_JSON;
		break;
	case OPTION_CHECK:
		options->check = true;
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	case OPTION_VERSION:
		printf("uslab-bench %d.%d\n", USLAB_VERSION_MAJOR, USLAB_VERSION_MINOR);
		exit(0);
	default:
		fprintf(stderr, "Try 'uslab-bench --help'.\n");
		exit(2);
	}
}

static void parse_options(struct options *options, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "s:d:r:m:c:t:xp:e:h", longs, NULL)) >= 0)
		parse_option(options, c);
	if (argv[optind]) {
		fprintf(stderr, "uslab-bench: '%s' is no option\n", argv[optind]);
		exit(2);
	}
	if (options->setup.mode != MODE_CROSS)
		return;
	if (options->setup.threads > 1) {
		fprintf(stderr, "uslab-bench: --threads does not go with --cross,"
			" which has two threads\n");
		exit(2);
	}
	for (int i = 0; i < options->nr_depths; i++) {
		if (options->depths[i] > MAX_CROSS_DEPTH) {
			fprintf(stderr, "uslab-bench: depth %u is above %d, the most that --cross"
				" hands over together\n", options->depths[i], MAX_CROSS_DEPTH);
			exit(2);
		}
	}
}

/* 0, or -1 with a message. */
static int measure_all(const struct options *options, struct report *report,
		       struct contender *contenders)
{
	for (int s = 0; s < options->nr_sizes; s++) {
		for (int d = 0; d < options->nr_depths; d++) {
			struct cell *cell = &report->cells[report->nr_cells];

			cell->size = options->sizes[s];
			cell->depth = options->depths[d];
			if (cell_measure(cell, &options->setup, contenders,
					 report->nr_contenders)) {
				fprintf(stderr, "uslab-bench: cannot measure %zu bytes, %u held\n",
					cell->size, cell->depth);
				return -1;
			}
			report->nr_cells++;
			if (options->format == FORMAT_TABLE)
				report_table_cell(report, cell, stdout);
			fflush(stdout);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct cell cells[MAX_LIST * MAX_LIST];
	static struct contender contenders[MAX_CONTENDERS];
	struct options options = {
		.setup = {
			.mode = MODE_PAIRS, .threads = 1, .rounds = 15, .round_ms = 5,
			.pin = PIN_DEFAULT,
		},
		.sizes = { 64, 128, 1024 }, .nr_sizes = 3,
		.depths = { 1, 16, 256 }, .nr_depths = 3,
	};
	struct machine machine;
	struct report report = {
		.setup = &options.setup, .machine = &machine, .contenders = contenders,
		.cells = cells,
	};
	int missed = 0, ret;

	contenders_make_room(argv);
	parse_options(&options, argc, argv);
	report.nr_contenders = contenders_load(contenders, options.contenders);
	if (report.nr_contenders <= 0)
		return 2;
	machine_read(&machine);
	if (options.format == FORMAT_TABLE)
		report_table_head(&report, stdout);
	ret = measure_all(&options, &report, contenders);
	if (!ret && options.format == FORMAT_CSV)
		report_csv(&report, stdout);
	if (!ret && options.format == FORMAT_JSON)
		ret = report_json(&report, stdout);
	if (!ret)
		missed = report_aims(&report, options.format == FORMAT_TABLE ? stdout : stderr);
	for (int i = 0; i < report.nr_cells; i++)
		cell_free(&cells[i]);
	return ret || (options.check && missed);
}
