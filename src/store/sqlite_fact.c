/* Small facts about others: who they are, which certificates they showed, what they can read. */
#include <string.h>
#include "message/signature.h"
#include "store/sqlite.h"

bool
db_proof_save(struct store *s, const struct wire_proof *p, struct proven *out, struct journal_entry *e)
{
	if (!db_certificate_id(s, p->tls_certificate, &out->tls))
		return false;
	memcpy(out->tls_sha256, s->certificate_sha256, sizeof out->tls_sha256);
	if (!db_certificate_id(s, p->certificate, &out->certificate))
		return false;
	memcpy(out->sha256, s->certificate_sha256, sizeof out->sha256);
	e->connection = out->tls ? out->tls_sha256 : NULL;
	e->certificate = out->certificate ? out->sha256 : e->connection;
	if (!out->certificate)
		out->certificate = out->tls;
	return true;
}

bool
db_party_id(struct store *s, const struct guid *guid, const char *name, const char *eik,
            int64_t *id)
{
	bool same = true;
	struct query q = sql(s, SQL_PARTY_GET);

	*id = 0;
	put_guid(&q, guid);
	put_text(&q, name);
	put_text(&q, eik);
	if (query_row(&q)) {
		*id = get_int(&q);
		same = get_int(&q);
	}
	if (!query_end(&q))
		return false;
	if (*id && (same || (!name && !eik)))
		return true;
	bool add = *id == 0;
	struct query change = sql(s, add ? SQL_PARTY_ADD : SQL_PARTY_NAME);
	if (add)
		put_guid(&change, guid);
	else
		put_int(&change, *id);
	put_text(&change, name);
	put_text(&change, eik);
	if (!query_run(&change))
		return false;
	if (add)
		*id = sqlite3_last_insert_rowid(s->db);
	return true;
}

bool
db_party_find(struct store *s, const struct guid *guid, int64_t *id)
{
	struct query q = sql(s, SQL_PARTY_GET);

	*id = 0;
	put_guid(&q, guid);
	return query_number(&q, id) || !s->why;
}

bool
db_party_heard(struct store *s, int64_t party, uint64_t method)
{
	if (method < SIGNATURE_RSA_SHA256)
		return true;
	struct query q = sql(s, SQL_PARTY_SHA256);
	put_int(&q, party);
	return query_run(&q);
}

bool
db_certificate_id(struct store *s, struct wire_bytes der, int64_t *id)
{
	uint8_t sha256[32];

	*id = 0;
	if (der.len == 0)
		return true;
	if (!EVP_DigestInit_ex2(s->digest, s->sha256, NULL) ||
	    !EVP_DigestUpdate(s->digest, der.data, der.len) ||
	    !EVP_DigestFinal_ex(s->digest, sha256, NULL)) {
		s->why = FAULT_STORE_FAILED;
		return false;
	}
	memcpy(s->certificate_sha256, sha256, sizeof sha256);
	struct query q = sql(s, SQL_CERTIFICATE_GET);
	put_bytes(&q, sha256, sizeof sha256);
	if (query_number(&q, id))
		return true;
	if (s->why)
		return false;
	struct query add = sql(s, SQL_CERTIFICATE_ADD);
	put_bytes(&add, sha256, sizeof sha256);
	put_when(&add, s->now);
	put_bytes(&add, der.data, der.len);
	if (!query_run(&add))
		return false;
	*id = sqlite3_last_insert_rowid(s->db);
	return true;
}

int
db_certificate_open(struct store *s, const uint8_t sha256[32])
{
	struct query q = sql(s, SQL_CERTIFICATE_DER);
	int fd = -1;

	put_bytes(&q, sha256, 32);
	if (query_row(&q)) {
		struct wire_bytes der = get_bytes(&q);
		fd = wire_memfd("certificate", der.data, der.len);
	}
	query_end(&q);
	return fd;
}
