# shellcheck shell=bash
# A disk with partitions becomes a path, and is given back: udev's rules look at its partitions, too, each time. So does the second daemon,
# where a rule about names was added before its start. kpartx's rules, which delete the partitions of paths, are not in use; those which
# make the map's are, and heed `skip_kpartx`.
# shellcheck disable=SC2034
for_reference=no

property() { udevadm info --query=property --property="$1" --value "/dev/$2"; } # property NAME DEVICE

all_are() { # ANSWER READY DISK...: what the rules say of them and of their partitions
    local device answer=$1 ready=$2; shift 2
    for device in "$@" "${@/%/1}"; do
        [ "$(property DM_MULTIPATH_DEVICE_PATH "$device"):$(property SYSTEMD_READY "$device")" = "$answer:$ready" ] || return 1
    done
}

paths() { all_are 1 0 "$@"; }
free() { all_are 0 '' "$@"; }

partitions() { dmsetup ls | awk '$1 !~ /^No/ { print $1 }' | sort | xargs; }

of_the_map() {
    local map; map=$(maps)
    wait_for 'kpartx makes a partition' 20 is "$map $map-part1" partitions
    conf_debug
    printf 'multipaths {\n\tmultipath {\n\t\twwid %s\n\t\talias data\n\t}\n}\n' "$map" >>/etc/multipath.conf
    expect_eq 'the map gets a name' "$(ctl reconfigure)" ok
    wait_for 'and so does the partition' 20 is 'data data-part1' partitions
    udevadm settle --timeout=30
    expect_eq 'which kpartx leaves' "$(partitions)" 'data data-part1'
    conf_debug 'skip_kpartx yes'
    expect_eq 'it is to make none, and the map has its own name' "$(ctl reconfigure)" ok
    wait_for 'as has the partition' 20 is "$map $map-part1" partitions
    udevadm settle --timeout=30
    expect_eq 'the map goes' "$(ctl del map "$map")" ok
    expect_eq 'and comes again' "$(ctl add map "$map")" ok
    udevadm settle --timeout=30
    expect_eq 'without a partition' "$(partitions)" "$map"
    conf_debug
    expect_eq 'it may again' "$(ctl reconfigure)" ok
    expect_eq 'the map goes again' "$(ctl del map "$map")" ok
    expect_eq 'and is made' "$(ctl add map "$map")" ok
    wait_for 'with its partition' 20 is "$map $map-part1" partitions
}

scenario() {
    local first second
    : >/etc/udev/rules.d/68-del-part-nodes.rules
    rules_up
    san_scsi_debug 2 1 || return
    first=$(debug_disk 0 0) second=$(debug_disk 1 0)
    partition_table "/dev/$first" 2048:4096
    blockdev --rereadpt "/dev/$first" "/dev/$second"
    udevadm settle --timeout=30
    expect_ok 'without a daemon they are for everybody' free "$first" "$second"

    conf_debug
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    wait_for 'disks and partitions are a path' 20 paths "$first" "$second"
    part of_the_map
    {
        cat /etc/multipath.conf
        printf 'blacklist {\n\tdevnode "^%s$"\n}\n' "$first" "$second"
    } >/run/excluding
    cp /etc/multipath.conf /run/all
    cp /run/excluding /etc/multipath.conf
    expect_eq 'they are excluded by their names' "$(ctl reconfigure)" ok
    wait_for 'and given back, with their partitions' 20 free "$first" "$second"

    cp /run/all /etc/multipath.conf
    expect_eq 'they are no more' "$(ctl reconfigure)" ok
    wait_for 'and are paths again' 20 paths "$first" "$second"
    daemon_kill
    cp /run/excluding /etc/multipath.conf
    daemon_start || return
    wait_for 'excluded while no daemon ran, they are given back' 30 free "$first" "$second"
    expect_eq 'and there is no map' "$(maps_count)" 0
    rm /etc/udev/rules.d/68-del-part-nodes.rules
    rules_down
}
