# shellcheck shell=bash
# What happens is told as JSON lines: what there was, and what comes; a reader that does not read costs nothing and hinders nobody.
# And JSON of everything that is shown.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local disk map what pid
    disk=$(debug_disk 1 1) map=$(map_of "$disk")

    ctl events >/run/events
    expect_eq 'what there was: every line is an object' "$(jq -c . /run/events | wc -l)" "$(wc -l </run/events)"
    expect_eq 'both maps came' "$(told '.event == "map_created"')" 2
    expect_eq 'in order, and none is missing' "$(jq -s 'map(.seq) == [range(0; length)]' /run/events)" true
    expect_match 'with their times' "$(tail -n 1 /run/events)" '"time": "20[0-9-]{8}T[0-9:]{8}\.[0-9]{6}Z"'
    expect_match 'only root is told' "$(setpriv --reuid=65534 --clear-groups "$MPCTL" events 2>&1)" '^permission deny'

    ctl events --follow >/run/followed 2>/run/followed.err &
    pid=$!
    wait_for 'a follower gets what there was' 10 has_told '.event == "map_created"' /run/followed
    expect_eq 'an operator fails a path' "$(ctl fail path "$disk")" ok
    wait_for 'the follower is told what he said' 10 has_told \
        ".event == \"command\" and .command == \"fail path $disk\" and .outcome == \"ok\" and .uid == 0 and .pid > 1" /run/followed
    wait_for 'and what came of it' 10 has_told ".event == \"active_paths\" and .map == \"$map\" and .active == 1" /run/followed
    ctl reinstate path "$disk" >/dev/null
    path_offline "$disk"
    wait_for 'a path that is lost' 20 has_told ".event == \"path_state\" and .path == \"$disk\" and .chk_st == \"faulty\"" /run/followed
    path_online "$disk"
    wait_for 'and found again' 20 has_told ".event == \"path_reinstated\" and .path == \"$disk\"" /run/followed
    ctl reload map "$map" >/dev/null
    wait_for 'a reload' 10 has_told ".event == \"map_reloaded\" and .map == \"$map\"" /run/followed

    "$vm/guest/bad-client.py" follow 60 >/run/bad-client 2>&1 &
    what=$!
    wait_for 'a follower that reads nothing' 10 says sent cat /run/bad-client
    local before after
    before=$(rss_mb)
    # More than its socket and the journal hold.
    "$vm/guest/wire.py" --repeat 1500 'disablequeueing maps' 'restorequeueing maps' >/dev/null
    after=$(rss_mb)
    expect_below 'costs no memory (MB)' "$((after - before))" 4
    expect_below 'and hinders nobody' "$(elapsed repeat 5 ctl show paths)" 5
    expect_eq 'a thousand are kept' "$(ctl events | wc -l)" 1000
    { kill -KILL $what && wait $what; } 2>/dev/null

    daemon_stop
    wait $pid
    expect_eq 'the follower ends with the daemon' $? 1
    wait_for 'and was told so' 5 has_told '.event == "stopping"' /run/followed
    expect_eq 'he missed nothing' "$(jq -s 'map(.seq) | . == [range(.[0]; .[0] + length)]' /run/followed)" true

    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    for what in paths "path $disk" maps 'maps status' 'maps stats' 'maps topology' topology "map $map topology" status daemon config \
        'config local' blacklist devices wildcards replies; do
        # shellcheck disable=SC2086
        ctl show $what json >/run/shown
        expect_ok "show $what json" "$vm/guest/literal.py" </run/shown
        # shellcheck disable=SC2086
        expect_eq "show $what --json is the same" "$(ctl show $what --json | same)" "$(ctl show $what json | same)"
    done
    expect_eq 'replies are counted' "$(ctl show replies json | jq '.replies[] | select(.command == "show paths json").replies')" 3
    expect_eq 'paths' "$(ctl show paths json | jq -r '[.paths[] | select(.multipath) | .dev] | length')" 4
    expect_eq 'what a configuration says' \
        "$(ctl show config json | jq -r '.sections[] | select(.section == "defaults") | .settings[] | select(.keyword == "find_multipaths") | .value')" \
        greedy
    expect_eq 'a rule of the file' "$(ctl show blacklist json | jq -r '.rules[] | select(.from == "file" and .list == "blacklist") | .rule')" '^sda$'
}

# What differs from one time to the next is left out.
same() { jq -S 'del(..|.next_check?) | del(.replies, .state, .busy)'; } # what a check under way changes is left out

rss_mb() { awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$(daemon_pid)/status"; }
