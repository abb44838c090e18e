# shellcheck shell=bash
# A daemon that starts while its configuration can't be read (a folder in its place) leaves the maps that are there as they are, says why
# once, answers who asks, and goes on by itself as soon as the file is back. `multipath` without a daemon fails and touches nothing.
# shellcheck disable=SC2034
for_reference=no

tables() { dmsetup table --target multipath | sort; }

asked_in_vain() { expect_match "$1" "$(ctl show maps 2>&1)" "the configuration can't be read: /etc/multipath.conf: "; }

unread() { # TABLES: with nothing to be read
    local out
    out=$("$names/multipath" 2>&1)
    expect_eq 'without a daemon: it fails' "$?" 1
    expect_match 'and says why' "$out" "the configuration can't be read: /etc/multipath.conf: "
    expect_eq 'and touches nothing' "$(tables)" "$1"
    expect_match 'explain says why' "$(ctl explain "$(debug_disk 0 0)" 2>&1)" "the configuration can't be read"
    : >"$MP_LOG"
    setsid "$MPD" -d >>"$MP_LOG" 2>&1 </dev/null &
    echo $! >/run/multipathd.test.pid
    disown
    wait_for 'the daemon says that it waits' 10 grep -q 'no disk and no map is touched without it' "$MP_LOG" || return
    asked_in_vain 'who asks is told why'
    sleep 7 # it has been read again
    expect_eq 'that is said once' "$(grep -c 'no map is touched' "$MP_LOG")" 1
    expect_eq 'maps are called and grouped as before' "$(tables)" "$1"
}

scenario() {
    names_up
    san_scsi_debug 2 1 || return
    conf_debug 'user_friendly_names yes'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local before; before=$(tables)
    expect_match 'a name of the bindings file' "$before" '^mpath'
    settled
    daemon_kill
    mv /etc/multipath.conf /etc/multipath.conf.away
    mkdir /etc/multipath.conf
    unread "$before"
    rmdir /etc/multipath.conf
    mv /etc/multipath.conf.away /etc/multipath.conf
    wait_for 'the file is back: the start goes on' 15 daemon_ready || return
    expect_ok 'and says so' grep -q 'the configuration can be read now' "$MP_LOG"
    wait_for 'two paths in service again' 20 in_service 2
    expect_eq 'and nothing was changed' "$(tables)" "$before"
}
