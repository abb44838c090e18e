#!/usr/bin/env python3
"""A client of the control socket that misbehaves.

usage: bad-client.py WHAT SECONDS [COUNT]

Of huge, large, noise and nothing it says whether the daemon ends the connection within the time: dropped or kept.
crowd COUNT connects so many times, one after the other, and leaves; done.
storm SECONDS COUNT holds so many connections at both sockets at once, a part of them with half a request; it says "sent" when it has them, and
goes on to put new ones in the place of the oldest, as quickly as it can.
flood asks for long replies over as many connections as it gets, reads each and asks again, and says "sent" when it has begun.
impostor takes the daemon's abstract name, which nobody has, says "sent", and answers "ok" to all that comes for so long.
Of half, follow, deaf, many, silent, half-many and deaf-many it says "sent" and then does nothing more for so long.
"""
import collections
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


NAMES = "\0/org/kernel/linux/storage/multipathd", "/run/multipathd.socket"


def connect():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(NAMES[0])
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


def storm(seconds, count):
    """Whoever is shown the door has not noticed: the end stays open."""
    held, made, end = collections.deque(), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            client.connect(NAMES[made % 2])
            if made % 3 == 0:
                client.send(MESSAGES["half"])
        except BlockingIOError:  # nobody else finds room in the queue either
            time.sleep(0.001)
            continue
        except ConnectionError:
            pass  # ended before it said anything
        made += 1
        held.append(client)
        if len(held) > count:
            held.popleft().close()
        if made == count:
            print("sent", flush=True)
    print(made)


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


def impostor(seconds):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(NAMES[0])
    listener.listen(16)
    print("sent", flush=True)
    clients, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        clients.append(listener.accept()[0])
        try:
            clients[-1].sendall(struct.pack("=Q", 4) + b"ok\n\0")
        except ConnectionError:
            pass


def main():
    what, seconds = sys.argv[1], float(sys.argv[2])
    if what == "crowd":
        return crowd(int(seconds))
    if what == "storm":
        return storm(seconds, int(sys.argv[3]))
    if what == "flood":
        return flood(seconds)
    if what == "impostor":
        return impostor(seconds)
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
