# shellcheck shell=bash
# Every column that `show paths format` has in Debian's daemon, as it shows it and as ours does for the same disks:
# scsi_debug with target port groups, iSCSI, Fibre Channel, NVMe over TCP. Where ours is another, `differs` says why; a reason that is
# not needed any more is a failure, too. Columns of later releases are held against what the disks and the kernel say.
# shellcheck disable=SC2034
for_reference=no # it is what is compared with

# What passes with time is not compared: when the next check is due.
volatile='C'

# LETTER KIND|REASON
differs='
s debug|later releases show the revision
s iscsi|later releases show the revision
s fc|later releases show the revision
s nvme|later releases show the revision, and blanks that fill a field up are not shown
'

scenario() {
    san_scsi_debug 2 1 max_luns=2 no_lun_0=1 inq_vendor=3PARdata inq_product=VV || return # LUN 1
    san_iscsi_up || { fail 'iSCSI' "$(dmesg | tail -n 5)"; return; }
    san_fc_up || return
    # shellcheck source=tests/vm/nvme-target.sh
    . "$vm/nvme-target.sh"
    with_nvme both_daemons
}

both_daemons() {
    printf 'defaults {\n\tfind_multipaths greedy\n\tpolling_interval 1\n\tmax_polling_interval 1\n}\nblacklist {\n\t%s\n}\n' \
        'devnode "^(sda|loop.*)$"' | conf
    wait_for 'disks of four kinds' 20 is 10 disks
    reference_start || return
    wait_for 'four maps, the reference' 30 is 4 maps_count
    wait_for 'its paths are checked' 20 is 10 ready "$vm/guest/reference-ctl"
    columns "$vm/guest/reference-ctl" reference
    reference_stop
    poll 20 remove_maps
    udevadm settle --timeout=30
    rm -rf /etc/multipath /run/multipath; mkdir -p /etc/multipath
    limits
    daemon_start || return
    wait_for 'four maps, ours' 30 is 4 maps_count
    wait_for 'our paths are checked' 20 is 10 ready "$MPCTL"
    wait_for 'and are all rated' 20 rated
    columns "$MPCTL" ours
    expect_eq 'ten paths' "$(wc -l </run/columns.reference/d)" 10
    compare
    later
}

disks() { find /sys/block/ \( -name 'sd[b-z]' -o -name 'nvme*' \) | wc -l; }

ready() { "$1" show paths raw format '%d %t %T' 2>/dev/null | grep -c 'active ready'; }

rated() { ! ctl show paths raw format '%p' | grep -q -- '-1\|undef'; }

columns() { # PROGRAM NAME: a file for each column, a line of it for each path
    local letter field=1
    mkdir -p "/run/columns.$2"
    [ "$2" = ours ] || reference_letters >/run/letters
    "$1" show paths raw format "%d|$(sed 's/^/%/' /run/letters | paste -sd'|')" | sort >"/run/columns.$2/all"
    while read -r letter; do
        field=$((field + 1))
        awk -F'|' -v field=$field '{ print $1 "|" $field }' "/run/columns.$2/all" >"/run/columns.$2/$letter"
    done </run/letters
}

reason() { # LETTER KIND
    awk -F'|' -v which="$1 $2" '$1 == which { print $2; found = 1 } END { exit !found }' <<<"$differs"
}

kinds() { # scsi_debug, iscsi, fc and nvme: the disks of each, as a regular expression
    printf 'debug ^(%s)\\|\niscsi ^(%s|%s)\\|\nfc ^(%s)\\|\nnvme ^nvme\n' "$(debug_disks | paste -sd'|')" \
        "$(iscsi_disk 192.168.2.200)" "$(iscsi_disk 192.168.2.201)" "$(fc_disks | paste -sd'|')"
}

compare() {
    local letter kind disks ours theirs why
    while read -r letter; do
        [[ $letter != ["$volatile"] ]] || continue
        while read -r kind disks; do
            ours=$(grep -E "$disks" "/run/columns.ours/$letter") theirs=$(grep -E "$disks" "/run/columns.reference/$letter")
            if ! why=$(reason "$letter" "$kind"); then expect_eq "%$letter, $kind" "$ours" "$theirs"
            elif [ "$ours" = "$theirs" ]; then fail "%$letter, $kind" "it is the same: '$why' is not needed"
            else ok "%$letter, $kind: another, as $why"; fi
        done <<<"$(kinds)"
    done </run/letters
}

# Another one for each disk, so that none can be taken for another's.
limits() {
    local disk kb=128
    for disk in /sys/block/sd[b-z] /sys/block/nvme*; do
        kb=$((kb + 4))
        echo $kb >"$disk/queue/max_sectors_kb" || fail "${disk##*/}" 'its limit stays'
    done
}

later() {
    local disk line map limit
    while read -r disk line; do
        expect_eq "%k %L %A %I of $disk" "$line" "$(told_by "$disk")"
    done <<<"$(ctl show paths raw format '%d %k %L %A %I')"
    while read -r map line; do
        limit=$(cat "/sys/block/$(node_of "$map")/queue/max_sectors_kb")
        expect_eq "%k of the map $map" "$line" "$limit"
    done <<<"$(ctl show maps raw format '%n %k')"
}

# max_sectors_kb; the LUN, of the only one that its target has; the target port group, where page 0x83 tells of one; and a path in use is
# discovered.
told_by() { # DISK
    local lun group='[undef]'
    case $1 in
    nvme*) lun=$(printf '%04x000000000000' "$(cat "/sys/block/$1/nsid")") ;;
    *)
        lun=$(sg_luns -q "/dev/$1")
        group=$(sg_vpd --page=di "/dev/$1" | sed -n 's/^ *Target port group: //p')
        printf -v group '0x%04x' "$group"
        ;;
    esac
    echo "$(cat "/sys/block/$1/queue/max_sectors_kb") 0x$lun $group ok"
}
