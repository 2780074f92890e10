// SPDX-License-Identifier: GPL-2.0-only
/* uslab-bench-reclaim: what reclaim costs those who use a pool. See bench.h for the parts. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const char usage[] =
	"usage: uslab-bench-reclaim [OPTION]... pauses|aging\n"
	"Measure what reclaim costs those who use a pool.\n"
	"\n"
	"  pauses   how long gets and puts take, without and with constant reclaim\n"
	"  aging    two sets of tunables: pauses of the worker, hit rate\n"
	"\n"
	"  -s, --size=N       bytes of an object (default 128)\n"
	"  -n, --objects=N    held at most (default 20000)\n"
	"  -t, --threads=N    that get and put, for pauses (default: CPUs less one)\n"
	"  -r, --rounds=N     alternating rounds (default 5)\n"
	"  -m, --round-ms=N   length of a round (default 1000)\n"
	"  -e, --engine=NAME  kernel, embedded or auto\n"
	"  -h, --help\n"
	"      --version\n"
	"\n"
	"Exit status: 0, 1 when something failed, 2 for wrong usage.\n";

static unsigned int number(const char *what, const char *text, unsigned int min, unsigned int max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min || value > max) {
		fprintf(stderr, "uslab-bench-reclaim: %s '%s' is not from %u to %u\n", what, text,
			min, max);
		exit(2);
	}
	return (unsigned int)value;
}

static void set_engine(const char *name)
{
	if (strcmp(name, "kernel") && strcmp(name, "embedded") && strcmp(name, "auto")) {
		fprintf(stderr,
			"uslab-bench-reclaim: engine '%s' is not kernel, embedded or auto\n", name);
		exit(2);
	}
	setenv("USLAB_ENGINE", name, 1);
}

static const struct option longs[] = {
	{ "size", required_argument, NULL, 's' },
	{ "objects", required_argument, NULL, 'n' },
	{ "threads", required_argument, NULL, 't' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "round-ms", required_argument, NULL, 'm' },
	{ "engine", required_argument, NULL, 'e' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static void parse(struct setup *setup, int c)
{
	switch (c) {
	case 's':
		setup->size = number("size", optarg, 8, 1u << 20);
		break;
	case 'n':
		setup->objects = number("number of objects", optarg, 256, 10000000);
		break;
	case 't':
		setup->threads = number("number of threads", optarg, 1, 256);
		break;
	case 'r':
		setup->rounds = number("number of rounds", optarg, 1, ROUNDS_MAX);
		break;
	case 'm':
		setup->round_ms = number("length of a round", optarg, 10, 100000);
		break;
	case 'e':
		set_engine(optarg);
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	case 'V':
		printf("uslab-bench-reclaim %d.%d\n", USLAB_VERSION_MAJOR, USLAB_VERSION_MINOR);
		exit(0);
	default:
		fprintf(stderr, "Try 'uslab-bench-reclaim --help'.\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct setup setup = {
		.size = 128, .objects = 20000, .rounds = 5, .round_ms = 1000,
		.threads = cpus > 1 ? (unsigned int)cpus - 1 : 1,
	};
	int c;

	while ((c = getopt_long(argc, argv, "s:n:t:r:m:e:h", longs, NULL)) >= 0)
		parse(&setup, c);
	if (argc == optind + 1 && !strcmp(argv[optind], "pauses"))
		return run_pauses(&setup);
	if (argc == optind + 1 && !strcmp(argv[optind], "aging"))
		return run_aging(&setup);
	fprintf(stderr, "uslab-bench-reclaim: one of 'pauses' and 'aging' is wanted\n"
		"Try 'uslab-bench-reclaim --help'.\n");
	return 2;
}
