// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long things live: the module while there are pools, a pool while anybody
 * holds it, its directory as long as itself.
 */
#include <sys/socket.h>
#include <sys/syscall.h>

#include "kmod.h"

/* The module */

static int unload(void)
{
	return (int)syscall(SYS_delete_module, "uslab", O_NONBLOCK);
}

static bool loaded(void)
{
	return !access("/sys/module/uslab", F_OK);
}

static bool load(void)
{
	const char *dir = getenv("USLAB_MODULE_DIR");
	char path[256];
	int fd, err;

	snprintf(path, sizeof(path), "%s/uslab.ko", dir ? dir : ".");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	err = (int)syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return !err;
}

static void must_reload(void)
{
	EXPECT(WAIT_FOR(!unload() || errno == ENOENT));
	EXPECT(!loaded());
	EXPECT(access(USLAB_DEVICE, F_OK));
	EXPECT(access(USLAB_SYSFS, F_OK));
	ASSERT(load());
	EXPECT(!access(USLAB_SYSFS, F_OK));
	EXPECT(WAIT_FOR(!access(USLAB_DEVICE, F_OK)));
}

static void want_module(void)
{
	const char *dir = getenv("USLAB_MODULE_DIR");
	char path[256];

	snprintf(path, sizeof(path), "%s/uslab.ko", dir ? dir : ".");
	if (!loaded() || access(path, R_OK))
		SKIP("not a module, or it is not to be found");
}

static void expect_in_use(void)
{
	/* EWOULDBLOCK: somebody uses it, and we did not ask to wait */
	EXPECT_ERRNO(unload() == -1, EWOULDBLOCK);
	EXPECT(loaded());
}

TEST(the_module_goes_and_comes_back)
{
	struct raw raw;
	uint32_t handle;

	want_module();
	must_reload();
	raw = must_raw_size("reload", 64);
	EXPECT_EQ(raw_refill(raw.fd, 0, &handle, 1), 1);
	raw_close(&raw);
	must_reload();
}

TEST(an_open_device_keeps_the_module)
{
	int fd;

	want_module();
	fd = open(USLAB_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT(fd >= 0);
	expect_in_use();
	close(fd);
	must_reload();
}

TEST(a_pool_keeps_the_module)
{
	struct uslab_create request = create_args(pool_name("keeps"), 64);
	int fd;

	want_module();
	fd = raw_create(&request);
	ASSERT(fd >= 0);
	expect_in_use();
	close(fd);
	must_reload();
}

TEST(a_mapping_alone_keeps_pool_and_module)
{
	struct raw raw;
	uint32_t handle;

	want_module();
	raw = must_raw_size("mapped", 64);
	ASSERT_EQ(raw_refill(raw.fd, 0, &handle, 1), 1);
	close(raw.fd);
	expect_in_use();
	raw_object(&raw, handle)[0] = 1;
	EXPECT(pool_listed(raw.name));
	EXPECT_EQ(pool_value(raw.name, "out_objects"), 1);
	raw.fd = -1;
	raw_close(&raw);
	EXPECT(WAIT_FOR(!pool_listed(raw.name)));
	must_reload();
}

TEST(an_open_file_of_a_pool_in_sysfs_does_not_keep_it)
{
	struct raw raw = must_raw_size("sysfs", 64);
	char path[256], text[32];
	int fd;

	snprintf(path, sizeof(path), USLAB_SYSFS "/%s/backed_bytes", raw.name);
	fd = open(path, O_RDONLY);
	ASSERT(fd >= 0);
	EXPECT_GT(read(fd, text, sizeof(text)), 0);
	raw_close(&raw);
	EXPECT(!pool_listed(raw.name));
	lseek(fd, 0, SEEK_SET);
	EXPECT_ERRNO(read(fd, text, sizeof(text)) < 0, ENODEV);
	close(fd);
}

/* Pools */

TEST(a_pools_directory_comes_and_goes_with_it)
{
	struct raw raw = must_raw_size("dir", 64);

	EXPECT(pool_listed(raw.name));
	raw_close(&raw);
	EXPECT(!pool_listed(raw.name));
}

TEST(a_duplicated_descriptor_keeps_the_pool)
{
	struct raw raw = must_raw_size("dup", 64);
	int fd = dup(raw.fd);
	uint32_t handle;

	raw_close(&raw);
	EXPECT(pool_listed(raw.name));
	EXPECT_EQ(raw_refill(fd, 0, &handle, 1), 1);
	close(fd);
	EXPECT(!pool_listed(raw.name));
}

static bool send_fd(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	} };
	struct iovec iov = { "x", 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(socket, &message, 0) == 1;
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(socket, &message, 0) == 1 && message.msg_controllen >= CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

struct creator {
	int socket;
	struct turns *turns;
	char name[USLAB_NAME_MAX];
};

#define SHARED	500u

/* Makes a pool, holds objects of it, says where they are, and dies. */
static void create_and_die(void *arg)
{
	struct creator *creator = arg;
	struct uslab_pool *pool = uslab_pool_create(creator->name, 256, NULL);
	uint32_t i;

	if (!EXPECT(pool) || !EXPECT(send_fd(creator->socket, uslab_pool_fd(pool))))
		return;
	for (i = 0; i < SHARED; i++) {
		uint32_t *object = uslab_get(pool);

		if (!EXPECT(object))
			return;
		*object = i;
		if (!i)
			creator->turns->value[0] = (char *)object - pool->objects;
	}
	creator->turns->turn = 1;
	if (creator->turns->value[1])	/* told to die hard */
		kill(getpid(), SIGKILL);
}

static void creator_dies(bool hard)
{
	struct creator creator = { .turns = must_turns() };
	struct uslab_pool *pool;
	int sockets[2], fd, status;
	uint32_t *first, i;
	void *objects[64];
	pid_t pid;

	strcpy(creator.name, pool_name("orphaned"));
	ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	creator.socket = sockets[1];
	creator.turns->value[1] = hard;
	pid = spawn(create_and_die, &creator);
	close(sockets[1]);
	fd = receive_fd(sockets[0]);
	ASSERT(fd >= 0);
	pool = uslab_pool_attach(fd);
	ASSERT(pool);
	close(fd);
	ASSERT(turn_is(creator.turns, 1));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WIFSIGNALED(status), hard);

	EXPECT(pool_listed(creator.name));
	EXPECT_EQ(pool_stats(pool).out_objects, SHARED);
	first = (uint32_t *)(pool->objects + creator.turns->value[0]);
	EXPECT_EQ(*first, 0);
	*first = 17;
	uslab_put(pool, first);		/* another process's object */
	for (i = 0; i < 64; i++) {
		objects[i] = uslab_get(pool);
		EXPECT(objects[i]);
	}
	EXPECT_EQ(pool_stats(pool).out_objects, SHARED - 1 + 64);
	for (i = 0; i < 64; i++)
		uslab_put(pool, objects[i]);
	EXPECT_EQ(pool_stats(pool).bad_puts, 0);
	uslab_pool_destroy(pool);
	EXPECT(!pool_listed(creator.name));
	close(sockets[0]);
	munmap(creator.turns, PAGE);
}

TEST(a_pool_outlives_its_creator_while_another_has_it)
{
	creator_dies(false);
}

TEST(a_pool_outlives_its_creators_violent_death)
{
	creator_dies(true);
}

TEST(a_pool_in_flight_over_a_socket_stays)
{
	struct raw raw = must_raw_size("flight", 64);
	int sockets[2], fd;
	uint32_t handle;

	ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT(send_fd(sockets[0], raw.fd));
	raw_close(&raw);
	EXPECT(pool_listed(raw.name));
	fd = receive_fd(sockets[1]);
	ASSERT(fd >= 0);
	EXPECT_EQ(raw_refill(fd, 0, &handle, 1), 1);
	close(fd);
	EXPECT(!pool_listed(raw.name));
	/* and goes with the message nobody reads */
	raw = must_raw_size("flight", 64);
	ASSERT(send_fd(sockets[0], raw.fd));
	raw_close(&raw);
	EXPECT(pool_listed(raw.name));
	close(sockets[0]);
	close(sockets[1]);
	EXPECT(WAIT_FOR(!pool_listed(raw.name)));
}

/* Reading while it comes and goes */

struct reader {
	_Atomic bool stop;
	_Atomic uint64_t reads, writes;
};

static void read_pool(struct reader *reader, const char *dir)
{
	char path[512], text[64];
	struct dirent *entry;
	DIR *files;

	snprintf(path, sizeof(path), USLAB_SYSFS "/%s", dir);
	files = opendir(path);
	while (files && (entry = readdir(files))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), USLAB_SYSFS "/%s/%s", dir, entry->d_name);
		if (!strcmp(entry->d_name, "reclaim"))
			reader->writes += !write_file(path, "max");
		else
			reader->reads += read_file(path, text, sizeof(text)) > 0;
	}
	if (files)
		closedir(files);
}

static void *read_all(void *arg)
{
	struct reader *reader = arg;
	struct dirent *entry;

	while (!reader->stop) {
		DIR *pools = opendir(USLAB_SYSFS);

		while (pools && (entry = readdir(pools)))
			if (entry->d_name[0] != '.')
				read_pool(reader, entry->d_name);
		if (pools)
			closedir(pools);
	}
	return NULL;
}

TEST(files_can_be_used_while_pools_come_and_go)
{
	double until = now() + test_seconds(4);
	struct reader reader = { .stop = false };
	pthread_t thread[3];
	uint32_t handles[32], pools = 0;
	int i;

	for (i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, read_all, &reader);
	while (now() < until || ((pools < 3 || !reader.reads) && now() < until + PATIENCE)) {
		struct uslab_create request = create_args(pool_name("comes"), 1024);
		int fd = raw_create(&request);

		if (!EXPECT_GE(fd, 0))
			break;
		raw_refill(fd, 0, handles, 32);
		if (pools++ & 1)
			raw_return(fd, handles, 32);
		close(fd);
		EXPECT(!pool_listed(request.name));
	}
	reader.stop = true;
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	printf("# %u pools, %llu reads, %llu writes\n", pools,
	       (unsigned long long)reader.reads, (unsigned long long)reader.writes);
	EXPECT_GT(pools, 2);
	EXPECT_GT(reader.reads, 0);
}

static void *create_and_close(void *arg)
{
	_Atomic bool *stop = arg;

	while (!*stop) {
		/* the same name in all threads */
		struct uslab_create request = create_args("contended", 64);
		int fd = raw_create(&request);
		uint32_t handle;

		if (!EXPECT_GE(fd, 0))
			break;
		EXPECT_EQ(raw_refill(fd, 0, &handle, 1), 1);
		close(fd);
	}
	return NULL;
}

TEST(pools_of_one_name_come_and_go_on_all_cpus)
{
	_Atomic bool stop = false;
	pthread_t thread[4];
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, create_and_close, &stop);
	nap(test_seconds(2));
	stop = true;
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	EXPECT(!pool_listed("contended"));
}

#define MANY	1000

static int count_pools(void)
{
	DIR *dir = opendir(USLAB_SYSFS);
	struct dirent *entry;
	int nr = 0;

	while (dir && (entry = readdir(dir)))
		nr += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return nr;
}

TEST(a_thousand_pools)
{
	static int fd[MANY];
	int i, before = count_pools();
	uint32_t handle;

	for (i = 0; i < MANY; i++) {
		struct uslab_create request = create_args(pool_name("many"), 64);

		fd[i] = raw_create(&request);
		if (!EXPECT_GE(fd[i], 0))
			break;
		EXPECT_EQ(raw_refill(fd[i], 0, &handle, 1), 1);
	}
	EXPECT_EQ(count_pools() - before, i);
	EXPECT_EQ(drop_caches(), 0);
	while (i--)
		close(fd[i]);
	EXPECT_EQ(count_pools(), before);
}

TEST_MAIN
