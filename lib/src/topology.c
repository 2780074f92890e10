// SPDX-License-Identifier: MIT
#include <limits.h>
#include <numa.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include "topology.h"

static struct topology topology = { .nr_cpus = 1, .nr_nodes = 1 };
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* One more than the highest CPU that may ever come up. */
static unsigned int possible_cpus(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/possible", "re");
	unsigned int nr = (unsigned int)get_nprocs_conf();
	unsigned int first, last;
	int fields;

	if (!file)
		return nr;
	do {
		fields = fscanf(file, "%u-%u", &first, &last);
		if (fields == 1)
			last = first;
		if (fields >= 1 && last + 1 > nr && last < 65536)
			nr = last + 1;
	} while (fields >= 1 && fgetc(file) == ',');
	fclose(file);
	return nr;
}

/* The home nearest to a node, which may have no memory of its own. */
static __u16 nearest_home(int node)
{
	int best_distance = INT_MAX;
	unsigned int i, best = 0;

	for (i = 0; i < topology.nr_nodes; i++) {
		int distance = node < 0 ? INT_MAX : numa_distance(node, topology.node[i]);

		if (topology.node[i] == node)
			return (__u16)i;
		if (distance && distance < best_distance) {
			best_distance = distance;
			best = i;
		}
	}
	return (__u16)best;
}

static void read_topology(void)
{
	unsigned int i, nr = 0;
	int node;

	topology.nr_cpus = possible_cpus();
	topology.node = calloc(TOPOLOGY_NODES_MAX, sizeof(*topology.node));
	topology.cpu_home = calloc(topology.nr_cpus, sizeof(*topology.cpu_home));
	if (!topology.node || !topology.cpu_home)
		abort();
	if (numa_available() < 0)
		return;
	for (node = 0; node <= numa_max_node() && nr < TOPOLOGY_NODES_MAX; node++)
		if (numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned int)node))
			topology.node[nr++] = (__u16)node;
	if (nr < 2)
		return;
	topology.nr_nodes = nr;
	for (i = 0; i < topology.nr_cpus; i++)
		topology.cpu_home[i] = nearest_home(numa_node_of_cpu((int)i));
}

const struct topology *topology_get(void)
{
	pthread_once(&once, read_topology);
	return &topology;
}
