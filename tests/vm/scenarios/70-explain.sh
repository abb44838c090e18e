# shellcheck shell=bash
# `explain` tells of each disk whether it is multipathed, by which rule, and where its settings come from: asked of the
# daemon, and worked out without one.
# shellcheck disable=SC2034
for_reference=no

conf_explain() { # WWID that is excluded; the lines are counted below
    conf <<END
defaults {
	polling_interval 1
	find_multipaths on
	path_checker directio
	no_path_retry 5
}
blacklist {
	devnode "^sda$"
	wwid "$1"
}
blacklist_exceptions {
	property ".*"
}
overrides {
	no_path_retry 3
}
END
}

said() { ctl explain "$@" 2>&1 | tr -s ' '; }

scenario() {
    san_scsi_debug 2 2 || return
    local first second map before
    first=$(debug_disk 0 0) second=$(debug_disk 0 1)
    conf_explain "$(san_wwid "$second")"
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    map=$(map_of "$first")
    expect_match 'a member' "$(said "$first")" "^$first \($(dev_t "$first")\) is multipathed: a path of $map"
    expect_match 'a setting that is overridden' "$(said "$first")" '^ no_path_retry 3 /etc/multipath.conf:15$'
    expect_match 'and what it overrides' "$(said "$first")" '^ overrides 5 \(/etc/multipath.conf:5\)$'
    expect_match 'a default' "$(said "$first")" '^ path_selector service-time 0 default$'
    expect_match 'a map' "$(said "/dev/mapper/$map")" "^$map \(dm-[0-9]+\) is multipathed: .* with 2 paths"
    expect_match 'by device number' "$(said "$(dev_t "$second")")" "^$second .* is not multipathed: blacklisted by wwid .*multipath.conf:9\)"
    expect_match 'by name alone' "$(said sda)" '^sda \(8:0\) is not multipathed: blacklisted by devnode "\^sda\$" \(/etc/multipath.conf:8\)'
    expect_match 'no such disk' "$(said sdzz)" 'device not found'
    expect_eq 'as JSON' "$(ctl explain "$second" --json | jq -r .multipathed)" no

    # Of two paths of a LUN one goes, and its WWID is forgotten: what is left is alone.
    daemon_stop
    dmsetup remove "$map"
    : >/etc/multipath/wwids
    path_delete "$(debug_disk 1 0)"
    before=$(said "$first")
    expect_match 'without a daemon' "$before" '^no daemon answers'
    expect_match 'left alone by find_multipaths' "$before" "^$first .* is not multipathed: no other disk .* \(find_multipaths on: /etc/multipath.conf:3\)"
    expect_match 'blacklisted, without a daemon' "$(said "$second")" 'is not multipathed: blacklisted by wwid .*multipath.conf:9\)'
    daemon_start || return
    expect_eq 'a daemon says the same' "$(said "$first")" "$(grep -v '^no daemon' <<<"$before")"
    expect_eq 'and has no map' "$(maps_count)" 0
}
