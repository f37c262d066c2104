/*
 * One JSON object a packet over a SOCK_SEQPACKET socket, with at most one descriptor: how control and
 * the box's updater talk. Packets of more than PACKET_MAX bytes are neither sent nor taken.
 */
#ifndef OBMEN_PACKET_H
#define OBMEN_PACKET_H

#include <jansson.h>
#include <stdbool.h>

#define PACKET_MAX 8192u /* bytes */

/* Sends; object and descriptor (-1: none) are borrowed. False: too long, or the other side is gone. */
bool packet_send(int socket, const json_t *object, int fd);

/*
 * Receives one; blocks when the socket does. A new reference; NULL when the other side is gone (errno 0),
 * sent what is no object (errno EPROTO), or on the errors of recvmsg(2), EAGAIN among them. *fd is the
 * descriptor that came with it, the caller's now, or -1; further ones are closed.
 */
json_t *packet_receive(int socket, int *fd);

#endif
