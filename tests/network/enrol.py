"""The authority in the place of the stand-in register: it lists the participants, and the nodes get their
certificates from it by CMP, each by its own `obmenctl cert request`."""
import json
import pathlib
import socket

import net

CTL = net.BUILD / "obmenctl"


class Authority(net.Register):
    """obmen-authorityd with the network's CA. Nodes ("a", "b") enrol when it starts."""

    def __init__(self, network, enrolled=("a", "b")):
        super().__init__(network)
        self.enrolled = enrolled
        self.folder = network.folder / "authority"
        self.control, self.plain = self.folder / "control", net.free_port()
        self.http = f"http://{net.ADDRESS}:{self.plain}"
        self.log = self.folder / "log"

    def write(self, rows=None, misbehave=None):
        """What the stand-in reads from a file is told to the authority, when it runs."""

    def start(self):
        pki = self.net.pki
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        conf = self.folder / "obmen-authority.conf"
        conf.write_text(
            f'state-directory = {self.folder / "state"}\ncontrol-socket = {self.control}\nuser-prefix = ""\n'
            f'name = "Орган на пробния обмен"\nname-en = "Authority of the trial exchange"\n'
            f'tls-file = {pki / "register.pem"}\ntls-key = {pki / "register.key"}\n'
            f'clients-file = {pki / "ca.pem"}\nca-file = {pki / "ca.pem"}\nca-key = {pki / "ca/ca.key"}\n'
            f'crl-url = {self.http}/crl\nocsp-url = {self.http}/ocsp\n'
            f'[listen {net.ADDRESS}:{self.port}]\n[listen {net.ADDRESS}:{self.plain}]\ntls = no\n',
            encoding="utf-8")
        self.process = net.Process("obmen-authorityd", [net.BUILD / "obmen-authorityd", "-c", conf], self.log)
        net.wait_port(self.process, self.plain)
        net.wait("удостоверителят", self.ready, net.READY_SECONDS)
        for letter, p in self.net.participants.items():
            self.add(p, letter in self.enrolled)
            if letter in self.enrolled:
                self.enrol(p)

    def ready(self):
        try:
            return self.ask("ca-certificates").get("ok")
        except OSError:
            return False

    def ask(self, verb, **fields):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(net.READY_SECONDS)
            s.connect(str(self.control))
            s.sendall(json.dumps({"verb": verb, **fields}).encode() + b"\n")
            return json.loads(s.makefile(encoding="utf-8").readline() or "{}")

    def must(self, verb, **fields):
        answer = self.ask(verb, **fields)
        if not answer.get("ok"):
            raise net.Failure(f"{verb}: {answer}")
        return answer

    def add(self, p, enrols):
        record = {"guid": p.guid, "eik": p.eik, "name": p.name, "uri": p.url, "status": p.status}
        if not enrols:
            record["certificate_serial"] = p.serial
        self.must("participant-add", record=record, reason="пробен обмен")

    def enrol(self, p):
        """Reference and secret from the authority, the rest is the node's own command."""
        made = self.must("reference-create", guid=p.guid, valid_for=3600)
        for file in p.key, p.cert:
            pathlib.Path(file).unlink()
        net.run(CTL, "cert", "request", "--server", self.http, "--name", p.host, "--eik", p.eik, "--reference",
                made["reference"], "--key", p.key, "--cert", p.cert, "--ca", self.net.pki / "ca.pem", "--wait",
                str(net.READY_SECONDS), input=made["secret"] + "\n")
        p.serial = self.must("participant-show", guid=p.guid)["participant"]["certificate_serial"]
