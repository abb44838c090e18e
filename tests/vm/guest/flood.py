#!/usr/bin/python3
"""Sends messages of udev about a device until one does not fit into a process's buffer any more: flood.py PID DEVICE, a folder of sysfs.

A message that udev has sent is sent again, longer, with its header as it was: filters let it pass, and listeners take it for udev's,
as the sender is root. Prints how many were sent.
"""
import os
import re
import socket
import struct
import sys
import time

KOBJECT_UEVENT = 15
UDEV = 2  # the group, as a mask
SIZE = 8100  # bytes: the longest message that libudev takes in every release
HEADER = 40  # "libudev", magic, size of the header, offset and length of the properties, hashes for filters


def dropped(inodes):
    """Messages that did not fit, of the sockets with these inodes that hear udev."""
    total = heard = 0
    with open("/proc/net/netlink", encoding="ascii") as file:
        for words in map(str.split, file.readlines()[1:]):
            if words[1] == str(KOBJECT_UEVENT) and int(words[3], 16) & UDEV and words[9] in inodes:
                total, heard = total + int(words[8]), heard + 1
    if not heard:
        sys.exit("the process does not listen to udev")
    return total


def sockets(pid):
    folder = f"/proc/{pid}/fd"
    links = (os.readlink(f"{folder}/{name}") for name in os.listdir(folder))
    return {match[1] for match in map(re.compile(r"socket:\[(\d+)\]").fullmatch, links) if match}


def message_of(listener, device):
    """What udev says of it when it is asked to look at it."""
    with open(f"{device}/uevent", "w", encoding="ascii") as file:
        file.write("change")
    name = b"\0DEVPATH=" + os.path.realpath(device).removeprefix("/sys").encode() + b"\0"
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        message = listener.recv(1 << 16)
        if name in message:
            return message
    sys.exit("udev said nothing")


def main():
    inodes, device = sockets(sys.argv[1]), sys.argv[2]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, KOBJECT_UEVENT) as listener:
        listener.bind((0, UDEV))
        listener.settimeout(20)
        message = message_of(listener, device)
    properties = (message[HEADER:] + b"PADDING=").ljust(SIZE - HEADER - 1, b"x") + b"\0"
    message = message[:20] + struct.pack("=I", len(properties)) + message[24:HEADER] + properties
    before, count = dropped(inodes), 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, KOBJECT_UEVENT) as sender:
        while dropped(inodes) == before:
            if count > 300000:
                sys.exit(f"{count} messages fit")
            for _ in range(200):
                try:
                    sender.sendto(message, (0, UDEV))
                except ConnectionRefusedError:
                    pass  # nobody hears that one
                except OSError as error:
                    if error.errno != 105:  # ENOBUFS: of a listener
                        raise
            count += 200
    print(count)


main()
