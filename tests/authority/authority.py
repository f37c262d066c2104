"""An authority of a test: the daemon on loopback with a PKI of its own, its socket, its register."""
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/network"))
import net  # noqa: E402

BUILD = ROOT / os.environ.get("BUILD", "build")
ENVELOPE = ('<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/" xmlns:u="uri:egovmsg"'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
            ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"><E:Body>%s</E:Body></E:Envelope>')
ROWS = """register|good|register.obmen.local|990000001|Registar|Sofia|115B3C4D5E6F7001
a|good|primer.obmen.local|990000017|Primerna agentsiya|Sofia|0A1B2C3D4E5F6071
b|good|obrazets.ob.obmen.local|990000024|Obshtina Obrazets|Obrazets|2B1C3D4E5F607182
ivan|good|ivan.obmen.local|990000031|Ivan|Sofia|7C2D3E4F50617283
maria|good|maria.obmen.local|990000048|Maria|Sofia|7C2D3E4F50617284
nobody|good|nobody.obmen.local|990000055|Nobody|Sofia|7C2D3E4F50617285
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Refused(Exception):
    """The ledger said no."""

    def __init__(self, answer):
        super().__init__(json.dumps(answer, ensure_ascii=False))
        self.fault, self.field = answer.get("fault"), answer.get("field")


class Authority:
    def __init__(self, folder, options="", pki=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pki = pki or self.make_pki()
        self.port = free_port()
        self.socket = self.folder / "control"
        self.log = self.folder / "log"
        self.conf = self.folder / "obmen-authority.conf"
        (self.folder / "state").mkdir(exist_ok=True)
        self.conf.write_text(f"""state-directory = {self.folder}/state
control-socket = {self.socket}
user-prefix = ""
name = "Орган за проби"
name-en = "Trial authority"
tls-file = {self.pki}/register.pem
tls-key = {self.pki}/register.key
clients-file = {self.pki}/ca.pem
desks = 2
{options}
[listen 127.0.0.1:{self.port}]
""", encoding="utf-8")
        self.process = None

    def make_pki(self):
        table = self.folder / "pki.table"
        table.write_text(ROWS, encoding="ascii")
        subprocess.run([ROOT / "tests/pki/make-pki", self.folder / "pki", table], check=True,
                       stdout=subprocess.DEVNULL)
        return self.folder / "pki"

    def start(self):
        seen = self.log.read_text("utf-8").count("event=ready") if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([BUILD / "obmen-authorityd", "-c", self.conf], stderr=log)
        net.wait("the authority", lambda: self.process.poll() is not None or
                 self.log.read_text("utf-8").count("event=ready") > seen, 60)
        if self.process.poll() is not None:
            raise net.Failure("it ended: " + self.log.read_text("utf-8")[-2000:])
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self):
        self.process.kill()
        self.process.wait(60)

    def roles(self):
        """{"ledger": [pid, ...], ...} of the running daemon."""
        found = {}
        for line in subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
                                   stdout=subprocess.PIPE, text=True).stdout.splitlines():
            words = line.split()
            if "--role" in words:
                found.setdefault(words[words.index("--role") + 1], []).append(int(words[0]))
        return found

    def ask(self, verb, fds=(), **fields):
        """What the socket answers; Refused when it says no."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(str(self.socket))
            line = json.dumps({"verb": verb, **fields}).encode() + b"\n"
            socket.send_fds(s, [line], list(fds))
            data = b""
            while not data.endswith(b"\n"):
                more, got, _, _ = socket.recv_fds(s, 1 << 20, 4)
                if not more:
                    raise ConnectionError("the socket was closed")
                data += more
                self.fds = got
        answer = json.loads(data)
        if not answer.get("ok"):
            raise Refused(answer)
        return answer

    def context(self, who):
        context = ssl.create_default_context(cafile=self.pki / "ca.pem")
        context.check_hostname = False
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT if hasattr(ssl, "VERIFY_X509_STRICT") else -1
        context.load_cert_chain(self.pki / f"{who}.pem", self.pki / f"{who}.key")
        return context

    def http(self, who, method, path, body=None, headers=None):
        c = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context(who), timeout=60)
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    def soap(self, who, call, path="/service/"):
        return self.http(who, "POST", path, (ENVELOPE % call).encode())


def record(number, **fields):
    """A participant of the synthetic kind."""
    return {"guid": "{%08x-0000-4000-8000-000000000000}" % number, "eik": "%09d" % (800000000 + number),
            "name": f"Администрация {number}", "status": "Active",
            "certificate_serial": "%016X" % (0x1000000000000000 + number),
            "uri": f"https://p{number}.obmen.local:8443/DocExchangeService", **fields}
