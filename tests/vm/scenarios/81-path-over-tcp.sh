# shellcheck shell=bash
# NVMe over TCP: a map that somebody has made of requests takes no such path, and the next map of its LUN, made of bios, has all.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    # shellcheck source=tests/vm/nvme-target.sh
    . "$vm/nvme-target.sh"
    configfs_up
    with_nvme mode_stays
}

in_table() { dmsetup table "$1" | grep -c "$(cat "/sys/block/$2/dev")"; }

paths_in() { dmsetup table "$1" | grep -o '259:[0-9]*' | sort -u | wc -l; }

mode_stays() {
    local wwid
    wwid=$(cat /sys/block/nvme0n1/wwid)
    printf 'defaults {\n\tfind_multipaths greedy\n}\nmultipaths {\n\tmultipath {\n\t\twwid %s\n\t\talias data\n\t}\n}\nblacklist {\n\t%s\n}\n' \
        "$wwid" 'devnode "^(sd|loop).*$"' | conf
    # The kernel gives such a map no requests unless it is told.
    dmsetup create data --uuid "mpath-$wwid" --table \
        "0 $(cat /sys/block/nvme0n1/size) multipath 2 queue_mode mq 0 1 1 service-time 0 1 1 $(cat /sys/block/nvme0n1/dev) 1"
    expect_eq 'there is a map of requests' "$(maps)" data
    daemon_start || return
    wait_for 'the other path is refused' 20 grep -q 'nvme1n1: not merged.*reached over TCP' "$MP_LOG"
    expect_eq 'the map has its path' "$(in_table data nvme0n1)" 1
    expect_eq 'and not the other' "$(in_table data nvme1n1)" 0
    expect_match 'explain says why' "$(ctl explain nvme1n1)" 'made of requests'
    expect_eq 'it is removed' "$(ctl remove map data)" ok
    expect_eq 'and made again' "$(ctl add map data)" ok
    wait_for 'with both paths' 20 is 2 paths_in data
    expect_match 'of bios' "$(dmsetup table data)" 'queue_mode bio'
    expect_eq 'it can be read' "$(dd if=/dev/mapper/data of=/dev/null bs=4k count=1 iflag=direct status=none && echo yes)" yes
}
