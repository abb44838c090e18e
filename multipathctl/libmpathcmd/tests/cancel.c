/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A thread is cancelled while it waits for a reply: the program goes on, and the thread ends. Exit status 0 only if it is so.
 */
#include <errno.h>
#include <mpath_cmd.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *receive(void *fd)
{
	char *reply;
	int rc = mpath_recv_reply(*(int *)fd, &reply, 500);

	printf("%d %s, ", rc, strerror(errno));
	pthread_testcancel();
	return NULL;
}

int main(void)
{
	pthread_t thread;
	void *result = NULL;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) || pthread_create(&thread, NULL, receive, &fds[0]))
		return 1;
	usleep(100000);
	if (pthread_cancel(thread) || pthread_join(thread, &result))
		return 1;
	printf("%s\n", result == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
	return result != PTHREAD_CANCELED;
}
