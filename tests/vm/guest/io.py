#!/usr/bin/env python3
"""Writes and reads back a block device without a pause, directly, and keeps score in a file.

usage: io.py DEVICE SCORE [BLOCKS]

Every write is a 64 KiB block full of its own number and block index; it is read back at once, and a random earlier block
with it. SCORE is replaced (whole) as the work goes on; it holds
    writes N errors N mismatches N longest SECONDS last MONOTONIC
where longest is the longest time between two completed writes, since SIGUSR1 came if it did. SIGTERM ends it with a last score.
"""
import mmap
import os
import random
import signal
import struct
import sys
import time

SIZE = 64 * 1024


def fill(buffer, number, index):
    buffer[:] = struct.pack("<QQ", number, index) * (SIZE // 16)


def main():
    device, score = sys.argv[1], sys.argv[2]
    blocks = int(sys.argv[3]) if len(sys.argv) > 3 else 64
    written, running = {}, [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    out, back = mmap.mmap(-1, SIZE), mmap.mmap(-1, SIZE)
    fd = os.open(device, os.O_RDWR | os.O_DIRECT)
    writes = errors = mismatches = 0
    longest, last, saved = 0.0, time.monotonic(), 0.0

    def save():
        with open(score + ".new", "w") as f:
            f.write(f"writes {writes} errors {errors} mismatches {mismatches} longest {longest:.3f} last {last:.1f}\n")
        os.rename(score + ".new", score)

    def forget(*_):
        nonlocal longest, last, saved
        longest, last, saved = 0.0, time.monotonic(), 0.0

    signal.signal(signal.SIGUSR1, forget)

    def check(index):
        nonlocal mismatches
        os.preadv(fd, [back], index * SIZE)
        if back[:] != struct.pack("<QQ", written[index], index) * (SIZE // 16):
            mismatches += 1
            print(f"block {index}: not what write {written[index]} put there", file=sys.stderr)

    while running:
        index = random.randrange(blocks)
        fill(out, writes, index)
        try:
            os.pwritev(fd, [out], index * SIZE)
            written[index] = writes
            check(index)
            check(random.choice(list(written)))
        except OSError as error:
            errors += 1
            written.pop(index, None)
            print(f"write {writes}: {error}", file=sys.stderr)
            time.sleep(0.1)
        else:
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        writes += 1
        if time.monotonic() - saved > 0.2:
            saved = time.monotonic()
            save()
    save()


main()
