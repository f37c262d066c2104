/* cert: what the node knows about revoked certificates. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "obmenctl/ctl.h"

enum exit_status
run_import_crl(struct ctl *ctl, struct command *c)
{
	const char *path = command_local(c, "file");
	enum exit_status status;
	char detail[512];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		snprintf(detail, sizeof detail, "%s: %s", path, strerror(errno));
		print_fault(ctl, FAULT_FILE_UNREADABLE, detail);
		return EXIT_REFUSED;
	}
	json_t *answer = ask_command(ctl, c, &fd, 1, NULL, &status);
	close(fd);
	if (!answer)
		return status;
	const json_t *known = json_object_get(answer, "revocation");
	if (ctl->json)
		print_json(ctl, answer);
	else
		fprintf(ctl->out, SAY(ctl, "Списъкът е приет; отменени сертификати: %lld.\n",
		    "The list was taken; revoked certificates: %lld.\n"), number_of(known, "revoked"));
	json_decref(answer);
	return status;
}
