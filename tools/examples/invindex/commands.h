/* SPDX-License-Identifier: GPL-2.0-only */
/* What the program does on a line of input. */
#ifndef INVINDEX_COMMANDS_H
#define INVINDEX_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

#include "document.h"
#include "walk.h"

struct session {
	const struct allocator *alloc;
	struct index index;
	struct file_list files;
	struct document **document;	/* by place in files; NULL: not in the index */
	unsigned int nr_threads;
};

/*
 * Carries out one line and answers with one line on out: "ok COMMAND
 * KEY=VALUE…" or "error …". False after "quit".
 */
bool session_command(struct session *session, char *line, FILE *out);

/* Drops all documents. */
void session_clear(struct session *session);

#endif /* INVINDEX_COMMANDS_H */
