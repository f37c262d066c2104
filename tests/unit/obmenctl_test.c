/*
 * obmenctl: what is understood, what is asked, and what people see, at 80 columns. The expected
 * output lies in tests/unit/golden/; GOLDEN=write makes it anew, to be looked at before it is kept.
 */
#include "obmenctl/ctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/fold.h"

#define GOLDEN "tests/unit/golden/"

/* -- a node that answers one line per connection with what the test wants */

struct node {
	char folder[64], path[96];
	int listener;
	pthread_t thread;
	const char *answer;   /* JSON line */
	const char *answers[2]; /* by verb document.show, when set */
	int answer_fd;
	char request[8192];
	unsigned fds;         /* that came with the last request */
	char attached[64];    /* first bytes of the first one */
};

static ssize_t
receive(struct node *n, int s)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(40 * sizeof(int))];
	struct iovec iov = {n->request, sizeof n->request - 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = sizeof control};
	ssize_t len = recvmsg(s, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	n->fds = h ? (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
	for (unsigned i = 0; i < n->fds; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
		if (i == 0 && strstr(n->request, "document.save") && write(fd, "saved", 5) != 5)
			abort();
		ssize_t got = i == 0 ? pread(fd, n->attached, sizeof n->attached - 1, 0) : -1;
		if (got >= 0)
			n->attached[got] = 0;
		close(fd);
	}
	return len;
}

static void
respond(struct node *n, int s, const char *text)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(void *)text, strlen(text)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n->answer_fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof control;
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &n->answer_fd, sizeof(int));
	}
	if (sendmsg(s, &msg, MSG_NOSIGNAL) < 0 || send(s, "\n", 1, MSG_NOSIGNAL) < 0)
		abort();
}

static void *
serve(void *arg)
{
	struct node *n = arg;

	for (;;) {
		int s = accept(n->listener, NULL, NULL);
		if (s < 0)
			return NULL;
		ssize_t len = receive(n, s);
		if (len > 0) {
			n->request[len] = 0;
			bool show = n->answers[0] && strstr(n->request, "document.show");
			respond(n, s, show ? n->answers[0] : n->answer);
		}
		close(s);
	}
}

static int
setup(void **state)
{
	struct node *n = calloc(1, sizeof *n);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(n->folder, sizeof n->folder, "/tmp/obmenctl-test-XXXXXX");
	assert_non_null(mkdtemp(n->folder));
	snprintf(n->path, sizeof n->path, "%s/control", n->folder);
	snprintf(a.sun_path, sizeof a.sun_path, "%s", n->path);
	n->answer_fd = -1;
	n->answer = "{\"ok\":true}";
	n->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(n->listener, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(n->listener, 4), 0);
	assert_int_equal(pthread_create(&n->thread, NULL, serve, n), 0);
	*state = n;
	return 0;
}

static int
teardown(void **state)
{
	struct node *n = *state;

	shutdown(n->listener, SHUT_RDWR);
	pthread_join(n->thread, NULL);
	close(n->listener);
	unlink(n->path);
	rmdir(n->folder);
	free(n);
	return 0;
}

/* -- running a command line */

struct output {
	char *out, *err;
	enum exit_status status;
};

static struct output
run_words(struct node *n, enum language l, const char *const *words)
{
	struct output o;
	size_t out_len, err_len;
	struct ctl ctl = {.language = l, .socket = n ? n->path : "/nowhere/control", .width = 80,
	    .out = open_memstream(&o.out, &out_len), .err = open_memstream(&o.err, &err_len)};
	struct command c;
	char *argv[32] = {"obmenctl"};
	int argc = 1;

	for (; *words; words++)
		argv[argc++] = (char *)*words;
	o.status = EXIT_USAGE;
	if (command_parse(&ctl, argc, argv, &c)) {
		enum exit_status status;
		o.status = EXIT_DONE;
		if (c.help && c.verb) {
			help_verb(&ctl, c.verb, ctl.out);
		} else if (c.help) {
			help_all(&ctl, ctl.out);
		} else if (c.verb->run) {
			o.status = c.verb->run(&ctl, &c);
		} else {
			json_t *answer = ask_command(&ctl, &c, NULL, 0, NULL, &status);
			o.status = status;
			if (answer && ctl.json)
				print_json(&ctl, answer);
			else if (answer)
				c.verb->render(&ctl, answer);
			json_decref(answer);
		}
	}
	command_free(&c);
	fclose(ctl.out);
	fclose(ctl.err);
	return o;
}

#define RUN(n, l, ...) run_words(n, l, (const char *const[]){__VA_ARGS__, NULL})

static void
output_free(struct output *o)
{
	free(o->out);
	free(o->err);
}

static char *
read_file(const char *path)
{
	char *text = calloc(1, 1 << 16);
	int fd = open(path, O_RDONLY);

	if (fd >= 0 && read(fd, text, (1 << 16) - 1) < 0)
		text[0] = 0;
	if (fd >= 0)
		close(fd);
	return text;
}

/* Lines of tables must fit; lines of long values may not be cut, so they are not looked at. */
static void
assert_golden(const char *name, const struct output *o)
{
	char path[128];

	snprintf(path, sizeof path, GOLDEN "%s.txt", name);
	if (getenv("GOLDEN")) {
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		fprintf(f, "%s--\n%s-- %d\n", o->out, o->err, o->status);
		fclose(f);
	}
	char *wanted = read_file(path), *got = NULL;
	assert_true(asprintf(&got, "%s--\n%s-- %d\n", o->out, o->err, o->status) > 0);
	if (strcmp(wanted, got) != 0)
		print_error("%s:\n%s", path, got);
	assert_string_equal(got, wanted);
	free(wanted);
	free(got);
}

#define DOCUMENT_OUT                                                                               \
	"{\"ok\":true,\"document\":{\"id\":42,\"guid\":\"{4914e1c8-aabb-4e6a-a671-bf0e50e86616}\","       \
	"\"direction\":\"out\",\"state\":\"waiting\",\"since\":\"2026-11-21T09:30:00.000+02:00\","         \
	"\"peer\":{\"guid\":\"{11111111-2222-3333-4444-000000000002}\",\"name\":\"Община Образец\","       \
	"\"eik\":\"990000024\"},\"own\":{\"guid\":\"{11111111-2222-3333-4444-000000000001}\"},"            \
	"\"number\":\"94-00-17\",\"date\":\"2026-11-21\",\"about\":\"Покана за работна среща\","           \
	"\"kind\":\"Писмо\",\"acts\":\"peer\",\"next\":{\"what\":\"poll\",\"at\":\"2026-11-21T13:30:00+02:00\"," \
	"\"attempts\":1},\"details\":{\"correspondents\":[{\"name\":\"Иван Иванов\",\"city\":\"София\"}],"   \
	"\"attachments\":[{\"file_name\":\"писмо.pdf\",\"size\":123456,\"mime_type\":\"application/pdf\"}]}," \
	"\"timeline\":[{\"at\":\"2026-11-21T09:29:58+02:00\",\"event\":\"accepted\",\"text\":\"94-00-17\"}," \
	"{\"at\":\"2026-11-21T09:29:58+02:00\",\"event\":\"signed\",\"text\":\"rsa-sha1\"},"               \
	"{\"at\":\"2026-11-21T09:30:00+02:00\",\"event\":\"answered\",\"text\":\"DS_WAIT_REGISTRATION\"}]," \
	"\"evidence\":[{\"what\":\"message\",\"bytes\":8332,\"at\":\"2026-11-21T09:29:58+02:00\",\"row\":3},"  \
	"{\"what\":\"answer\",\"bytes\":4737,\"at\":\"2026-11-21T09:30:00+02:00\",\"row\":4}]}}"

#define DOCUMENT_FAILED                                                                            \
	"{\"ok\":true,\"document\":{\"id\":7,\"guid\":\"{4914e1c8-aabb-4e6a-a671-bf0e50e86616}\","        \
	"\"direction\":\"out\",\"state\":\"failed\",\"since\":\"2026-11-21T09:30:00.000+02:00\","          \
	"\"peer\":{\"name\":\"Община Образец\",\"eik\":\"990000024\"},\"acts\":\"nobody\","               \
	"\"fault\":\"Q-109\",\"detail\":\"10\",\"timeline\":[],\"evidence\":[]}}"

#define STUCK(action, next)                                                                        \
	"{\"ok\":true," action "\"document\":{\"id\":7,\"guid\":\"{4914e1c8-aabb-4e6a-a671-bf0e50e86616}\"," \
	"\"direction\":\"out\",\"state\":\"signed\",\"since\":\"2026-11-21T09:30:00.000+02:00\","          \
	"\"at\":\"2026-11-21T09:29:58.000+02:00\",\"about\":\"Покана за работна среща\","                  \
	"\"peer\":{\"name\":\"Община Образец\",\"eik\":\"990000024\"},\"acts\":\"us\","                   \
	"\"fault\":\"Q-102\",\"detail\":\"connection refused\",\"next\":{\"what\":\"send\"," next              \
	",\"attempts\":3}}}"
#define DOCUMENT_STUCK STUCK("", "\"at\":\"2026-11-21T09:45:00+02:00\"")
#define DOCUMENT_HELD STUCK("\"action\":\"hold\",", "\"on_hold\":true")

#define DOCUMENTS                                                                                  \
	"{\"ok\":true,\"documents\":[{\"id\":1042,\"direction\":\"in\",\"state\":\"waiting\","            \
	"\"since\":\"2026-11-21T09:30:00+02:00\",\"peer\":{\"name\":\"Министерство на електронното управление\"}," \
	"\"peer_number\":\"МЕУ-10828\",\"about\":\"Предоставяне на данни за участниците в обмена\"},"       \
	"{\"id\":1041,\"direction\":\"out\",\"state\":\"registered\",\"since\":\"2026-11-20T17:05:00+02:00\"," \
	"\"peer\":{\"guid\":\"{11111111-2222-3333-4444-000000000002}\"},\"number\":\"94-00-17\","          \
	"\"peer_number\":\"ВХ-2026-0042\",\"about\":\"Покана\"}]}"

static void
what_people_see(void **state)
{
	static const struct {
		const char *name;
		const char *words[6];
		const char *answer;
	} rows[] = {
	    {"document-show", {"document", "show", "42"}, DOCUMENT_OUT},
	    {"document-show-failed", {"document", "show", "7"}, DOCUMENT_FAILED},
	    {"document-list", {"document", "list"}, DOCUMENTS},
	    {"document-list-empty", {"document", "list"}, "{\"ok\":true,\"documents\":[]}"},
	    {"document-register", {"document", "register", "1", "--number", "5"}, "{\"ok\":true}"},
	    {"refused", {"document", "show", "9"}, "{\"ok\":false,\"fault\":\"D-104\",\"detail\":\"9\"}"},
	    {"queue-list", {"queue", "list"},
	        "{\"ok\":true,\"documents\":[{\"id\":7,\"state\":\"signed\",\"peer\":{\"name\":\"Община Образец\"},"
	        "\"fault\":\"Q-102\",\"next\":{\"what\":\"send\",\"at\":\"2026-11-21T09:45:00+02:00\",\"attempts\":3}}]}"},
	    {"queue-list-held", {"queue", "list"},
	        "{\"ok\":true,\"documents\":[{\"id\":7,\"state\":\"signed\",\"peer\":{\"name\":\"Община Образец\"},"
	        "\"fault\":\"Q-102\",\"next\":{\"what\":\"send\",\"on_hold\":true,\"attempts\":3}}]}"},
	    {"queue-show", {"queue", "show", "7"}, DOCUMENT_STUCK},
	    {"queue-show-failed", {"queue", "show", "7"}, DOCUMENT_FAILED},
	    {"queue-hold", {"queue", "hold", "7"}, DOCUMENT_HELD},
	    {"queue-drop-unconfirmed", {"queue", "drop", "7"}, "{\"ok\":true}"},
	    {"queue-drop-refused", {"queue", "drop", "7", "--yes"},
	        "{\"ok\":false,\"fault\":\"Q-122\",\"detail\":\"\"}"},
	    {"participant-show", {"participant", "show", "990000024"},
	        "{\"ok\":true,\"participant\":{\"guid\":\"{11111111-2222-3333-4444-000000000002}\",\"name\":"
	        "\"Община Образец\",\"eik\":\"990000024\",\"status\":\"TemporarilyInactive\",\"uri\":"
	        "\"https://obrazets.ob.obmen.local:8443/\",\"certificate_serial\":\"5A01\",\"last_change\":"
	        "\"2026-11-01T10:00:00+02:00\",\"own\":true}}"},
	    {"participant-find", {"participant", "find", "община"},
	        "{\"ok\":true,\"total\":7,\"participants\":[{\"eik\":\"990000024\",\"name\":\"Община Образец, "
	        "дирекция за обслужване на гражданите\",\"status\":\"Active\",\"uri\":"
	        "\"https://obrazets.ob.obmen.local:8443/EGovService.svc\"},{\"eik\":\"990000031\",\"name\":"
	        "\"Община Проба\",\"status\":\"Inactive\",\"uri\":\"\"}]}"},
	    {"update-status", {"update", "status"},
        "{\"ok\":true,\"version\":\"1.1.0\",\"trial\":true,\"against\":\"P-110 failed, console\",\"security\":1,"
        "\"slots\":[{\"slot\":\"A\",\"state\":\"good\",\"version\":\"1.0.0\",\"tries\":0,\"running\":false},{"
        "\"slot\":\"B\",\"state\":\"trial\",\"version\":\"1.1.0\",\"tries\":2,\"running\":true}]}"},
    {"update-check", {"update", "check"},
        "{\"ok\":true,\"version\":\"1.1.0\",\"running\":\"1.0.0\",\"source\":\"stick\",\"security\":1}"},
    {"update-install", {"update", "install"},
        "{\"ok\":true,\"version\":\"1.1.0\",\"slot\":\"B\",\"source\":\"url\"}"},
    {"update-back", {"update", "back"}, "{\"ok\":true,\"version\":\"1.0.0\"}"},
    {"update-refused", {"update", "back"}, "{\"ok\":false,\"fault\":\"B-114\",\"detail\":\"\"}"},
    {"register-show", {"register", "show"},
	        "{\"ok\":true,\"state\":\"held\",\"url\":\"https://register.example/service/\",\"count\":1312,"
	        "\"source\":\"disk\",\"fetched\":\"2026-11-20T03:00:00+02:00\",\"checked\":"
	        "\"2026-11-20T23:00:00+02:00\",\"age_seconds\":37800,\"next\":{\"what\":\"full\",\"at\":"
	        "\"2026-11-21T09:40:00+02:00\"},\"last_error\":{\"fault\":\"P-111\",\"detail\":\"connection refused\"},"
	        "\"held\":{\"candidate\":3,\"vanished\":40,\"changed\":1,\"added\":0,\"before\":1312,\"after\":1272}}"},
	    {"register-diff", {"register", "diff"},
	        "{\"ok\":true,\"held\":{\"candidate\":3,\"vanished\":1,\"changed\":1,\"added\":0,\"before\":3,"
	        "\"after\":2},\"vanished\":[{\"eik\":\"990000024\",\"guid\":\"{11111111-2222-3333-4444-000000000002}\","
	        "\"name\":\"Община Образец\"}],\"changed\":[{\"eik\":\"990000031\",\"guid\":\"{g}\",\"name\":"
	        "\"Проба\",\"fields\":[{\"field\":\"uri\",\"old\":\"a\",\"new\":\"b\"}]}],\"added\":[]}"},
	    {"status", {"status"},
	        "{\"ok\":true,\"conditions\":[{\"fault\":\"U-205\",\"detail\":\"main, 2026-12-01\"},{\"fault\":"
	        "\"U-206\",\"detail\":\"3\"}],\"participants\":[{\"eik\":\"990000017\",\"name\":\"Примерна агенция\","
	        "\"status\":\"Active\",\"uri\":\"https://agency.obmen.local:8443/\"},{\"eik\":\"990000018\",\"name\":"
	        "\"Звено\"}],\"register\":{\"count\":1312,\"checked\":\"2026-11-21T09:20:00+02:00\"},\"roles\":{"
	        "\"front\":{\"since\":\"2026-11-21T08:00:00+02:00\",\"memory_peak\":12582912},\"courier\":null,"
	        "\"store\":{\"since\":\"2026-11-21T08:00:00+02:00\",\"memory_peak\":9000000,\"in\":{\"waiting\":3,"
	        "\"registered\":12},\"out\":{},\"disk_free\":53687091200},\"signer0\":{\"since\":"
	        "\"2026-11-21T08:00:00+02:00\",\"memory_peak\":5000000,\"keys\":[{\"name\":\"main\",\"not_after\":"
	        "\"2026-12-01T00:00:00+02:00\",\"days_left\":10}]}}}"},
	    {"help", {"help"}, ""},
	    {"help-send", {"document", "send", "--help"}, ""},
	};
	struct node *n = *state;
	char name[64];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		n->answer = rows[i].answer;
		for (enum language l = LANGUAGE_BG; l <= LANGUAGE_EN; l++) {
			struct output o = run_words(n, l, rows[i].words);
			snprintf(name, sizeof name, "%s-%s", rows[i].name, l == LANGUAGE_BG ? "bg" : "en");
			assert_golden(name, &o);
			output_free(&o);
		}
	}
}

static void
tables_fit_the_terminal(void **state)
{
	struct node *n = *state;

	n->answer = DOCUMENTS;
	struct output o = RUN(n, LANGUAGE_BG, "document", "list");
	for (char *line = strtok(o.out, "\n"); line; line = strtok(NULL, "\n"))
		assert_in_range(fold_columns(line), 40, 80);
	output_free(&o);
}

static void
assert_usage(const char *const *words, const char *expected)
{
	struct output o = run_words(NULL, LANGUAGE_EN, words);

	if (!strstr(o.err, expected))
		print_error("%s", o.err);
	assert_int_equal(o.status, EXIT_USAGE);
	assert_non_null(strstr(o.err, expected));
	assert_string_equal(o.out, "");
	output_free(&o);
}

static void
slips_are_pointed_out(void **state)
{
	static const struct {
		const char *words[6];
		const char *expected;
	} rows[] = {
	    {{"documnet", "list"}, "no command documnet; perhaps document\nSee obmenctl help\n"},
	    {{"document", "lsit"}, "no command document lsit; perhaps list\n"},
	    {{"document"}, "document: which command?\n"},
	    {{"frobnicate"}, "no command frobnicate\n"},
	    {{"document", "list", "--stat", "x"}, "no option --stat; perhaps --state\nSee obmenctl help document list\n"},
	    {{"document", "list", "--wat"}, "no option --wat\n"},
	    {{"document", "list", "-x"}, "no option -x\n"},
	    {{"document", "list", "--state"}, "--state needs a value\n"},
	    {{"document", "list", "--in=1"}, "--in takes no value\n"},
	    {{"document", "list", "--limit", "many"}, "--limit takes a number, not \"many\"\n"},
	    {{"document", "list", "42"}, "\"42\" is too much\n"},
	    {{"document", "show"}, "DOCUMENT is missing\n"},
	    {{"document", "register", "1"}, "--number is missing\n"},
	    {{"document", "refuse", "1"}, "--reason is missing\n"},
	    {{"document", "send"}, "--to is missing\n"},
	    {{"status", "--lang", "de"}, "--lang is bg or en\n"},
	    {{"verify", "x"}, "give --ca FILE or --no-chain\n"},
	    {{"verify", "x", "--no-chain", "--at", "yesterday"}, "--at yesterday: expected"},
	    {{"document", "show", "\xff"}, "is not UTF-8\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_usage(rows[i].words, rows[i].expected);
}

static void
assert_asked(struct node *n, const char *const *words, const char *expected)
{
	struct output o = run_words(n, LANGUAGE_EN, words);
	json_t *got = json_loads(n->request, 0, NULL), *wanted = json_loads(expected, 0, NULL);

	assert_non_null(wanted);
	if (!json_equal(got, wanted))
		print_error("asked: %s", n->request);
	assert_true(json_equal(got, wanted));
	assert_int_equal(o.status, EXIT_DONE);
	json_decref(got);
	json_decref(wanted);
	output_free(&o);
}

static void
what_is_asked(void **state)
{
	static const struct {
		const char *words[14];
		const char *expected;
	} rows[] = {
	    {{"document", "list", "--in", "--state", "waiting", "--limit=5"},
	        "{\"verb\":\"document.list\",\"direction\":\"in\",\"state\":\"waiting\",\"limit\":5}"},
	    {{"--json", "document", "--lang", "en", "list"}, "{\"verb\":\"document.list\"}"},
	    {{"document", "register", "7", "--number", "ВХ-1", "--date", "2026-02-03"},
	        "{\"verb\":\"document.register\",\"document\":\"7\",\"number\":\"ВХ-1\",\"date\":\"2026-02-03\"}"},
	    {{"document", "refuse", "7", "--reason", "Не"},
	        "{\"verb\":\"document.refuse\",\"document\":\"7\",\"reason\":\"Не\"}"},
	    {{"queue", "hold", "7", "--reason", "Чака"},
	        "{\"verb\":\"queue.hold\",\"document\":\"7\",\"reason\":\"Чака\"}"},
	    {{"queue", "drop", "7", "--yes"}, "{\"verb\":\"queue.drop\",\"document\":\"7\"}"},
	    {{"participant", "find", "--", "--x"}, "{\"verb\":\"participant.find\",\"text\":\"--x\"}"},
	    {{"document", "send", "--to", "1", "--about", "А", "--correspondent", "Иван; София", "--correspondent",
	         "Петър", "--close-by", "2027-01-01"},
	        "{\"verb\":\"document.send\",\"to\":\"1\",\"document\":{\"about\":\"А\",\"date_close\":\"2027-01-01\","
	        "\"correspondents\":[{\"name\":\"Иван\",\"city\":\"София\"},{\"name\":\"Петър\",\"city\":\"\"}]}}"},
	};
	struct node *n = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_asked(n, rows[i].words, rows[i].expected);
}

static void
files_are_handed_over(void **state)
{
	struct node *n = *state;
	char path[128];

	snprintf(path, sizeof path, "%s/писмо.pdf", n->folder);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "%PDF", 4), 4);
	close(fd);
	n->answer = "{\"ok\":true,\"document\":\"{g}\",\"id\":5}";
	struct output o = RUN(n, LANGUAGE_EN, "document", "send", "--to", "1", "--attach", path, path);
	assert_int_equal(o.status, EXIT_DONE);
	assert_string_equal(o.out, "Accepted: document 5, {g}\n");
	assert_int_equal(n->fds, 2);
	assert_string_equal(n->attached, "%PDF");
	assert_non_null(strstr(n->request, "\"file_name\":\"писмо.pdf\""));
	output_free(&o);
	unlink(path);
	o = RUN(n, LANGUAGE_EN, "document", "send", "--to", "1", path);
	assert_int_equal(o.status, EXIT_REFUSED);
	assert_non_null(strstr(o.err, "No such file"));
	output_free(&o);
}

static void
waiting_ends_with_the_document(void **state)
{
	struct node *n = *state;

	n->answer = "{\"ok\":true,\"document\":\"{g}\",\"id\":5}";
	n->answers[0] = DOCUMENT_FAILED;
	struct output o = RUN(n, LANGUAGE_EN, "document", "send", "--to", "1", "--wait", "30");
	assert_int_equal(o.status, EXIT_REFUSED);
	assert_non_null(strstr(o.out, "failed, since 21.11.2026"));
	output_free(&o);
	n->answers[0] = DOCUMENT_OUT;
	o = RUN(n, LANGUAGE_EN, "--json", "document", "send", "--to", "1", "--wait", "0");
	assert_int_equal(o.status, EXIT_REFUSED); /* no decision yet */
	json_t *j = json_loads(o.out, 0, NULL);
	assert_string_equal(text_of(json_object_get(j, "final"), "state"), "waiting");
	json_decref(j);
	output_free(&o);
	n->answers[0] = NULL;
}

static void
bytes_are_written_and_not_over_others(void **state)
{
	struct node *n = *state;
	char path[128], *text;

	snprintf(path, sizeof path, "%s/out", n->folder);
	n->answer = "{\"ok\":true}";
	n->answer_fd = memfd_create("x", 0);
	assert_int_equal(write(n->answer_fd, "exact", 5), 5);
	struct output o = RUN(n, LANGUAGE_EN, "document", "body", "1", "message", "--output", path);
	assert_int_equal(o.status, EXIT_DONE);
	text = read_file(path);
	assert_string_equal(text, "exact");
	free(text);
	output_free(&o);
	o = RUN(n, LANGUAGE_EN, "document", "body", "1", "message", "--output", path);
	assert_int_equal(o.status, EXIT_REFUSED);
	assert_non_null(strstr(o.err, "--force"));
	assert_non_null(strstr(o.err, "U-105"));
	output_free(&o);
	close(n->answer_fd);
	n->answer_fd = -1;
	n->answers[0] = DOCUMENT_OUT;
	o = RUN(n, LANGUAGE_EN, "document", "save", "42", "--output", path, "--force");
	assert_int_equal(o.status, EXIT_DONE);
	text = read_file(path);
	assert_string_equal(text, "saved");
	free(text);
	output_free(&o);
	o = RUN(n, LANGUAGE_EN, "document", "save", "42", "2", "--output", path, "--force");
	assert_int_equal(o.status, EXIT_REFUSED);
	assert_non_null(strstr(o.err, "D-109"));
	output_free(&o);
	n->answers[0] = NULL;
	unlink(path);
}

static void
no_node_is_status_3(void **state)
{
	(void)state;
	struct output o = RUN(NULL, LANGUAGE_EN, "status");
	assert_int_equal(o.status, EXIT_UNREACHABLE);
	assert_string_equal(o.out, "");
	assert_non_null(strstr(o.err, "/nowhere/control: No such"));
	assert_non_null(strstr(o.err, "[U-101]"));
	output_free(&o);
	o = RUN(NULL, LANGUAGE_EN, "status", "--json");
	json_t *j = json_loads(o.out, 0, NULL);
	assert_string_equal(text_of(j, "fault"), "U-101");
	json_decref(j);
	output_free(&o);
}

static void
json_is_the_nodes_own(void **state)
{
	struct node *n = *state;

	n->answer = DOCUMENTS;
	struct output o = RUN(n, LANGUAGE_BG, "document", "list", "--json");
	json_t *got = json_loads(o.out, 0, NULL), *wanted = json_loads(DOCUMENTS, 0, NULL);
	assert_true(json_equal(got, wanted));
	json_decref(got);
	json_decref(wanted);
	output_free(&o);
	n->answer = "{\"ok\":false,\"fault\":\"D-105\",\"detail\":\"\"}";
	o = RUN(n, LANGUAGE_BG, "document", "close", "1", "--json");
	assert_int_equal(o.status, EXIT_REFUSED);
	got = json_loads(o.out, 0, NULL);
	assert_string_equal(text_of(got, "fault"), "D-105");
	json_decref(got);
	output_free(&o);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_people_see),
		T(tables_fit_the_terminal),
		cmocka_unit_test(slips_are_pointed_out),
		T(what_is_asked),
		T(files_are_handed_over),
		T(waiting_ends_with_the_document),
		T(bytes_are_written_and_not_over_others),
		cmocka_unit_test(no_node_is_status_3),
		T(json_is_the_nodes_own),
	};

	setenv("TZ", "EET-2EEST,M3.5.0/3,M10.5.0/4", 1);
	tzset();
	/* Never a terminal: confirmations would wait for somebody. */
	if (!freopen("/dev/null", "r", stdin))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
