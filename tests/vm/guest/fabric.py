#!/usr/bin/python3
"""Sends a message of the kernel's Fibre Channel transport, to all who listen: fabric.py HOST KIND WWPN...

KIND is integrity, congestion or cut (an integrity notification with a descriptor too long). Layouts are those of the
kernel's scsi_netlink.h, scsi_netlink_fc.h and fc_els.h. What root multicasts on a group that is the kernel's own is
delivered as what the kernel does.
"""
import socket
import struct
import sys

NETLINK_SCSITRANSPORT = 18
FC_EVENTS = 4  # the group's number; as a mask 1 << 3


def descriptor(tag, body):
    return struct.pack(">II", tag, len(body)) + body


def frame(kind, ports):
    names = b"".join(struct.pack(">Q", port) for port in ports)
    ends = struct.pack(">QQ", 0x20010000000000AA, 0x20020000000000BB)
    if kind == "congestion":
        body = ends + struct.pack(">HHII", 2, 0, 1000, len(ports)) + names
        return descriptor(0x00020003, body)
    body = ends + struct.pack(">HHIII", 6, 0, 60000, 5, len(ports)) + names
    whole = descriptor(0x00020001, body)
    return whole[:-4] if kind == "cut" else whole


def main():
    host, kind = int(sys.argv[1]), sys.argv[2]
    ports = [int(port, 16) for port in sys.argv[3:]]
    descriptors = frame(kind, ports)
    data = struct.pack(">B3xI", 0x16, len(descriptors)) + descriptors
    event = struct.pack("=BBHHHQQHHII", 1, 1, 0xA1B2, 0x0100, 40 + len(data), 0, 0, host, len(data), 1, 0x501) + data
    event += bytes(-len(event) % 8)
    message = struct.pack("=IHHII", 16 + len(event), 0x11, 0, 0, 0) + event
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SCSITRANSPORT) as sender:
        try:
            sender.sendto(message, (0, 1 << (FC_EVENTS - 1)))
        except ConnectionRefusedError:
            pass  # the kernel's own end has no use for it


main()
