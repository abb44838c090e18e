#!/usr/bin/env python3
"""A client of the control socket without a library: sends each line, prints each reply as it came.

usage: wire.py [--newline] [--socket NAME] [--repeat TIMES] LINE...

--newline ends each message with a newline in the place of the NUL, as some clients do. NAME is a path, or begins with @.
"""
import socket
import struct
import sys


def receive(client, count):
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        if not piece:
            sys.exit("the daemon hung up")
        data += piece
    return data


def main():
    arguments = sys.argv[1:]
    end, name, times = b"\0", "@/org/kernel/linux/storage/multipathd", 1
    while arguments and arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option == "--newline":
            end = b"\n"
        elif option == "--repeat":
            times = int(arguments.pop(0))
        else:
            name = arguments.pop(0)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(20)
    client.connect("\0" + name[1:] if name.startswith("@") else name)
    for line in arguments * times:
        message = line.encode() + end
        client.sendall(struct.pack("=Q", len(message)) + message)
        (length,) = struct.unpack("=Q", receive(client, 8))
        sys.stdout.buffer.write(receive(client, length).rstrip(b"\0"))


main()
