# shellcheck shell=bash
# A program in C that talks through libmpathcmd, as libdmmp, snmp agents and others do that are linked with Debian's: with that, and with ours.

declare -A asking=([theirs]="env LD_LIBRARY_PATH=/opt/reference/lib $vm/files/libmpathcmd"
    [ours]="env LD_LIBRARY_PATH=$vm/bin $vm/files/libmpathcmd")

scenario() {
    local whose
    for whose in "${!asking[@]}"; do
        expect_match "$whose: without a daemon it is told so" "$(${asking[$whose]} 'show daemon' 2>&1)" '^not connected: '
    done
    san_scsi_debug 2 2 || return
    conf_debug
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    for whose in "${!asking[@]}"; do asked "$whose" "${asking[$whose]}"; done
}

asked() { # WHOSE COMMAND
    local whose=$1 ask=$2 disk out
    disk=$(debug_disk 1 1)
    out=$($ask 'show paths raw format %d' 'show maps raw format %w' "fail path $disk" "reinstate path $disk")
    expect_eq "$whose: four commands on one connection" "$(grep -cE '^0 ' <<<"$out")" 4
    expect_eq "$whose: the paths" "$(sed 's/^0 //' <<<"$out" | grep '^sd' | sort | tr '\n' ' ')" "$(debug_disks | tr ' ' '\n' | sort | tr '\n' ' ')"
    expect_eq "$whose: the maps, by their WWIDs" "$(sed 's/^0 //' <<<"$out" | grep -c '^3')" 2
    expect_eq "$whose: two orders" "$(grep -c '^0 ok$' <<<"$out")" 2
    expect_eq "$whose: the end" "$(tail -n 1 <<<"$out")" 'closed 0'
    wait_for "$whose: the path is as it was" 20 is 4 active_paths
    out=$($ask --parts 'show maps json')
    expect_match "$whose: the length counts the zero at the end" "$out" '^sent 0, length ([0-9]+), text ([0-9]+), received 0'
    expect_eq "$whose: by one" "$(sed -n '1s/^sent 0, length \([0-9]*\), text \([0-9]*\), .*/\1 - \2/p' <<<"$out")" \
        "$(sed -n '1s/.*text \([0-9]*\), .*/\1/p' <<<"$out" | awk '{ print $1 + 1, "-", $1 }')"
    expect_eq "$whose: its JSON" "$(sed '1d; /^closed/d' <<<"$out" | jq '[.maps[].path_groups[].paths[]] | length')" 4
    expect_match "$whose: a command that is none" "$($ask 'show nothing' | head -n 1)" '^0 (fail|show nothing: not found)$'
    expect_match "$whose: a map that is none" "$($ask 'show map nobody topology' | tr '\n' ' ')" '^0 fail'
    expect_eq "$whose: nothing said, nothing answered" "$($ask --silence | head -n 1)" '-1 Connection timed out'
}
