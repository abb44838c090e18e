# shellcheck shell=bash
# Shows situation 2: somebody reloads the table with queueing after `no_path_retry` has run out; a failed flush leaves queueing as it was.
# no_path_retry N: the map queues for N checks, then fails what waits; it queues again once a path was back. `show maps` counts that down.

scenario() {
    san_scsi_debug 2 1 || return
    conf_debug 'no_path_retry 4'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    ours && { ctl events --follow >/run/followed 2>/dev/null & }
    local follower=$!
    local map a b took
    a=$(debug_disk 0 0) b=$(debug_disk 1 0)
    map=$(map_of "$a")
    expect_match 'it queues' "$(dmsetup table "$map")" queue_if_no_path
    queueing_shown >/run/shown &
    local counting=$!
    poll 10 test -s /run/shown
    path_offline "$a"
    path_offline "$b"
    took=$(elapsed is failed write_once "$map" 60)
    expect_eq 'the write fails in the end' $? 0
    expect_between 'after four checks' "$took" 2 25
    wait $counting
    counted_down
    ours && foreign_queueing
    path_online "$a"
    wait_for 'a path is back' 30 path_is "$a" 'active ready running' "$map"
    wait_for 'it queues again' 10 says '1 queue_if_no_path' dmsetup table "$map"
    expect_eq 'a write works' "$(write_once "$map" 10)" written
    if ours; then failed_flush && told_of_queueing; fi
}

# What `show maps` says of the queueing until that is over, each once.
queueing_shown() {
    local word='' was='' start=$SECONDS
    until [ "$word" = off ] || [ $((SECONDS - start)) -gt 60 ]; do
        word=$(ctl show maps raw format %Q)
        word=${word%"${word##*[! ]}"}
        [ "$word" = "$was" ] || echo "$word"
        was=$word
    done
}

counted_down() {
    local seconds; seconds=$(sed -n 's/ sec$//p' /run/shown | xargs)
    expect_eq 'show maps says for how many checks it would queue' "$(head -n 1 /run/shown)" '4 chk'
    expect_between 'then how long it still does: seen' "$(wc -w <<<"$seconds")" 2 5
    expect_eq 'which falls' "$seconds" "$(xargs -n 1 <<<"$seconds" | sort -rn | uniq | xargs)"
    expect_eq 'until it is over' "$(tail -n 1 /run/shown)" off
    expect_no_match 'and nothing else' "$(cat /run/shown)" '^(0|[^0-9o]|[0-9]+ [^cs])'
}

foreign_queueing() {
    local table; table=$(dmsetup table "$map")
    expect_no_match 'it queues no more' "$table" queue_if_no_path
    expect_ok 'somebody loads a table that queues' dmsetup load "$map" --table "${table/multipath 0/multipath 1 queue_if_no_path}"
    expect_ok 'and it becomes the map' dmsetup resume "$map"
    wait_for 'what somebody else has switched on is switched off' 20 is failed write_once "$map" 5
    expect_no_match 'it queues no more' "$(dmsetup table "$map")" queue_if_no_path
}

failed_flush() {
    exec 9<"/dev/mapper/$map"
    expect_match 'a map in use is not removed' "$(ctl del map "$map" 2>&1)" 'map or partition in use'
    exec 9<&-
    expect_match 'and queues as before' "$(dmsetup table "$map")" queue_if_no_path
}

told_of_queueing() {
    local what
    kill -TERM $follower
    for what in started stopped restored; do
        expect_ok "a follower was told: queueing $what" has_told ".event == \"queueing_$what\" and .map == \"$map\"" /run/followed
    done
}
