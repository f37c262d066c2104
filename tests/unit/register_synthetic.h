/* Participants that nobody has, in the shape of the production register (protocol.md sections 1
 * and 7), and the register's answer about them. Shared by the tests of the register. */
#ifndef OBMEN_TEST_REGISTER_SYNTHETIC_H
#define OBMEN_TEST_REGISTER_SYNTHETIC_H

#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "register/snapshot.h"

struct synthetic {
	char eik[16], name[160], phone[32], fax[32], email[48], serial[20], service[64], uri[128],
	    version[8], changed[40];
	struct participant p;
};

static inline uint64_t
synthetic_mix(uint64_t x)
{
	x = (x ^ (x >> 31)) * 0x7fb5d329728ea185u;
	x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44du;
	return x ^ (x >> 33);
}

static inline void
synthetic_guid(unsigned i, struct guid *g)
{
	uint64_t a = synthetic_mix(i + 1), b = synthetic_mix(a);

	memcpy(g->b, &a, 8);
	memcpy(g->b + 8, &b, 8);
}

/* Fourteen bodies in a thousand live behind one address with one certificate. */
static inline void
synthetic_certificate(unsigned i, struct synthetic *s)
{
	static const char *const paths[] = {"", "/messaging.svc", "/DocExchangeService", "/submitmsg.php",
		"/service.svc?wsdl", "/seos.nsf/exchange?OpenAgent&x=1"};

	if (i % 1000 < 14) {
		snprintf(s->serial, sizeof s->serial, "0ED0%012X", i / 1000);
		snprintf(s->uri, sizeof s->uri, "https://edelivery%u.obmen.local/SEOSService.svc", i / 1000);
	} else {
		snprintf(s->serial, sizeof s->serial, "%016llX",
		    (unsigned long long)(synthetic_mix(i + 7777777) >> 1));
		snprintf(s->uri, sizeof s->uri, "https://body%u.ob.obmen.local:%u%s", i, 443 + i % 25549,
		    paths[i % 6]);
	}
}

/* Fills *s; its strings live in s. */
static inline void
synthetic_make(unsigned i, struct synthetic *s)
{
	static const char *const names[] = {"Община Примерово %u", "Агенция „Пример“ & син %u",
		"\tДирекция \"Проба\" %u ", "Областна <Измислица> - %u"};
	static const char *const versions[] = {"0", "1", "2", "4", "188"};

	memset(s, 0, sizeof *s);
	snprintf(s->eik, sizeof s->eik, i % 25 < 16 ? "%09u" : "%013u", i * 7);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(s->name, sizeof s->name, names[i % 4], i);
#pragma GCC diagnostic pop
	if (i % 9)
		snprintf(s->phone, sizeof s->phone, "02 %06u", i);
	if (i % 3 == 0)
		snprintf(s->fax, sizeof s->fax, "02 %06u", i + 1);
	snprintf(s->email, sizeof s->email, "body%u@example.invalid", i);
	snprintf(s->service, sizeof s->service, "Документооборот %u", i % 196);
	snprintf(s->version, sizeof s->version, "%s", versions[i % 5]);
	snprintf(s->changed, sizeof s->changed, "20%02u-0%u-1%uT10:%02u:00+02:00", 10 + i % 14, 1 + i % 9,
	    i % 10, i % 60);
	synthetic_certificate(i, s);
	s->p = (struct participant){.eik = s->eik, .name = s->name, .phone = s->phone, .fax = s->fax,
		.email = s->email, .certificate_serial = s->serial, .service_name = s->service,
		.uri = s->uri, .service_version = s->version};
	s->p.entity_status = i % 656 == 655 ? PARTICIPANT_INACTIVE : PARTICIPANT_ACTIVE;
	s->p.service_status = i % 777 == 776 ? PARTICIPANT_TEMPORARILY_INACTIVE : PARTICIPANT_ACTIVE;
	s->p.status = participant_status_effective(s->p.entity_status, s->p.service_status);
	synthetic_guid(i, &s->p.guid);
	if (i > 21 && i % 4 == 0)
		synthetic_guid(i % 21, &s->p.parent);
	when_parse(&s->p.last_change, s->changed, strlen(s->changed));
}

static inline void
synthetic_leaf(struct buf *b, const char *name, const char *type, const char *value)
{
	if (!*value) {
		buf_addf(b, "<%s xsi:nil=\"true\"/>", name);
		return;
	}
	buf_addf(b, "<%s xsi:type=\"xsd:%s\">", name, type);
	buf_add_xml(b, value, strlen(value));
	buf_addf(b, "</%s>", name);
}

#define SYNTHETIC_HEAD                                                                             \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SOAP-ENV:Envelope "                          \
	"xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:ns1=\"uri:egovmsg\" "  \
	"xmlns:tns=\"uri:egovmsg\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" "                \
	"xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "                                 \
	"xmlns:SOAP-ENC=\"http://schemas.xmlsoap.org/soap/encoding/\"><SOAP-ENV:Body>"             \
	"<ns1:GetAllRecordsResponse><return xsi:type=\"tns:EGovMessageDir\">"                      \
	"<Entities SOAP-ENC:arrayType=\"tns:Entity[1]\" xsi:type=\"SOAP-ENC:Array\">"
#define SYNTHETIC_TAIL                                                                             \
	"</Entities><LastChange xsi:type=\"xsd:dateTime\">2024-03-01T10:00:00+02:00</LastChange>"  \
	"</return></ns1:GetAllRecordsResponse></SOAP-ENV:Body></SOAP-ENV:Envelope>\n"

/* Appends one entity as the register writes it. */
static inline void
synthetic_entity(struct buf *b, const struct synthetic *s)
{
	char guid[GUID_TEXT_SIZE], parent[GUID_TEXT_SIZE];

	guid_format(&s->p.guid, guid);
	guid_format(&s->p.parent, parent);
	buf_adds(b, "<item xsi:type=\"tns:Entity\">");
	synthetic_leaf(b, "EntityIdentifier", "string", s->eik);
	synthetic_leaf(b, "Guid", "string", guid);
	synthetic_leaf(b, "ParentGuid", "string", parent);
	synthetic_leaf(b, "AdministrativeBodyName", "string", s->name);
	buf_adds(b, "<Contact xsi:type=\"tns:Contact\">");
	synthetic_leaf(b, "Phone", "string", s->phone);
	synthetic_leaf(b, "Fax", "string", s->fax);
	synthetic_leaf(b, "EmailAddress", "string", s->email);
	buf_adds(b, "</Contact>");
	synthetic_leaf(b, "CertificateSN", "string", s->serial);
	buf_adds(b, "<Services SOAP-ENC:arrayType=\"tns:Service[1]\" xsi:type=\"SOAP-ENC:Array\">"
	            "<item xsi:type=\"tns:Service\">");
	synthetic_leaf(b, "Guid", "string", SERVICE_DOCUMENT_EXCHANGE);
	synthetic_leaf(b, "Name", "string", s->service);
	synthetic_leaf(b, "URI", "anyURI", s->uri);
	synthetic_leaf(b, "Status", "string", participant_status_name(s->p.service_status));
	synthetic_leaf(b, "Type", "string", "service");
	synthetic_leaf(b, "Version", "integer", s->version);
	buf_adds(b, "</item></Services>");
	synthetic_leaf(b, "LastChange", "dateTime", s->changed);
	synthetic_leaf(b, "Status", "string", participant_status_name(s->p.entity_status));
	buf_adds(b, "</item>");
}

#endif
