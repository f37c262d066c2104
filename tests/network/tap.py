"""Test cases of a script: runs them in order and prints TAP."""
import os
import sys
import tempfile
import time
import traceback

import net


class Suite:
    def __init__(self):
        self.cases = []

    def case(self, name):
        def add(function):
            self.cases.append((name, function))
            return function
        return add

    def run(self, *arguments):
        """Runs every case, also after a failed one; the exit status of the script."""
        wanted = sys.argv[1:]
        failed = 0
        for number, (name, function) in enumerate(self.cases, 1):
            if wanted and not any(word in name for word in wanted):
                continue
            started = time.monotonic()
            try:
                note = function(*arguments)
            except Exception as error:  # every case must be able to fail without ending the rest
                failed += 1
                print(f"not ok {number} - {name}: {error}")
                print("# " + traceback.format_exc().replace("\n", "\n# "), flush=True)
                continue
            if isinstance(note, Skip):
                print(f"ok {number} - {name} # SKIP {note}", flush=True)
                continue
            print(f"ok {number} - {name}", flush=True)
            print(f"# {time.monotonic() - started:.2f} s" + (f", {note}" if note else ""), flush=True)
        print(f"1..{len(self.cases)}")
        return 1 if failed else 0


class Skip(str):
    """Returned by a case that cannot run here."""


def check(condition, text):
    if not condition:
        raise net.Failure(text)


def equal(found, wanted, what=""):
    if found != wanted:
        raise net.Failure(f"{what}: {found!r} instead of {wanted!r}")


def folder():
    """A new folder for a network; below the folder of the runner, which removes it."""
    name = tempfile.mkdtemp(prefix="net-", dir=os.environ.get("TMPDIR"))
    os.chmod(name, 0o755)  # the roles of a node started as root are users of their own
    return name
