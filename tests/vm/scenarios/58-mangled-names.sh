# shellcheck shell=bash
# An alias with bytes that udev does not take is in the kernel as libdevmapper writes it, where dmsetup, kpartx and the reference look
# for it; people read it as it is configured. A map that the reference has made keeps its name.
# shellcheck disable=SC2034
for_reference=no

kernel='my\x20disk\x281\x29'

conf_alias() { # ALIAS
    conf_debug
    printf 'multipaths {\n\tmultipath {\n\t\twwid %s\n\t\talias "%s"\n\t}\n}\n' "$wwid" "$1" >>/etc/multipath.conf
}

in_kernel() { cat /sys/class/block/dm-*/dm/name 2>/dev/null | sort; }

shown() { ll | awk '/ dm-[0-9]+ / { print; exit }'; }

scenario() {
    san_scsi_debug 2 1 || return
    local wwid before
    wwid=$(san_wwid "$(debug_disk 0 0)")
    conf_alias 'my disk(1)'
    daemon_start || return
    wait_for 'two paths in service' 20 is 2 ready_paths || return
    settled
    expect_eq 'the name in the kernel' "$(in_kernel)" "$kernel"
    expect_ok 'its node' test -b "/dev/mapper/$kernel"
    expect_match 'dmsetup finds it by its name' "$(dmsetup info --noheadings -c -o name,uuid 'my disk(1)')" "mpath-$wwid"
    expect_match '-ll shows it as it is configured' "$(shown)" '^my disk\(1\) \('
    expect_match 'and finds it so' "$(ll 'my disk(1)')" '^my disk\(1\) \('
    names_up
    expect_eq 'its name alone is whole' "$($names/multipath -v1 -l 2>/dev/null)" 'my disk(1)'
    expect_match 'and by its node' "$(ll "/dev/mapper/$kernel")" '^my disk\(1\) \('

    swaps_watch
    before=$(swaps)
    daemon_stop
    : >"$MP_LOG"
    udevadm trigger --action=change --settle "/sys/class/block/$(basename "$(readlink -f "/dev/mapper/$kernel")")"
    daemon_start || return
    wait_for 'two paths in service after a restart' 20 is 2 ready_paths
    settled
    expect_swaps 'nothing is loaded' "$before" 0
    expect_no_match 'nothing is renamed' "$(cat "$MP_LOG")" 'renam'

    partition "/dev/mapper/$kernel" 2048:2048
    expect_eq 'kpartx makes its partition' "$(in_kernel)" "$kernel"$'\n'"$kernel-part1"
    conf_alias 'a+b (2)'
    expect_eq 'another alias' "$(ctl reconfigure)" ok
    wait_for 'it is renamed, and its partition' 20 is 'a+b\x20\x282\x29'$'\n''a+b\x20\x282\x29-part1' in_kernel
    udevadm settle --timeout=30
    expect_ok 'its node' test -b '/dev/mapper/a+b\x20\x282\x29'
    expect_ok 'the old one is gone' test ! -e "/dev/mapper/$kernel"
    conf_alias "$kernel"
    expect_eq 'an alias as the kernel has it is the same' "$(ctl reconfigure)" ok
    wait_for 'it has its name again' 20 is "$kernel"$'\n'"$kernel-part1" in_kernel
    wait_for 'and is shown so' 10 says '^my disk\(1\) \(' ll

    udevadm settle --timeout=30
    expect_eq 'it can be removed' "$(ctl del map 'my disk(1)')" ok
    wait_for 'with its partition' 20 is '' in_kernel
    dd if=/dev/zero of="/dev/$(debug_disk 0 0)" bs=512 count=1 oflag=direct conv=nocreat status=none

    daemon_stop
    conf_alias 'my disk(1)'
    reference_start || return
    wait_for 'the reference makes a map' 30 is 1 maps_count || return
    expect_eq 'with the same name in the kernel' "$(in_kernel)" "$kernel"
    udevadm settle --timeout=30
    before=$(swaps)
    reference_stop
    : >"$MP_LOG"
    daemon_start || return
    wait_for 'ours has its paths' 20 is 2 ready_paths
    settled
    expect_eq 'the map keeps its name' "$(in_kernel)" "$kernel"
    expect_swaps 'and its table' "$before" 0
    expect_no_match 'nothing is renamed' "$(cat "$MP_LOG")" 'renam'
}
