// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is compared. The other allocators are loaded into this process beside the
 * C library's malloc and called by pointer, so that rounds can alternate and a
 * disturbance of the machine hits all of them alike.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uslab.h>

#include "bench.h"

#define STATIC_TLS	"glibc.rtld.optional_static_tls"
#define STATIC_TLS_SIZE	STATIC_TLS "=16384"

static const struct contender all[] = {
	{ .name = "limit", .kind = CONTENDER_LIMIT, .loops = &limit_loops },
	{ .name = "uslab", .kind = CONTENDER_USLAB, .loops = &uslab_loops },
	{
		.name = "malloc", .kind = CONTENDER_ALLOCATOR, .loops = &calls_loops,
		.get_symbol = "malloc", .put_symbol = "free",
	},
	{
		.name = "jemalloc", .kind = CONTENDER_ALLOCATOR, .loops = &calls_loops,
		.library = "libjemalloc.so.2", .get_symbol = "malloc", .put_symbol = "free",
	},
	{
		.name = "mimalloc", .kind = CONTENDER_ALLOCATOR, .loops = &calls_loops,
		.library = "libmimalloc.so.2", .get_symbol = "mi_malloc", .put_symbol = "mi_free",
	},
	{
		.name = "tcmalloc", .kind = CONTENDER_ALLOCATOR, .loops = &calls_loops,
		.library = "libtcmalloc_minimal.so.4", .get_symbol = "tc_malloc",
		.put_symbol = "tc_free",
	},
};

/*
 * These libraries keep their thread-local data where only those of the program's
 * start are; how much room is left for later ones is a tunable of the runtime
 * linker, and that is read at exec.
 */
void contenders_make_room(char **argv)
{
	const char *tunables = getenv("GLIBC_TUNABLES");
	char *grown;

	if (tunables && strstr(tunables, STATIC_TLS))
		return;
	if (asprintf(&grown, "%s%s%s", tunables ? tunables : "", tunables ? ":" : "",
		     STATIC_TLS_SIZE) < 0)
		return;
	setenv("GLIBC_TUNABLES", grown, 1);
	free(grown);
	execv("/proc/self/exe", argv);
	fprintf(stderr, "uslab-bench: cannot start over with %s: %s; some allocators may be"
		" missing\n", STATIC_TLS_SIZE, strerror(errno));
}

static bool listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (list) {
		if (!strncmp(list, name, length) && (!list[length] || list[length] == ','))
			return true;
		list = strchr(list, ',');
		if (list)
			list++;
	}
	return false;
}

/* Every name of the list must be one of ours. */
static int check_list(const char *list)
{
	char *copy = strdup(list), *rest = copy, *name;
	int ret = copy ? 0 : -1;

	while (!ret && (name = strsep(&rest, ","))) {
		size_t i = 0;

		while (i < sizeof(all) / sizeof(all[0]) && strcmp(all[i].name, name))
			i++;
		if (i < sizeof(all) / sizeof(all[0]))
			continue;
		fprintf(stderr, "uslab-bench: unknown contender '%s'; there are", name);
		for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
			fprintf(stderr, " %s", all[i].name);
		fputc('\n', stderr);
		ret = -1;
	}
	free(copy);
	return ret;
}

/* 0, or -1 with a note on stderr. */
static int load(struct contender *contender)
{
	void *library = RTLD_DEFAULT;

	if (contender->kind != CONTENDER_ALLOCATOR)
		return 0;
	if (contender->library) {
		library = dlopen(contender->library, RTLD_NOW | RTLD_LOCAL);
		if (!library) {
			fprintf(stderr, "uslab-bench: without %s: %s\n", contender->name,
				dlerror());
			return -1;
		}
	}
	contender->calls.get = (void *(*)(size_t))dlsym(library, contender->get_symbol);
	contender->calls.put = (void (*)(void *))dlsym(library, contender->put_symbol);
	if (!contender->calls.get || !contender->calls.put) {
		fprintf(stderr, "uslab-bench: without %s: %s has no %s\n", contender->name,
			contender->library, contender->calls.get ? contender->put_symbol :
								   contender->get_symbol);
		return -1;
	}
	return 0;
}

int contenders_load(struct contender *contenders, const char *list)
{
	int nr = 0;

	if (list && check_list(list))
		return -1;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (list && !listed(list, all[i].name))
			continue;
		contenders[nr] = all[i];
		if (!load(&contenders[nr]))
			nr++;
	}
	return nr;
}

static struct uslab_pool *open_pool(size_t size)
{
	struct uslab_pool *pool;
	char name[USLAB_NAME_MAX];

	snprintf(name, sizeof(name), "bench-%zu", size);
	pool = uslab_pool_create(name, size, NULL);
	if (!pool)
		fprintf(stderr, "uslab-bench: cannot create pool '%s': %s\n", name,
			strerror(errno));
	return pool;
}

int contender_open(struct contender *contender, size_t size)
{
	struct limit *limit;

	switch (contender->kind) {
	case CONTENDER_LIMIT:
		limit = calloc(1, sizeof(*limit));
		if (limit)
			limit->size = size;
		contender->with = limit;
		break;
	case CONTENDER_USLAB:
		contender->with = open_pool(size);
		break;
	case CONTENDER_ALLOCATOR:
		contender->calls.size = size;
		contender->with = &contender->calls;
		break;
	}
	return contender->with ? 0 : -1;
}

void contender_close(struct contender *contender)
{
	if (contender->kind == CONTENDER_LIMIT)
		limit_free(contender->with);
	else if (contender->kind == CONTENDER_USLAB)
		uslab_pool_destroy(contender->with);
	contender->with = NULL;
}
