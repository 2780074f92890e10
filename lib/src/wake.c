// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "wake.h"

static bool is_ours(const struct wake *wake, int fd)
{
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && S_ISFIFO(st.st_mode) && st.st_ino == wake->inode;
}

int wake_open(struct wake *wake)
{
	struct stat st;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	fstat(fds[0], &st);
	wake->in = fds[0];
	wake->out = fds[1];
	wake->inode = st.st_ino;
	atomic_store(&wake->pending, false);
	return 0;
}

bool wake_is_ours(const struct wake *wake)
{
	return is_ours(wake, wake->out);
}

void wake_close(struct wake *wake)
{
	if (is_ours(wake, wake->in))
		close(wake->in);
	if (is_ours(wake, wake->out))
		close(wake->out);
	wake->in = -1;
	wake->out = -1;
}

void wake_up(struct wake *wake)
{
	int saved = errno;

	/* by number: the functions are cancellation points */
	if (!atomic_exchange(&wake->pending, true) && is_ours(wake, wake->out))
		syscall(SYS_write, wake->out, "", 1);
	errno = saved;
}

bool wake_drain(struct wake *wake)
{
	char bytes[16];

	if (!is_ours(wake, wake->in)) {
		wake->in = -1;
		return false;
	}
	syscall(SYS_read, wake->in, bytes, sizeof(bytes));
	/* after the byte has gone: who comes from here on writes another */
	atomic_store(&wake->pending, false);
	return true;
}
