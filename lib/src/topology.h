/* SPDX-License-Identifier: MIT */
/* The machine's CPUs and nodes, read once. */
#ifndef USLAB_LIB_TOPOLOGY_H
#define USLAB_LIB_TOPOLOGY_H

#include <linux/types.h>

#define TOPOLOGY_NODES_MAX	1024u

struct topology {
	unsigned int nr_cpus;		/* possible */
	unsigned int nr_nodes;		/* with memory; 1 where there is no NUMA */
	__u16 *node;			/* [nr_nodes] */
	__u16 *cpu_home;		/* [nr_cpus]: index into node */
};

const struct topology *topology_get(void);

#endif /* USLAB_LIB_TOPOLOGY_H */
