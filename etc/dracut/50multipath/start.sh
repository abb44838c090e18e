#!/bin/sh
# Maps are made as their disks come; stop.sh ends it. Sourced by dracut.
if getargbool 1 rd.multipath && ! getargbool 0 nompath && [ "$(getarg multipath=)" != off ]; then
    modprobe -q dm-multipath
    modprobe -qa scsi_dh_alua scsi_dh_emc scsi_dh_rdac scsi_dh_hp_sw # before the disks
    mkdir -p /run/multipath
    multipathd -B
fi
