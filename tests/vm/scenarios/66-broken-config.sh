# shellcheck shell=bash
# Mistakes in the configuration: each is reported with file, line and column. A daemon that starts takes what is good of
# it; one that runs keeps what it has, says so in its log and to who asked, and takes the next file without errors.
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

good() { # the same without the mistakes, and closed
    sed '/poling\|many\|5x\|sd(z/d' /run/first.conf
    echo '}'
}

# reported LINE:COLUMN MESSAGE: the message, and below it the place
reported() { grep -A1 -E "$2" "$MP_LOG" | grep -qE "^ *--> /etc/multipath.conf:($1)\$"; }

scenario() {
    san_scsi_debug 2 1 || return
    conf_broken
    cp /etc/multipath.conf /run/first.conf
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
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
    mark=$(wc -l <"$MP_LOG")

    local map before; map=$(map_of "$(debug_disk 0 0)")
    swaps_watch
    before=$(swaps)
    sed 's/multibus/failover/; s/^}$//' <<<"$(good)" | conf
    expect_match 'half a file is refused' "$(ctl reconfigure 2>&1)" 'the running configuration stays in force: [0-9]+ error'
    wait_for 'in the log too' 5 says 'not taken over, the running one stays in force' tail -n +$((mark + 1)) "$MP_LOG"
    settled
    expect_eq 'what held, holds' "$(ctl show config 2>/dev/null | sed -n '/^defaults/,/^}/p' | grep -c 'path_grouping_policy "multibus"$')" 1
    expect_swaps 'no table was loaded' "$before" 0
    good | sed 's/multibus/failover/' | conf
    expect_eq 'the whole file is taken' "$(ctl reconfigure 2>/dev/null)" ok
    wait_for 'and used' 20 says ' 2 1 service-time .* service-time ' dmsetup table "$map"
}
