"""The image in QEMU, in software emulation, driven through its serial console. Everything is found
by markers on the console, never by time; limits are generous, hosts of tests are slow."""
import os
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/network"))
import net  # noqa: E402

BOARD = os.environ.get("BOARD", "x86-64-uefi")
OUT = TOP / "build/image" / BOARD
VERSION = (TOP / "firmware/version").read_text(encoding="ascii").strip()
SECONDS = 300
HOST = "10.0.2.2"  # this machine, as QEMU's user network shows it


def record(key, value):
    """Keeps a figure for `make image-report`."""
    file = OUT / "measured"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    lines = [line for line in lines if not line.startswith(key + "=")] + [f"{key}={value}"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def parents(place):
    """a/b/c: a, a/b, a/b/c."""
    words = place.split("/") if place else []
    return ["/".join(words[:n + 1]) for n in range(len(words))]


def medium(path, label, files, folder="", size="8M"):
    """A FAT disk with a label and files: {name: text, bytes or path}."""
    net.run("truncate", "-s", size, path)
    net.run("/usr/sbin/mkfs.vfat", "-n", label, path)
    places = {f"{folder}/{name}".strip("/").rpartition("/")[0] for name in files}
    for place in sorted({p for place in places for p in parents(place)}):
        net.run("mmd", "-i", path, f"::{place}")
    for name, content in files.items():
        if isinstance(content, pathlib.Path):
            content = content.read_bytes()
        if isinstance(content, str):
            content = content.encode()
        done = subprocess.run(["mcopy", "-i", str(path), "-", f"::{folder}/{name}"], input=content,
                              capture_output=True, check=False)
        if done.returncode:
            raise net.Failure(f"mcopy {name}: {done.stderr.decode()}")
    return path


def settings(network, console, host=HOST):
    """The files of the setup medium of B; `console`: the commands that its console takes; `host`: where
    it finds this machine."""
    b = network.participants["b"]
    names = ["register.obmen.local"] + [p.host for p in network.participants.values()]
    options = dict(net.FAST, send_timeout=60, retry_first=2, retry_count=20, expire_after=3600)
    rows = [f"{key.replace('_', '-')} = {value}" for key, value in options.items()]
    conf = f"""state-directory = /data/node
ca-file = /data/conf/ca.pem
hosts-file = /data/conf/hosts
register-url = {network.register.url}
[certificate main]
file = /data/conf/node.pem
key = /data/conf/node.key
[listen 0.0.0.0:8443]
certificate = main
[participant {b.guid}]
eik = {b.eik}
name = "{b.name}"
certificate = main
"""
    return {
        "obmen.conf": "\n".join(rows) + "\n" + conf, "ca.pem": network.pki / "ca.pem",
        "node.pem": network.pki / "b.pem", "node.key": network.pki / "b.key",
        "hosts": "".join(f"{host} {name}\n" for name in names), "ntp": host + "\n",
        "console": console,
    }


def build(version, folder, **variables):
    """Builds an image of its own, compressed quickly, into `folder`; the image file."""
    net.run("firmware/image", BOARD, cwd=TOP, env={
        **os.environ, "VERSION": version, "IMAGE_OUT": str(folder), "SQUASHFS_LEVEL": "3",
        "ZSTD_LEVEL": "3", **variables})
    return folder / f"obmen-{version}.img"


def setup_medium(path, network, console):
    return medium(path, "OBMEN-SETUP", settings(network, console), "obmen")


class Machine:
    """One emulated machine; state (disk, firmware variables, TPM) stays in `folder` between starts.
    image: another image file than that of the board. options: further variables for firmware/boot."""

    def __init__(self, folder, image=None, **options):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.image, self.options = image or OUT / f"obmen-{VERSION}.img", options
        self.log = self.folder / "console.log"
        self.process = None
        self.restarts, self.environment = False, {}
        self.seen = 0  # characters of the console's text that are done with

    @property
    def disk(self):
        path = self.folder / "disk.img"
        if not self.image.exists():
            raise net.Failure(f"there is no {self.image}: make image BOARD={BOARD}")
        if not path.exists():
            net.run("cp", "--sparse=always", self.image, path)
        return path

    def start(self, forward=(), media=(), memory=256, restarts=False, qemu=""):
        """Boots. media: further disks. forward: pairs (port on this machine's loopback, port of the box).
        qemu: further words of its command line. restarts: when the box restarts itself the emulator is
        started anew: a warm one takes minutes to unpack a kernel over the code that it had translated."""
        rules = "".join(f",hostfwd=tcp:{net.ADDRESS}:{ours}-:{theirs}" for ours, theirs in forward)
        drives = [f"-drive file={m},format=raw,if=virtio,readonly=on" for m in media]
        self.restarts = restarts
        self.environment = {**os.environ, "WORK": str(self.folder), "NET0": f"user,id=n0{rules}",
                            "MEMORY": str(memory), "REBOOT": "-no-reboot",
                            "QEMU_EXTRA": " ".join(drives + [qemu]), **self.options}
        self.seen = len(self.text()) if self.log.exists() else 0
        self.power_on()
        return self

    def power_on(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(TOP / "firmware/boot"), BOARD, str(self.disk)], stdin=subprocess.PIPE,
                stdout=log, stderr=subprocess.STDOUT, env=self.environment)

    def text(self):
        """All that the console has shown since the first start."""
        return self.log.read_text(encoding="utf-8", errors="replace").replace("\r", "")

    def expect(self, pattern, seconds=SECONDS):
        """Waits for a regular expression in what has come since the last find; gives the match."""
        def found():
            ended = self.process.poll() is not None
            match = re.compile(pattern).search(self.text(), self.seen)
            if not match and ended and self.restarts and self.process.returncode == 0:
                self.power_on()
            elif not match and ended:
                raise net.Failure(f"{pattern}: the machine stopped:\n{self.text()[-1500:]}")
            return match
        try:
            match = net.wait(f"console: {pattern}", found, seconds, 0.2)
        except net.Failure as error:
            raise net.Failure(f"{error}\n{self.text()[-1500:]}") from None
        self.seen = match.end()
        return match

    def type(self, line):
        """Types a line at the console."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def command(self, *words):
        """Gives one command at the console; its output. Failure when it does not end well."""
        line = " ".join(words)
        self.type(line)
        start = self.expect(re.escape(line[-30:]) + r"\n").end()
        status = self.expect(r"obmen: done (\d+)\n")
        output = self.text()[start:status.start()]
        if status.group(1) != "0":
            raise net.Failure(f"{line}: {output}")
        return output

    def wait_end(self, seconds=SECONDS):
        """Waits until the machine has switched itself off; what its console said since then."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise net.Failure(f"the machine did not stop:\n{self.text()[-1500:]}") from None
        return self.text()[self.seen:]

    def stop(self):
        """Pulls the plug."""
        if self.process and self.process.poll() is None:
            try:
                self.process.stdin.write(b"\x01x")
                self.process.stdin.flush()
                self.process.wait(20)
            except (OSError, subprocess.TimeoutExpired):
                for pid in net.children(self.process.pid) + [self.process.pid]:
                    try:
                        os.kill(pid, 9)
                    except ProcessLookupError:
                        pass
                self.process.wait()
        self.process = None
