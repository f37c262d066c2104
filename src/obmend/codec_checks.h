/*
 * May this message be believed? The checks of protocol.md section 5, in its order, with the accept
 * and reject rules of section 4.
 */
#ifndef OBMEN_CODEC_CHECKS_H
#define OBMEN_CODEC_CHECKS_H

#include "message/message.h"
#include "message/signature.h"
#include "message/trust.h"
#include "obmend/codec.h"

/* What is checked, what was found out on the way, and the verdict. Lives within one turn. */
struct verdict {
	struct codec *codec;
	const struct message *message;
	const struct signature *signature;
	struct wire_bytes tls_certificate;
	const struct wire_answer *asked; /* an answer: what it answers; NULL: an incoming message */
	/* found out: */
	struct participant sender; /* the register's entry; guid zero until known */
	struct participant signer; /* whose registered certificate it is: sender or bridge */
	struct trusted certificate;
	bool has_certificate;
	enum fault certificate_fault; /* of trust */
	/* the verdict: */
	enum fault fault;
	char detail[256];
	bool look_up; /* the register may have changed: one look-up, then again */
};

/* Runs the checks that apply; the first refusal is the verdict. */
enum fault checks_run(struct verdict *);
/* The connection was made with the certificate that signed. */
bool checks_signer_connects(const struct verdict *);
/* Copies into job->proof who signed, before the parser goes back to its pool. */
void checks_keep_proof(struct job *, const struct verdict *);

#endif
