/* Every text that people see, in Bulgarian and English, by a stable code. */
#ifndef OBMEN_CATALOGUE_H
#define OBMEN_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

enum language { LANGUAGE_BG, LANGUAGE_EN };

/*
 * A fault says what happened, what it means for the document, and what to do. Codes are stable:
 * they appear in logs, answers to peers, JSON and manuals. catalogue.def holds one row per fault:
 *	FAULT(ID, "S-101", bg_what, bg_means, bg_do, en_what, en_means, en_do)
 * ID gives the enumerator FAULT_ID. A detail (name, limit, the peer's own words) follows `what` in
 * parentheses.
 * Groups by letter: H transport (HTTP, TLS), X XML and SOAP, S signature, P participants and
 * register, D document and message rules, T store, Q queue and delivery, N the way to a
 * participant (participant test), C configuration, U use of the tools, B the box and its updates.
 */
enum fault {
	FAULT_NONE = 0,
#define FAULT(id, ...) FAULT_##id,
#include "lib/catalogue.def"
#undef FAULT
	FAULT_COUNT
};

struct fault_text {
	const char *code; /* "S-101" */
	const char *what;
	const char *means;
	const char *todo;
};

/* The texts of a fault in a language; never NULL fields. */
struct fault_text fault_text(enum fault f, enum language l);
const char *fault_code(enum fault f);
/* Finds a fault by its code; FAULT_NONE when there is none. */
enum fault fault_by_code(const char *code);
/*
 * Writes "what (detail). means do [code]", Bulgarian, then English, on one line: the form used in
 * SOAP faults and ErrorDescription, because peers may read either.
 * Returns out. detail may be NULL.
 */
char *fault_describe(enum fault f, const char *detail, char *out, size_t size);

#endif
