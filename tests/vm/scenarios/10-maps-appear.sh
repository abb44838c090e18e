# shellcheck shell=bash
# Two hosts show four LUNs each: four maps of two paths. Facts of every map as operators read them.

scenario() {
    san_scsi_debug 2 4 || return
    conf_debug
    daemon_start || return
    wait_for 'four maps' 20 is 4 maps_count || return
    wait_for 'eight paths in service' 20 in_service 8
    local out map
    out=$(ll)
    expect_eq 'headers' "$(grep -cE '^3[0-9a-f]+ dm-[0-9]+ Linux,scsi_debug *$' <<<"$out")" 4
    expect_eq 'sizes' "$(grep -c "^size=8.0M features='0' hwhandler='\(0\|1 alua\)' wp=rw" <<<"$out")" 4
    for map in $(maps); do
        expect_eq "UUID of $map" "$(dmsetup info -c --noheadings -o uuid "$map")" "mpath-$map"
        expect_ok "/dev/mapper/$map is there" test -b "/dev/mapper/$map"
        expect_eq "one WWID in $map" "$(map_wwids "$map")" "$map"
    done
    expect_eq 'one map alone' "$(ll "$map" | grep -c '^[^ |`]*size=')" 1
    expect_eq 'show paths' "$(ctl show paths 2>/dev/null | grep -cE ' sd[a-z]+ .* active +ready +running')" 8
    expect_eq 'show maps' "$(ctl show maps 2>/dev/null | grep -cE ' dm-[0-9]+ +3[0-9a-f]+')" 4
    expect_eq 'show maps json' "$(ctl show maps json 2>/dev/null | jq '[.maps[].path_groups[].paths[]] | length')" 8
    expect_ok 'I/O through a map' dd if=/dev/zero "of=/dev/mapper/$map" bs=64k count=16 oflag=direct conv=nocreat
}
