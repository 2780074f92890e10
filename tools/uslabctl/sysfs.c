// SPDX-License-Identifier: GPL-2.0-only
/* A directory for each pool, one value a file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "uslabctl.h"

const char *sysfs_root(void)
{
	const char *root = getenv("USLAB_SYSFS");

	return root && *root ? root : "/sys/kernel/uslab";
}

/* The path of a pool, or of a file of a pool. -1 and errno when it is too long. */
static int make_path(char path[PATH_MAX], const char *pool, const char *file)
{
	int length = snprintf(path, PATH_MAX, "%s/%s%s%s", sysfs_root(), pool, file ? "/" : "",
			      file ? file : "");

	if (length >= 0 && length < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

static int names_add(struct names *names, const char *name)
{
	char **grown = realloc(names->name, (names->nr + 1) * sizeof(*grown));

	if (!grown)
		return -1;
	names->name = grown;
	names->name[names->nr] = strdup(name);
	if (!names->name[names->nr])
		return -1;
	names->nr++;
	return 0;
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->nr; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct names){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Entries of one type, those of files only if somebody may read them. */
static int read_directory(const char *path, mode_t type, struct names *names)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	struct stat stat;
	int err = 0;

	*names = (struct names){ 0 };
	if (!directory)
		return -1;
	while (!err && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(directory), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) ||
		    (stat.st_mode & S_IFMT) != type)
			continue;
		if (type == S_IFREG && !(stat.st_mode & 0444))
			continue;
		err = names_add(names, entry->d_name);
	}
	closedir(directory);
	if (err) {
		names_free(names);
		errno = ENOMEM;
		return -1;
	}
	if (names->nr)
		qsort(names->name, names->nr, sizeof(*names->name), by_name);
	return 0;
}

static void complain_root(void)
{
	if (errno == ENOENT)
		fprintf(stderr, "uslabctl: no %s; the module is not loaded\n", sysfs_root());
	else
		fprintf(stderr, "uslabctl: cannot read %s: %s\n", sysfs_root(), strerror(errno));
}

int sysfs_pools(struct names *pools)
{
	int err = read_directory(sysfs_root(), S_IFDIR, pools);

	if (err)
		complain_root();
	return err;
}

int sysfs_files(const char *pool, struct names *files)
{
	char path[PATH_MAX];
	int err = -1;

	errno = ENOENT;
	if (*pool && *pool != '.' && !strchr(pool, '/') && !make_path(path, pool, NULL))
		err = read_directory(path, S_IFREG, files);
	if (err && errno == ENOENT)
		fprintf(stderr, "uslabctl: no pool '%s' in %s%s\n", pool, sysfs_root(),
			access(sysfs_root(), F_OK) ? "; the module is not loaded" : "");
	else if (err)
		fprintf(stderr, "uslabctl: cannot read pool '%s' in %s: %s\n", pool, sysfs_root(),
			strerror(errno));
	return err;
}

int sysfs_read(const char *pool, const char *file, char value[SYSFS_VALUE_MAX])
{
	char path[PATH_MAX];
	ssize_t length;
	int fd, err;

	if (make_path(path, pool, file))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	length = read(fd, value, SYSFS_VALUE_MAX - 1);
	err = errno;
	close(fd);
	if (length < 0) {
		errno = err;
		return -1;
	}
	value[length] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return 0;
}

int sysfs_read_u64(const char *pool, const char *file, uint64_t *number)
{
	char value[SYSFS_VALUE_MAX], *end;

	if (sysfs_read(pool, file, value))
		return -1;
	errno = 0;
	*number = strtoull(value, &end, 10);
	if (!errno && end != value && !*end)
		return 0;
	errno = EBADMSG;
	return -1;
}

int sysfs_write(const char *pool, const char *file, const char *value)
{
	char path[PATH_MAX];
	ssize_t length;
	int fd, err;

	if (make_path(path, pool, file))
		return -1;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	length = write(fd, value, strlen(value));
	err = errno;
	close(fd);
	if (length == (ssize_t)strlen(value))
		return 0;
	errno = length < 0 ? err : EIO;
	return -1;
}

void sysfs_complain(const char *what, const char *pool, const char *file)
{
	fprintf(stderr, "uslabctl: cannot %s %s/%s/%s: %s\n", what, sysfs_root(), pool, file,
		strerror(errno));
}
