#!/usr/bin/env python3
"""probert (Ubuntu's installer): paths of eight fields and maps of three, by the daemon's raw formats.

probert.py DISK...: all paths there are
"""

import asyncio
import os
import sys

sys.path.remove(os.path.dirname(os.path.abspath(__file__)))  # this file has the client's name
from probert import multipath

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
from verdict import disks, expect, map_of, wwid_of

found = asyncio.run(multipath.probe())
wanted = {(os.path.basename(disk), wwid_of(disk)) for disk in disks()}
maps = {one["multipath"]: one for one in found.get("maps", [])}
paths = {one["device"]: one for one in found.get("paths", [])}
expect("every map", set(maps), {wwid for _, wwid in wanted})
expect("its node", {wwid: one["sysfs"] for wwid, one in maps.items()}, {wwid: map_of("/dev/" + disk) for disk, wwid in wanted})
expect("its two paths", {one["paths"] for one in maps.values()}, {"2"})
expect("every path", set(paths), {disk for disk, _ in wanted})
names = {one["multipath"] for one in paths.values()}
expect("the maps that they are in", names, set(maps))
expect("their serial numbers", all(one["serial"] for one in paths.values()), True)
ports = ("host_wwnn", "target_wwnn", "host_wwpn", "target_wwpn")
expect("no ports without a fabric", {one[field] for one in paths.values() for field in ports}, {"[undef]"})
expect("host adapters", all(one["host_adapter"] for one in paths.values()), True)
