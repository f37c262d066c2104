/* Starts tests/unit/http_peer.py and tells its ports. */
#ifndef OBMEN_HTTP_PEER_H
#define OBMEN_HTTP_PEER_H

#include <jansson.h>
#include "signer_fixture.h"

struct http_peer {
	pid_t pid;
	int hold;      /* it ends when this is closed */
	json_t *ports;
};

static inline void
http_peer_open(struct http_peer *p, const char *folder)
{
	int in[2], out[2];
	char line[1024];
	size_t n = 0;

	assert_int_equal(pipe(in) | pipe(out), 0);
	p->pid = fork();
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[0]), close(in[1]), close(out[0]), close(out[1]);
		execl("/usr/bin/python3", "python3", "tests/unit/http_peer.py", folder, (char *)NULL);
		_exit(127);
	}
	close(in[0]), close(out[1]);
	p->hold = in[1];
	while (n < sizeof line - 1 && read(out[0], line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = 0;
	close(out[0]);
	p->ports = json_loads(line, 0, NULL);
	assert_non_null(p->ports);
}

static inline void
http_peer_close(struct http_peer *p)
{
	close(p->hold);
	waitpid(p->pid, NULL, 0);
	json_decref(p->ports);
}

static inline int
http_peer_port(const struct http_peer *p, const char *listener)
{
	return (int)json_integer_value(json_object_get(p->ports, listener));
}

#endif
