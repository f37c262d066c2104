"""The disk of a box after a power cut. QEMU logs every write and flush of a run (blklogwrites, the form
of the kernel's dm-log-writes); from that the disk is made as it may be when the power goes before any
of them: with all that was written until then, with what was flushed only, or with some of the rest by
chance. Then tools that are not ours judge what would start: mtools and fsck.fat read the EFI partition,
veritysetup the slot; the choice between kernel files is that of systemd-boot."""
import hashlib
import os
import pathlib
import random
import re
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
import net

SECTOR = 512
FLUSH, FUA, DISCARD = 1, 2, 4
MIB = 1 << 20
LAYOUT = dict(re.findall(r"^(\w+_MIB)=(\d+)", (net.TOP / "firmware/layout").read_text(), re.M))
ESP_AT, ESP_SIZE = MIB, int(LAYOUT["ESP_MIB"]) * MIB
SLOT_SIZE = int(LAYOUT["SLOT_MIB"]) * MIB
SLOT_AT = {"A": ESP_AT + ESP_SIZE, "B": ESP_AT + ESP_SIZE + SLOT_SIZE}
SYSTEM_END = SLOT_AT["B"] + SLOT_SIZE  # behind it: data, which is the store's business
KINDS = "all", "flushed", "some"


def entries(path):
    """The log: (offset in bytes, data, flags) one after the other."""
    with open(path, "rb") as log:
        magic, version, count, size = struct.unpack("<QQQI", log.read(28))
        if magic != 0x6A736677736872 or version != 1:
            raise net.Failure(f"{path} is no log of writes")
        log.seek(size)
        for _ in range(count):
            sector, sectors, flags, length = struct.unpack("<QQQQ", log.read(size)[:32])
            data = b"" if flags & DISCARD else log.read(sectors * size)
            if len(data) < (0 if flags & DISCARD else length):
                return
            yield sector * size, data, flags


def cuttings(log, disk):
    """All moments: (number of the entry before which the power goes, disk as it is durable then, writes
    that are not). `disk` (a bytearray) follows; both are valid until the next one."""
    pending = []
    number = 0
    for number, (at, data, flags) in enumerate(log):
        yield number, disk, pending
        if flags & FLUSH:
            apply(disk, pending)
            pending.clear()
        if data and flags & FUA:
            apply(disk, [(at, data)])
        elif data:
            pending.append((at, data))
    yield number + 1, disk, pending


def apply(disk, writes):
    for at, data in writes:
        end = min(at + len(data), len(disk))
        if at < end:
            disk[at:end] = data[:end - at]


def survivors(pending, kind, seed):
    """What of the last writes to the system reaches the disk; with "some", sectors are lost one by one."""
    pending = [(at, data) for at, data in pending if at < SYSTEM_END]
    if kind != "some":
        return pending if kind == "all" else []
    chance = random.Random(seed)
    return [(at + offset, data[offset:offset + SECTOR]) for at, data in pending
            for offset in range(0, len(data), SECTOR) if chance.random() < 0.5]


def after(disk, pending, kind, seed):
    """The disk of one kind after a cut."""
    result = bytearray(disk)
    apply(result, survivors(pending, kind, seed))
    return result


class Judge:
    """Says what would start from a disk. versions: {kernel file's bytes: (version, slot, root's bytes)}"""

    def __init__(self, folder, versions):
        self.esp = pathlib.Path(folder) / "cut-esp.img"
        self.root = pathlib.Path(folder) / "cut-root.img"
        self.versions = {hashlib.sha256(kernel).digest(): (version, slot)
                         for kernel, (version, slot) in versions.items()}
        self.verified = {}

    def files(self):
        """Kernel files by name. mtools reads them; a broken chain is an unreadable file."""
        listed = subprocess.run(["mdir", "-b", "-i", self.esp, "::EFI/Linux"], capture_output=True,
                                text=True, check=False)
        found = {}
        for line in listed.stdout.split():
            name = line.rsplit("/", 1)[1]
            got = subprocess.run(["mtype", "-i", self.esp, f"::EFI/Linux/{name}"], capture_output=True,
                                 check=False)
            found[name] = got.stdout if got.returncode == 0 else b""
        return found

    def root_good(self, kernel, disk, slot):
        """Whether the root in the slot is the one that this kernel file demands."""
        command = re.search(rb'0 (\d+) verity 1 \S+ \S+ 4096 4096 (\d+) \d+ sha256 (\w+) (\w+) ', kernel)
        blocks, digest, salt = int(command.group(2)), command.group(3).decode(), command.group(4).decode()
        content = disk[SLOT_AT[slot]:SLOT_AT[slot] + SLOT_SIZE]
        key = digest, hashlib.sha256(content).digest()
        if key not in self.verified:
            self.root.write_bytes(content)
            self.verified[key] = subprocess.run(
                ["/usr/sbin/veritysetup", "verify", "--no-superblock", "--data-blocks", str(blocks),
                 "--hash-offset", str(blocks * 4096), "--salt", salt, self.root, self.root, digest],
                capture_output=True, check=False).returncode == 0
        return self.verified[key]

    def choice(self, disk):
        """(version, slot) that starts in the end, None: none; and what was seen on the way."""
        self.esp.write_bytes(disk[ESP_AT:ESP_AT + ESP_SIZE])
        found = self.files()
        loader = subprocess.run(["mtype", "-i", self.esp, "::EFI/BOOT/BOOTX64.EFI"], capture_output=True,
                                check=False).stdout
        seen = tuple(sorted((name, data[:2] == b"MZ" and len(data)) for name, data in found.items()))
        if loader[:2] != b"MZ":
            return None, seen
        for name in sorted((n for n, data in found.items() if data[:2] == b"MZ"), key=order, reverse=True):
            known = self.versions.get(hashlib.sha256(found[name]).digest())
            if known and self.root_good(found[name], disk, known[1]):
                return known, seen
            if not counted(name):
                return None, seen  # the loader takes it for good, and never tries another
        return None, seen

    def repaired(self, disk):
        """The same disk after the repair that the updater makes before it writes."""
        self.esp.write_bytes(disk[ESP_AT:ESP_AT + ESP_SIZE])
        status = subprocess.run(["/usr/sbin/fsck.fat", "-a", self.esp], capture_output=True,
                                check=False).returncode
        again = subprocess.run(["/usr/sbin/fsck.fat", "-n", self.esp], capture_output=True,
                               check=False).returncode
        result = bytearray(disk)
        result[ESP_AT:ESP_AT + ESP_SIZE] = self.esp.read_bytes()
        return result if status <= 1 and again == 0 else None


def counted(name):
    return re.search(r"\+(\d+)", name)


def order(name):
    """As systemd-boot sorts, the first one last: no tries left come after all others, then by version."""
    count = counted(name)
    version = re.search(r"_([\d.]+)-", name)
    return (not count or int(count.group(1)) > 0,
            [int(n) for n in version.group(1).split(".")] if version else [], name)


def system_of(path):
    """The bytes of a disk up to the data partition."""
    with open(path, "rb") as disk:
        return bytearray(disk.read(SYSTEM_END))


def write_disk(base, log, number, kind, seed, target):
    """The same as a whole disk, with the data partition as it was flushed."""
    net.run("cp", "--sparse=always", base, target)
    durable, pending = [], []
    for n, (at, data, flags) in enumerate(entries(log)):
        if n == number:
            break
        if flags & FLUSH:
            durable += pending
            pending = []
        pending += [(at, data)] if data else []
    with open(target, "r+b") as disk:
        for at, data in durable + survivors(pending, kind, seed):
            disk.seek(at)
            disk.write(data)
