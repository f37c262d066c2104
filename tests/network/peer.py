"""A participant of the exchange that shares no code with the node: messages are written with lxml,
signed with python3-cryptography, verified with xmlsec1.
"""
import base64
import copy
import datetime
import http.client
import http.server
import hashlib
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

import net

MSG = "http://schemas.egov.bg/messaging/v1"
DS = "http://www.w3.org/2000/09/xmldsig#"
SUBMIT = "http://services.egov.bg/messaging/"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
URI = "http://ereg.egov.bg/segment/0009-000001"
ACTION = '"http://services.egov.bg/messaging/IEGovService/Submit"'
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"
METHODS = {
    "sha1": (DS + "rsa-sha1", DS + "sha1", hashes.SHA1, hashlib.sha1),
    "sha256": ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
               "http://www.w3.org/2001/04/xmlenc#sha256", hashes.SHA256, hashlib.sha256),
    "sha384": ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
               "http://www.w3.org/2001/04/xmldsig-more#sha384", hashes.SHA384, hashlib.sha384),
    "sha512": ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
               "http://www.w3.org/2001/04/xmlenc#sha512", hashes.SHA512, hashlib.sha512),
}


def guid():
    return "{" + str(uuid.uuid4()) + "}"


def now():
    return datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")


def m(tag):
    return f"{{{MSG}}}{tag}"


def add(parent, tag, text=None):
    child = etree.SubElement(parent, m(tag))
    child.text = text
    return child


def _message(kind, sender, recipient, message_guid):
    root = etree.Element(m("Message"), nsmap={None: MSG})
    header = add(root, "Header")
    add(header, "Version", "1.0")
    add(header, "MessageType", "MSG_" + kind)
    add(header, "MessageDate", now())
    for tag, party in (("Sender", sender), ("Recipient", recipient)):
        element = add(header, tag)
        add(element, "Identifier", party.eik)
        add(element, "AdministrativeBodyName", party.name)
        add(element, "GUID", party.guid)
    add(header, "MessageGUID", message_guid or guid())
    return root, add(add(root, "Body"), kind)


def _document_id(parent, document_guid, number=None, date=None, tag="DocID"):
    element = add(parent, tag)
    if number is not None:
        holder = add(element, "DocumentNumber")
        add(holder, "DocNumber", number)
        add(holder, "DocDate", date or datetime.date.today().isoformat())
    add(element, "DocumentGUID", document_guid)


def registration(sender, recipient, document_guid=None, message_guid=None, number="C-1",
                 about="Проба", kind="Писмо", files=(("писмо.txt", "text/plain", b"text"),)):
    root, body = _message("DocumentRegistrationRequest", sender, recipient, message_guid)
    document = add(body, "Document")
    _document_id(document, document_guid or guid(), number)
    add(document, "DocKind", kind)
    if files:
        holder = add(document, "DocAttachmentList")
        for name, mime, data in files:
            attachment = add(holder, "Attachment")
            add(attachment, "AttFileName", name)
            add(attachment, "AttBody", base64.b64encode(data).decode())
            add(attachment, "AttMIMEType", mime)
    add(document, "DocAbout", about)
    add(body, "Comment", "N/A")
    return root


def status_request(sender, recipient, document_guid, message_guid=None):
    root, body = _message("DocumentStatusRequest", sender, recipient, message_guid)
    _document_id(body, document_guid)
    return root


def status_response(sender, recipient, document_guid, status, number=None, date=None, reason=None,
                    message_guid=None):
    root, body = _message("DocumentStatusResponse", sender, recipient, message_guid)
    _document_id(body, document_guid, number, date)
    add(body, "DocRegStatus", status)
    if reason is not None:
        add(body, "RejectionReason", reason)
    return root


def error(sender, recipient, about_guid, text="Проба", kind="ERR_EXTERNAL", message_guid=None):
    root, body = _message("Error", sender, recipient, message_guid)
    if about_guid:
        add(body, "MessageGUID", about_guid)
    add(body, "ErrorType", kind)
    add(body, "ErrorDescription", text)
    return root


def c14n(element, method):
    # As a document of its own: lxml writes wrong xmlns="" for the inclusive form of an inner element.
    alone = etree.fromstring(etree.tostring(element, with_tail=False))
    return etree.tostring(alone, method="c14n", exclusive=method == EXC, with_comments=False)


def load(participant):
    """(private key, certificate) of PEM files."""
    key = serialization.load_pem_private_key(pathlib.Path(participant.key).read_bytes(), None)
    cert = x509.load_pem_x509_certificate(pathlib.Path(participant.cert).read_bytes())
    return key, cert


def sign(root, participant, method="sha256", canon=C14N, lie_canon=None, prefix=None):
    """Appends an enveloped signature and gives the text of the message (bytes).

    lie_canon: the canonicalization that is declared instead of the computed one."""
    signature_uri, digest_uri, algorithm, digest = METHODS[method]
    key, certificate = load(participant)
    # The digest is over what a receiver will see: parse what we would write.
    root = etree.fromstring(etree.tostring(root))
    digest_value = base64.b64encode(digest(c14n(root, canon)).digest()).decode()
    declared = lie_canon or canon
    signature = etree.SubElement(root, f"{{{DS}}}Signature", nsmap={prefix: DS})

    def ds(parent, tag, text=None, **attributes):
        child = etree.SubElement(parent, f"{{{DS}}}{tag}", **attributes)
        child.text = text
        return child
    info = ds(signature, "SignedInfo")
    ds(info, "CanonicalizationMethod", Algorithm=declared)
    ds(info, "SignatureMethod", Algorithm=signature_uri)
    reference = ds(info, "Reference", URI="")
    transforms = ds(reference, "Transforms")
    ds(transforms, "Transform", Algorithm=ENVELOPED)
    if declared == EXC:
        ds(transforms, "Transform", Algorithm=EXC)
    ds(reference, "DigestMethod", Algorithm=digest_uri)
    ds(reference, "DigestValue", digest_value)
    value = key.sign(c14n(info, canon), padding.PKCS1v15(), algorithm())
    ds(signature, "SignatureValue", base64.b64encode(value).decode())
    data = ds(ds(signature, "KeyInfo"), "X509Data")
    serial = ds(data, "X509IssuerSerial")
    ds(serial, "X509IssuerName", certificate.issuer.rfc4514_string())
    ds(serial, "X509SerialNumber", str(certificate.serial_number))
    der = certificate.public_bytes(serialization.Encoding.DER)
    ds(data, "X509Certificate", base64.b64encode(der).decode())
    return b'<?xml version="1.0" encoding="utf-8"?>' + etree.tostring(root, encoding="utf-8")


def escape(text):
    return text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


def envelope(inner, cdata=False, prefix=b"s"):
    """A Submit request around the text of a message."""
    text = b"<![CDATA[" + inner + b"]]>" if cdata else escape(inner)
    p = prefix
    return (b"<" + p + b":Envelope xmlns:" + p + b'="' + SOAP.encode() + b'"><' + p + b":Body>"
            b'<Submit xmlns="' + SUBMIT.encode() + b'"><request>' + text + b"</request></Submit></"
            + p + b":Body></" + p + b":Envelope>")


def response(inner):
    """A SubmitResponse; None gives nil, b"" the empty string."""
    if inner is None:
        result = (b'<SubmitResult xsi:nil="true" '
                  b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>')
    else:
        result = b"<SubmitResult>" + escape(inner) + b"</SubmitResult>"
    return (b'<s:Envelope xmlns:s="' + SOAP.encode() + b'"><s:Body><SubmitResponse xmlns="'
            + SUBMIT.encode() + b'">' + result + b"</SubmitResponse></s:Body></s:Envelope>")


def fault(text="Server trouble"):
    return (b'<s:Envelope xmlns:s="' + SOAP.encode() + b'"><s:Body><s:Fault><faultcode>s:Server'
            b"</faultcode><faultstring>" + text.encode() + b"</faultstring></s:Fault></s:Body>"
            b"</s:Envelope>")


def request_text(body):
    """The inner message of a Submit envelope, as bytes."""
    return _inner(body, f"{{{SUBMIT}}}request")


def result_text(body):
    return _inner(body, f"{{{SUBMIT}}}SubmitResult")


def _inner(body, tag):
    found = etree.fromstring(body).find(f".//{tag}")
    if found is None:
        raise net.Failure(f"no {tag} in {body[:400]!r}")
    return (found.text or "").encode()


class Message:
    """A parsed message: fields by name."""

    def __init__(self, text):
        self.text = text
        self.root = etree.fromstring(text)

    def get(self, path):
        found = self.root.find("/".join(m(tag) for tag in path.split("/")))
        return None if found is None else (found.text or "")

    @property
    def kind(self):
        return self.get("Header/MessageType")

    @property
    def message_guid(self):
        return self.get("Header/MessageGUID")

    @property
    def status(self):
        return self.get("Body/DocumentStatusResponse/DocRegStatus")

    @property
    def document_guid(self):
        for path in ("DocumentRegistrationRequest/Document", "DocumentStatusRequest",
                     "DocumentStatusResponse"):
            value = self.get(f"Body/{path}/DocID/DocumentGUID")
            if value is not None:
                return value
        return None

    @property
    def number(self):
        return self.get("Body/DocumentStatusResponse/DocID/DocumentNumber/DocNumber")

    @property
    def error(self):
        return self.get("Body/Error/ErrorDescription")

    @property
    def algorithm(self):
        found = self.root.find(f"{{{DS}}}Signature/{{{DS}}}SignedInfo/{{{DS}}}SignatureMethod")
        return None if found is None else found.get("Algorithm")

    def attachments(self):
        """[(name, bytes)]"""
        return [(a.findtext(m("AttFileName")), base64.b64decode(a.findtext(m("AttBody"))))
                for a in self.root.iter(m("Attachment"))]


def xmlsec_verify(text, ca, certificate=None):
    """Has xmlsec1 judge a message: its chain against `ca`, or its key by `certificate`."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        file.write(text)
        file.flush()
        words = ["xmlsec1", "--verify", "--node-xpath",
                 "/*[local-name()='Message']/*[local-name()='Signature']"]
        if certificate:
            words += ["--pubkey-cert-pem", str(certificate)]
        else:
            words += ["--trusted-pem", str(ca), "--enabled-key-data", "x509"]
        done = subprocess.run(words + [file.name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise net.Failure(f"xmlsec1: {done.stdout}{done.stderr}\n{text[:2000]!r}")


def client_context(ca, participant, **options):
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(ca))
    if participant:
        if options.get("weak"):
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(participant.cert, participant.key)
    return context


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def message(self):
        return Message(result_text(self.body))

    @property
    def fault(self):
        found = etree.fromstring(self.body).find(".//faultstring")
        return None if found is None else found.text


class Client:
    """A keep-alive connection to a node as a participant."""

    def __init__(self, ca, participant, target, timeout=30, context=None):
        self.context = context or client_context(ca, participant)
        self.target = target
        self.connection = http.client.HTTPSConnection(target.host, target.port, timeout=timeout,
                                                      context=self.context)

    def post(self, body, headers=None, path=None):
        all_headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": ACTION}
        all_headers.update(headers or {})
        all_headers = {key: value for key, value in all_headers.items() if value is not None}
        self.connection.request("POST", path or self.target.path, body, all_headers)
        reply = self.connection.getresponse()
        return Answer(reply.status, reply.headers, reply.read())

    def submit(self, inner, **options):
        return self.post(envelope(inner, **options))

    def get(self, path):
        self.connection.request("GET", path)
        reply = self.connection.getresponse()
        return Answer(reply.status, reply.headers, reply.read())

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def raw_tls(ca, participant, target, context=None, timeout=30):
    """A TLS socket for bytes that no HTTP library would send."""
    context = context or client_context(ca, participant)
    plain = socket.create_connection((net.ADDRESS, target.port), timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname=target.host)


class Cut(Exception):
    """Raised by a handler: close the connection without an answer."""


class Request:
    """What a server received: the SOAP text, the parsed message, the client's certificate (DER)."""

    def __init__(self, http_request, body):
        self.path, self.headers, self.body = http_request.path, http_request.headers, body
        self.message = Message(request_text(body))
        self.certificate = http_request.request.getpeercert(True)


class Server:
    """A participant's endpoint: `handler(request)` gives (status, bytes) for each Submit. Every
    request is kept in .requests."""

    def __init__(self, participant, ca, handler=None):
        self.participant, self.handler = participant, handler
        self.requests = []
        self.connections = []
        self.lock = threading.Lock()
        # "head": close before the body is read; "body": close after it; None: answer
        self.cut = None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(participant.cert, participant.key)
        context.load_verify_locations(str(ca))
        context.verify_mode = ssl.CERT_REQUIRED
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def setup(self):
                self.request = context.wrap_socket(self.request, server_side=True)
                with outer.lock:
                    outer.connections.append(self.request)
                super().setup()

            def log_message(self, *_):
                pass

            def do_POST(self):
                outer.serve(self)

        class Threads(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Threads((net.ADDRESS, participant.port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        """Ends the open connections too, as when a program ends."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def serve(self, http_request):
        if self.cut == "head":
            http_request.close_connection = True
            return
        length = int(http_request.headers.get("Content-Length", 0))
        request = Request(http_request, http_request.rfile.read(length))
        with self.lock:
            self.requests.append(request)
        try:
            status, body = self.handler(request)
        except Cut:
            http_request.close_connection = True
            return
        http_request.send_response(status)
        http_request.send_header("Content-Type", "text/xml; charset=utf-8")
        http_request.send_header("Content-Length", str(len(body)))
        http_request.end_headers()
        http_request.wfile.write(body)

    def of_kind(self, kind):
        with self.lock:
            return [r for r in self.requests if r.message.kind == "MSG_" + kind]


def copy_of(root):
    return copy.deepcopy(root)
