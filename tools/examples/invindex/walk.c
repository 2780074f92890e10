// SPDX-License-Identifier: GPL-2.0-only
/* A sorted walk through folders; see walk.h. */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "walk.h"

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int file_list_add(struct file_list *list, const char *path, uint64_t bytes)
{
	/* Room doubles whenever the number of files reaches a power of two. */
	if (!(list->nr & (list->nr - 1))) {
		size_t room = list->nr ? 2 * list->nr : 1;
		char **grown = realloc(list->path, room * sizeof(*grown));

		if (!grown)
			return -1;
		list->path = grown;
	}
	list->path[list->nr] = strdup(path);
	if (!list->path[list->nr])
		return -1;
	list->nr++;
	list->bytes += bytes;
	return 0;
}

int file_list_walk(struct file_list *list, char *const folders[], size_t max_files,
		   uint64_t max_bytes)
{
	FTS *walk = fts_open(folders, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *entry;
	int err = 0;

	*list = (struct file_list){ 0 };
	if (!walk) {
		fprintf(stderr, "invindex: cannot walk '%s': %s\n", folders[0], strerror(errno));
		return -1;
	}
	while (!err && (entry = fts_read(walk))) {
		uint64_t bytes;

		if (entry->fts_info == FTS_NS && entry->fts_level == FTS_ROOTLEVEL)
			fprintf(stderr, "invindex: cannot read '%s': %s; skipped\n",
				entry->fts_path, strerror(entry->fts_errno));
		if (entry->fts_info != FTS_F || !S_ISREG(entry->fts_statp->st_mode))
			continue;
		bytes = (uint64_t)entry->fts_statp->st_size;
		if (!bytes || access(entry->fts_accpath, R_OK))
			continue;
		if (max_files && list->nr == max_files)
			break;
		if (max_bytes && list->bytes + bytes > max_bytes)
			break;
		err = file_list_add(list, entry->fts_path, bytes);
	}
	fts_close(walk);
	if (err)
		fprintf(stderr, "invindex: no memory for the names of %zu files\n", list->nr);
	return err;
}

void file_list_free(struct file_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free(list->path[i]);
	free(list->path);
	*list = (struct file_list){ 0 };
}
