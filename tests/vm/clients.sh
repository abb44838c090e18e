#!/bin/bash
# Programs that use multipath-tools, with our package in its place: what they ask for, and what they make of the answers.
# Started by tests/clients, whose root file system has them. Each is a script of clients/ that appends its verdicts to the others.
# shellcheck disable=SC2154
# shellcheck source=tests/vm/lib.sh
. /vm/lib.sh
: >"$verdicts"
MPCTL=/sbin/multipathctl
[ -z "${VM_REFERENCE:-}" ] || MPCTL=$vm/guest/reference-ctl
service=multipathd.service

# All that a package brings, where it belongs: programs under their names, units, udev's rules.
install_ours() {
    rm -rf /usr/lib/multipath # a link to the reference's, for other tests
    dpkg-deb --fsys-tarfile "$vm"/files/multipathd_*.deb | tar -x --keep-directory-symlink -C /
}

# The reference has no mpathconf, without which libblockdev does not ask for anything.
install_reference() {
    rm -rf /usr/lib/multipath
    cp -a /opt/reference/lib/. /usr/lib/
    cp -a /opt/reference/sbin/. /usr/sbin/
    ldconfig
    printf '#!/bin/sh\n' >/usr/sbin/mpathconf
    chmod 755 /usr/sbin/mpathconf
}

start() {
    if ours; then install_ours; else install_reference; fi
    systemctl daemon-reload
    udevadm control --reload
    san_scsi_debug 2 2 || return
    conf_debug
    expect_ok 'the daemon starts' systemctl start $service
    wait_for 'two maps of two paths' 30 is 4 active_paths
}

client() { # NAME [ARGUMENTS]
    local name=$1 start log status=0; shift
    start=$(now)
    log=$(mktemp)
    echo "== $name"
    timeout 120 "$vm/clients/$name.py" "$@" 2>"$log" || status=$?
    # What it says of its own accord is worth reading when it ends badly only.
    [ "$status" = 0 ] || fail "$name ends well" "status $status: $(tail -n 15 "$log")"
    echo "   $(since "$start") s"
}

lun() { echo "/dev/$(debug_disk 0 "$1") /dev/$(debug_disk 1 "$1")"; } # NUMBER: its two paths

# shellcheck disable=SC2046
clients() {
    client probert $(lun 0) $(lun 1)
    # A report is made of one map while the other grows and goes. Both take long to load.
    client sos $(lun 1) >/run/sos.log &
    client os_brick $(lun 0)
    wait $!
    cat /run/sos.log
    client libblockdev $(lun 1)
}

if start; then clients; fi
[ "$(grep -c '^FAIL' "$verdicts")" = 0 ] || {
    systemctl status --no-pager $service
    journalctl -u $service --no-pager 2>/dev/null | tail -n 40
    multipath -ll
}
summary
