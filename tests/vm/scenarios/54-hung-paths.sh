# shellcheck shell=bash
# Shows situation 17: half of all paths time out together, and `show` answers in its normal time.
# Half of all paths hang: the others are checked on time, the daemon answers at its usual speed, threads and memory stay
# bounded and come down again afterwards. An answer that comes late is not taken for a fresh one.
#
# HUNG_LUNS says how many LUNs there are, with a path that hangs and a healthy one each. A thousand of each, in some 20 minutes:
#   HUNG_LUNS=1000 VM_PASS=HUNG_LUNS tests/vm/run --timeout 3600 --mem 10240 tests/vm/suite.sh 54-hung-paths
#
# What hangs is a read that the kernel's throttle of block I/O holds back, for the daemon alone: 2 bytes a second.
# shellcheck disable=SC2034
for_reference=no

luns=${HUNG_LUNS:-32}
every=$((luns > 100 ? 5 : 2)) # seconds between two checks of a path
group=/sys/fs/cgroup/hung

scenario() {
    # Without a delay: with one, hosts of these answer some of many commands with DID_ABORT, which the kernel does not repeat.
    san_scsi_debug 2 "$luns" dev_size_mb=4 delay=0 || return
    echo "   $(now) s: $((2 * luns)) disks"
    conf_debug "polling_interval $every" "max_polling_interval $every" 'path_checker directio' 'detect_checker no' \
        'checker_timeout 4' 'skip_kpartx yes'
    daemon_start || return
    wait_for "$luns maps" $((60 + luns)) is "$luns" maps_count || return
    wait_for "$((2 * luns)) paths in service" 60 is $((2 * luns)) ready_paths || return
    echo "   $(now) s: all in service"
    throttled_group || return
    all_settled
    healthy=$(paths_of 0) hung=$(paths_of 1)
    local pid usual_ms usual_kib done_before read_before healthy_before
    pid=$(daemon_pid)
    on_time 'healthy paths are checked on time' "$healthy"
    # In the first minute each map is looked at, and keeps what was seen: some 0.8 KiB, which counts where there are many.
    [ "$luns" -le 100 ] || sleep 60
    usual_ms=$(answers) usual_kib=$(resident)
    echo "   usually: $usual_ms ms for show topology, $usual_kib KiB"

    throttle 2
    wait_for 'all that hang are given up' $((60 + luns / 10)) is "$luns" ready_paths
    all_settled
    done_before=$(commands_to "$hung")
    read_before=$(read_by "$pid") healthy_before=$(all_commands "$healthy")
    on_time 'the healthy ones are checked on time' "$healthy"
    expect_eq 'no path that hangs has answered' "$(commands_to "$hung")" "$done_before"
    # What is throttled has been handed over, and is counted then: each check reads one block.
    read_before=$(($(read_by "$pid") - read_before)) healthy_before=$(($(all_commands "$healthy") - healthy_before))
    echo "   $read_before bytes were asked for, in $healthy_before checks of the healthy ones"
    expect_below 'no path that hangs is asked again (blocks)' $((read_before / 512)) $((healthy_before + luns / 2))
    expect_below "show topology, usually in $usual_ms ms" "$(answers)" "$(awk -v a="$usual_ms" 'BEGIN { print 1.5 * a + 50 }')"
    replies_in_time "half of $((2 * luns)) paths hang"
    expect_below 'threads' "$(threads)" 12
    expect_below "KiB resident, usually $usual_kib" "$(resident)" $((usual_kib + 1024 + 4 * luns))

    # The answers come while the daemon can't see it, and what it asks then hangs again.
    kill -STOP "$pid"
    throttle max
    wait_for 'the late answers are good' 30 each_did "$done_before" 1
    throttle 2
    kill -CONT "$pid"
    expect_ok 'and bring no path back' holds $((2 * every)) is "$luns" ready_paths
    expect_eq 'the kernel uses the healthy ones only' "$(active_paths)" "$luns"

    throttle max
    wait_for 'all are back' 60 is $((2 * luns)) ready_paths
    expect_ok 'each upon a check of its own' each_did "$done_before" 3
    all_settled
    on_time 'all are checked on time' "$healthy $hung"
    wait_for 'as few threads as ever' 120 threads_at_most 5
    expect_below "KiB resident in the end, once $usual_kib" "$(resident)" $((usual_kib + 1024))
    expect_below 'show topology in the end' "$(answers)" "$(awk -v a="$usual_ms" 'BEGIN { print 1.5 * a + 50 }')"
}

# udev has read what is new, and a few checks have passed: others' commands would be counted as the daemon's.
all_settled() {
    udevadm settle --timeout=$((30 + 2 * luns)) || fail 'udev has done its work' "not in $((30 + 2 * luns)) s"
    settled
}

# The daemon's I/O can be throttled from now on.
throttled_group() {
    mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup || return
    echo +io >/sys/fs/cgroup/cgroup.subtree_control || { fail 'block I/O can be throttled'; return 1; }
    mkdir -p $group
    daemon_pid >$group/cgroup.procs
}

throttle() { # BYTES a second, or max: of every path that is to hang
    local disk number
    for disk in $hung; do
        read -r number <"/sys/block/$disk/dev"
        echo "$number rbps=$1" >$group/io.max
    done
}

paths_of() { # HOST-INDEX: its disks
    local dir
    for dir in /sys/bus/pseudo/drivers/scsi_debug/adapter"$1"/host*/target*/*:*:*:*/block/sd*; do echo "${dir##*/}"; done
}

commands_to() { # DISKS: NAME COUNT, a line each: how many commands it has answered
    local disk count
    # shellcheck disable=SC2048
    for disk in $*; do
        read -r count <"/sys/block/$disk/device/iodone_cnt"
        echo "$disk $((count))"
    done
}

each_did() { # BEFORE COUNT: each disk has answered so many commands since
    local before=$1
    awk -v count="$2" 'NR == FNR { was[$1] = $2; next } $2 - was[$1] < count { exit 1 }' \
        <(echo "$before") <(commands_to "$(cut -d' ' -f1 <<<"$before")")
}

all_commands() { commands_to "$1" | awk '{ sum += $2 } END { print sum }'; } # DISKS

read_by() { awk '$1 == "read_bytes:" { print $2 }' "/proc/$1/io"; } # PID

on_time() { # NAME DISKS: in four intervals each is checked four times, give or take one
    local before start span disk least most
    before=$(commands_to "$2")
    start=$(now)
    sleep $((4 * every)) # what is looked for is what happens in a time
    span=$(since "$start")
    read -r least most disk <<<"$(awk 'NR == FNR { was[$1] = $2; next }
        { did = $2 - was[$1]; if (FNR == 1 || did < least) least = did; if (did > most) { most = did; disk = $1 } }
        END { print least, most, disk }' <(echo "$before") <(commands_to "$2"))"
    expect_between "$1: the fewest in $span s" "$least" "$(awk -v s="$span" -v e=$every 'BEGIN { print int(s / e) - 1 }')" 99
    expect_between "$1: the most, of $disk" "$most" 1 "$(awk -v s="$span" -v e=$every 'BEGIN { print int(s / e) + 2 }')"
}

answers() { "$vm/guest/bench.py" replies 10 'show topology'; }

threads() { awk '$1 == "Threads:" { print $2 }' "/proc/$(daemon_pid)/status"; }

threads_at_most() { [ "$(threads)" -le "$1" ]; }

resident() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$(daemon_pid)/status"; }

holds() { # SECONDS COMMAND...: true all the time
    local limit=$1 start=$SECONDS; shift
    while [ $((SECONDS - start)) -lt "$limit" ]; do "$@" || return; sleep 0.2; done
}
