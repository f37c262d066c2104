#!/usr/bin/python3
"""A peer for http_client_test and courier_test: HTTPS on loopback that behaves as its path says.

    http_peer.py FOLDER    certificates as tests/pki/make-pki makes them

Prints one line of JSON, name of listener -> port, and serves until its standard input ends.
"""
import hashlib
import itertools
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

FOLDER = sys.argv[1]
LISTENERS = {  # name: certificate, newest version of TLS
    "good": ("a", ssl.TLSVersion.TLSv1_3),
    "tls12": ("a", ssl.TLSVersion.TLSv1_2),
    "expired": ("expired", ssl.TLSVersion.TLSv1_3),
    "strange": ("selfsigned", ssl.TLSVersion.TLSv1_3),
}
connections = itertools.count(1)


class Gone(Exception):
    pass


class Connection:
    def __init__(self, sock, number):
        self.sock, self.number, self.data, self.requests = sock, number, b"", 0

    def fill(self):
        more = self.sock.recv(65536)
        if not more:
            raise Gone
        self.data += more

    def head(self):
        while b"\r\n\r\n" not in self.data:
            self.fill()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = head.decode("ascii").split("\r\n")
        method, path, _ = lines[0].split(" ")
        fields = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        return method, path, fields

    def body(self, length):
        digest, left = hashlib.sha256(), length
        while left:
            if not self.data:
                self.fill()
            part, self.data = self.data[:left], self.data[left:]
            digest.update(part)
            left -= len(part)
        return digest.hexdigest()

    def answer(self, text, status="200 OK", more=""):
        data = text.encode()
        self.sock.sendall(f"HTTP/1.1 {status}\r\nContent-Type: text/xml; charset=utf-8\r\n"
                          f"{more}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.sock.detach())
        raise Gone

    def close_orderly(self):
        try:
            self.sock.unwrap()
        except (OSError, ValueError, AttributeError):
            pass
        raise Gone

    def close_rudely(self):
        os.close(self.sock.detach())
        raise Gone

    def before_body(self, path, fields):
        """What happens once the head is read. True when the body is to be read."""
        expects = "expect" in fields
        if path == "/413":
            self.answer("too large", "413 Payload Too Large")
            time.sleep(0.3)
            self.reset()
        if path == "/417" and expects:
            self.answer("", "417 Expectation Failed")
            return False
        if path == "/reset-head":
            self.reset()
        if path == "/drop-second" and self.requests > 1:
            self.close_rudely()
        if path == "/silent":
            time.sleep(30)
        if expects and path != "/no100":
            time.sleep(0.1)
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def after_body(self, path, facts):
        send = self.sock.sendall
        if path == "/chunked":
            send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for part in ("6\r\nchunke\r\n", "1\r\nd\r\n", "0\r\n\r\n"):
                time.sleep(0.02)
                send(part.encode())
        elif path == "/huge":
            self.answer("x" * 1000000)
        elif path == "/huge-chunked":
            send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(100):
                send(b"2710\r\n" + b"x" * 10000 + b"\r\n")
            send(b"0\r\n\r\n")
        elif path == "/slow":
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
            for _ in range(8):
                time.sleep(0.6)
                send(b".")
        elif path == "/stuck":
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n...")
            time.sleep(30)
        elif path == "/reset-answer":
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
            time.sleep(0.1)
            self.reset()
        elif path == "/reset-body":
            self.reset()
        elif path == "/no-length":
            send(b"HTTP/1.0 200 OK\r\n\r\nto the end")
            self.close_orderly()
        elif path == "/no-length-rude":
            send(b"HTTP/1.0 200 OK\r\n\r\nto the e")
            self.close_rudely()
        elif path == "/garbage":
            send(b"220 mail.example.invalid ESMTP\r\n")
        elif path == "/extra":
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n")
        elif path == "/then-close":
            self.answer(json.dumps(facts))
            self.close_orderly()
        elif path.startswith("/status/"):
            self.answer("<fault/>", path[8:] + " As Asked")
        else:
            self.answer(json.dumps(facts))

    def serve(self):
        while True:
            method, path, fields = self.head()
            self.requests += 1
            if not self.before_body(path, fields):
                continue
            length = int(fields.get("content-length", 0))
            if path == "/reset-body":
                length = min(length, 100000)
            if path == "/sip":
                time.sleep(0.5)
            digest = self.body(length)
            self.after_body(path, {
                "connection": self.number, "request": self.requests, "method": method,
                "path": path, "length": length, "sha256": digest, "fields": fields,
                **self.tls_facts()})

    def tls_facts(self):
        if not isinstance(self.sock, ssl.SSLSocket):
            return {}
        return {"client": self.sock.getpeercert()["serialNumber"],
                "resumed": self.sock.session_reused, "version": self.sock.version()}


def serve_connection(context, raw):
    number = next(connections)
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(raw, server_side=True) if context else raw as sock:
            Connection(sock, number).serve()
    except (Gone, OSError, ValueError):
        pass


def accept_all(context, listener):
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=serve_connection, args=(context, raw), daemon=True).start()


def serve_on(context):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=accept_all, args=(context, listener), daemon=True).start()
    return listener.getsockname()[1]


def listen(certificate, newest):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{FOLDER}/{certificate}.pem", f"{FOLDER}/{certificate}.key")
    context.load_verify_locations(f"{FOLDER}/ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = newest
    return serve_on(context)


print(json.dumps({name: listen(*how) for name, how in LISTENERS.items()} |
                 {"plain": serve_on(None)}), flush=True)
sys.stdin.read()
