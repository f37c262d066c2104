/* Messages with an empty signature, for xmlsec1 to sign. */
#ifndef SIGNATURE_TEMPLATES_H
#define SIGNATURE_TEMPLATES_H

#include "message_fixture.h"
#include "message/signature_form.h"

#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define MORE "http://www.w3.org/2001/04/xmldsig-more#"
#define SHA256_URI "http://www.w3.org/2001/04/xmlenc#sha256"

#define HEADER(type)                                                                               \
	"<Header><Version>1</Version><MessageType>" type "</MessageType>"                          \
	"<MessageDate>2026-11-21T10:00:00.1234567+02:00</MessageDate>"                             \
	"<Sender><Identifier>990000017</Identifier><AdministrativeBodyName>А"                      \
	"</AdministrativeBodyName><GUID>{0B0E7A52-1111-4222-8333-9A9A9A9A9A01}</GUID></Sender>"    \
	"<Recipient><Identifier>990000024</Identifier><AdministrativeBodyName>Б"                   \
	"</AdministrativeBodyName><GUID>{0B0E7A52-1111-4222-8333-9A9A9A9A9A02}</GUID></Recipient>" \
	"<MessageGUID>{0B0E7A52-1111-4222-8333-9A9A9A9A9A03}</MessageGUID></Header>"
#define DOC_GUID "<DocumentGUID>{0B0E7A52-1111-4222-8333-9A9A9A9A9A04}</DocumentGUID>"
#define STATUS_BODY                                                                                \
	"<Body><DocumentStatusRequest><DocID>" DOC_GUID "</DocID></DocumentStatusRequest></Body>"
#define STATUS_MESSAGE HEADER("MSG_DocumentStatusRequest") STATUS_BODY
/* A registration request with something at the end of Document and before Comment. */
#define REQUEST_MESSAGE(inside)                                                                    \
	HEADER("MSG_DocumentRegistrationRequest")                                                  \
	"<Body><DocumentRegistrationRequest><Document><DocID><DocumentNumber><DocNumber>12"        \
	"</DocNumber><DocDate>2026-11-21</DocDate></DocumentNumber>" DOC_GUID "</DocID>"           \
	"<DocKind>Писмо</DocKind><DocAttachmentList><Attachment><AttFileName>a.txt</AttFileName>"  \
	"<AttBody>\nYWJj\nZGVm\n</AttBody><AttMIMEType>text/plain</AttMIMEType></Attachment>"      \
	"</DocAttachmentList>" inside "</Document><Comment>N/A</Comment>"                          \
	"</DocumentRegistrationRequest></Body>"

#define TRANSFORM(uri) "<Transform Algorithm=\"" uri "\"/>"
#define ENVELOPED TRANSFORM(URI_ENVELOPED)
#define REFERENCE(attributes, transforms, digest)                                                  \
	"<Reference" attributes "><Transforms>" transforms "</Transforms><DigestMethod Algorithm=\"" digest \
	"\"/><DigestValue></DigestValue></Reference>"
#define SIGNED_INFO(c14n, method, references)                                                      \
	"<SignedInfo><CanonicalizationMethod Algorithm=\"" c14n "\"/><SignatureMethod Algorithm=\"" \
	method "\"/>" references "</SignedInfo><SignatureValue></SignatureValue>"
#define X509_DATA "<KeyInfo><X509Data><X509Certificate/></X509Data></KeyInfo>"
#define SIGNATURE(info, rest) "<Signature xmlns=\"" DSIG "\">" info rest "</Signature>"
#define PLAIN_INFO                                                                                 \
	SIGNED_INFO(URI_C14N, MORE "rsa-sha256", REFERENCE(" URI=\"\"", ENVELOPED, SHA256_URI))
#define PLAIN_SIGNATURE SIGNATURE(PLAIN_INFO, X509_DATA)
#define MESSAGE_OPEN "<Message xmlns=\"" NS_MESSAGE "\">"
#define MESSAGE_CLOSE "</Message>"

/* Signs the template with xmlsec1 and returns the text; the caller frees it. */
static UNUSED char *
sign_template(const struct fixture *f, const char *template, const char *options, size_t *len)
{
	write_file(f, "template.xml", template, strlen(template));
	int status = run(f,
	    "xmlsec1 --sign %s --privkey-pem key.pem,cert.pem --output signed.xml template.xml", options);
	if (status) {
		show_log(f);
		print_message("%s\n", template);
	}
	assert_int_equal(status, 0);
	return read_file(f, "signed.xml", len);
}

/* A copy with the first `from` replaced by `to`. */
static UNUSED char *
replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *out = NULL;

	if (!at)
		fail_msg("no \"%s\" in the text", from);
	assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
	return out;
}

#endif
