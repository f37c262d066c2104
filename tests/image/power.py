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
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4
MIB = 1 << 20
LAYOUT = dict(re.findall(r"^(\w+_MIB)=(\d+)", (net.TOP / "firmware/layout").read_text(), re.M))
ESP_AT, ESP_SIZE = MIB, int(LAYOUT["ESP_MIB"]) * MIB
SLOT_SIZE = int(LAYOUT["SLOT_MIB"]) * MIB
SLOT_AT = {"A": ESP_AT + ESP_SIZE, "B": ESP_AT + ESP_SIZE + SLOT_SIZE}
SYSTEM_END = SLOT_AT["B"] + SLOT_SIZE  # behind it: data, which is the store's business
KINDS = "all", "flushed", "some"


def new_log(path):
    """An empty log, to which every start of QEMU adds."""
    path.write_bytes(struct.pack("<QQQI", MAGIC, 1, 0, SECTOR).ljust(SECTOR, b"\0"))


def entries(path):
    """The log: (offset in bytes, data, flags) one after the other."""
    with open(path, "rb") as log:
        magic, version, count, size = struct.unpack("<QQQI", log.read(28))
        if magic != MAGIC or version != 1:
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
    """Says what would start from a disk. versions: {kernel file's bytes: (version, slot)}. What the tools
    said of the same bytes is remembered."""

    def __init__(self, folder, versions):
        self.image = pathlib.Path(folder) / "cut.img"
        self.versions = {hashlib.sha256(kernel).digest(): row for kernel, row in versions.items()}
        self.partitions, self.roots = {}, {}

    def tool(self, *words):
        done = subprocess.run([str(w) for w in words], capture_output=True, check=False)
        return done.returncode, done.stdout

    def kernel_files(self):
        """{name: bytes} of the kernel files of the partition in self.image; a broken one is empty."""
        status, listed = self.tool("mdir", "-b", "-i", self.image, "::EFI/Linux")
        names = [line.rsplit("/", 1)[1] for line in listed.decode().split()] if status == 0 else []
        return {name: self.tool("mtype", "-i", self.image, f"::EFI/Linux/{name}")[1] for name in names}

    def look(self):
        """(what is there, kernel files in the order in which they are tried) of self.image."""
        loader = self.tool("mtype", "-i", self.image, "::EFI/BOOT/BOOTX64.EFI")[1]
        found = self.kernel_files()
        programs = [name for name, data in found.items() if loader[:2] == data[:2] == b"MZ"]
        return (tuple(sorted((name, name in programs and len(data)) for name, data in found.items())),
                [(name, found[name]) for name in sorted(programs, key=order, reverse=True)])

    def partition(self, content):
        """What is there as it is, and after the repair that the updater makes before it writes; None when
        it cannot be repaired."""
        key = hash(content)
        if key not in self.partitions:
            self.image.write_bytes(content)
            before = self.look()
            repaired = self.tool("/usr/sbin/fsck.fat", "-a", self.image)[0] <= 1 and \
                self.tool("/usr/sbin/fsck.fat", "-n", self.image)[0] == 0
            self.partitions[key] = before, self.look() if repaired else None
        return self.partitions[key]

    def root_good(self, kernel, disk, slot):
        """Whether the root in the slot is the one that this kernel file demands."""
        command = re.search(rb'0 \d+ verity 1 \S+ \S+ 4096 4096 (\d+) \d+ sha256 (\w+) (\w+) ', kernel)
        blocks, digest, salt = (word.decode() for word in command.groups())
        content = bytes(disk[SLOT_AT[slot]:SLOT_AT[slot] + SLOT_SIZE])
        key = digest, hash(content)
        if key not in self.roots:
            self.image.write_bytes(content)
            self.roots[key] = self.tool(
                "/usr/sbin/veritysetup", "verify", "--no-superblock", "--data-blocks", blocks, "--hash-offset",
                int(blocks) * 4096, "--salt", salt, self.image, self.image, digest)[0] == 0
        return self.roots[key]

    def choice(self, programs, disk):
        """(version, slot) that starts in the end; None: nothing does."""
        for name, data in programs:
            known = self.versions.get(hashlib.sha256(data).digest())
            if known and self.root_good(data, disk, known[1]):
                return known
            if not counted(name):
                return None  # the loader takes it for good, and never tries another
        return None

    def judge(self, disk):
        """(what starts, what starts after a repair, what is on the EFI partition)."""
        before, repaired = self.partition(bytes(disk[ESP_AT:ESP_AT + ESP_SIZE]))
        return (self.choice(before[1], disk), repaired and self.choice(repaired[1], disk), before[0])


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
