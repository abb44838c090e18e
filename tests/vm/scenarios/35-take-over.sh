# shellcheck shell=bash
# Debian's multipathd runs, stops, and ours takes its maps over without a reload, a lost event or a pause of I/O; and the other way round.
# shellcheck disable=SC2034
for_reference=no

ours_takes_over() {
    reference_stop
    local before; before=$(swaps)
    daemon_start || return
    wait_for 'ours has eight paths in service' 20 is 8 ready_paths
    settled
    expect_swaps 'nothing was reloaded' "$before" 0
}

# Its own start is not ours to judge.
reference_takes_back() {
    reference_start || return
    wait_for 'the reference takes them back' 20 is 8 active_paths
    settled
}

# What happens while no daemon runs is found by the next one.
between_daemons() {
    local lost back
    lost=$(debug_disk 0 1) back=$(debug_disk 1 2)
    path_offline "$back"
    wait_for 'the reference fails a path' 20 is 7 active_paths
    reference_stop
    path_online "$back"
    path_offline "$lost"
    daemon_start || return
    wait_for 'one that came back in between' 20 path_is "$back" 'active ready running'
    wait_for 'one that went in between' 20 path_is "$lost" 'failed faulty offline'
    path_online "$lost"
    wait_for 'and comes back' 20 is 8 ready_paths
}

nth() { local n=$1; shift; printf '%s\n' "$@" | sort -n | sed -n "${n}p"; }

# What ours adds to a machine at rest, which an emulated one's is rarely: what else its host does comes on top, of one round or two. A daemon that
# I/O waited for would take longer in each.
expect_no_pause() { # WHAT MS-AT-REST... -- MS...
    local what=$1 rest=(); shift
    while [ "$1" != -- ]; do rest+=("$1"); shift; done
    shift
    expect_below "$what: ms that I/O pauses longer than at rest, the least" $(($(nth 1 "$@") - $(nth 1 "${rest[@]}"))) 100
    expect_below "$what: and of most rounds" $(($(nth 2 "$@") - $(nth 2 "${rest[@]}"))) 300
}

scenario() {
    san_scsi_debug 2 4 || return
    conf_debug
    reference_start || return
    wait_for 'the reference made four maps' 30 is 4 maps_count || return
    poll 10 is 8 active_paths
    local tables round quiet=() there=() stop=() back=()
    tables=$(dmsetup table --target multipath | sort)
    swaps_watch
    io_start "/dev/mapper/$(map_of "$(debug_disk 0 0)")"
    for round in 1 2 3; do
        quiet+=("$(io_pause settled)")
        there+=("$(io_pause ours_takes_over)")
        expect_eq 'the same tables' "$(dmsetup table --target multipath | sort)" "$tables"
        stop+=("$(io_pause daemon_stop)")
        back+=("$(io_pause reference_takes_back)")
    done
    echo "# pauses in ms, at rest: ${quiet[*]}; taken over: ${there[*]}; ours stops: ${stop[*]}; taken back: ${back[*]}"
    expect_no_pause 'ours takes over' "${quiet[@]}" -- "${there[@]}"
    expect_no_pause 'ours stops' "${quiet[@]}" -- "${stop[@]}"
    between_daemons
    io_stop
}
