/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The list of files to index: always the same for the same folders, so that a
 * file's place in it can name the document.
 */
#ifndef INVINDEX_WALK_H
#define INVINDEX_WALK_H

#include <stddef.h>
#include <stdint.h>

struct file_list {
	char **path;
	size_t nr;
	uint64_t bytes;		/* of all files, as they lie on disk */
};

/*
 * Regular, readable files that are not empty, folder by folder in the order of
 * their names; symbolic links are not followed. Stops before max_files or
 * max_bytes would be exceeded (0: no limit). 0, or -1 with a message on stderr.
 */
int file_list_walk(struct file_list *list, char *const folders[], size_t max_files,
		   uint64_t max_bytes);
void file_list_free(struct file_list *list);

#endif /* INVINDEX_WALK_H */
