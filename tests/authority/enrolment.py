"""A running authority on loopback, for tests: its CA, its control socket, plain and TLS listeners."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
GUID = "{0b0e7a52-1111-4222-8333-9a9a9a9a9a01}"
NAME, EIK = "primer.obmen.local", "990000017"
PATIENCE = 60  # seconds for what takes one


class Silence(Exception):
    """The other side went away without an answer."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, condition):
    """Waits for a condition; its value."""
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.1)


class Authority:
    """Use with `with`. Lines of configuration override or add to the defaults."""

    def __init__(self, **options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="obmen-authority-"))
        self.plain, self.tls = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.plain}"
        self.log = open(self.folder / "log", "ab")
        self.process = None
        table = self.folder / "table"
        table.write_text("server|good|register.obmen.local|990000000|Authority|Sofia|0A00000000000001\n")
        subprocess.run([ROOT / "tests/pki/make-pki", self.folder / "pki", table], check=True)
        (self.folder / "state").mkdir()
        self.ca = self.folder / "pki/ca.pem"
        values = {"state-directory": self.folder / "state", "control-socket": self.folder / "control",
                  "user-prefix": '""', "name": '"Пробен орган"', "name-en": '"Test authority"',
                  "tls-file": self.folder / "pki/server.pem", "tls-key": self.folder / "pki/server.key",
                  "clients-file": self.ca, "ca-file": self.ca, "ca-key": self.folder / "pki/ca/ca.key",
                  "ocsp-url": self.url + "/ocsp", "crl-url": self.url + "/crl",
                  "certificate-days": 300, "renewal-days": 365}
        values.update({key.replace("_", "-"): value for key, value in options.items()})
        self.values, self.conf = values, self.folder / "authority.conf"
        self.set_options({})

    def set_options(self, options):
        self.values.update(options)
        values = self.values
        self.conf.write_text("".join(f"{key} = {value}\n" for key, value in values.items()) +
                             f"[listen 127.0.0.1:{self.tls}]\n[listen 127.0.0.1:{self.plain}]\ntls = no\n")

    def __enter__(self):
        self.start()
        return self

    def start(self):
        self.process = subprocess.Popen([BUILD / "obmen-authorityd", "-c", self.conf], stdout=self.log,
                                        stderr=self.log, start_new_session=True)
        until("the authority is up", self.is_up)

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError("the authority ended:\n" + (self.folder / "log").read_text())
        try:
            return self.ask("ca-certificates").get("ok")
        except (OSError, Silence):
            return False

    def kill(self):
        """Ends every process of it at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.stop()
        if kind:
            print("# " + (self.folder / "log").read_text().replace("\n", "\n# ")[-6000:])
        self.forget()

    def forget(self):
        self.log.close()
        shutil.rmtree(self.folder)

    def check(self, *command, **kwargs):
        """A command that must succeed; its output."""
        status, output = self.run(*command, **kwargs)
        assert status == 0, output
        return output

    def ask(self, verb, **fields):
        """One question on the control socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(str(self.folder / "control"))
            s.sendall(json.dumps({"verb": verb, **fields}).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                piece = s.recv(65536)
                if not piece:
                    raise Silence(f"{verb}: no answer")
                data += piece
        return json.loads(data)

    def ask_as_nobody(self, verb, **fields):
        """The same by another person on the machine; needs root."""
        os.chmod(self.folder, 0o711)
        os.chmod(self.folder / "control", 0o666)
        script = ("import json, socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
                  "s.sendall(sys.argv[2].encode() + b'\\n')\nprint(s.makefile().readline())")
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", script,
                               self.folder / "control", json.dumps({"verb": verb, **fields})], stdout=subprocess.PIPE,
                              timeout=2 * PATIENCE, check=True)
        return json.loads(done.stdout)

    def must(self, verb, **fields):
        answer = self.ask(verb, **fields)
        if not answer.get("ok"):
            raise AssertionError(f"{verb}: {answer}")
        return answer

    def add_participant(self, guid=GUID, name=NAME, eik=EIK):
        record = {"guid": guid, "eik": eik, "name": "Примерна агенция", "status": "Inactive",
                  "email": "contact@example.invalid", "uri": f"https://{name}:8443/"}
        return self.must("participant-add", record=record, reason="test")

    def reference(self, guid=GUID):
        made = self.must("reference-create", guid=guid, valid_for=3600)
        return made["reference"], made["secret"]

    def run(self, *command, **kwargs):
        """A command in the folder; (status, output of both streams)."""
        done = subprocess.run([str(part) for part in command], cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=2 * PATIENCE, **kwargs)
        return done.returncode, done.stdout.decode(errors="replace")
