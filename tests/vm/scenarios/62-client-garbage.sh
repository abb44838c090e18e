# shellcheck shell=bash
# Shows situation 18: clients never finish what they say; the others are served.
# Clients that send garbage, half a message, an endless one, or never read: each is dropped or ignored, the others are
# served, and the daemon stays the one it was.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    san_scsi_debug 2 1 || return
    conf_debug
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local what
    for what in huge large noise nothing; do
        expect_eq "$what: dropped" "$("$vm/guest/bad-client.py" $what 20)" dropped
    done
    for what in half deaf many; do
        "$vm/guest/bad-client.py" $what 20 >/run/bad-client 2>&1 &
        wait_for "$what: sent" 10 says sent cat /run/bad-client
        expect_below "$what: others are served" "$(elapsed repeat 5 ctl show paths)" 5
        expect_eq "$what: rightly" "$(ready_paths)" 2
        { kill -KILL $! && wait $!; } 2>/dev/null
    done
    expect_ok 'the same daemon' daemon_alive
    expect_below 'its memory, in MB' "$(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$(daemon_pid)/status")" 64
}
