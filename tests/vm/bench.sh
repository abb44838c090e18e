#!/bin/bash
# Measures our daemon and the reference, one after the other, on the same storage of one guest: started by tests/bench
#
#   bench.sh HOSTS LUNS ROUNDS STEADY_SECONDS LL_RUNS
#
# Prints lines 'raw ROUND WHO MEASURE VALUE'; everything else is for the reader. Nothing is judged here.
vm=/vm
# shellcheck source=tests/vm/lib.sh
. "$vm/lib.sh"
hosts=$1 luns=$2 rounds=$3 steady_s=$4 ll_runs=$5
switches_s=10
measure=$vm/guest/bench.py
declare -A daemon=([ours]=$vm/bin/multipathd [reference]=/opt/reference/sbin/multipathd)
declare -A operator=([ours]=$vm/bin/multipathctl [reference]=/opt/reference/sbin/multipath)

raw() { echo "raw $round $who $1 $2"; }

# Without the reference's wrapper, which is a shell of its own. Ours links to nothing in that folder.
as() { if [ "$who" = reference ]; then LD_LIBRARY_PATH=/opt/reference/lib "$@"; else "$@"; fi; }

status_kib() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$pid/status"; }

# A start of each that doesn't count: programs and udev's helpers are in the page cache then, and an emulated CPU has
# translated their code.
warm_up() {
    for who in ours reference; do
        echo "warming up: $who"
        start >/dev/null && show 2 >/dev/null && flush || return
    done
}

bench_conf() {
    conf <<'END'
defaults {
	polling_interval 1
	max_polling_interval 1
	find_multipaths greedy
	path_checker tur
}
blacklist {
	devnode "^sda$"
}
END
}

start() {
    local pid seconds cpu
    bench_conf
    read -r pid seconds cpu <<<"$(as "$measure" start "$hosts" "$luns" "$MP_LOG" "${daemon[$who]}" -d)"
    [ -n "$cpu" ] || { echo "$who did not get everything into service:"; tail -n 20 "$MP_LOG"; return 1; }
    echo "$pid" >/run/multipathd.test.pid
    raw start_s "$seconds"
    raw start_cpu "$cpu"
    dmsetup table --target multipath | sort >"/run/tables.$who"
}

at_rest() {
    local pid cpu threads commands
    pid=$(daemon_pid)
    settled
    read -r cpu threads commands <<<"$("$measure" steady "$pid" "$steady_s")"
    raw steady_cpu "$cpu"
    raw threads "$threads"
    raw commands "$commands"
    raw rss "$(status_kib VmRSS)"
    raw anon "$(status_kib RssAnon)"
    raw locked "$(status_kib VmLck)"
    raw switches "$("$measure" switches "$pid" "$switches_s")"
    raw check_cpu "$(awk -v cpu="$cpu" -v s="$steady_s" -v asked="$commands" 'BEGIN { print cpu / s / asked }')"
    reconfigure "$pid" "$cpu"
}

# What a reconfigure costs beyond the checks that go on. Less than a millisecond can't be told from them.
reconfigure() { # PID CPU-AT-REST
    local with
    with=$("$measure" reconfigure "$1" "$steady_s") || return
    raw reconfigure_cpu "$(awk -v with="$with" -v rest="$2" 'BEGIN { print (with - rest > 1 ? with - rest : 1) }')"
}

host_fails() {
    local seconds
    seconds=$("$measure" hostfails "$luns") || return
    raw host_fails_s "$seconds"
}

show() {
    local wall cpu
    read -r wall cpu <<<"$(as "$measure" run "$1" "${operator[$who]}" -ll)"
    raw ll_wall "$wall"
    raw ll_cpu "$cpu"
    raw ll_paths "$(grep -cE 'active +ready +running' /run/bench.out)"
}

# Its maps and files go with the daemon.
flush() {
    daemon_stop
    udevadm settle --timeout=60
    poll 60 remove_maps || { echo "maps stay: $(maps | xargs)"; return 1; }
    udevadm settle --timeout=60
    rm -rf /etc/multipath /run/multipath "$MP_LOG"
    mkdir -p /etc/multipath
}

main() {
    : >"$verdicts"
    mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
    modprobe scsi_dh_alua # before the disks: each gets its handler, whichever daemon comes first
    san_scsi_debug "$hosts" "$luns" || return
    local round=0 order who
    warm_up || return
    for ((round = 1; round <= rounds; round++)); do
        order='ours reference'
        [ $((round % 2)) = 1 ] || order='reference ours'
        for who in $order; do
            echo "round $round of $rounds: $who"
            start && at_rest && show "$ll_runs" && host_fails && flush || return
        done
        # The same work was done: else times can't be compared.
        who=both
        if diff /run/tables.ours /run/tables.reference; then raw same_tables yes; else raw same_tables no; fi
    done
}

main
