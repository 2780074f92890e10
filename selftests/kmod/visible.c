// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a machine's owner sees: the files in sysfs, the shrinker, uslabctl.
 */
#include <ctype.h>

#include "kmod.h"

static struct raw pool;
static uint32_t handles[256];

/* 256 objects of a page out of the engine, 156 of them idle. */
static void must_show(void)
{
	aging(false);
	pool = must_raw_size("visible", PAGE);
	ASSERT_EQ(raw_refill(pool.fd, 0, handles, 256), 256);
	ASSERT(raw_stash(&pool, 0, handles, 156));
}

static void put_away(void)
{
	raw_close(&pool);
	aging(true);
}

TEST(the_device_can_be_opened_by_all)
{
	struct stat st;

	ASSERT(!stat(USLAB_DEVICE, &st));
	EXPECT(S_ISCHR(st.st_mode));
	EXPECT_EQ(st.st_mode & 0777, 0666);
}

/* Each of the module's parameters is the default of a tunable, which is a file. */
static mode_t mode_of(const char *file)
{
	char path[512];

	snprintf(path, sizeof(path), USLAB_DEFAULTS "/%s", file);
	return !strcmp(file, "reclaim") ? 0200 : access(path, F_OK) ? 0444 : 0644;
}

static int count_files(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

TEST(files_say_who_may_use_them)
{
	char path[512];
	struct dirent *entry;
	struct stat st;
	int tunables = 0;
	DIR *dir;

	must_show();
	snprintf(path, sizeof(path), USLAB_SYSFS "/%s", pool.name);
	dir = opendir(path);
	ASSERT(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), USLAB_SYSFS "/%s/%s", pool.name, entry->d_name);
		EXPECT(!stat(path, &st));
		if (!EXPECT_EQ(st.st_mode & 0777, mode_of(entry->d_name)))
			printf("# %s\n", entry->d_name);
		EXPECT_EQ(st.st_uid, 0);
		tunables += (st.st_mode & 0777) == 0644;
	}
	closedir(dir);
	EXPECT_EQ(tunables, count_files(USLAB_DEFAULTS));
	EXPECT_EQ(tunables, 18);
	put_away();
}

TEST(the_policy_is_a_word)
{
	static const char *const names[] = { "local\n", "bind\n", "interleave\n", "global\n" };
	char path[256], text[64];
	uint32_t i;

	for (i = 0; i < 4; i++) {
		struct uslab_create request = create_args(pool_name("policy"), 64);
		int fd;

		request.policy = i;
		fd = raw_create(&request);
		ASSERT(fd >= 0);
		snprintf(path, sizeof(path), USLAB_SYSFS "/%s/policy", request.name);
		read_file(path, text, sizeof(text));
		EXPECT(!strcmp(text, names[i]));
		close(fd);
	}
}

TEST(the_module_has_its_parameters)
{
	EXPECT(!access("/sys/module/uslab/parameters/idle_aging_centisecs", R_OK | W_OK));
	EXPECT(!access("/sys/module/uslab/parameters/idle_expire_centisecs", R_OK | W_OK));
	EXPECT(write_file("/sys/module/uslab/parameters/idle_aging_centisecs", "x"));
	EXPECT(write_file("/sys/module/uslab/parameters/idle_aging_centisecs", "-1"));
}

TEST(the_pools_file_has_its_name)
{
	char path[256], line[4096];
	bool found = false;
	FILE *maps;

	must_show();
	maps = fopen("/proc/self/maps", "r");
	ASSERT(maps);
	while (fgets(line, sizeof(line), maps))
		found |= strstr(line, pool.name) != NULL;
	fclose(maps);
	EXPECT(found);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pool.fd);
	ASSERT(readlink(path, line, sizeof(line)) > 0);
	EXPECT(strstr(line, "uslab"));
	put_away();
}

/* The shrinker, where the kernel shows shrinkers */

#define SHRINKERS	"/sys/kernel/debug/shrinker"

static bool find_shrinker(char *path, size_t size, const char *file)
{
	struct dirent *entry;
	DIR *dir = opendir(SHRINKERS);
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "uslab", 5))
			continue;
		snprintf(path, size, SHRINKERS "/%.64s/%s", entry->d_name, file);
		found = true;
	}
	if (dir)
		closedir(dir);
	return found;
}

TEST(the_shrinker_is_registered_and_counts_what_is_idle)
{
	static char text[65536];
	char path[256], *p;
	long long sum = 0;

	if (access(SHRINKERS, F_OK))
		SKIP("this kernel does not show its shrinkers");
	if (!EXPECT(find_shrinker(path, sizeof(path), "count")))
		return;
	must_show();
	ASSERT(read_file(path, text, sizeof(text)) >= 0);
	/* lines of a cgroup's inode number and a count for each node */
	for (p = text; *p; p = strchr(p, '\n') + 1) {
		strtoll(p, &p, 10);
		while (*p != '\n')
			sum += strtoll(p, &p, 10);
	}
	EXPECT_GT(sum, 0);
	EXPECT_LE(sum, 156);
	put_away();
}

/* uslabctl */

static char output[65536];

/* The program that was built with this one; its status, and what it prints in output. */
static int ctl(const char *arguments)
{
	char exe[256], command[768];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	FILE *pipe;
	size_t len;

	ASSERT(n > 0);
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	snprintf(command, sizeof(command), "%s/../../uslabctl", exe);
	if (access(command, X_OK))
		SKIP("uslabctl is not built");
	snprintf(command, sizeof(command), "%s/../../uslabctl %s 2>&1", exe, arguments);
	pipe = popen(command, "r");
	ASSERT(pipe);
	len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = '\0';
	n = pclose(pipe);
	return WIFEXITED(n) ? WEXITSTATUS(n) : -1;
}

static int ctl_pool(const char *verb, const char *rest)
{
	char arguments[256];

	snprintf(arguments, sizeof(arguments), "%s '%s' %s", verb, pool.name, rest);
	return ctl(arguments);
}

/* JSON as of RFC 8259: where the value ends, NULL when it is none. */
static const char *json(const char *p);

static const char *json_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < ' ')
			return NULL;
		if (*p == '\\' && !strchr("\"\\/bfnrtu", *++p))
			return NULL;
	}
	return p + 1;
}

static const char *json_number(const char *p)
{
	char *end;

	if (*p != '-' && !isdigit((unsigned char)*p))
		return NULL;
	strtod(p, &end);
	return end;
}

/* What is between brackets: values, or with @object keys and values. */
static const char *json_list(const char *p, char close, bool object)
{
	p = json_space(p);
	if (*p == close)
		return p + 1;
	for (;;) {
		if (object) {
			p = json_string(json_space(p));
			if (!p)
				return NULL;
			p = json_space(p);
			if (*p++ != ':')
				return NULL;
		}
		p = json(p);
		if (!p || (*p != ',' && *p != close))
			return NULL;
		if (*p++ == close)
			return p;
	}
}

static const char *json(const char *p)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i;

	p = json_space(p);
	if (*p == '{')
		p = json_list(p + 1, '}', true);
	else if (*p == '[')
		p = json_list(p + 1, ']', false);
	else if (*p == '"')
		p = json_string(p);
	else if (*p == '-' || isdigit((unsigned char)*p))
		p = json_number(p);
	else {
		for (i = 0; i < 3 && strncmp(p, words[i], strlen(words[i])); i++)
			;
		p = i < 3 ? p + strlen(words[i]) : NULL;
	}
	return p ? json_space(p) : NULL;
}

static bool is_json(const char *text)
{
	const char *end = json(text);

	return end && !*end;
}

/* The number of a key; keys are unique in what uslabctl show prints. */
static long long json_key(const char *key)
{
	char quoted[64];
	const char *p;

	snprintf(quoted, sizeof(quoted), "\"%s\"", key);
	p = strstr(output, quoted);
	if (!p)
		return -1;
	p += strlen(quoted);
	return atoll(p + strspn(p, " :"));
}

TEST(control_the_json_parser_refuses_what_is_not)
{
	static const char *const wrong[] = {
		"", "{", "}", "[1,]", "{\"a\"}", "{\"a\":1,}", "[1 2]", "\"a", "{a:1}", "1 2",
	};
	size_t i;

	EXPECT(is_json("{\"a\": [1, -2.5e3, \"b\\n\", {}], \"c\": null}\n"));
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		EXPECT(!is_json(wrong[i]));
}

TEST(uslabctl_lists_the_pool)
{
	must_show();
	EXPECT_EQ(ctl("list"), 0);
	EXPECT(strstr(output, pool.name));
	EXPECT_EQ(ctl("list --json"), 0);
	EXPECT(is_json(output));
	EXPECT(strstr(output, pool.name));
	put_away();
	EXPECT_EQ(ctl("list --json"), 0);
	EXPECT(is_json(output));
	EXPECT(!strstr(output, pool.name));
}

TEST(uslabctl_shows_what_the_files_say)
{
	must_show();
	EXPECT_EQ(ctl_pool("show", ""), 0);
	EXPECT(strstr(output, "backed_bytes"));
	EXPECT_EQ(ctl_pool("show", "--json"), 0);
	if (!EXPECT(is_json(output)))
		printf("# %s\n", output);
	EXPECT_EQ(json_key("backed_bytes"), 256 * PAGE);
	EXPECT_EQ(json_key("idle_objects"), 156);
	EXPECT_EQ(json_key("out_objects"), 100);
	EXPECT_EQ(json_key("object_size"), PAGE);
	EXPECT_EQ(json_key("refills"), 256);
	EXPECT_EQ(json_key("id"), pool.control->id);
	put_away();
}

TEST(uslabctl_reclaims)
{
	must_show();
	EXPECT_EQ(ctl_pool("reclaim", "4K"), 0);
	EXPECT_LT(pool_value(pool.name, "idle_objects"), 156);
	EXPECT_EQ(ctl_pool("reclaim", ""), 0);
	EXPECT_EQ(pool_value(pool.name, "idle_objects"), 0);
	EXPECT_EQ(pool_value(pool.name, "backed_bytes"), 100 * PAGE);
	EXPECT_EQ(ctl_pool("reclaim", "max"), 0);
	EXPECT_EQ(pool_value(pool.name, "backed_bytes"), 100 * PAGE);
	put_away();
}

TEST(uslabctl_fails_for_a_pool_that_is_not_there)
{
	EXPECT_EQ(ctl("show no-such-pool"), 1);
	EXPECT_EQ(ctl("reclaim no-such-pool"), 1);
	EXPECT_EQ(ctl("show ../kernel"), 1);
}

TEST(uslabctl_refuses_wrong_usage)
{
	must_show();
	EXPECT_EQ(ctl("frobnicate"), 2);
	EXPECT_EQ(ctl("show"), 2);
	EXPECT_EQ(ctl_pool("reclaim", "many"), 2);
	EXPECT_EQ(pool_value(pool.name, "idle_objects"), 156);
	put_away();
}

TEST_MAIN
