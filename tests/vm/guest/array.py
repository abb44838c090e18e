#!/usr/bin/python3
"""Disks of arrays that nobody has: answers every SCSI command of the kernel's user-space backstores (target_core_user.h).

array.py FOLDER: each folder in FOLDER is a disk, and what it answers is in its files, which may change at any time:

    vendor product revision serial    of its INQUIRY data and page 80h
    inquiry                           the rest of the INQUIRY data, from byte 36 on, as text
    wwid                              16 or 32 hexadecimal digits for page 83h
    volume                            the file FOLDER/NAME.data holds the blocks; the disk's own name if there is none
    OPCODE[.BYTE]                     another answer to this command, in hexadecimal: 12 INQUIRY, 12.c9 a page of it,
                                      a3.2a (byte 1) REPORT TARGET PORT GROUPS, 5a.0a (byte 2) a mode page

An answer is bytes in hexadecimal, `sense KEY ASC ASCQ`, `sense-data BYTES`, `status BYTE`, `ignore` (the kernel ends the command
after 30 s), or `good`; after `once ` it holds for one command. For each TEST UNIT READY a byte is added to the file `ready`.
"""
import mmap
import os
import select
import struct
import sys
import time
from pathlib import Path

PAD, COMMAND = 0, 1
READ_LENGTH = 2  # mailbox flag, and that of an entry
BLOCK = 512
GOOD, CHECK_CONDITION = 0, 2
READS = {0x08: 6, 0x28: 10, 0xA8: 12, 0x88: 16}
WRITES = {0x0A: 6, 0x2A: 10, 0xAA: 12, 0x8A: 16}
SILENT_SUCCESS = {0x00, 0x1B, 0x15, 0x55, 0x35, 0x91, 0x1E, 0x2F}


class Refused(Exception):
    """CHECK CONDITION with this sense."""


class Ignored(Exception):
    """No answer at all."""


class Status(Exception):
    """This status byte, and perhaps sense data of any kind."""


def fixed_sense(key, asc, ascq):
    return bytes([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0])


class Disk:
    """What one disk answers."""

    def __init__(self, folder, size):
        self.folder, self.size = folder, size
        self.ready = open(folder / "ready", "ab", buffering=0)

    def word(self, name, default):
        try:
            return (self.folder / name).read_text().strip()
        except FileNotFoundError:
            return default

    def data(self):
        path = self.folder.parent / (self.word("volume", self.folder.name) + ".data")
        handle = os.open(path, os.O_RDWR | os.O_CREAT)
        os.ftruncate(handle, self.size)
        return handle

    def inquiry(self):
        data = bytearray(96)
        data[2], data[3], data[7] = 5, 2, 2
        data[5] = int(self.word("tpgs", "0")) << 4
        for at, length, name, default in ((8, 8, "vendor", "LAB"), (16, 16, "product", "ARRAY"), (32, 4, "revision", "0001")):
            data[at : at + length] = self.word(name, default).encode("latin1").ljust(length)[:length]
        rest = self.word("inquiry", "").encode("latin1")
        data[36 : 36 + len(rest)] = rest
        data[4] = len(data) - 5
        return bytes(data)

    def page(self, code):
        if code == 0x00:
            own = {int(path.name[3:], 16) for path in self.folder.glob("12.??")}
            pages = bytes(sorted({0x00, 0x80, 0x83} | own))
            return bytes([0, 0, 0, len(pages)]) + pages
        if code == 0x80:
            serial = self.word("serial", self.word("wwid", "0")).encode("latin1")
            return struct.pack(">BBH", 0, 0x80, len(serial)) + serial
        if code == 0x83:
            name = bytes.fromhex(self.word("wwid", "6001405000000000"))
            body = bytes([1, 3, 0, len(name)]) + name
            group = self.word("group", "")
            if group:
                body += bytes([0x61, 0x94, 0, 4, 0, 0, 0, 1, 0x61, 0x95, 0, 4, 0, 0, 0, int(group)])
            return struct.pack(">BBH", 0, 0x83, len(body)) + body
        raise Refused(5, 0x24, 0)

    def mode(self, cdb):
        control = bytes([0x0A, 0x0A, 2, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0])
        pages = {0x0A: control, 0x3F: control, 0x08: bytes([8, 0x12]) + bytes(18)}
        if cdb[2] & 0x3F not in pages:
            raise Refused(5, 0x24, 0)
        page = pages[cdb[2] & 0x3F]
        if cdb[2] >> 6 == 1:  # nothing may be changed
            page = page[:2] + bytes(len(page) - 2)
        if cdb[0] == 0x1A:
            return bytes([len(page) + 3, 0, 0, 0]) + page
        return struct.pack(">HBBHH", len(page) + 6, 0, 0, 0, 0) + page

    def read_write(self, cdb, written):
        length = (READS.get(cdb[0]) or WRITES[cdb[0]])
        block, count = {
            6: lambda: (int.from_bytes(cdb[1:4], "big") & 0x1FFFFF, cdb[4] or 256),
            10: lambda: (int.from_bytes(cdb[2:6], "big"), int.from_bytes(cdb[7:9], "big")),
            12: lambda: (int.from_bytes(cdb[2:6], "big"), int.from_bytes(cdb[6:10], "big")),
            16: lambda: (int.from_bytes(cdb[2:10], "big"), int.from_bytes(cdb[10:14], "big")),
        }[length]()
        if (block + count) * BLOCK > self.size:
            raise Refused(5, 0x21, 0)
        handle = self.data()
        try:
            if cdb[0] in READS:
                return os.pread(handle, count * BLOCK, block * BLOCK)
            os.pwrite(handle, written[: count * BLOCK], block * BLOCK)
            return b""
        finally:
            os.close(handle)

    def usual(self, cdb, written):
        operation = cdb[0]
        if operation in SILENT_SUCCESS:
            return b""
        if operation in READS or operation in WRITES:
            return self.read_write(cdb, written)
        if operation == 0x12:
            return self.page(cdb[2]) if cdb[1] & 1 else self.inquiry()
        if operation in (0x1A, 0x5A):
            return self.mode(cdb)
        last = self.size // BLOCK - 1
        if operation == 0x25:
            return struct.pack(">II", last, BLOCK)
        if operation == 0x9E and cdb[1] & 0x1F == 0x10:
            return struct.pack(">QI", last, BLOCK) + bytes(20)
        if operation == 0x03:
            return fixed_sense(0, 0, 0)
        raise Refused(5, 0x24 if operation == 0xA3 and "a3.0a" in os.listdir(self.folder) else 0x20, 0)

    def another(self, cdb):
        """What its files say of this command; None: nothing."""
        names = ["%02x.%02x" % (cdb[0], cdb[1]), "%02x" % cdb[0]]
        if cdb[0] == 0x12:
            names = ["12.%02x" % cdb[2] if cdb[1] & 1 else "12"]
        elif cdb[0] in (0x1A, 0x5A):
            names[0] = "%02x.%02x" % (cdb[0], cdb[2])
        for name in names:
            text = self.word(name, None)
            if text is not None:
                with open(self.folder / ".given", "a") as given:
                    print(name, file=given)
                if text.startswith("once "):
                    os.unlink(self.folder / name)
                return self.said(text.removeprefix("once "))
        return None

    @staticmethod
    def said(text):
        words = text.split()
        if text == "ignore":
            raise Ignored
        if text == "good":
            return b""
        if words and words[0] == "sense":
            raise Refused(*(int(word, 16) for word in words[1:]))
        if words and words[0] == "status":
            raise Status(int(words[1], 16), b"")
        if words and words[0] == "sense-data":
            raise Status(CHECK_CONDITION, bytes.fromhex("".join(words[1:])))
        return bytes.fromhex(text)

    def answer(self, cdb, written):
        """(status, data, sense)"""
        if cdb[0] == 0x00:
            self.ready.write(b".")
        try:
            data = self.another(cdb)
            return GOOD, self.usual(cdb, written) if data is None else data, b""
        except Refused as refused:
            return CHECK_CONDITION, b"", fixed_sense(*refused.args)
        except ValueError as error:  # in a file: INTERNAL TARGET FAILURE
            print(f"{self.folder.name}, {cdb.hex()}: {error}", flush=True)
            return CHECK_CONDITION, b"", fixed_sense(4, 0x44, 0)
        except Status as status:
            return status.args[0], b"", status.args[1]


class Ring:
    """The commands of one disk, in memory that is shared with the kernel."""

    def __init__(self, device, disk, size):
        self.disk = disk
        self.handle = os.open(device, os.O_RDWR | os.O_NONBLOCK)
        self.memory = mmap.mmap(self.handle, size)
        self.version, self.flags, self.offset, self.size = struct.unpack_from("=HHII", self.memory, 0)

    def handle_all(self):
        try:
            os.read(self.handle, 4)
        except BlockingIOError:
            pass
        (head,) = struct.unpack_from("=I", self.memory, 12)
        (tail,) = struct.unpack_from("=I", self.memory, 64)
        while tail != head:
            at = self.offset + tail
            (word,) = struct.unpack_from("=I", self.memory, at)
            if word & 7 == COMMAND:
                self.one(at, word)
            tail = (tail + (word & ~7)) % self.size
            struct.pack_into("=I", self.memory, 64, tail)
            (head,) = struct.unpack_from("=I", self.memory, 12)
        os.write(self.handle, bytes(4))

    def one(self, at, word):
        memory = self.memory
        count, _, _, where = struct.unpack_from("=III4xQ", memory, at + 8)
        cdb = bytes(memory[where : where + 16])
        parts = [struct.unpack_from("=QQ", memory, at + 48 + 16 * index) for index in range(count)]
        is_write = cdb[0] in WRITES or cdb[0] in (0x15, 0x55)
        written = b"".join(memory[base : base + length] for base, length in parts) if is_write else b""
        try:
            status, data, sense = self.disk.answer(cdb, written)
        except Ignored:
            struct.pack_into("=I", memory, at, word & ~7 | PAD)
            return
        rest = data
        if not is_write:
            for base, length in parts:
                part = rest[:length]
                memory[base : base + len(part)] = part
                rest = rest[len(part) :]
        memory[at + 8 : at + 112] = bytes(104)
        memory[at + 8] = status
        memory[at + 16 : at + 16 + min(len(sense), 96)] = sense[:96]
        if not is_write and status == GOOD and self.flags & READ_LENGTH and data:
            memory[at + 7] |= READ_LENGTH
            struct.pack_into("=I", memory, at + 12, len(data) - len(rest))


def new_rings(folder, known):
    """Disks that the kernel has, and we not yet."""
    for entry in os.listdir("/sys/class/uio"):
        if entry in known:
            continue
        try:
            uio = Path("/sys/class/uio", entry)
            name = (uio / "name").read_text().strip().split("/")[-1]
            size = int((uio / "maps/map0/size").read_text(), 16)
            bytes_there = int((folder / name / "size").read_text())
            yield entry, Ring("/dev/" + entry, Disk(folder / name, bytes_there), size)
        except OSError:
            continue  # not ours, or not whole yet


def main():
    folder = Path(sys.argv[1])
    rings, names, poller, looked = {}, set(), select.poll(), 0.0
    (folder / ".running").touch()
    while True:
        if time.monotonic() - looked > 0.1:
            for name, ring in new_rings(folder, names):
                names.add(name)
                rings[ring.handle] = (name, ring)
                poller.register(ring.handle, select.POLLIN)
                ring.handle_all()
            looked = time.monotonic()
        for handle, _ in poller.poll(100):
            name, ring = rings[handle]
            try:
                ring.handle_all()
            except OSError:  # the disk is gone
                poller.unregister(handle)
                ring.memory.close()
                os.close(handle)
                del rings[handle]
                names.remove(name)


main()
