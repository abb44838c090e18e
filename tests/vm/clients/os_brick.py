#!/usr/bin/env python3
"""os-brick (OpenStack's Nova and Cinder): a volume is found, grows, loses and regains a path, and is detached.

os_brick.py DISK DISK: the two paths of one map, whose name is its WWID
"""

import os
import sys

sys.path.remove(os.path.dirname(os.path.abspath(__file__)))  # this file has the client's name
from os_brick import privileged
from os_brick.initiator import linuxscsi

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
from verdict import disks, expect, map_of, wait_for, wwid_of

privileged.default.set_client_mode(False)  # we are root: no helper is started for that
scsi = linuxscsi.LinuxSCSI("")
first, second = disks()
names = [os.path.basename(disk) for disk in disks()]
wwid = wwid_of(first)
node = map_of(first)


def paths():
    """The disks of the map, as os-brick reads them from multipath -l."""
    found = scsi.find_multipath_device(first)
    return sorted(device["device"] for device in found["devices"]) if found else None


expect("multipathd show status", linuxscsi.LinuxSCSI.is_multipath_running(""), True)
expect("the map by sysfs", scsi.find_sysfs_multipath_dm(names), node)
expect("its WWID by a path", scsi.get_sysfs_wwn(names), wwid)
expect("its WWID by its UUID", scsi.get_sysfs_wwn(names, mpath=node), wwid)
expect("its node", scsi.find_multipath_device_path(wwid), "/dev/disk/by-id/dm-uuid-mpath-" + wwid)
found = scsi.find_multipath_device(first)
expect("multipath -l of a path", {key: found[key] for key in ("device", "id", "name")},
       {"device": "/dev/mapper/" + wwid, "id": wwid, "name": wwid})
expect("its paths", paths(), sorted(disks()))
address = os.path.basename(os.path.realpath(f"/sys/block/{names[0]}/device"))
(device,) = (one for one in found["devices"] if one["device"] == first)
expect("a path's address", ":".join(device[key] for key in ("host", "channel", "id", "lun")), address)
expect("multipath -l of the map", scsi.find_multipath_device(wwid), found)
expect("it can be written", scsi.wait_for_rw(wwid, found["device"]), None)
expect("multipath -a", scsi.multipath_add_wwid(wwid), True)

expect("del path", scsi.multipath_del_path(second), True)
wait_for("one path is left", 20, [first], paths)
expect("add path", scsi.multipath_add_path(second), True)
wait_for("both are there", 20, sorted(disks()), paths)

with open("/sys/bus/pseudo/drivers/scsi_debug/virtual_gb", "w", encoding="ascii") as file:
    file.write("1")
expect("the volume grows", scsi.extend_volume(disks(), use_multipath=True), 1 << 30)
expect("it is one map still", (map_of(first), map_of(second)), (node, node))

expect("it is detached, nothing is left to flush", scsi.remove_connection(set(names)), None)
expect("its map is gone", os.path.exists("/dev/mapper/" + wwid), False)
expect("its disks are gone", [disk for disk in disks() if os.path.exists(disk)], [])
expect("multipath -l knows it no more", scsi.find_multipath_device(wwid), None)
