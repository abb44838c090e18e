/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Asks the daemon as programs do that are linked with libmpathcmd of multipath-tools, each call of its interface in turn:
 *
 *	libmpathcmd COMMAND...		each on the same connection, by mpath_process_cmd
 *	libmpathcmd --parts COMMAND	by mpath_send_cmd, mpath_recv_reply_len and mpath_recv_reply_data
 *	libmpathcmd --silence		waits 300 ms for a reply to nothing
 *
 * What each call returned, and the replies, are printed. The library is looked for when it runs, as it has no header here.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define TIMEOUT_MS 4000

static void *library;

static void *function(const char *name)
{
	void *found = dlsym(library, name);

	if (!found) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	return found;
}

static int each(int fd, char **commands)
{
	int (*process)(int, const char *, char **, unsigned int) = function("mpath_process_cmd");

	for (; *commands; commands++) {
		char *reply = NULL;
		int rc = process(fd, *commands, &reply, TIMEOUT_MS);

		printf("%d %s", rc, reply ? reply : "(none)\n");
		free(reply);
	}
	return 0;
}

static int parts(int fd, const char *command)
{
	int (*send)(int, const char *) = function("mpath_send_cmd");
	ssize_t (*length)(int, unsigned int) = function("mpath_recv_reply_len");
	int (*data)(int, char *, size_t, unsigned int) = function("mpath_recv_reply_data");
	int sent = send(fd, command);
	ssize_t len = length(fd, TIMEOUT_MS);
	char *reply;
	int rc;

	if (sent || len <= 0) {
		printf("sent %d, length %zd, %s\n", sent, len, strerror(errno));
		return 1;
	}
	reply = calloc(1, len + 1);
	rc = data(fd, reply, len, TIMEOUT_MS);
	printf("sent %d, length %zd, text %zu, received %d\n%s", sent, len, strlen(reply), rc, reply);
	free(reply);
	return 0;
}

static int silence(int fd)
{
	ssize_t (*length)(int, unsigned int) = function("mpath_recv_reply_len");
	ssize_t len;

	errno = 0;
	len = length(fd, 300);
	printf("%zd %s\n", len, strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	int (*connect)(void), (*disconnect)(int);
	int fd, status;

	library = dlopen("libmpathcmd.so.0", RTLD_NOW);
	if (!library || argc < 2) {
		fprintf(stderr, "%s\n", library ? "what shall be asked?" : dlerror());
		return 2;
	}
	connect = function("mpath_connect");
	disconnect = function("mpath_disconnect");
	fd = connect();
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
	printf("closed %d\n", disconnect(fd));
	return status;
}
