/*
 * The control role: one vocabulary for obmenctl, console and desk over a local socket.
 *
 * One table of verbs (control_verbs.c) says what each takes and which role answers it; lines and
 * descriptors are process/local.h.
 *
 *	control.c              the role: socket, snapshots
 *	control_request.c      one request on its way: questions to roles and their replies
 *	control_verbs.c        the table of verbs and the check of arguments
 *	control_participant.c  participants from the snapshot
 *	control_document.c     sending, saving
 *	control_status.c       the state of the whole in one sentence
 *	control_updater.c      the link to the box's updater
 *	control_http.c         /metrics, /healthz, /readyz
 *	control_metrics.c      all figures as OpenMetrics
 *	control_log.c          the newest lines of all processes
 *	control_mime.c         what kind of file an attachment is
 */
#ifndef OBMEN_CONTROL_H
#define OBMEN_CONTROL_H

#include <jansson.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/catalogue.h"
#include "obmend/role.h"
#include "obmend/wire.h"
#include "process/local.h"
#include "register/snapshot.h"

#define CONTROL_FDS_MAX LOCAL_FDS_MAX
#define CONTROL_SCAN_MAX 5000 /* participants in one answer */

struct control;
struct request;

/* A role's answer: an object, or NULL when the role is down or silent. Descriptors lie in the frame
 * (NULL with the answer). */
typedef void (*control_reply_cb)(struct request *, json_t *answer, struct ipc_frame *);

enum argument_type {
	ARGUMENT_TEXT,
	ARGUMENT_NUMBER,      /* from low to high */
	ARGUMENT_DATE,        /* xsd:date */
	ARGUMENT_DOCUMENT,    /* a GUID, or a row's number; passed on as text */
	ARGUMENT_PARTICIPANT, /* a GUID, EIK or name; passed on as the GUID of the register */
	ARGUMENT_OBJECT,
	ARGUMENT_CHOICE,      /* one of .words */
};

struct argument {
	const char *name; /* NULL ends the list */
	enum argument_type type;
	bool required;
	json_int_t low, high;     /* numbers; for text: high is the most bytes, 0 = 1024 */
	const char *const *words; /* choices, ended by NULL */
};

struct verb {
	const char *name;
	const struct argument *arguments;
	void (*handle)(struct request *); /* NULL: .role answers */
	enum role_id role;
	const char *ask;    /* what .role is asked; NULL = the verb's own name */
	const char *to;     /* "to" of document.status; NULL = none */
	unsigned fds_min, fds_max;
	unsigned seconds;   /* until a role counts as silent; 0 = 30 */
	bool changes;       /* logged, with who asked */
};

extern const struct verb control_verbs[];
extern const size_t control_verb_count;

struct request {
	struct control *control;
	struct local_client *client; /* NULL: went away */
	const struct verb *verb;
	json_t *arguments;     /* checked; "verb" removed */
	int fds[CONTROL_FDS_MAX];
	unsigned nfds;
	unsigned waiting;      /* questions without an answer */
	json_t *state;         /* of the handler; released with the request */
	void (*gathered)(struct request *); /* control_gather: what comes next */
	void *data;            /* of the handler; not released */
	TAILQ_ENTRY(request) entry;
};

struct question;

/* The box's updater, when there is one (src/update/updater.h): it calls on us. */
struct updater {
	int socket;              /* where it calls; -1: nowhere */
	struct event *listener;
	int link;                /* -1: it is not there */
	struct event *readable;
	struct request *request; /* that it works on; NULL: none */
	struct event *silence;
};

struct control {
	struct self *self;
	int socket;           /* until local has it */
	struct local *local;
	struct snapshot *snapshot; /* NULL until directory has one */
	TAILQ_HEAD(, question) questions;
	uint64_t next_id;
	uint64_t refused;
	struct updater updater;
	struct http_server *http; /* metrics-listen; NULL: off */
	int http_socket;          /* until http has it; -1 */
	struct control_log *log;
};

/* -- control_request.c */

/* Begins a request; takes line's JSON and the descriptors. */
struct request *request_new(struct control *, struct local_client *, json_t *, const int *fds,
                            unsigned nfds);
/* The client went away: answers go nowhere. */
void request_orphan(struct request *);
/* Each ends the request. answer is taken; the descriptors too. */
void request_answer(struct request *, json_t *answer, const int *fds, unsigned nfds);
void request_refuse(struct request *, enum fault, const char *detail);
/* Asks a role; query and descriptors are taken. When it cannot even be asked the callback hears so
 * before this returns. */
void request_ask(struct request *, enum role_id, unsigned index, json_t *query, const int *fds,
                 unsigned nfds, control_reply_cb);
/* The same for parent, which does not speak JSON: it reads the configuration again. The answer is
 * {"ok":true,"needs_start":TEXT} or the fault CONF_INVALID with the problems. */
void request_ask_reload(struct request *, control_reply_cb);
void control_on_reloaded(struct self *, struct peer, struct ipc_frame *);
/* Has the journal note that somebody used this verb. */
void request_note(const struct request *);
/* A callback that hands the role's answer and its descriptors to the client. */
void request_forward(struct request *, json_t *answer, struct ipc_frame *);
void control_on_reply(struct self *, struct peer, struct ipc_frame *);
void control_peer_gone(struct control *, struct peer);

/* -- control_verbs.c */

/* Finds the verb and checks the arguments; a fault is answered to the client. */
void control_dispatch(struct request *);

/* -- control_participant.c */

/* Finds the one participant that a person means: GUID, EIK, or a name that only one has. FAULT_NONE,
 * REGISTER_EMPTY, RECIPIENT_UNKNOWN or PARTICIPANT_SEVERAL. */
enum fault participant_resolve(const struct snapshot *, const char *text, struct participant *);
void participant_list(struct request *);
void participant_show(struct request *);
void participant_find(struct request *);

/* -- control_document.c */

/* document.send: resolves the recipient, asks store to commit, answers with the GUID. */
void document_send(struct request *);
void document_save(struct request *);

/* -- control_status.c */

/* status: asks every role, answers with the whole and with what is wrong first. */
void control_status(struct request *);
/* Asks every role for its status; then gathered is called with state = {"codec0": {...}, "store": null
 * (silent), ...}. */
void control_gather(struct request *, void (*gathered)(struct request *));
/* What has to be said about the node by these statuses: an array of {fault, detail}, a new reference. */
json_t *control_conditions(struct control *, const json_t *roles);
/* What speaks against this program, when a new version is on trial: an array of texts, a new reference.
 * Not the settings, the network or the register's own troubles. */
json_t *control_verdict(const json_t *roles);
void control_reload(struct request *);
/* Hands the file of a request to the verb's role. */
void control_hand_file(struct request *);

/* -- control_updater.c */

/* Opens the socket beside the control socket: <control-socket>.updater, for root and ourselves only.
 * Without it there are no updates by obmenctl; a node does not need them to run. */
void updater_open(struct control *);
bool updater_start(struct control *);
void updater_stop(struct control *);
/* update.*: hands the request to the updater. */
void control_update(struct request *);
/* -- control_log.c */

/* Keeps this process's own lines from now on, and those of others that come by control_on_log. NULL
 * without memory. */
struct control_log *control_log_new(void);
void control_log_free(struct control_log *);
void control_on_log(struct self *, struct peer, struct ipc_frame *);
/* log: the lines that match, the newest last. */
void control_log_ask(struct request *);

/* -- control_http.c */

/* Opens metrics-listen, if there is one; a busy address is a warning: figures are worth less than the
 * exchange. */
void control_http_open(struct control *);
bool control_http_start(struct control *);
void control_http_stop(struct control *);

/* -- control_metrics.c */

/* Appends all figures as OpenMetrics. */
void control_metrics(struct control *, const json_t *roles, struct buf *out);

/* -- control_mime.c */

/* The MIME type by the first bytes of the file and by its name's ending. Borrowed text. */
const char *mime_type(const char *file_name, const void *head, size_t len);

#endif
