// SPDX-License-Identifier: GPL-2.0-only
/* What the figures were measured on. */
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <uslab.h>

#include "bench.h"

static void read_cpu(char *model, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(model, size, "unknown CPU");
	while (file && fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ':');

		if (!value || strncmp(line, "model name", strlen("model name")))
			continue;
		value += 2;
		value[strcspn(value, "\n")] = '\0';
		snprintf(model, size, "%s", value);
		break;
	}
	if (file)
		fclose(file);
}

void machine_read(struct machine *machine)
{
	struct uslab_pool *pool = uslab_pool_create("bench-probe", 64, NULL);
	struct utsname name;

	read_cpu(machine->cpu, sizeof(machine->cpu));
	uname(&name);
	snprintf(machine->kernel, sizeof(machine->kernel), "%.60s %.60s", name.sysname,
		 name.release);
	machine->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	machine->engine = pool ? uslab_pool_engine(pool) : "none";
	machine->path = pool ? uslab_pool_path(pool) : "none";
	uslab_pool_destroy(pool);
}
