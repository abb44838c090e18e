# shellcheck shell=bash
# Shows situation 7: dev_loss_tmo is never written as 0, and is always above the queueing time.
# Fibre Channel ports of the kernel's own, two of the host and two of the array: four paths, grouped by the array's node. What their
# remote ports are told; a cable that is cut for a while, and for so long that the disks go; times that a lost port refuses.

# What remote ports of the array have, each once: fast_io_fail_tmo/dev_loss_tmo
times() {
    local initiator target
    for initiator in $fc_initiators; do
        for target in $fc_targets; do
            echo "$(fc_rport_is "$initiator" "$target" fast_io_fail_tmo)/$(fc_rport_is "$initiator" "$target" dev_loss_tmo)"
        done
    done | sort -u | xargs
}

told_times() { # WHAT TIMES FAST LOST [LINES...]: so configured, the ports have these times
    local what=$1 wanted=$2; shift 2
    fc_conf "$@"
    expect_eq "reconfigure: $what" "$(ctl reconfigure)" ok
    wait_for "$what: $wanted" 20 is "$wanted" times
}

fc_conf() { # fast_io_fail_tmo dev_loss_tmo [LINES...]
    conf_debug 'path_grouping_policy group_by_node_name' 'verbosity 3' "fast_io_fail_tmo $1" "dev_loss_tmo $2" "${@:3}"
}

states() { for port in $fc_targets; do fc_rport_is "$1" "$port" port_state; done | sort -u; } # INITIATOR

groups() { # MAP: the nodes that the paths of each group lead to
    local node disk path group line
    declare -A nodes
    for disk in $(fc_disks); do
        node=$(readlink -f "/sys/block/$disk/device/../..")
        nodes[$(dev_t "$disk")]=$(cat "/sys/class/fc_remote_ports/${node##*/}/node_name")
    done
    table_groups "$1" | while read -r group; do
        line=''
        for path in $group; do line+=" ${nodes[$path]}"; done
        echo "${line# }"
    done | sort
}

timers() {
    expect_eq 'times as configured' "$(times)" 3/30
    told_times 'the map waits for longer than the ports' 3/45 3 30 'no_path_retry 40'
    told_times 'and for ever' 3/4294967295 3 30 'no_path_retry queue'
    told_times 'it fails at once again' 3/30 3 30 'no_path_retry fail'
    told_times 'no limit' 3/4294967295 3 infinity
    told_times 'none that fails fast' off/600 off infinity
    told_times 'the one below the other' 3/20 3 20
    fc_conf 3 0
    expect_eq 'reconfigure: 0' "$(ctl reconfigure)" ok
    settled
    expect_eq 'no port is told 0' "$(times)" 3/20
    told_times 'nor where the map waits' 3/45 3 0 'no_path_retry 40'
    expect_eq 'hosts have no limit for errors' "$(cat "/sys/class/scsi_host/$(fc_host 1)/eh_deadline")" off
    fc_conf 3 30 'eh_deadline 20'
    expect_eq 'reconfigure: eh_deadline' "$(ctl reconfigure)" ok
    wait_for 'hosts have one' 20 is '20 20' hosts_deadline
}

hosts_deadline() { for port in $fc_initiators; do cat "/sys/class/scsi_host/$(fc_host "$port")/eh_deadline"; done | xargs; }

# The cable of a host's port: its disks are blocked, their I/O fails after fast_io_fail_tmo, and they come back with the link.
# I/O begins when they are: what is under way when the array, too, loses the session can hang in the kernel's target for good.
link_is_cut() { # MAP
    local start; start=$(now)
    fc_cut 1
    wait_for 'the port is blocked' 10 is Blocked states 1
    io_start "/dev/mapper/$1"
    wait_for 'two paths left' 30 in_service 2
    expect_between 'not before fast_io_fail_tmo' "$(since "$start")" 3 30
    expect_eq 'four in the table' "$(map_paths "$1")" 4
    # A lost port takes no dev_loss_tmo: it is told when it is back.
    fc_conf 3 310
    expect_eq 'reconfigure while it is lost' "$(ctl reconfigure)" ok
    wait_for 'ports that are there are told' 20 is 310 fc_rport_is 2 3 dev_loss_tmo
    wait_for 'the lost one refuses' 20 grep -q "dev_loss_tmo can't be set to 310: EBUSY" "$MP_LOG"
    expect_eq 'and keeps what it had' "$(fc_rport_is 1 3 dev_loss_tmo)" 300
    expect_eq 'it is still blocked' "$(states 1)" Blocked
    fc_mend 1
    wait_for 'the port is back' 40 is Online states 1
    wait_for 'four paths again' 30 in_service 4
    wait_for 'and is told' 20 is 3/310 times
    io_stop
}

# For longer than dev_loss_tmo: the disks go, and come back as paths of the same map, in their groups.
link_is_lost() { # MAP
    local before; before=$(groups "$1")
    told_times 'a short time' 2/8 2 8
    # Without I/O: what is under way when the array loses its session, too, can hang in the kernel's target for good.
    fc_cut 2
    wait_for 'its disks go' 40 is 2 fc_disks_count
    wait_for 'and leave the map' 20 is 2 map_paths "$1"
    fc_mend 2
    wait_for 'they come back' 60 is 4 fc_disks_count
    wait_for 'and are in service' 30 in_service 4
    wait_for 'in their groups' 20 is "$before" groups "$1"
    wait_for 'with their times' 20 is 2/8 times
    expect_eq 'a write works' "$(write_once "$1" 20)" written
}

scenario() {
    local map
    san_fc_up || return
    fc_conf 3 30
    daemon_start || return
    wait_for 'four paths in service' 30 in_service 4 || return
    map=$(maps)
    expect_eq 'their protocol' "$(ctl show paths raw format %P | sort | uniq -c | xargs)" '4 scsi:fcp'
    expect_eq 'a group for each node of the array' "$(groups "$map")" \
        "0x$(fc_wwnn 3) 0x$(fc_wwnn 3)"$'\n'"0x$(fc_wwnn 4) 0x$(fc_wwnn 4)"
    if ours; then timers; fi
    told_times 'time enough' 3/300 3 300
    link_is_cut "$map"
    link_is_lost "$map"
}
