#!/bin/bash
# dracut's part of the daemon, in the place of dracut's own 90multipath (70multipath): of two with one name the first is taken.

is_mpath() { # MAJOR:MINOR
    local uuid=/sys/dev/block/$1/dm/uuid
    [ -e "$uuid" ] && [[ $(<"$uuid") == *mpath-* ]]
}

check() {
    require_binaries multipathd multipathctl multipath kpartx dmsetup || return 1
    if [[ $hostonly ]] || [[ $mount_needs ]]; then
        for_each_host_dev_and_slaves is_mpath || return 255
    fi
    return 0
}

depends() { echo rootfs-block dm; }

installkernel() {
    instmods dm-multipath dm-service-time dm-round-robin dm-queue-length dm-historical-service-time dm-io-affinity \
        scsi_dh_alua scsi_dh_emc scsi_dh_rdac scsi_dh_hp_sw
}

install() {
    local units=$systemdsystemunitdir
    inst_multiple multipathd multipathctl multipath kpartx dmsetup
    inst_multiple -o multipathc mpathconf /etc/multipath.conf /etc/multipath/bindings /etc/multipath/wwids '/etc/multipath/conf.d/*.conf' \
        "$tmpfilesdir/multipath.conf" /usr/lib/modules-load.d/multipath.conf
    # Their numbers are a distribution's choice.
    inst_rules 11-dm-mpath.rules 56-dm-mpath.rules 60-multipath.rules 62-multipath.rules 99-z-dm-mpath-late.rules \
        11-dm-parts.rules 56-dm-parts.rules 60-kpartx.rules 66-kpartx.rules 68-del-part-nodes.rules
    if dracut_module_included systemd; then
        # Without multipathd-queueing.service, and with SIGKILL: neither is to end the queueing when the root file system's own daemon
        # takes the maps over.
        inst_multiple "$units/multipathd.service" "$units/multipathd.socket"
        # The socket goes when the initrd does, as the service: who asked by it then would start the service again, and with it cancel
        # initrd-cleanup.service, with which it conflicts.
        local unit only=$'[Unit]\nConditionKernelCommandLine=!rd.multipath=0\n'
        for unit in service socket; do mkdir -p "$initdir/etc/systemd/system/multipathd.$unit.d"; done
        printf '%s[Service]\nKillSignal=SIGKILL\n' "$only" >"$initdir/etc/systemd/system/multipathd.service.d/initramfs.conf"
        printf '%sConflicts=initrd-cleanup.service\nBefore=initrd-cleanup.service\n' "$only" \
            >"$initdir/etc/systemd/system/multipathd.socket.d/initramfs.conf"
        mkdir -p "$initdir$units/sysinit.target.wants" "$initdir$units/sockets.target.wants"
        ln -sf ../multipathd.service "$initdir$units/sysinit.target.wants/"
        ln -sf ../multipathd.socket "$initdir$units/sockets.target.wants/"
    else
        inst_hook pre-trigger 02 "$moddir/start.sh"
        inst_hook cleanup 02 "$moddir/stop.sh"
    fi
}
