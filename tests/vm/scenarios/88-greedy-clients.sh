# shellcheck shell=bash
# Clients by the thousand, of two users, that say nothing, half a thing, or read nothing: connections of each are bounded, memory
# and descriptors too, and no honest client waits, be it root or another user.
# shellcheck disable=SC2034
for_reference=no

descriptors() { find "/proc/$(daemon_pid)/fd" -mindepth 1 -maxdepth 1 | wc -l; }

rss_mb() { awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$(daemon_pid)/status"; }

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

served() { # WHAT: root and another user are answered
    expect_below "$1: root is served (s)" "$(elapsed repeat 5 ctl show paths)" 5
    expect_eq "$1: and rightly" "$(ready_paths)" 2
    expect_below "$1: another user is served (s)" \
        "$(elapsed setpriv --reuid=1234 --clear-groups "$MPCTL" show maps)" 3
}

scenario() {
    san_scsi_debug 2 1 || return
    conf_debug
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local before after what
    ctl show paths >/dev/null
    before=$(rss_mb)

    # Ten thousand one after the other, each of them gone without a word.
    expect_eq 'ten thousand clients come and go' "$(as_nobody "$vm/guest/bad-client.py" crowd 10000)" done
    served 'after a crowd'

    # As many as it lets in at once, of a user, and of root.
    for what in silent half-many deaf-many; do
        as_nobody "$vm/guest/bad-client.py" $what 60 >/run/bad-client 2>&1 &
        wait_for "$what: sent" 30 says sent cat /run/bad-client
        served "$what"
        expect_below "$what: descriptors" "$(descriptors)" 150
        { kill -KILL $! && wait $!; } 2>/dev/null
    done
    "$vm/guest/bad-client.py" silent 60 >/run/bad-client 2>&1 &
    wait_for 'root leaks connections: sent' 30 says sent cat /run/bad-client
    served 'leaks of root'
    { kill -KILL $! && wait $!; } 2>/dev/null
    expect_below 'memory, more than before (MB)' "$(($(rss_mb) - before))" 32

    # What is said of a format's end and of strange names.
    expect_eq 'a format that ends in %' "$(ctl show paths raw format %d% 2>&1 | head -n 1)" "$(debug_disk 0 0)"
    expect_eq 'and one of % alone' "$(ctl show paths raw format % 2>&1 | sort -u)" ''
    for what in ../../etc/passwd /etc/passwd . .. '' "$(printf '%0200d' 0)" 'a/b'; do
        ctl add wwid "$what" >/dev/null 2>&1
        expect_eq "a WWID '${what:0:20}' makes no file" "$(find /run/multipath /etc/multipath -newer /etc/multipath.conf -name passwd | wc -l)" 0
        expect_match "nor a map" "$(ctl del map "$what" 2>&1)" 'not found|Missing|fail|commands'
    done
    expect_ok 'the same daemon' daemon_alive
}
