// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "kmod/engine/governor.h"
#include "pressure.h"
#include "wake.h"

/* Stalled for 100 ms within 2 s: what a process without privileges may ask for. */
#define TRIGGER		"some 100000 2000000"

/* A program may close it, and open another of the same number. */
struct file {
	int fd;				/* -1: none */
	dev_t device;
	ino_t inode;
};

struct pressure {
	struct file stall;		/* polled for POLLPRI: PSI, or memory.events */
	bool events;			/* it is memory.events, which has to be read again */
	struct wake kick;
	struct file current;		/* of the cgroup */
	struct file max;
	struct file stat;
	struct file meminfo;
};

static struct file file_of(int fd)
{
	struct stat st = { 0 };

	if (fd >= 0)
		fstat(fd, &st);
	return (struct file){ .fd = fd, .device = st.st_dev, .inode = st.st_ino };
}

static bool is_ours(const struct file *file)
{
	struct stat st;

	return file->fd >= 0 && !fstat(file->fd, &st) && st.st_dev == file->device &&
	       st.st_ino == file->inode;
}

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
static bool read_text(const struct file *file, char *text, size_t size)
{
	ssize_t n = is_ours(file) ? pread(file->fd, text, size - 1, 0) : -1;

	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

struct pressure *pressure_open(void)
{
	struct pressure *pressure = malloc(sizeof(*pressure));
	char dir[PATH_MAX], text[512];
	int stall = -1, current = -1, max = -1, stat = -1;
	bool cgroup;

	if (!pressure)
		return NULL;
	*pressure = (struct pressure){ .kick = WAKE_INIT };
	wake_open(&pressure->kick);
	cgroup = cgroup_dir(dir, sizeof(dir));
	if (cgroup) {
		stall = psi_trigger(open_in(dir, "memory.pressure", O_RDWR | O_NONBLOCK));
		current = open_in(dir, "memory.current", O_RDONLY);
		max = open_in(dir, "memory.max", O_RDONLY);
		stat = open_in(dir, "memory.stat", O_RDONLY);
	}
	if (stall < 0)
		stall = psi_trigger(open("/proc/pressure/memory", O_RDWR | O_NONBLOCK | O_CLOEXEC));
	if (stall < 0 && cgroup) {
		stall = open_in(dir, "memory.events", O_RDONLY);
		pressure->events = true;
	}
	pressure->meminfo = file_of(open("/proc/meminfo", O_RDONLY | O_CLOEXEC));
	pressure->stall = file_of(stall);
	pressure->current = file_of(current);
	pressure->max = file_of(max);
	pressure->stat = file_of(stat);
	if (pressure->events)
		read_text(&pressure->stall, text, sizeof(text));
	return pressure;
}

static void let_go(const struct file *file)
{
	if (is_ours(file))
		close(file->fd);
}

void pressure_close(struct pressure *pressure)
{
	if (!pressure)
		return;
	wake_close(&pressure->kick);
	let_go(&pressure->stall);
	let_go(&pressure->current);
	let_go(&pressure->max);
	let_go(&pressure->stat);
	let_go(&pressure->meminfo);
	free(pressure);
}

/* A number at the start of a text; false for "max". */
static bool number(const char *text, uint64_t *value)
{
	char *end;

	*value = strtoull(text, &end, 10);
	return end != text;
}

static bool read_number(const struct file *file, uint64_t *value)
{
	char text[32];

	return read_text(file, text, sizeof(text)) && number(text, value);
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

	if (pressure && read_number(&pressure->max, &max) && max < memory)
		return max;
	return memory;
}

uint32_t pressure_cgroup_used(const struct pressure *pressure)
{
	uint64_t current, max, inactive = 0;
	char text[8192];

	if (!pressure || !read_number(&pressure->max, &max) ||
	    !read_number(&pressure->current, &current))
		return 0;
	if (read_text(&pressure->stat, text, sizeof(text)))
		inactive = value_of(text, "inactive_file ");
	return uslab_per_mille(current - (inactive < current ? inactive : current), max);
}

uint32_t pressure_machine_used(const struct pressure *pressure)
{
	uint64_t total, available;
	char text[1024];

	if (!pressure || !read_text(&pressure->meminfo, text, sizeof(text)))
		return 0;
	total = value_of(text, "MemTotal:");
	available = value_of(text, "MemAvailable:");
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
		return read_text(&pressure->stall, text, sizeof(text));
	return !(revents & POLLERR);
}

enum pressure_event pressure_wait(struct pressure *pressure, int ms)
{
	struct pollfd fds[] = {
		{ .fd = pressure && is_ours(&pressure->stall) ? pressure->stall.fd : -1,
		  .events = POLLPRI },
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
	/* the cgroup is gone, or the program closed the file */
	if (fds[0].revents) {
		let_go(&pressure->stall);
		pressure->stall.fd = -1;
	}
	return PRESSURE_NOTHING;
}

void pressure_kick(struct pressure *pressure)
{
	if (pressure)
		wake_up(&pressure->kick);
}
