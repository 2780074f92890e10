// SPDX-License-Identifier: GPL-2.0-only
/* The figures as a table, CSV or JSON, and what they mean for the aims. */
#include <jansson.h>

#include "bench.h"

/* get and put together, against the bare array of pointers */
#define AIM_LIMIT_FEW	1.5
#define AIM_LIMIT_MANY	1.1
#define MANY		16	/* objects held at a time */

static int find_kind(const struct report *report, enum contender_kind kind)
{
	for (int i = 0; i < report->nr_contenders; i++) {
		if (report->contenders[i].kind == kind)
			return i;
	}
	return -1;
}

/* The allocator with the least median; -1 when there is none. */
static int find_best(const struct report *report, const struct cell *cell)
{
	int best = -1;

	for (int i = 0; i < report->nr_contenders; i++) {
		if (report->contenders[i].kind != CONTENDER_ALLOCATOR)
			continue;
		if (best < 0 || cell->summary[i].median < cell->summary[best].median)
			best = i;
	}
	return best;
}

/* Ratio of contender i to another one; 0 when that one does not take part. */
static double ratio_to(const struct report *report, const struct cell *cell, int i, int to)
{
	return to < 0 ? 0 : cell_ratio(cell, report->setup, i, to);
}

static const char *unit(const struct report *report)
{
	return report->setup->mode == MODE_CROSS ? "ns per object" : "ns per get+put";
}

static const char *mode_name(const struct report *report)
{
	return report->setup->mode == MODE_CROSS ? "cross" : "pairs";
}

void report_table_head(const struct report *report, FILE *out)
{
	const struct machine *machine = report->machine;
	const struct setup *setup = report->setup;

	fprintf(out, "%s, %d CPUs, %s; uslab: engine %s, path %s\n", machine->cpu, machine->cpus,
		machine->kernel, machine->engine, machine->path);
	if (setup->mode == MODE_CROSS)
		fprintf(out, "one thread gets, another puts; held: objects handed over together\n");
	else if (setup->threads > 1)
		fprintf(out, "%u threads; time divided by the pairs of all of them\n",
			setup->threads);
	fprintf(out, "%s; median of %u alternating rounds, quartiles, extremes\n\n", unit(report),
		setup->rounds);
	fprintf(out, "%6s %5s  %-10s %8s  %15s  %17s %8s %8s\n", "SIZE", "HELD", "CONTENDER",
		"MEDIAN", "QUARTILES", "MIN..MAX", "x LIMIT", "x BEST");
}

static void print_ratio(double ratio, FILE *out)
{
	if (ratio > 0)
		fprintf(out, " %8.2f", ratio);
	else
		fprintf(out, " %8s", "-");
}

void report_table_cell(const struct report *report, const struct cell *cell, FILE *out)
{
	int limit = find_kind(report, CONTENDER_LIMIT), best = find_best(report, cell);

	for (int i = 0; i < report->nr_contenders; i++) {
		const struct summary *summary = &cell->summary[i];
		char quartiles[32], extremes[32];

		snprintf(quartiles, sizeof(quartiles), "%.2f..%.2f", summary->low, summary->high);
		snprintf(extremes, sizeof(extremes), "%.2f..%.2f", summary->min, summary->max);
		fprintf(out, "%6zu %5u  %-10s %8.2f  %15s  %17s", cell->size, cell->depth,
			report->contenders[i].name, summary->median, quartiles, extremes);
		print_ratio(ratio_to(report, cell, i, limit), out);
		print_ratio(ratio_to(report, cell, i, best), out);
		fputc('\n', out);
	}
	fputc('\n', out);
}

void report_csv(const struct report *report, FILE *out)
{
	fprintf(out, "mode,threads,rounds,size,held,contender,median_ns,q1_ns,q3_ns,min_ns,max_ns,"
		"x_limit,x_best\n");
	for (int c = 0; c < report->nr_cells; c++) {
		const struct cell *cell = &report->cells[c];
		int limit = find_kind(report, CONTENDER_LIMIT), best = find_best(report, cell);

		for (int i = 0; i < report->nr_contenders; i++) {
			const struct summary *summary = &cell->summary[i];

			fprintf(out, "%s,%u,%u,%zu,%u,%s,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f\n",
				mode_name(report), report->setup->threads, report->setup->rounds,
				cell->size, cell->depth, report->contenders[i].name,
				summary->median, summary->low, summary->high, summary->min,
				summary->max, ratio_to(report, cell, i, limit),
				ratio_to(report, cell, i, best));
		}
	}
}

static json_t *json_result(const struct report *report, const struct cell *cell, int i)
{
	const struct summary *summary = &cell->summary[i];
	json_t *rounds = json_array();
	int limit = find_kind(report, CONTENDER_LIMIT), best = find_best(report, cell);

	for (unsigned int round = 0; round < report->setup->rounds; round++)
		json_array_append_new(rounds, json_real(cell->ns[i][round]));
	return json_pack("{s:I, s:I, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o}",
			 "size", (json_int_t)cell->size, "held", (json_int_t)cell->depth,
			 "contender", report->contenders[i].name, "median_ns", summary->median,
			 "q1_ns", summary->low, "q3_ns", summary->high, "min_ns", summary->min,
			 "max_ns", summary->max, "x_limit", ratio_to(report, cell, i, limit),
			 "x_best", ratio_to(report, cell, i, best), "rounds_ns", rounds);
}

int report_json(const struct report *report, FILE *out)
{
	const struct machine *machine = report->machine;
	json_t *results = json_array(), *root;
	int ret;

	for (int c = 0; c < report->nr_cells; c++) {
		for (int i = 0; i < report->nr_contenders; i++)
			json_array_append_new(results, json_result(report, &report->cells[c], i));
	}
	root = json_pack("{s:{s:s, s:i, s:s, s:s, s:s}, s:s, s:i, s:i, s:o}", "machine",
			 "cpu", machine->cpu, "cpus", machine->cpus, "kernel", machine->kernel,
			 "engine", machine->engine, "path", machine->path,
			 "mode", mode_name(report), "threads", (int)report->setup->threads,
			 "rounds", (int)report->setup->rounds, "results", results);
	if (!root)
		return -1;
	ret = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
	json_decref(root);
	return ret;
}

static int report_aim(double ratio, double aim, const char *whose, FILE *out)
{
	int missed = ratio > aim;

	fprintf(out, "  %.2f x %s (aim %s %.1f) %s", ratio, whose, aim < 1.05 ? "below" : "at most",
		aim, missed ? "MISSED" : "ok");
	return missed;
}

int report_aims(const struct report *report, FILE *out)
{
	int uslab = find_kind(report, CONTENDER_USLAB), limit = find_kind(report, CONTENDER_LIMIT);
	int missed = 0;

	if (uslab < 0)
		return 0;
	if (report->setup->mode == MODE_PAIRS)
		fprintf(out, "aim: <= %.1f x limit at depth 1, <= %.1f x from depth %d, ",
			AIM_LIMIT_FEW, AIM_LIMIT_MANY, MANY);
	else
		fprintf(out, "aim: ");
	fprintf(out, "ahead of the best allocator\n");
	for (int c = 0; c < report->nr_cells; c++) {
		const struct cell *cell = &report->cells[c];
		int best = find_best(report, cell);

		fprintf(out, "%6zu bytes, %3u held:", cell->size, cell->depth);
		if (limit >= 0 && report->setup->mode == MODE_PAIRS)
			missed += report_aim(ratio_to(report, cell, uslab, limit),
					     cell->depth < MANY ? AIM_LIMIT_FEW : AIM_LIMIT_MANY,
					     "limit", out);
		if (best >= 0)
			missed += report_aim(ratio_to(report, cell, uslab, best), 1.0,
					     report->contenders[best].name, out);
		fputc('\n', out);
	}
	return missed;
}
