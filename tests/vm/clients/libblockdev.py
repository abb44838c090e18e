#!/usr/bin/env python3
"""libblockdev's mpath plugin (blivet, Anaconda, udisks): who is a member, friendly names, and the end of all maps.

libblockdev.py DISK DISK: the two paths of the one map
"""

import os

import gi

gi.require_version("BlockDev", "2.0")
from gi.repository import BlockDev, GLib

from verdict import REFERENCE, disks, expect, map_of, output, wait_for, wwid_of

NO_OUTPUT = 1  # BD_UTILS_EXEC_ERROR_NOOUT
plugin = BlockDev.PluginSpec()
plugin.name = BlockDev.Plugin.MPATH
expect("the plugin loads", BlockDev.ensure_init([plugin], None), True)
names = sorted(os.path.basename(disk) for disk in disks())
expect("members", sorted(os.path.basename(name) for name in BlockDev.mpath_get_mpath_members()), names)
expect("a path is one", [BlockDev.mpath_is_mpath_member(disk) for disk in disks()], [True, True])
expect("the root disk is none", BlockDev.mpath_is_mpath_member("/dev/sda"), False)


def name():
    """What the map is called."""
    node = map_of(disks()[0])
    return node and output("dmsetup", "info", "-c", "--noheadings", "-o", "name", "/dev/" + node).strip()


def flushed():
    """Flushes all maps. That multipath -ll prints nothing then is what the plugin wants, and yet what 2.28 returns as an error, too."""
    try:
        return BlockDev.mpath_flush_mpaths()
    except GLib.Error as error:
        if (error.domain, error.code) == ("g-bd-utils-exec-error-quark", NO_OUTPUT):
            return True
        raise


if not REFERENCE:  # Debian's multipath-tools has no mpathconf
    expect("friendly names", BlockDev.mpath_set_friendly_names(True), True)
    wait_for("the map has one", 20, "mpatha", name)
    expect("members as before", sorted(os.path.basename(one) for one in BlockDev.mpath_get_mpath_members()), names)
    expect("no friendly names", BlockDev.mpath_set_friendly_names(False), True)
    wait_for("the map has its WWID as its name", 20, wwid_of(disks()[0]), name)
expect("all maps are flushed", flushed(), True)
expect("none is left", output("dmsetup", "ls", "--target", "multipath").strip(), "No devices found")
expect("nobody is a member", [BlockDev.mpath_is_mpath_member(disk) for disk in disks()], [False, False])
