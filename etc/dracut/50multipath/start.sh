#!/bin/sh
# Maps are made as their disks come; stop.sh ends it. Sourced by dracut.
if getargbool 1 rd.multipath && ! getargbool 0 nompath && [ "$(getarg multipath=)" != off ]; then
    modprobe -q dm-multipath
    mkdir -p /run/multipath
    multipathd -B
fi
