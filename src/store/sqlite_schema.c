#include "store/sqlite_schema.h"

#include <stddef.h>

/*
 * Moments are nanoseconds since 1970, GUIDs 16 bytes, enumerations the numbers of states.h, wire.h
 * and message.h. `fault` is the code of the catalogue ("Q-102").
 */
static const char step_1[] =
    /* Participants that we have met: ourselves too. */
    "CREATE TABLE party("
    " id INTEGER PRIMARY KEY, guid BLOB NOT NULL UNIQUE, name TEXT, eik TEXT,"
    " sha256_seen INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE certificate("
    " id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, first INTEGER NOT NULL,"
    " der BLOB NOT NULL);"
    /* Exact bytes: in data, or in the file spool/<id> when data is NULL. */
    "CREATE TABLE body("
    " id INTEGER PRIMARY KEY, size INTEGER NOT NULL, sha256 BLOB NOT NULL, data BLOB);"
    "CREATE TABLE document("
    " id INTEGER PRIMARY KEY, direction INTEGER NOT NULL, state INTEGER NOT NULL,"
    " since INTEGER NOT NULL, accepted INTEGER NOT NULL, expire INTEGER,"
    " guid BLOB NOT NULL, guid_text TEXT, own INTEGER NOT NULL REFERENCES party,"
    " peer INTEGER NOT NULL REFERENCES party,"
    " number TEXT, date TEXT, uri_register TEXT, uri_sequence TEXT, uri_date TEXT,"
    " peer_number TEXT, peer_date TEXT, peer_uri_register TEXT, peer_uri_sequence TEXT,"
    " peer_uri_date TEXT, reason TEXT, date_close TEXT, kind TEXT, about TEXT,"
    " fault TEXT, detail TEXT,"
    " details INTEGER REFERENCES body, attachments INTEGER REFERENCES body);"
    /* Not the GUID alone: one document may go to several recipients, and a GUID that another sender
     * uses too must neither hide a document nor show somebody else's status. */
    "CREATE UNIQUE INDEX document_key ON document(guid, direction, own, peer);"
    "CREATE INDEX document_state ON document(direction, state);"
    "CREATE INDEX document_direction ON document(direction);"
    "CREATE INDEX document_peer ON document(peer);"
    "CREATE INDEX document_expire ON document(expire) WHERE expire IS NOT NULL;"
    /* Messages that came, with our answer; messages that we wrote (answers to them: attempt). */
    "CREATE TABLE message("
    " id INTEGER PRIMARY KEY, direction INTEGER NOT NULL, type INTEGER NOT NULL,"
    " guid BLOB NOT NULL, guid_text TEXT, date TEXT, document INTEGER REFERENCES document,"
    " own INTEGER NOT NULL, peer INTEGER NOT NULL, at INTEGER NOT NULL,"
    " body INTEGER REFERENCES body, method INTEGER, fingerprint BLOB, address TEXT,"
    " tls INTEGER REFERENCES certificate, certificate INTEGER REFERENCES certificate,"
    " fault TEXT, answer INTEGER REFERENCES body, answer_guid BLOB);"
    /* A refused message does not occupy its GUID: anybody could take it from the rightful one. */
    "CREATE UNIQUE INDEX message_in ON message(guid) WHERE direction = 0 AND fault IS NULL;"
    "CREATE INDEX message_out ON message(guid) WHERE direction = 1;"
    "CREATE INDEX message_document ON message(document) WHERE document IS NOT NULL;"
    "CREATE INDEX message_refused ON message(at) WHERE fault IS NOT NULL;"
    /* Phase: enum delivery_phase. */
    "CREATE TABLE delivery("
    " document INTEGER PRIMARY KEY REFERENCES document, peer INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, phase INTEGER NOT NULL, due INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL DEFAULT 0, polls INTEGER NOT NULL DEFAULT 0,"
    " reached INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 0,"
    " message INTEGER, attempt INTEGER);"
    "CREATE INDEX delivery_pending ON delivery(peer, due) WHERE phase = 1;"
    "CREATE INDEX delivery_sending ON delivery(document) WHERE phase = 2;"
    "CREATE INDEX delivery_queue ON delivery(due) WHERE phase > 0;"
    "CREATE TABLE attempt("
    " id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES document,"
    " message INTEGER NOT NULL REFERENCES message, kind INTEGER NOT NULL,"
    " generation INTEGER NOT NULL, started INTEGER NOT NULL, sent INTEGER, ended INTEGER,"
    " outcome INTEGER, url TEXT, http_status INTEGER, fault TEXT, detail TEXT,"
    " answer INTEGER REFERENCES body, answer_guid BLOB, method INTEGER, fingerprint BLOB,"
    " tls INTEGER REFERENCES certificate, certificate INTEGER REFERENCES certificate);"
    "CREATE INDEX attempt_document ON attempt(document);"
    "CREATE TABLE event("
    " id INTEGER PRIMARY KEY, document INTEGER NOT NULL, at INTEGER NOT NULL,"
    " event INTEGER NOT NULL, text TEXT);"
    "CREATE INDEX event_document ON event(document);"
    /* Documents by state, counted as they change: counting a million rows would stop the writer. */
    "CREATE TABLE tally("
    " direction INTEGER NOT NULL, state INTEGER NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY(direction, state)) WITHOUT ROWID;"
    "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 31)"
    " INSERT INTO tally SELECT d.n, s.n, 0 FROM s, (SELECT 0 AS n UNION SELECT 1) AS d;"
    "CREATE TRIGGER document_new AFTER INSERT ON document BEGIN"
    " UPDATE tally SET n = n + 1 WHERE direction = NEW.direction AND state = NEW.state; END;"
    "CREATE TRIGGER document_moved AFTER UPDATE OF state ON document BEGIN"
    " UPDATE tally SET n = n - 1 WHERE direction = OLD.direction AND state = OLD.state;"
    " UPDATE tally SET n = n + 1 WHERE direction = NEW.direction AND state = NEW.state; END;";

/*
 * The journal (journal.h): entry is the canonical text, digest covers it and the digest before. A
 * message and an attempt name their entry, so that none can be slipped in. stamp: what time stamp
 * authorities said of a digest; archive: ranges that were moved to files, oldest first.
 */
static const char step_2[] =
    "CREATE TABLE journal("
    " sequence INTEGER PRIMARY KEY, document INTEGER, message INTEGER, attempt INTEGER,"
    " state INTEGER, digest BLOB NOT NULL, entry TEXT NOT NULL);"
    "CREATE INDEX journal_document ON journal(document) WHERE document IS NOT NULL;"
    "ALTER TABLE message ADD COLUMN entry INTEGER;"
    "ALTER TABLE attempt ADD COLUMN entry INTEGER;"
    "CREATE TABLE stamp("
    " sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, digest BLOB NOT NULL,"
    " token BLOB NOT NULL);"
    "CREATE TABLE archive("
    " last INTEGER PRIMARY KEY, first INTEGER NOT NULL, at INTEGER NOT NULL, file TEXT NOT NULL,"
    " sha256 BLOB NOT NULL, digest BLOB NOT NULL);"
    "CREATE TRIGGER document_gone AFTER DELETE ON document BEGIN"
    " UPDATE tally SET n = n - 1 WHERE direction = OLD.direction AND state = OLD.state; END;";

/* reader: the oldest schema whose program can use this store; one row. */
static const char step_3[] =
    "CREATE TABLE compatible(reader INTEGER NOT NULL);"
    "INSERT INTO compatible VALUES(0);";

const char *const schema_steps[SCHEMA_VERSION] = {step_1, step_2, step_3};
