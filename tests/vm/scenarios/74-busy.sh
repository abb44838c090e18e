# shellcheck shell=bash
# A map that is in use is not removed, and who uses it is told; a renamed map's partitions are renamed with it, with `partition_delimiter`.
# shellcheck disable=SC2034
for_reference=no

swapped_to() { # DEVICE MAP
    mkswap "$1" >/dev/null 2>&1 && swapon "$1" || fail "swap on $1" "$(swapon 2>&1)"
    expect_match "${1##*-} is swapped to: by whom" "$(ctl del map "$2" 2>&1)" '^held by: swap$'
    expect_match 'and stays' "$(swapon --show=NAME --noheadings --raw)" "^$(readlink -f "$1")\$"
    swapoff "$1"
    udevadm settle --timeout=30
}

two_partitions() { # MAP: the second is mounted, the first must not go
    local map=$1 part out
    for part in 1 2; do
        expect_ok "partition $part" dmsetup create "$map-part$part" -u "part$part-mpath-$map" \
            --table "0 65536 linear /dev/mapper/$map $(((part - 1) * 65536))"
    done
    expect_ok 'a file system on the second' mkfs.ext4 -q "/dev/mapper/$map-part2"
    mount "/dev/mapper/$map-part2" /run/mnt
    out=$(ctl del map "$map" 2>&1)
    expect_match 'a partition is in use' "$out" '^map or partition in use$'
    expect_match 'by whom it is' "$out" '^held by: mounted on /run/mnt$'
    expect_eq 'no partition is lost' "$(dmsetup ls | grep -c "^$map")" 3
    umount /run/mnt
    swapped_to "/dev/mapper/$map-part2" "$map"
    udevadm settle --timeout=30 # who reads a device has it open
    expect_eq 'not in use: removed with both' "$(ctl del map "$map") $(dmsetup ls)" 'ok No devices found'
    expect_eq 'and comes back' "$(ctl add map "$map")" ok
}

devices() { dmsetup ls | awk '{ print $1 }' | sort | xargs; }

scenario() {
    san_scsi_debug 2 1 dev_size_mb=64 || return
    conf_debug
    daemon_start || return
    wait_for 'two paths in service' 20 is 2 ready_paths || return
    local map out
    map=$(maps)
    expect_ok 'a file system' mkfs.ext4 -q "/dev/mapper/$map"
    mkdir -p /run/mnt && mount "/dev/mapper/$map" /run/mnt
    out=$(ctl del map "$map" 2>&1)
    expect_eq 'a mounted map stays' "$(maps_count)" 1
    expect_match 'it is in use' "$out" '^map or partition in use$'
    expect_match 'by whom' "$out" '^held by: mounted on /run/mnt$'
    expect_match 'del maps: which stays, and by whom it is held' "$(ctl del maps 2>&1)" "^$map: held by: mounted on /run/mnt\$"
    wait_for 'so says the log' 5 says "$map: not removed: held by: mounted on /run/mnt" cat "$MP_LOG"
    expect_eq 'and goes on' "$(ready_paths)" 2
    umount /run/mnt
    swapped_to "/dev/mapper/$map" "$map"
    names_up
    sed -i '1s/$/\n\tremove_retries 8/' /etc/multipath.conf
    # Somebody who has it open until he is told.
    rm -f /run/opened /run/let-go
    (exec 3<"/dev/mapper/$map" && : >/run/opened && poll 60 test -e /run/let-go) &
    poll 5 test -e /run/opened
    expect_match 'no try again' "$($names/multipath -R 0 -f "$map" 2>&1)" 'map or partition in use'
    (sleep 2; : >/run/let-go) & # in the middle of the tries
    expect_eq 'it is tried again as often as configured' "$($names/multipath -f "$map" 2>&1) $(maps_count)" ' 0'
    wait
    expect_eq 'the map comes back' "$(ctl add map "$map")" ok
    wait_for 'with both paths again' 20 is 2 ready_paths
    two_partitions "$map"
    wait_for 'with both paths' 20 is 2 ready_paths
    expect_ok 'a device on top of it' dmsetup create "$map-part1" -u "part1-mpath-$map" \
        --table "0 2048 linear /dev/mapper/$map 0"
    sed -i 's/^}$/}\nmultipaths {\n multipath {\n wwid '"$map"'\n alias data\n }\n}/;t' /etc/multipath.conf
    expect_ok 'an alias' ctl reconfigure
    wait_for 'renames the map' 20 test -b /dev/mapper/data
    wait_for 'and its partition' 20 test -b /dev/mapper/data-part1
    sed -i -e 's/alias data$/alias other/' -e '1s/$/\n\tpartition_delimiter -p/' /etc/multipath.conf
    expect_ok 'another, and a delimiter' ctl reconfigure
    wait_for 'is between name and number' 20 is 'other other-p1' devices
    sed -i -e 's/alias other$/alias data/' -e 's/partition_delimiter.*/partition_delimiter ""/' /etc/multipath.conf
    expect_ok 'none' ctl reconfigure
    wait_for 'leaves nothing there' 20 is 'data data1' devices
    udevadm settle --timeout=30
    expect_eq 'removed, with its partition' "$(ctl del map data)" ok
    expect_eq 'nothing is left' "$(dmsetup ls)" 'No devices found'
}
