/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Asks the multipath daemon, with libmpathcmd (-lmpathcmd). Each function returns -1 where it fails, and errno says why.
 */
#ifndef MPATH_CMD_H
#define MPATH_CMD_H

#include <stddef.h>
#include <sys/types.h>

/* The abstract socket, which is looked for last; its name begins with a NUL. */
#define DEFAULT_SOCKET "/org/kernel/linux/storage/multipathd"
/* A reply has fewer bytes than this, with the NUL at its end: ERANGE otherwise. */
#define MAX_REPLY_LEN (32 * 1024 * 1024)
/* What the daemon's uxsock_timeout is at least, in milliseconds. */
#define DEFAULT_REPLY_TIMEOUT 4000

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Connects to the daemon that runs, or that systemd starts then. Returns a descriptor, which blocks and is closed in programs that
 * are executed. Where the daemon's queue of connections is full, mpath_connect() waits; so does the other one with 0, and with another
 * number it fails with EAGAIN. Nothing waits for the abstract socket: of a full one nobody can tell whose it is, so it is no daemon's.
 */
int mpath_connect(void);
int mpath_connect__(int nonblocking);
/* Its name in programs that are linked with releases before 0.10. */
int __mpath_connect(int nonblocking);

/* Ends the connection. Returns 0. */
int mpath_disconnect(int fd);

/*
 * All timeouts are milliseconds, of each piece of a reply: ETIMEDOUT. More than INT_MAX is for ever. After a failure the connection
 * is of no use any more. A thread that is cancelled ends after the call that it is in.
 */

/* mpath_send_cmd() and mpath_recv_reply(). Where nothing could be sent *reply is left as it was. Without reply nothing is: EINVAL. Returns 0. */
int mpath_process_cmd(int fd, const char *cmd, char **reply, unsigned int timeout);

/* Sends a command. Returns 0. */
int mpath_send_cmd(int fd, const char *cmd);

/* Waits for the reply. Returns 0, and *reply is for the caller to free(); NULL after a failure. */
int mpath_recv_reply(int fd, char **reply, unsigned int timeout);

/* The same in two steps, for memory of the caller's: first the reply's length, with the NUL at its end; then 0, and the reply. */
ssize_t mpath_recv_reply_len(int fd, unsigned int timeout);
int mpath_recv_reply_data(int fd, char *reply, size_t len, unsigned int timeout);

#ifdef __cplusplus
}
#endif

#endif
