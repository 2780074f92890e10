// SPDX-License-Identifier: GPL-2.0-only
/*
 * pressure: take the memory of this machine until the kernel has nothing left
 * to reclaim, hold it for a while, and let go.
 *
 * It really allocates: pages are taken while any zone has more free ones than
 * half way between its low and its min watermark. Below low the kernel's
 * reclaim is awake and brings the zone back above high, as long as it finds
 * something; each time pressure takes that, too. When free memory has stayed
 * down for some seconds, there was nothing more to find. It stops there, short
 * of what would wake the OOM killer, and volunteers as its victim all the same.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MIB		(1ul << 20)
#define PAUSE_MS	50
#define PATIENCE_MS	3000		/* how long free memory must stay down */

static const char usage[] =
	"usage: pressure [--hold SECONDS]\n"
	"Take memory until the kernel has nothing left to reclaim; then hold it.\n"
	"\n"
	"      --hold=SECONDS  (default 0)\n"
	"  -h, --help\n";

/* What one zone of /proc/zoneinfo says, in pages. */
struct zone {
	unsigned long free, min, low, reserve;
};

/* Pages that user space may still take from the zone; see above. */
static unsigned long zone_spare(const struct zone *zone)
{
	unsigned long floor = (zone->min + zone->low) / 2 + zone->reserve;

	return zone->free > floor ? zone->free - floor : 0;
}

/* The largest of "protection: (0, 2976, 2976)": kept for other kinds of memory. */
static unsigned long parse_reserve(const char *list)
{
	unsigned long reserve = 0;

	for (; *list && *list != ')'; list++) {
		if (*list >= '0' && *list <= '9') {
			char *end;
			unsigned long value = strtoul(list, &end, 10);

			if (value > reserve)
				reserve = value;
			list = end - 1;
		}
	}
	return reserve;
}

/* Bytes that can be taken now without harm. */
static unsigned long spare_bytes(void)
{
	unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE), spare = 0;
	FILE *file = fopen("/proc/zoneinfo", "re");
	struct zone zone = { 0 };
	char line[256], *list;

	if (!file) {
		fprintf(stderr, "pressure: cannot read /proc/zoneinfo: %s\n", strerror(errno));
		exit(1);
	}
	while (fgets(line, sizeof(line), file)) {
		list = strstr(line, "protection: ");
		if (list) {
			zone.reserve = parse_reserve(list);
		} else if (strstr(line, ", zone ")) {
			spare += zone_spare(&zone);
			zone = (struct zone){ 0 };
		} else if (sscanf(line, " pages free %lu", &zone.free) != 1 &&
			   sscanf(line, " min %lu", &zone.min) != 1) {
			(void)sscanf(line, " low %lu", &zone.low);
		}
	}
	spare += zone_spare(&zone);
	fclose(file);
	return spare * page;
}

static void sleep_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static void volunteer(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "we");

	if (file) {
		fputs("1000", file);
		fclose(file);
	}
}

/* Takes so many bytes, pages and all. 0 when the kernel does not give them. */
static unsigned long take(unsigned long bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return memory == MAP_FAILED ? 0 : bytes;
}

/* In small steps towards the end: reclaim shall be asked, not overrun. */
static unsigned long next_step(unsigned long spare)
{
	unsigned long step = spare / 4 / MIB * MIB;

	return step > MIB ? step : MIB;
}

static unsigned long squeeze(void)
{
	unsigned long taken = 0, shown = 0;
	long waited = 0;

	while (waited < PATIENCE_MS) {
		unsigned long spare = spare_bytes();
		unsigned long got = spare >= MIB ? take(next_step(spare)) : 0;

		if (got) {
			taken += got;
			waited = 0;
		} else {
			sleep_ms(PAUSE_MS);
			waited += PAUSE_MS;
		}
		if (taken - shown >= 128 * MIB) {
			shown = taken;
			fprintf(stderr, "pressure: %lu MiB taken\n", taken / MIB);
		}
	}
	return taken;
}

/* 0 to 3600, or -1 with a message on stderr. */
static int parse_hold(const char *text)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	if (end == text || *end || seconds > 3600) {
		fprintf(stderr, "pressure: '%s' is not from 0 to 3600 seconds\n", text);
		return -1;
	}
	return (int)seconds;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "hold", required_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c, hold = 0;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
		switch (c) {
		case 'H':
			hold = parse_hold(optarg);
			if (hold < 0)
				return 2;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	volunteer();
	fprintf(stderr, "pressure: %lu MiB taken, nothing more to get\n", squeeze() / MIB);
	sleep((unsigned int)hold);
	return 0;
}
