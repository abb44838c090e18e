# shellcheck shell=bash
# Debian's own clients ask the daemon: the words of multipathd, with and without -k, and multipathc's prompt.

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local disk=' sd[a-z]+ .* active +ready +running' out
    out=$("$reference/multipathd" -k'show paths' 2>&1)
    expect_eq "multipathd -k'show paths'" "$(grep -cE "$disk" <<<"$out")" 4
    expect_match 'its headings' "$out" '^hcil +dev +dev_t +pri +dm_st +chk_st +dev_st +next_check'
    out=$("$reference/multipathd" show paths 2>&1)
    expect_eq 'multipathd show paths' "$(grep -cE "$disk" <<<"$out")" 4
    expect_eq 'show maps json' "$("$reference/multipathd" show maps json 2>/dev/null | jq '[.maps[].path_groups[].paths[]] | length')" 4
    expect_eq 'show paths format' "$("$reference/multipathd" show paths raw format %d 2>/dev/null | grep -c '^sd')" 4
    out=$(printf 'show paths\nshow status\nquit\n' | timeout 20 "$reference/multipathc" 2>&1)
    expect_eq 'multipathc' "$(grep -cE "$disk" <<<"$out")" 4
    expect_eq 'a command that changes something' "$("$reference/multipathd" fail path "$(debug_disk 1 1)" 2>&1)" ok
    expect_match 'a command that is none' "$("$reference/multipathd" show nothing 2>&1)" '^(fail|timeout|.*command)'
}
