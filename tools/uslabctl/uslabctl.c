// SPDX-License-Identifier: GPL-2.0-only
/*
 * uslabctl: look at the pools of the uslab module, and make them give memory
 * back. See uslabctl.h for the parts.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <uslab.h>

#include "uslabctl.h"

struct command {
	const char *name;
	const char *arguments;
	const char *summary;
	const char *details;
	int min_args, max_args;
	bool has_json;
	int (*run)(char **args, int nr_args, bool json);
};

static int run_list(char **args, int nr_args, bool json)
{
	(void)args;
	(void)nr_args;
	return command_list(json);
}

static int run_show(char **args, int nr_args, bool json)
{
	(void)nr_args;
	return command_show(args[0], json);
}

static int run_reclaim(char **args, int nr_args, bool json)
{
	(void)json;
	return command_reclaim(args[0], nr_args > 1 ? args[1] : "max");
}

static const struct command commands[] = {
	{
		.name = "list", .arguments = "[--json]", .summary = "a line for each pool",
		.details = "SIZE    bytes of an object\n"
			   "BACKED  bytes of memory behind the pool\n"
			   "OUT     objects that the application holds\n"
			   "IDLE    objects in the pool's caches\n"
			   "GETS    objects got so far\n"
			   "REUSE%  share of them that needed nothing from the kernel\n",
		.has_json = true, .run = run_list,
	},
	{
		.name = "show", .arguments = "POOL [--json]", .summary = "all values of a pool",
		.details = "The values are those in /sys/kernel/uslab/POOL, with their names.\n",
		.min_args = 1, .max_args = 1, .has_json = true, .run = run_show,
	},
	{
		.name = "reclaim", .arguments = "POOL [BYTES|max|trim|depots|cpus]",
		.summary = "make a pool give idle memory back",
		.details = "BYTES may end in K, M or G; the default is max: all that is idle.\n"
			   "trim takes what was not used since the last step of aging, depots all\n"
			   "but what is in CPU caches; cpus is as max.\n"
			   "Prints by how many bytes the memory behind the pool fell.\n",
		.min_args = 1, .max_args = 2, .run = run_reclaim,
	},
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	fprintf(out, "usage: uslabctl COMMAND [ARGUMENT]...\n"
		"Look at uslab pools, and make them give memory back.\n\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(out, "  %-8s %-18s %s\n", commands[i].name, commands[i].arguments,
			commands[i].summary);
	fprintf(out, "\nuslabctl COMMAND --help says more; uslabctl --version says which this is.\n"
		"Pools are looked for in $USLAB_SYSFS, by default /sys/kernel/uslab.\n"
		"Exit status: 0, 1 when something failed, 2 for wrong usage.\n");
}

static void command_usage(const struct command *command, FILE *out)
{
	fprintf(out, "usage: uslabctl %s %s\n%s.\n\n%s", command->name, command->arguments,
		command->summary, command->details);
}

static int run(const struct command *command, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	bool json = false;
	int c, nr_args;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
		if (c == 'h') {
			command_usage(command, stdout);
			return EXIT_OK;
		}
		if (c == 'j' && !command->has_json)
			fprintf(stderr, "uslabctl: %s has no --json\n", command->name);
		if (c != 'j' || !command->has_json) {
			command_usage(command, stderr);
			return EXIT_USAGE;
		}
		json = true;
	}
	nr_args = argc - optind;
	if (nr_args < command->min_args || nr_args > command->max_args) {
		if (nr_args > command->max_args)
			fprintf(stderr, "uslabctl: '%s' is too much for %s\n",
				argv[optind + command->max_args], command->name);
		else
			fprintf(stderr, "uslabctl: %s needs the name of a pool\n", command->name);
		command_usage(command, stderr);
		return EXIT_USAGE;
	}
	return command->run(argv + optind, nr_args, json);
}

/* Output that got lost, as on a full disk, is a failure. */
static int finish(int status)
{
	if ((fflush(stdout) || ferror(stdout)) && status == EXIT_OK) {
		perror("uslabctl: cannot write to standard output");
		return EXIT_FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
		usage(stdout);
		return finish(EXIT_OK);
	}
	if (!strcmp(argv[1], "--version")) {
		printf("uslabctl %d.%d\n", USLAB_VERSION_MAJOR, USLAB_VERSION_MINOR);
		return finish(EXIT_OK);
	}
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (!strcmp(argv[1], commands[i].name))
			return finish(run(&commands[i], argc - 1, argv + 1));
	}
	fprintf(stderr, "uslabctl: unknown %s '%s'\n", *argv[1] == '-' ? "option" : "command",
		argv[1]);
	usage(stderr);
	return EXIT_USAGE;
}
