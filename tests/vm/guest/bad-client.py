#!/usr/bin/env python3
"""A client of the control socket that misbehaves.

usage: bad-client.py WHAT SECONDS

Of huge, large, noise and nothing it says whether the daemon ends the connection within the time: dropped or kept.
crowd COUNT connects so many times, one after the other, and leaves; done.
flood asks for long replies over as many connections as it gets, reads each and asks again, and says "sent" when it has begun.
Of half, follow, deaf, many, silent, half-many and deaf-many it says "sent" and then does nothing more for so long.
"""
import selectors
import socket
import struct
import sys
import time

MESSAGES = {
    "huge": struct.pack("=Q", 1 << 63) + b"show paths\0",
    "large": struct.pack("=Q", 1 << 40) + b"x" * 100_000,
    "noise": bytes(range(255, -1, -1)) * 64,
    "nothing": struct.pack("=Q", 0),
    "half": struct.pack("=Q", 11) + b"show",
    "follow": struct.pack("=Q", 14) + b"events follow\0",
}


def connect():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect("\0/org/kernel/linux/storage/multipathd")
    return client


def is_dropped(client, message, seconds):
    client.settimeout(seconds)
    try:
        client.sendall(message)
        while client.recv(65536):
            pass
    except (ConnectionError, BrokenPipeError):
        pass
    except TimeoutError:
        return False
    return True


def deaf(client, seconds):
    """Asks and asks, and reads no answer, until the daemon takes no more."""
    message = b"show maps json\0"
    client.settimeout(min(seconds, 3))
    try:
        for _ in range(10_000):
            client.sendall(struct.pack("=Q", len(message)) + message)
    except (TimeoutError, ConnectionError):
        pass


def crowd(count):
    for number in range(count):
        try:
            client = connect()
            if number % 3 == 0:
                client.sendall(MESSAGES["half"])
            client.close()
        except (ConnectionError, BlockingIOError):
            pass
    print("done")


def as_many_as_possible(what):
    """Those that are let in say half a request, or ask for much and read nothing; or say nothing."""
    clients = []
    for _ in range(400):
        try:
            client = connect()
            client.settimeout(0.05)
            if what == "half-many":
                client.sendall(MESSAGES["half"])
            elif what == "deaf-many":
                message = b"show config\0"
                for _ in range(20):
                    client.sendall(struct.pack("=Q", len(message)) + message)
        except (TimeoutError, ConnectionError):
            pass
        clients.append(client)
    return clients


def flood(seconds):
    message = b"show config\0"
    request = struct.pack("=Q", len(message)) + message
    ready = selectors.DefaultSelector()
    for _ in range(16):
        client = connect()
        client.sendall(request * 2)
        ready.register(client, selectors.EVENT_READ, [b""])
    print("sent", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in ready.select(1):
            piece = key.fileobj.recv(1 << 20)
            if not piece:
                return print("dropped")
            text = key.data[0] + piece
            while len(text) >= 8 and len(text) >= 8 + (length := struct.unpack("=Q", text[:8])[0]):
                text = text[8 + length :]
                key.fileobj.sendall(request)
            key.data[0] = text


def main():
    what, seconds = sys.argv[1], float(sys.argv[2])
    if what == "crowd":
        return crowd(int(seconds))
    if what == "flood":
        return flood(seconds)
    if what in ("silent", "half-many", "deaf-many"):
        clients = as_many_as_possible(what)
        print("sent", flush=True)
        time.sleep(seconds)
        return clients.clear()
    clients = [connect()]
    if what in ("huge", "large", "noise", "nothing"):
        return print("dropped" if is_dropped(clients[0], MESSAGES[what], seconds) else "kept")
    if what in ("half", "follow"):
        clients[0].sendall(MESSAGES[what])
    elif what == "deaf":
        deaf(clients[0], seconds)
    else:
        clients += [connect() for _ in range(200)]
    print("sent", flush=True)
    time.sleep(seconds)


main()
