# shellcheck shell=bash
# Mistakes in the configuration: each is reported with file, line and column; the rest holds, and the daemon lives.
# shellcheck disable=SC2034
for_reference=no

conf_broken() { # the last section has no end
    conf <<'END'
defaults {
	polling_interval 1
	max_polling_interval 2
	find_multipaths greedy
	detect_prio no
	path_grouping_policy multibus
	poling_interval 5
	no_path_retry many
	fast_io_fail_tmo 5x
}
blacklist {
	devnode "^sda$"
	devnode "^sd(z"
}
blacklist_exceptions {
	property ".*"
}
overrides {
	no_path_retry 3
END
}

# reported LINE:COLUMN MESSAGE: the message, and below it the place
reported() { grep -A1 -E "$2" "$MP_LOG" | grep -qE "^ *--> /etc/multipath.conf:($1)\$"; }

scenario() {
    san_scsi_debug 2 1 || return
    conf_broken
    daemon_start || return
    wait_for 'two paths in service' 20 is 2 active_paths || return
    expect_ok 'an unknown keyword' reported 7:2 'unknown keyword .poling_interval'
    expect_match 'and which was meant' "$(cat "$MP_LOG")" 'did you mean .polling_interval'
    expect_ok 'a bad word for a number' reported 8:16 'no_path_retry.*many'
    expect_ok 'a bad number' reported 9:19 'fast_io_fail_tmo.*5x'
    expect_ok 'a bad regular expression' reported 13:10 'bad regular expression'
    expect_ok 'a missing brace' reported '18:1' 'missing .[}]'
    expect_eq 'what is good holds' "$(ctl show config 2>/dev/null | grep -cE '^[[:space:]]polling_interval 1$')" 1
    local mark; mark=$(wc -l <"$MP_LOG")
    printf '\0\377}}}{ "\n' >/etc/multipath.conf
    kill -HUP "$(daemon_pid)"
    wait_for 'worse comes, and is reported' 10 says '/etc/multipath.conf:1:' tail -n +$((mark + 1)) "$MP_LOG"
    expect_ok 'the daemon lives' daemon_alive
    expect_eq 'the map stays' "$(active_paths)" 2
}
