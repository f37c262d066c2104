"""A small exchange network on loopback: a register and nodes, each with its own configuration,
state and log below one folder. Used by the demo, the sandbox and the network tests.

Everything that is started here is stopped here, by its own process id.
"""
import dataclasses
import datetime
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
BUILD = BUILD if BUILD.is_absolute() else TOP / BUILD
OBMENCTL = os.environ.get("OBMENCTL", BUILD / "obmenctl")
PKI = TOP / "tests/pki"
ADDRESS = "127.0.0.1"
ZONE = ".obmen.local"
READY_SECONDS = 30


class Failure(Exception):
    """Something that had to happen did not; the text is for people."""


@dataclasses.dataclass
class Participant:
    letter: str
    guid: str
    eik: str
    name: str
    host: str
    path: str
    port: int = 0
    cert: str = ""
    key: str = ""
    serial: str = ""
    status: str = "Active"

    @property
    def url(self):
        return f"https://{self.host}:{self.port}{self.path}"

    def row(self):
        """The register's entry."""
        return {"guid": self.guid, "eik": self.eik, "name": self.name, "serial": self.serial,
                "uri": self.url, "status": self.status}


def participants():
    """The three of the demo: A and B have a node, C is played by foreign software."""
    guid = "{{0b0e7a52-{}-4222-8333-9a9a9a9a9a{}}}"
    return {
        "a": Participant("a", guid.format("1111", "01"), "990000017", "Примерна агенция",
                         "primer.obmen.local", "/DocExchangeService"),
        "b": Participant("b", guid.format("2222", "02"), "990000024", "Община Образец",
                         "obrazets.ob.obmen.local", "/EGovService.svc"),
        "c": Participant("c", guid.format("3333", "03"), "990000031", "Институт за проби",
                         "proba.obmen.local", "/messaging.svc"),
    }


_ports = set()


def free_port():
    """A loopback port below the range from which the kernel takes ports for outgoing connections,
    so that nothing takes it while its owner restarts."""
    while True:
        port = random.randrange(12000, 32000)
        if port in _ports:
            continue
        with socket.socket() as s:
            try:
                s.bind((ADDRESS, port))
            except OSError:
                continue
        _ports.add(port)
        return port


def resolve_locally():
    """Makes this process find every name under obmen.local on loopback."""
    original = socket.getaddrinfo

    def getaddrinfo(host, *rest, **named):
        if isinstance(host, str) and host.endswith(ZONE):
            host = ADDRESS
        return original(host, *rest, **named)
    socket.getaddrinfo = getaddrinfo


def wait(what, check, seconds=10.0, pause=0.02):
    """Calls check() until it gives something true, and gives that back."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(f"{what}: не се случи за {seconds:g} s")
        time.sleep(pause)


def run(*words, **named):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False,
                          **named)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, words))}: {done.stderr or done.stdout}")
    return done.stdout


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def reachable(folder):
    """Whether users without rights get as far as this folder."""
    folder = pathlib.Path(folder)
    return all(parent.stat().st_mode & 0o001 for parent in [folder, *folder.parents])


def own_group():
    # A group of its own: Ctrl-C reaches us first and we stop the others in order. Not a session
    # of its own: what runs the tests ends our session if we are killed.
    os.setpgid(0, 0)


class Process:
    """A started program with its log."""

    def __init__(self, name, words, log, environment=None):
        self.name, self.log = name, log
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                [str(w) for w in words], stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, preexec_fn=own_group, cwd=TOP,
                env=dict(os.environ, **(environment or {})))
        self.pid = self.process.pid

    def alive(self):
        return self.process.poll() is None

    def check(self):
        if not self.alive():
            raise Failure(f"{self.name} спря със състояние {self.process.returncode}; "
                          f"виж {self.log}:\n{self.tail()}")

    def tail(self, lines=15):
        with open(self.log, errors="replace", encoding="utf-8") as file:
            return "".join(file.readlines()[-lines:])

    def stop(self, how=signal.SIGTERM, seconds=10):
        """Ends the program and, if it has to be forced, its children too; gives its status."""
        if self.alive():
            family = children(self.pid)
            self.process.send_signal(how)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                for pid in family + [self.pid]:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        return self.process.wait()


class Register:
    """The stand-in register with its data file."""

    def __init__(self, net, host="register.obmen.local"):
        self.net, self.process = net, None
        self.port = free_port()
        self.url = f"https://{host}:{self.port}/service/"
        self.data = net.folder / "register.json"
        self.log = net.folder / "register.log"
        self.extra = []
        self.published = {}

    def write(self, rows=None, misbehave=None):
        """Publishes these rows (default: the network's participants)."""
        if rows is None:
            rows = [p.row() for p in self.net.participants.values()] + self.extra
        rows = [self.dated(row) for row in rows]
        content = {"participants": rows}
        if misbehave:
            content["misbehave"] = misbehave
        new = self.data.with_suffix(".new")
        new.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        new.rename(self.data)

    def dated(self, row):
        """The row with its LastChange: the moment when it was first published in this form."""
        seen, changed = self.published.get(row["guid"], (None, None))
        if row != seen:
            changed = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
            self.published[row["guid"]] = (dict(row), changed)
        return dict(row, last_change=changed)

    def start(self):
        pki = self.net.pki
        self.process = Process("register", [
            TOP / "tests/register/register.py", "--address", ADDRESS, "--port", self.port,
            "--cert", pki / "register.pem", "--key", pki / "register.key", "--ca", pki / "ca.pem",
            "--data", self.data], self.log)
        wait_port(self.process, self.port)

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None


def wait_port(process, port):
    def answers():
        process.check()
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex((ADDRESS, port)) == 0
    wait(f"{process.name}: порт {port}", answers, READY_SECONDS)


# Times of a node for tests: seconds where the defaults have minutes.
FAST = {"retry_first": 1, "retry_count": 4, "poll_first": 1, "poll_interval": 1, "expire_after": 60,
        "hold_interval": 1, "register_interval": 1, "register_lookup_interval": 1,
        "send_timeout": 3, "breaker_pause": 1, "disk_reserve": "1MiB"}


class Node:
    """One obmend with the participants that it serves."""

    def __init__(self, net, letter, served=None, **options):
        self.net, self.letter, self.process = net, letter, None
        self.folder = net.folder / letter
        self.state = self.folder / "state"
        self.socket = self.folder / "run/control"
        self.conf = self.folder / "obmen.conf"
        self.log = self.folder / "log"
        self.served = served or [net.participants[letter]]
        self.options = options
        self.peers = []    # lines of [peer] sections
        self.wrapper = []  # words before the program
        self.program = BUILD / "obmend"
        for participant in self.served:
            participant.port = participant.port or free_port()

    @property
    def participant(self):
        return self.served[0]

    def write_conf(self):
        self.folder.mkdir(exist_ok=True)
        general = {
            "state-directory": self.state, "control-socket": self.socket, "language": "bg",
            "ca-file": self.net.pki / "ca.pem", "hosts-file": self.net.hosts,
            "register-url": self.net.register.url,
        }
        if self.net.user is not None and "user_prefix" not in self.options:
            general["user-prefix"] = f'"{self.net.user}"'
            for p in self.served:
                if self.net.user:
                    shutil.chown(p.key, self.net.user)
        general.update({key.replace("_", "-"): value for key, value in self.options.items()})
        lines = [f"{key} = {value}" for key, value in general.items() if value is not None]
        seen = {}
        for number, p in enumerate(self.served):
            name = seen.setdefault(p.cert, f"c{number}")
            if name == f"c{number}":
                lines += ["", f"[certificate {name}]", f"file = {p.cert}", f"key = {p.key}"]
        for port, cert in {p.port: p.cert for p in self.served}.items():
            lines += ["", f"[listen {ADDRESS}:{port}]", f"certificate = {seen[cert]}"]
        for p in self.served:
            lines += ["", f"[participant {p.guid}]", f"eik = {p.eik}", f'name = "{p.name}"',
                      f"certificate = {seen[p.cert]}"]
        self.conf.write_text("\n".join(lines + self.peers) + "\n", encoding="utf-8")

    def start(self, ready=True):
        self.write_conf()
        self.process = Process(f"obmend {self.letter}",
                               [*self.wrapper, self.program, "-c", self.conf], self.log)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        wait_port(self.process, self.served[0].port)

        def loaded():
            self.process.check()
            try:
                return self.ctl("register", "show").get("count", 0) > 0
            except Failure:
                return False
        wait(f"{self.process.name}: регистър", loaded, READY_SECONDS)

    def stop(self, how=signal.SIGTERM):
        if self.process:
            status = self.process.stop(how)
            self.process = None
            return status
        return None

    def restart(self, how=signal.SIGTERM):
        self.stop(how)
        return self.start()

    def roles(self):
        """{"codec0": pid, ...} of the running roles."""
        found = {}
        for pid in children(self.process.pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().decode(errors="replace").split("\0")
            except OSError:
                continue
            if "--role" in words:
                name = words[words.index("--role") + 1]
                index = words[words.index("--index") + 1] if "--index" in words else ""
                found[name + index] = pid
        return found

    def fake_clock(self, offset=0):
        """From its next start the node lives by the clock of the machine plus some seconds."""
        self.program = BUILD / "tests/tools/clock_node"
        self.folder.mkdir(exist_ok=True)
        self.clock = self.folder / "state.clock"
        self.set_clock(offset)
        return self

    def set_clock(self, offset):
        """All roles see it at once."""
        with open(self.clock, "r+b" if self.clock.exists() else "w+b", buffering=0) as file:
            file.write(int(offset).to_bytes(8, sys.byteorder, signed=True))

    def ctl_text(self, *words, check=True):
        """Runs obmenctl as a person would; gives (status, output)."""
        done = subprocess.run([str(w) for w in (OBMENCTL, "-s", self.socket, *words)],
                              capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode != 0:
            raise Failure(f"obmenctl {' '.join(map(str, words))}: {done.stderr or done.stdout}")
        return done.returncode, done.stdout + done.stderr

    def ctl(self, *words):
        """Runs obmenctl --json and gives its object; Failure when it refuses."""
        done = subprocess.run(
            [str(w) for w in (OBMENCTL, "-s", self.socket, "--json", *words)],
            capture_output=True, text=True, check=False, timeout=60)
        try:
            value = json.loads(done.stdout)
        except ValueError:
            value = None
        if done.returncode != 0 or value is None:
            raise Failure(f"obmenctl {' '.join(map(str, words))}: {done.stdout}{done.stderr}")
        return value

    def send(self, to, files, number=None, date=None, about=None, kind=None, own=None):
        """Sends a document; gives its GUID."""
        words = ["document", "send", "--to", to.guid]
        for option, value in (("--number", number), ("--date", date), ("--about", about),
                              ("--kind", kind), ("--from", own and own.guid)):
            words += [option, value] if value else []
        return self.ctl(*words, *files)["document"]

    def documents(self, direction=None, **filters):
        words = ["document", "list"] + (["--" + direction] if direction else [])
        for key, value in filters.items():
            words += [f"--{key}", value]
        return self.ctl(*words)["documents"]

    def show(self, document):
        return self.ctl("document", "show", document)["document"]

    def wait_state(self, document, *states, seconds=15.0):
        """Waits until the document is in one of the states; gives it."""
        last = {}

        def there():
            self.process.check()
            last.update(self.show(document))
            return last["state"] in states
        try:
            wait(f"{document} при {self.letter}", there, seconds)
        except Failure as error:
            raise Failure(f"{error}; {last.get('state')} вместо {states}: "
                          f"{json.dumps(last.get('timeline'), ensure_ascii=False)}") from None
        return last

    def wait_incoming(self, guid, seconds=15.0):
        """Waits until a document with this GUID has come in; gives its row of the list."""
        def there():
            return next((d for d in self.documents("in") if d["guid"] == guid), None)
        return wait(f"{guid} при {self.letter}", there, seconds, 0.05)

    def ask(self, verb, **fields):
        """One request on the control socket, without a process: for loops."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(str(self.socket))
            s.sendall(json.dumps({"verb": verb, **fields}).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                piece = s.recv(65536)
                if not piece:
                    raise Failure(f"{verb}: няма отговор")
                data += piece
        return json.loads(data)


class Network:
    """The whole; use with `with`."""

    def __init__(self, folder, tables=("demo.table",)):
        self.folder = pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        # Started as root the roles become nobody; where nobody cannot go they have to stay root.
        self.user = None
        if os.geteuid() == 0:
            self.user = "nobody" if reachable(self.folder) else ""
        self.pki = self.folder / "pki"
        self.hosts = self.folder / "hosts"
        self.tables = [PKI / table for table in tables]
        self.participants = participants()
        self.nodes = {}
        run(PKI / "make-pki", self.pki, *self.tables)
        serials = {}
        for table in self.tables:
            for line in table.read_text(encoding="utf-8").splitlines():
                fields = line.split("|")
                if not line.startswith("#") and len(fields) == 7:
                    serials[fields[0]] = fields[6]
        self.serials = serials
        for letter, participant in self.participants.items():
            self.give_certificate(participant, letter)
        names = ["register.obmen.local"] + [p.host for p in self.participants.values()]
        self.hosts.write_text("".join(f"{ADDRESS} {name}\n" for name in names), encoding="utf-8")
        self.register = Register(self)

    def give_certificate(self, participant, file):
        participant.cert = str(self.pki / f"{file}.pem")
        participant.key = str(self.pki / f"{file}.key")
        participant.serial = self.serials[file]

    def add_participant(self, participant, file):
        """One more participant with the certificate `file` of the PKI."""
        self.participants[participant.letter] = participant
        self.give_certificate(participant, file)
        with open(self.hosts, "a", encoding="utf-8") as hosts:
            hosts.write(f"{ADDRESS} {participant.host}\n")
        return participant

    def node(self, letter, served=None, **options):
        self.nodes[letter] = Node(self, letter, served, **options)
        return self.nodes[letter]

    def start(self):
        for participant in self.participants.values():
            participant.port = participant.port or free_port()
        self.register.write()
        self.register.start()
        for node in self.nodes.values():
            node.start(ready=False)
        for node in self.nodes.values():
            node.wait_ready()
        return self

    def stop(self):
        for node in self.nodes.values():
            node.stop()
        self.register.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def stop_on_signals():
    """SIGTERM ends the program like Ctrl-C does: through the finally clauses. Ctrl-C counts also
    where a shell started us in the background, with it ignored."""
    def end(number, _frame):
        raise SystemExit(128 + number)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def fail(text):
    print(f"ГРЕШКА: {text}", file=sys.stderr)
    return 1
