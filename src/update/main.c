/* obmen-update(8): the box's updater. */
#include "lib/log.h"
#include "update/bundle.h"
#include "update/updater.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Anywhere: looks at a bundle, without a box. */
static int
check(const char *path, const char *authority)
{
	struct bundle b;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		return 1;
	}
	enum fault fault = bundle_open(&b, fd, authority);
	close(fd);
	if (fault) {
		struct fault_text t = fault_text(fault, LANGUAGE_EN);
		fprintf(stderr, "%s: %s [%s]\n", path, t.what, t.code);
		return 1;
	}
	printf("version %s\nboard %s\nsecurity %u\nstore %u %u\n", b.release.version, b.release.board,
	    b.release.security, b.release.schema, b.release.reader);
	return 0;
}

int
main(int argc, char **argv)
{
	log_init("update", -1, LOG_INFO);
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		return updater_serve();
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "check") == 0)
		return check(argv[2], argc == 4 ? argv[3] : UPDATE_AUTHORITY);
	fputs("usage: obmen-update serve | check FILE [AUTHORITY]\n", stderr);
	return 2;
}
