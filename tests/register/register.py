#!/usr/bin/python3
"""A stand-in for the register of participants: HTTPS with mutual TLS, SOAP rpc/encoded as in
protocol.md section 7, for tests, `make demo` and `make sandbox`.

    register.py --cert FILE --key FILE --ca FILE [--port N] [--data FILE] [--synthetic N] ...

Prints `register: listening on https://ADDRESS:PORT/service/` and serves until it is ended by
SIGTERM or SIGINT. With --port 0 the system picks a port; --port-file FILE gets the number, written
whole, so that a script can wait for the file.

--data FILE     JSON, read again whenever it changes (replace it by rename, or write it at once).
                Either a list of participants or {"participants": [...], "misbehave": {...}}.
                A participant: guid, eik, name, serial (required); uri, parent, phone, fax, email,
                status, service_name, service_status, version, last_change, services (defaults:
                participants.py). No uri = no service.
--control FILE  JSON {"misbehave": {...}}, also read again when it changes; wins over --data.
--synthetic N   adds N generated participants.
--log FILE      one line per request: TIME OPERATION ARGUMENT CLIENT-CN STATUS

"misbehave": {"what": KIND, "operations": ["GetAllRecords", ...] (default all),
              "times": N (default always), ...}. KINDs:
    truncate   half of the answer, complete as HTTP    drop      closes after half of the answer
    garbage    bytes that are not XML                  empty     HTTP 200 without a body
    fault      SOAP fault, HTTP 500                    http-500  HTML page, HTTP 500
    stall      no answer for "seconds" (60)            slow      the answer over "seconds" (5)
    shrink     only the first "keep" (1) participants  dtd       entity expansion ("billion laughs")
    types      values of the wrong types               multiref  href/id form (valid)
    shuffle    other order, unknown elements (valid)   endless   an answer that never ends
"""
import argparse
import json
import os
import random
import re
import signal
import socket
import ssl
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True

import answers  # noqa: E402
import participants  # noqa: E402


class Watched:
    """A JSON file that is read again when it changes."""

    def __init__(self, path):
        self.path, self.stamp, self.value = path, None, None

    def get(self):
        if self.path is None:
            return None
        try:
            s = os.stat(self.path)
            stamp = (s.st_mtime_ns, s.st_size, s.st_ino)
            if stamp != self.stamp:
                with open(self.path, encoding="utf-8") as f:
                    self.value = json.load(f)
                self.stamp = stamp
        except FileNotFoundError:
            self.stamp, self.value = None, None
        except ValueError as e:  # written half: the old value stays until the next request
            print("register: %s: %s" % (self.path, e), file=sys.stderr, flush=True)
        return self.value


class Register:
    """What the register knows, and how it misbehaves just now."""

    def __init__(self, options):
        self.lock = threading.Lock()
        self.data, self.control = Watched(options.data), Watched(options.control)
        self.synthetic = participants.synthetic(options.synthetic)
        self.log = open(options.log, "a", encoding="utf-8") if options.log else None
        self.told = {}  # misbehaviour as text: how often it was shown

    def entities(self):
        with self.lock:
            raw = self.data.get() or []
        if isinstance(raw, dict):
            raw = raw.get("participants", [])
        return [participants.complete(e) for e in raw] + self.synthetic

    def misbehaviour(self, operation):
        with self.lock:
            data = self.data.get()
            wanted = (self.control.get() or {}).get("misbehave")
            if wanted is None and isinstance(data, dict):
                wanted = data.get("misbehave")
            if not wanted or operation not in wanted.get("operations", [operation]):
                return {}
            key = json.dumps(wanted, sort_keys=True)
            self.told[key] = self.told.get(key, 0) + 1
            return wanted if self.told[key] <= wanted.get("times", self.told[key]) else {}

    def find(self, operation, argument):
        """Participants that answer the operation."""
        found = self.entities()
        if operation == "GetNewRecords":
            since = participants.moment(argument)
            return [e for e in found if participants.moment(e["last_change"]) >= since]
        if operation == "GetByEntityIdentifier":
            return [e for e in found if e["eik"] == argument]
        if operation == "GetByGuid":
            return [e for e in found if e["guid"].lower() == argument.lower()]
        if operation == "GetByCertificateSN":
            return [e for e in found if e["serial"].upper() == argument.upper()]
        return found

    def note(self, operation, argument, name, status):
        if self.log:
            with self.lock:
                print("%.3f %s %s %s %d" % (time.time(), operation, argument or "-", name or "-",
                                            status), file=self.log, flush=True)


LAUGHS = ('<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a0 "ha">%s]>\n<x>&a9;</x>' % "".join(
    '<!ENTITY a%d "%s">' % (i, ("&a%d;" % (i - 1)) * 10) for i in range(1, 10))).encode()


def wrong_types(e, i):
    """Each participant is wrong in another way; the third of four is right."""
    broken = dict(e, rendered=None)
    if i % 4 == 0:
        broken["guid"] = "not a guid"
    elif i % 4 == 1:
        broken.update(last_change="yesterday", status="Perhaps", serial="no hex")
    elif i % 4 == 3:
        broken["services"] = [dict(s, version="many", uri="not a uri") for s in e["services"]]
    return broken


def shuffled(body):
    """Leaves of every item in another order, with elements that nobody knows."""
    text = b"".join(body).decode()
    rng = random.Random(1)

    def mix(match):
        leaves = re.findall(r"<(?:Phone|Fax|EmailAddress)\b[^>]*?(?:/>|>[^<]*</[A-Za-z]+>)", match[2])
        leaves.append("<Pager><Number>1</Number></Pager>")
        rng.shuffle(leaves)
        return match[1] + "".join(leaves) + match[3]

    text = re.sub(r"(<Contact [^>]*>)(.*?)(</Contact>)", mix, text, flags=re.S)
    text = re.sub(r'(<item xsi:type="tns:Entity">)', r'\1<Region><Services><item><Guid>'
                  r'{7060efa8-f1fa-4938-8b2b-12a78c86988f}</Guid><URI>https://wrong.invalid/'
                  r'</URI></item></Services></Region>', text)
    return [text.encode()]


class Misbehaving(Exception):
    """The connection is to be closed without more."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Apache"
    sys_version = ""

    def handle(self):
        try:
            super().handle()
        except (Misbehaving, OSError):
            self.close_connection = True

    def client_name(self):
        subject = (self.connection.getpeercert() or {}).get("subject", ())
        return "".join(v for part in subject for k, v in part if k == "commonName")

    def send_body(self, status, body, kind="text/xml; charset=utf-8", pause=0.0):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(sum(map(len, body))))
        self.end_headers()
        for i in range(0, len(body), 512):
            self.wfile.write(b"".join(body[i:i + 512]))
            time.sleep(pause)

    def do_GET(self):
        query = self.path.lower().partition("?")[2]
        if query not in ("wsdl", "xsd=encoding"):
            self.send_body(404, [b"not found\n"], "text/plain")
            return
        if query == "xsd=encoding":
            self.send_body(200, [answers.ENCODING.encode()])
            return
        location = "https://%s%s" % (self.headers.get("Host", ""), self.path.split("?")[0])
        self.send_body(200, [answers.wsdl(location).encode()])

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            operation, argument = parse_request(data)
        except ValueError as e:
            self.server.register.note("-", None, self.client_name(), 500)
            self.send_body(500, answers.fault("Client", str(e)))
            return
        wrong = self.server.register.misbehaviour(operation)
        status = 500 if wrong.get("what") in ("fault", "http-500") else 200
        self.server.register.note(operation, argument, self.client_name(), status)
        found = self.server.register.find(operation, argument)
        if wrong:
            self.misbehave(operation, found, wrong)
        else:
            self.send_body(200, answers.answer(operation, found))

    def misbehave(self, operation, found, wrong):
        what = wrong["what"].replace("-", "_")
        method = getattr(self, "wrong_" + what, None)
        if method is None:
            self.send_body(500, answers.fault("Server", "unknown misbehaviour " + what))
        else:
            method(operation, found, wrong)

    def wrong_truncate(self, operation, found, wrong):
        body = b"".join(answers.answer(operation, found))
        self.send_body(200, [body[:len(body) // 2]])

    def wrong_drop(self, operation, found, wrong):
        body = b"".join(answers.answer(operation, found))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2])
        raise Misbehaving

    def wrong_garbage(self, operation, found, wrong):
        self.send_body(200, [random.Random(2).randbytes(4000)])

    def wrong_empty(self, operation, found, wrong):
        self.send_body(200, [])

    def wrong_fault(self, operation, found, wrong):
        self.send_body(500, answers.fault("Server", wrong.get("text", "Procedure failed <1>")))

    def wrong_http_500(self, operation, found, wrong):
        self.send_body(500, [b"<html><body>Internal Server Error</body></html>"], "text/html")

    def wrong_stall(self, operation, found, wrong):
        time.sleep(wrong.get("seconds", 60))
        raise Misbehaving

    def wrong_slow(self, operation, found, wrong):
        body = b"".join(answers.answer(operation, found))
        step = len(body) // 10 + 1
        pieces = [body[i:i + step] for i in range(0, len(body), step)]
        self.send_body(200, [p for piece in pieces for p in [piece] + [b""] * 511],
                       pause=wrong.get("seconds", 5) / 10)

    def wrong_shrink(self, operation, found, wrong):
        self.send_body(200, answers.answer(operation, found[:wrong.get("keep", 1)]))

    def wrong_dtd(self, operation, found, wrong):
        self.send_body(200, [LAUGHS])

    def wrong_types(self, operation, found, wrong):
        broken = [wrong_types(e, i) for i, e in enumerate(found)]
        self.send_body(200, answers.answer(operation, broken))

    def wrong_multiref(self, operation, found, wrong):
        self.send_body(200, answers.multiref_answer(operation, found))

    def wrong_shuffle(self, operation, found, wrong):
        self.send_body(200, shuffled(answers.answer(operation, found)))

    def wrong_endless(self, operation, found, wrong):
        body = answers.answer(operation, found)
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[0])
        filler = b"<item><Guid>" + b"x" * 100 + b"</Guid></item>"
        while True:
            self.wfile.write(filler * 1000)

    def log_message(self, *unused):
        pass


def parse_request(data):
    """The operation and its argument; the part's name is not looked at, as PHP does not."""
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as e:
        raise ValueError("Bad Request: %s" % e)
    body = root.find("{http://schemas.xmlsoap.org/soap/envelope/}Body")
    if body is None or len(body) == 0:
        raise ValueError("Bad Request: no Body")
    call = body[0]
    operation = call.tag.rpartition("}")[2]
    if operation not in answers.OPERATIONS or not call.tag.startswith("{uri:egovmsg}"):
        raise ValueError("Function ('%s') is not a valid method for this service" % operation)
    argument = "".join(call[0].itertext()).strip() if len(call) else None
    if answers.OPERATIONS[operation][0] and not argument:
        raise ValueError("%s needs a parameter" % operation)
    return operation, argument


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, context, register):
        super().__init__(address, Handler)
        self.context, self.register = context, register

    def finish_request(self, request, client_address):
        # The handshake happens here, in the connection's own thread.
        request.settimeout(120)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.context.wrap_socket(request, server_side=True) as tls:
            super().finish_request(tls, client_address)

    def handle_error(self, request, client_address):
        print("register: %s: %s" % (client_address[0], sys.exc_info()[1]), file=sys.stderr, flush=True)


def tls_context(options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(options.cert, options.key)
    context.load_verify_locations(options.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def parse_options():
    p = argparse.ArgumentParser(description="stand-in register of participants",
                                epilog="See the text at the top of the file.")
    p.add_argument("--address", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--port-file")
    p.add_argument("--cert", required=True)
    p.add_argument("--key", required=True)
    p.add_argument("--ca", required=True)
    p.add_argument("--data")
    p.add_argument("--control")
    p.add_argument("--synthetic", type=int, default=0)
    p.add_argument("--log")
    return p.parse_args()


def main():
    options = parse_options()
    register = Register(options)
    for e in register.synthetic:
        e["rendered"] = answers.entity(e).encode()
    server = Server((options.address, options.port), tls_context(options), register)
    port = server.server_address[1]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *unused: os._exit(0))
    if options.port_file:
        with open(options.port_file + ".new", "w", encoding="ascii") as f:
            f.write("%d\n" % port)
        os.rename(options.port_file + ".new", options.port_file)
    print("register: listening on https://%s:%d/service/" % (options.address, port), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
