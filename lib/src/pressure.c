// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "kmod/engine/governor.h"
#include "pressure.h"
#include "wake.h"

/* Stalled for 100 ms within 2 s: what a process without privileges may ask for. */
#define TRIGGER		"some 100000 2000000"

struct pressure {
	int stall;			/* polled for POLLPRI: PSI, or memory.events; -1: none */
	bool events;			/* it is memory.events, which has to be read again */
	struct wake kick;
	int current;			/* files of the cgroup, -1: none */
	int max;
	int stat;
	int meminfo;
};

/* The process's directory in the unified hierarchy, from a line "0::/path". */
static bool cgroup_dir(char *dir, size_t size)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = '\0';
		found = snprintf(dir, size, "/sys/fs/cgroup%s", line + 3) < (int)size;
	}
	if (file)
		fclose(file);
	return found;
}

static int open_in(const char *dir, const char *name, int flags)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -1;
	return open(path, flags | O_CLOEXEC);
}

static int psi_trigger(int fd)
{
	if (fd >= 0 && write(fd, TRIGGER, sizeof(TRIGGER)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Reads all of a small file as a string; false when there is none. */
static bool read_text(int fd, char *text, size_t size)
{
	ssize_t n = fd < 0 ? -1 : pread(fd, text, size - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

struct pressure *pressure_open(void)
{
	struct pressure *pressure = malloc(sizeof(*pressure));
	char dir[PATH_MAX], text[512];
	bool cgroup;

	if (!pressure)
		return NULL;
	*pressure = (struct pressure){
		.stall = -1, .kick = WAKE_INIT, .current = -1, .max = -1, .stat = -1,
	};
	wake_open(&pressure->kick);
	pressure->meminfo = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	cgroup = cgroup_dir(dir, sizeof(dir));
	if (cgroup) {
		pressure->stall = psi_trigger(open_in(dir, "memory.pressure",
						      O_RDWR | O_NONBLOCK));
		pressure->current = open_in(dir, "memory.current", O_RDONLY);
		pressure->max = open_in(dir, "memory.max", O_RDONLY);
		pressure->stat = open_in(dir, "memory.stat", O_RDONLY);
	}
	if (pressure->stall < 0)
		pressure->stall = psi_trigger(open("/proc/pressure/memory",
						   O_RDWR | O_NONBLOCK | O_CLOEXEC));
	if (pressure->stall < 0 && cgroup) {
		pressure->stall = open_in(dir, "memory.events", O_RDONLY);
		pressure->events = true;
		read_text(pressure->stall, text, sizeof(text));
	}
	return pressure;
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

void pressure_close(struct pressure *pressure)
{
	if (!pressure)
		return;
	wake_close(&pressure->kick);
	close_if(pressure->stall);
	close_if(pressure->current);
	close_if(pressure->max);
	close_if(pressure->stat);
	close_if(pressure->meminfo);
	free(pressure);
}

/* A number at the start of a text; false for "max". */
static bool number(const char *text, uint64_t *value)
{
	char *end;

	*value = strtoull(text, &end, 10);
	return end != text;
}

static bool read_number(int fd, uint64_t *value)
{
	char text[32];

	return read_text(fd, text, sizeof(text)) && number(text, value);
}

/* The number behind a key at the start of a line; 0 when there is none. */
static uint64_t value_of(const char *text, const char *key)
{
	size_t length = strlen(key);
	uint64_t value;

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (!strncmp(text, key, length) && number(text + length, &value))
			return value;
	}
	return 0;
}

static uint64_t machine_memory(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t pressure_memory(const struct pressure *pressure)
{
	uint64_t memory = machine_memory(), max;

	if (pressure && read_number(pressure->max, &max) && max < memory)
		return max;
	return memory;
}

uint32_t pressure_cgroup_used(const struct pressure *pressure)
{
	uint64_t current, max, inactive = 0;
	char text[8192];

	if (!pressure || !read_number(pressure->max, &max) ||
	    !read_number(pressure->current, &current))
		return 0;
	if (read_text(pressure->stat, text, sizeof(text)))
		inactive = value_of(text, "inactive_file ");
	return uslab_per_mille(current - (inactive < current ? inactive : current), max);
}

uint32_t pressure_machine_used(const struct pressure *pressure)
{
	uint64_t total, available;
	char text[1024];

	if (!pressure || !read_text(pressure->meminfo, text, sizeof(text)))
		return 0;
	total = value_of(text, "MemTotal:");
	available = value_of(text, "MemAvailable:");
	if (!total)		/* the program closed the file, and this is its own */
		return 0;
	return uslab_per_mille(total - (available < total ? available : total), total);
}

/* For as long, when there is nothing to wait for. */
static void nap_ms(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000l };

	if (ms > 0)
		nanosleep(&ts, NULL);
}

/*
 * Files of a cgroup that is gone say POLLPRI and POLLERR for ever. So does memory.events
 * with news, but that can be read; PSI never says POLLERR while it is there.
 */
static bool still_there(const struct pressure *pressure, short revents)
{
	char text[512];

	if (pressure->events)
		return read_text(pressure->stall, text, sizeof(text));
	return !(revents & POLLERR);
}

enum pressure_event pressure_wait(struct pressure *pressure, int ms)
{
	struct pollfd fds[] = {
		{ .fd = pressure ? pressure->stall : -1, .events = POLLPRI },
		{ .fd = pressure ? pressure->kick.in : -1, .events = POLLIN },
	};
	int n = poll(fds, 2, ms);

	if (n < 0)		/* a program may allow itself fewer descriptors than we have */
		nap_ms(ms < 0 ? 1000 : ms);
	if (n <= 0)
		return PRESSURE_NOTHING;
	if (fds[1].revents)
		wake_drain(&pressure->kick);
	if (fds[0].revents & POLLPRI && still_there(pressure, fds[0].revents))
		return PRESSURE_STALL;
	/* The cgroup is gone; or the program closed the file, and this is its own. */
	if (fds[0].revents)
		pressure->stall = -1;
	return PRESSURE_NOTHING;
}

void pressure_kick(struct pressure *pressure)
{
	if (pressure)
		wake_up(&pressure->kick);
}
