"""Verdicts of a client's script: as those of lib.sh, and counted with them."""

import os
import subprocess
import sys
import time

VERDICTS = os.environ.get("verdicts", "/run/verdicts")
REFERENCE = bool(os.environ.get("VM_REFERENCE"))  # Debian's multipath-tools is in the place of ours


def _say(line):
    with open(VERDICTS, "a", encoding="utf-8") as verdicts:
        verdicts.write(line + "\n")


def expect(name, got, wanted):
    """The value is the one wanted."""
    if got == wanted:
        print("ok", name, flush=True)
        _say("ok " + name)
    else:
        print(f"FAIL {name}: got {got!r}, wanted {wanted!r}", flush=True)
        _say("FAIL " + name)


def wait_for(name, seconds, wanted, get):
    """What `get` returns becomes the value wanted within so many seconds."""
    end = time.monotonic() + seconds
    while (got := get()) != wanted and time.monotonic() < end:
        time.sleep(0.1)
    expect(name, got, wanted)


def output(*words):
    """What a command prints, whatever its status."""
    return subprocess.run(words, stdout=subprocess.PIPE, check=False).stdout.decode()


def wwid_of(disk):
    """The WWID of /dev/sdX, as udev has it."""
    return output("udevadm", "info", "--query=property", "--property=ID_SERIAL", "--value", disk).strip()


def map_of(disk):
    """The device-mapper name, dm-N, of the map that /dev/sdX is in, or None."""
    holders = os.listdir(f"/sys/block/{os.path.basename(disk)}/holders")
    return holders[0] if holders else None


def disks():
    """The /dev/sdX that the script was given."""
    return sys.argv[1:]
