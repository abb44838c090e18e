/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Asks the daemon as programs do that are linked with libmpathcmd of multipath-tools, each call of its interface in turn:
 *
 *	libmpathcmd COMMAND...		each on the same connection, by mpath_process_cmd
 *	libmpathcmd --parts COMMAND	by mpath_send_cmd, mpath_recv_reply_len and mpath_recv_reply_data
 *	libmpathcmd --silence		waits 300 ms for a reply to nothing
 *
 * What each call returned, and the replies, are printed.
 */
#include <errno.h>
#include <mpath_cmd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 4000

static int each(int fd, char **commands)
{
	for (; *commands; commands++) {
		char *reply = NULL;
		int rc = mpath_process_cmd(fd, *commands, &reply, TIMEOUT_MS);

		printf("%d %s", rc, reply ? reply : "(none)\n");
		free(reply);
	}
	return 0;
}

static int parts(int fd, const char *command)
{
	int sent = mpath_send_cmd(fd, command);
	ssize_t len = mpath_recv_reply_len(fd, TIMEOUT_MS);
	char *reply;
	int rc;

	if (sent || len <= 0) {
		printf("sent %d, length %zd, %s\n", sent, len, strerror(errno));
		return 1;
	}
	reply = calloc(1, len + 1);
	rc = mpath_recv_reply_data(fd, reply, len, TIMEOUT_MS);
	printf("sent %d, length %zd, text %zu, received %d\n%s", sent, len, strlen(reply), rc, reply);
	free(reply);
	return 0;
}

static int silence(int fd)
{
	ssize_t len;

	errno = 0;
	len = mpath_recv_reply_len(fd, 300);
	printf("%zd %s\n", len, strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	int fd, status;

	if (argc < 2) {
		fprintf(stderr, "what shall be asked?\n");
		return 2;
	}
	fd = mpath_connect();
	if (fd < 0) {
		printf("not connected: %s\n", strerror(errno));
		return 1;
	}
	if (!strcmp(argv[1], "--parts"))
		status = parts(fd, argv[2] ? argv[2] : "");
	else if (!strcmp(argv[1], "--silence"))
		status = silence(fd);
	else
		status = each(fd, argv + 1);
	printf("closed %d\n", mpath_disconnect(fd));
	return status;
}
