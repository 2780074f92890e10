// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "pressure.h"

/* Stalled for 100 ms within 2 s: what a process without privileges may ask for. */
#define TRIGGER		"some 100000 2000000"
#define NEAR_LIMIT	92u		/* percent */

struct pressure {
	int psi;			/* -1: none */
	int current;			/* memory.current and memory.max of the cgroup, -1: none */
	int max;
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

struct pressure *pressure_open(void)
{
	struct pressure *pressure = malloc(sizeof(*pressure));
	char dir[PATH_MAX];

	if (!pressure)
		return NULL;
	*pressure = (struct pressure){ .psi = -1, .current = -1, .max = -1 };
	if (cgroup_dir(dir, sizeof(dir))) {
		pressure->psi = psi_trigger(open_in(dir, "memory.pressure", O_RDWR | O_NONBLOCK));
		pressure->current = open_in(dir, "memory.current", O_RDONLY);
		pressure->max = open_in(dir, "memory.max", O_RDONLY);
	}
	if (pressure->psi < 0)
		pressure->psi = psi_trigger(open("/proc/pressure/memory",
						 O_RDWR | O_NONBLOCK | O_CLOEXEC));
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
	close_if(pressure->psi);
	close_if(pressure->current);
	close_if(pressure->max);
	free(pressure);
}

/* A number from a file; false for "max" and for no file. */
static bool read_number(int fd, unsigned long long *value)
{
	char text[32];
	char *end;
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	*value = strtoull(text, &end, 10);
	return end != text;
}

static bool near_limit(const struct pressure *pressure)
{
	unsigned long long current, max;

	return read_number(pressure->max, &max) && read_number(pressure->current, &current) &&
	       current > max / 100 * NEAR_LIMIT;
}

enum pressure_level pressure_wait(struct pressure *pressure, int ms)
{
	struct pollfd poll_fd = { .fd = pressure ? pressure->psi : -1, .events = POLLPRI };

	if (poll(&poll_fd, 1, ms) > 0) {
		if (poll_fd.revents & POLLPRI)
			return PRESSURE_STALL;
		/* The cgroup is gone; or the program closed the file, and this is its own. */
		pressure->psi = -1;
	}
	return pressure && near_limit(pressure) ? PRESSURE_LIMIT : PRESSURE_NONE;
}
