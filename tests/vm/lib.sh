# shellcheck shell=bash
# Helpers for scripts that run in the guest: verdicts, waiting, the daemon under test and the reference.
# Storage is in san.sh, which this file brings along. Nothing here sleeps for a result: it polls a state, with a bound.
#
# MPD and MPCTL name the daemon and the operator's command under test. VM_REFERENCE=1 puts the reference in their place.

vm=${vm:-/vm}
reference=/opt/reference/bin
if [ -n "${VM_REFERENCE:-}" ]; then
    MPD=$reference/multipathd MPCTL=$vm/guest/reference-ctl
fi
MPD=${MPD:-$vm/bin/multipathd}
MPCTL=${MPCTL:-$vm/bin/multipathctl}
MP_LOG=${MP_LOG:-/run/multipathd.log}
verdicts=${verdicts:-/run/verdicts}

# shellcheck source=tests/vm/san.sh
. "$vm/san.sh"
# shellcheck source=tests/vm/fc.sh
. "$vm/fc.sh"

# --- verdicts: a line each, counted in a file so that subshells count too

ok() { echo "ok $1" | tee -a "$verdicts"; }

fail() { # NAME WHY: the reason may have many lines
    printf 'FAIL %s: %s\n' "$1" "${2:-}"
    echo "FAIL $1" >>"$verdicts"
    return 1
}

skip() { echo "skip $1: ${2:-}" | tee -a "$verdicts"; }

expect_eq() { # NAME GOT WANTED
    if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "got '$2', wanted '$3'"; fi
}

expect_match() { # NAME TEXT REGEX: extended, of a line of the text
    if grep -qE -- "$3" <<<"$2"; then ok "$1"; else fail "$1" "no line like '$3' in:"$'\n'"$2"; fi
}

expect_no_match() { # NAME TEXT REGEX
    if ! grep -qE -- "$3" <<<"$2"; then ok "$1"; else fail "$1" "a line like '$3' in:"$'\n'"$2"; fi
}

is_number() { [[ $1 =~ ^-?[0-9]+(\.[0-9]+)?$ ]]; } # no answer at all is none

expect_between() { # NAME GOT FROM TO
    if is_number "$2" && awk -v a="$2" -v b="$3" -v c="$4" 'BEGIN { exit !(b <= a && a <= c) }'; then ok "$1 ($2)"; else
        fail "$1" "$2, not in $3 to $4"
    fi
}

expect_ok() { # NAME COMMAND...
    local name=$1 out; shift
    if out=$("$@" 2>&1); then ok "$name"; else fail "$name" "status $? of '$*': $out"; fi
}

expect_below() { # NAME GOT LIMIT: numbers, decimals allowed
    if is_number "$2" && awk -v a="$2" -v b="$3" 'BEGIN { exit !(a < b) }'; then ok "$1 ($2)"; else fail "$1" "'$2', limit $3"; fi
}

failures() { grep -c '^FAIL ' "$verdicts" 2>/dev/null; }

# A part that ends in its middle, by a `return`, says nothing by itself: it has failed, by its name.
part() { # FUNCTION [ARGUMENTS]
    local before status=0; before=$(failures)
    "$@" || status=$?
    [ $status = 0 ] || [ "$(failures)" != "$before" ] || fail "$*" "ended early ($status)"
    return $status
}

summary() { # the closing line; status 1 if anything failed
    local passed failed
    passed=$(grep -c '^ok ' "$verdicts" 2>/dev/null)
    failed=$(failures)
    echo "${passed:-0} passed, ${failed:-0} failed"
    [ "${failed:-0}" = 0 ] && [ "${passed:-0}" != 0 ]
}

# --- waiting

now() { local up; read -r up _ </proc/uptime; echo "$up"; }

since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }

# poll SECONDS COMMAND...: true as soon as the command is; silent.
poll() {
    local limit=$1 start=$SECONDS; shift
    until "$@" >/dev/null 2>&1; do
        [ $((SECONDS - start)) -le "$limit" ] || return 1
        sleep 0.1
    done
}

# wait_for DESCRIPTION SECONDS COMMAND...: a verdict with the time it took.
wait_for() {
    local what=$1 limit=$2 start; shift 2
    start=$(now)
    if poll "$limit" "$@"; then ok "$what ($(since "$start") s)"; return; fi
    fail "$what" "not within $limit s: $*$([ "$1" != is ] || printf ", but '%s'" "$("${@:3}" 2>&1 | head -n 20)")"
}

has() { grep -qE -- "$1"; }

# line_like REGEX TEXT: the text has a line like that. No process is started for it, as each costs tens of milliseconds here.
line_like() {
    local - line IFS=$'\n'
    set -f
    for line in $2; do [[ $line =~ $1 ]] && return; done
    return 1
}

# says REGEX COMMAND...: the command's output has a line like that. For poll and wait_for.
says() { line_like "$1" "$("${@:2}" 2>/dev/null)"; }

says_not() { ! says "$@"; }

elapsed() { # COMMAND...: prints the seconds it took, or its status if it failed; its output goes away, its status stays
    local start status=0
    start=$(date +%s.%N)
    "$@" >/dev/null 2>&1 || status=$?
    [ $status = 0 ] || { echo "status $status"; return $status; }
    awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f\n", b - a }'
    return $status
}

repeat() { # TIMES COMMAND...
    local times=$1; shift
    while [ "$times" -gt 0 ]; do "$@" || return; times=$((times - 1)); done
}

# --- the daemon under test

ctl() { "$MPCTL" "$@"; }

ll() { "$MPCTL" -ll "$@"; }

ours() { [ -z "${VM_REFERENCE:-}" ]; } # for what the reference is known not to do

# Our programs under the names that scripts know.
names=/run/names
names_up() {
    local name
    mkdir -p $names
    for name in multipath multipathd multipathc mpathpersist; do ln -sf "$MPCTL" "$names/$name"; done
    if ours; then ln -sf "${MPCTL%/*}/multipath" "$names/multipath"; fi
}

# Columns of -ll are as wide as their widest entry.
path_is() { # DISK STATES [MAP]: path_is sdb 'active ready running'
    says " $1 +[0-9]+:[0-9]+ +${2// / +} *$" ll ${3:+"$3"}
}

ready_paths() { # [MAP]: how many paths are in service, as -ll has it
    ll "$@" 2>/dev/null | grep -cE 'active +ready +running'
}

# The kernel uses so many paths, and the daemon knows: it reads a map that it has made back, which takes a moment.
in_service() { is "$1" active_paths && is "$1" ready_paths; }

conf() { cat >/etc/multipath.conf; }

daemon_pid() { echo "$(</run/multipathd.test.pid)"; } 2>/dev/null

daemon_alive() { kill -0 "$(daemon_pid)" 2>/dev/null; }

# The daemon answers and has finished its start. A daemon that ended is not waited for.
daemon_ready() {
    local state; state=$(ctl show daemon 2>/dev/null)
    [[ $state =~ idle|running && ! $state =~ configure|init ]]
}

daemon_start() { # [ARGUMENTS of the daemon]
    touch "$MP_LOG"
    setsid "$MPD" -d "$@" >>"$MP_LOG" 2>&1 </dev/null &
    echo $! >/run/multipathd.test.pid
    disown
    local start=$SECONDS
    until daemon_ready; do
        daemon_alive || { fail "daemon starts" "it ended: $(tail -n 5 "$MP_LOG")"; return 1; }
        [ $((SECONDS - start)) -lt 30 ] || { fail "daemon starts" "no answer in 30 s"; return 1; }
        sleep 0.1
    done
}

gone() { ! kill -0 "$1" 2>/dev/null; }

daemon_stop() {
    local pid; pid=$(daemon_pid)
    [ -n "$pid" ] || return 0
    kill -TERM "$pid" 2>/dev/null
    poll 15 gone "$pid" || { kill -KILL "$pid"; fail "daemon stops" "not in 15 s after SIGTERM"; }
    rm -f /run/multipathd.test.pid
}

daemon_kill() { # as a crash would
    local pid; pid=$(daemon_pid)
    kill -KILL "$pid" && poll 10 gone "$pid"
    rm -f /run/multipathd.test.pid
}

# The reference, whatever is under test: for take-over and comparison.
reference_start() { MPD=$reference/multipathd MPCTL=$vm/guest/reference-ctl daemon_start "$@"; }
reference_stop() { daemon_stop; }

reference_letters() { # of the columns that paths have in it, a line each, while it runs
    "$vm/guest/reference-ctl" show wildcards | awk '/^path format/ { on = 1 } /^$/ { on = 0 } on && /^%/ { print substr($1, 2) }'
}

# Our udev rules, which other scripts do without: device-mapper's rules are numbered 55 on Debian, so those of maps are 56 there.
rules_up() {
    install -t /sbin "$vm/bin/multipath" "$vm/bin/multipathctl"
    mkdir -p /etc/udev/rules.d
    cp "$vm"/etc/udev/*.rules /etc/udev/rules.d/
    mv /etc/udev/rules.d/{11,56}-dm-mpath.rules
    udevadm control --reload
}

rules_down() {
    local rule
    for rule in "$vm"/etc/udev/*.rules; do rm -f "/etc/udev/rules.d/${rule##*/}"; done
    rm -f {/etc,/run}/udev/rules.d/56-dm-mpath.rules /sbin/multipath /sbin/multipathctl
    udevadm control --reload
}

# A scenario that has ended early, or never takes them down, leaves none to the next.
no_rules() {
    if compgen -G '/etc/udev/rules.d/*multipath*' || [ -e /run/udev/rules.d/56-dm-mpath.rules ]; then rules_down; fi >/dev/null
}

# --- what the daemon has told: JSON lines of `events` in a file

told() { # FILTER [FILE]: how many events it is true of
    jq -s "[.[] | select($1)] | length" "${2:-/run/events}" 2>/dev/null
}

has_told() { [ "$(told "$@")" -ge 1 ]; }

# --- maps

maps() { dmsetup ls --target multipath 2>/dev/null | awk '$1 != "No" { print $1 }'; }

maps_count() { maps | wc -l; }

# A map's name below /sys/block, nothing without one. The kernel is asked: udev makes links later.
node_of() { [ -n "$1" ] && dmsetup info -c --noheadings -o blkdevname "$1" 2>/dev/null; }

is() { [ "$("${@:2}")" = "$1" ]; } # is VALUE COMMAND...: the command prints just that

# What the kernel counts: how often a table was swapped in, in any map. Zero between two moments: nothing was reloaded.
swaps_watch() {
    local tracing=/sys/kernel/tracing
    mountpoint -q $tracing || mount -t tracefs tracefs $tracing
    [ -d $tracing/events/kprobes/dm_swap ] || echo 'p:dm_swap dm_swap_table' >>$tracing/kprobe_events
    echo 1 >$tracing/events/kprobes/dm_swap/enable
}

swaps() { # no number where they are not counted, and then nothing equals it
    local count; count=$(awk '$1 == "dm_swap" { print $2 }' /sys/kernel/tracing/kprobe_profile)
    [ -n "$count" ] || fail 'table swaps are counted' 'the kernel has no such probe' >&2
    echo "${count:-nothing}"
}

swapped() { [ "$(swaps)" -ge "$1" ]; } # at least so often in all

expect_swaps() { # NAME BEFORE WANTED: so many since then; if not, which they were
    local got=$(($(swaps) - $2))
    if [ "$got" = "$3" ]; then ok "$1"; else fail "$1" "got $got, wanted $3; $(grep -aE ': (re)?(load|creat)ed' "$MP_LOG" | tail -n 8 | tr '\n' ';')"; fi
}

module_away() { # NAME: it is not installed any more, until `module_back`
    away=$(modinfo -F filename "$1") && mv "$away" /run/
}

module_back() {
    [ -z "${away:-}" ] || mv "/run/${away##*/}" "$away"
    away=''
}

# Whatever is left of a scenario goes: daemons, maps (queueing ones too), storage; a module that it has taken away is back.
cleanup() {
    daemon_stop
    module_back
    local map
    for map in $(maps); do
        dmsetup message "$map" 0 fail_if_no_path 2>/dev/null
    done
    for map in $(jobs -p); do kill -KILL "$map" 2>/dev/null; done
    disks_free
    udevadm settle --timeout=30
    poll 20 remove_maps || fail cleanup "maps stay: $(maps | xargs)"
    san_down
    umount /etc/multipath/bindings /etc/multipath/wwids 2>/dev/null # scenarios make them mounts of their own
    rm -rf /etc/multipath.conf /etc/multipath /run/multipath /run/multipathd.pid
    mkdir -p /etc/multipath
}

# What a scenario that ended early has mounted, or swaps to; a disk that is offline would hold it.
disks_free() {
    local state
    for state in /sys/block/sd*/device/state; do
        ! grep -qsx offline "$state" || echo running >"$state"
    done
    swapoff -a
    ! mountpoint -q /run/mnt || umount /run/mnt
}

remove_maps() {
    local map
    for map in $(dmsetup info -c --noheadings -o mangled_name | grep -v '^No '); do dmsetup remove "$map" || true; done
    [ "$(dmsetup ls)" = 'No devices found' ]
}

# --- what scenarios share

# A configuration for scsi_debug and for the iSCSI disk: every disk but sda, checked each second. Arguments: more lines
# for the defaults section.
conf_debug() {
    {
        printf 'defaults {\n\tpolling_interval 1\n\tmax_polling_interval 2\n\tfind_multipaths greedy\n\tdetect_prio no\n'
        printf '\tprio const\n\tpath_grouping_policy multibus\n'
        printf '\t%s\n' "$@"
        printf '}\nblacklist {\n\tdevnode "^sda$"\n}\nblacklist_exceptions {\n\tproperty ".*"\n}\n'
    } | conf
}

# What the daemon took for its replies since its start, whatever the devices do: its own work, and the time until they were out. That
# one has the machine's other work in it, and an emulated machine's slowness; but what hangs does so for seconds.
replies_in_time() { # WHAT
    ours || return 0
    local ms command
    ctl show replies json >/run/replies
    read -r ms command <<<"$(slowest_reply cpu_max_us)"
    expect_below "$1: CPU for a reply, the most (ms; $command)" "$ms" 100
    read -r ms command <<<"$(slowest_reply max_us)"
    expect_below "$1: a reply was out at the latest after (ms; $command)" "$ms" 1000
}

slowest_reply() { jq -r --arg by "$1" '.replies | max_by(.[$by]) | "\(.[$by] / 1000) \(.command)"' /run/replies; }

dev_t() { # sdX or /dev/mapper/NAME: 8:16
    local node; node=$(readlink -f "$([ -e "$1" ] && echo "$1" || echo "/dev/$1")")
    cat "/sys/class/block/${node##*/}/dev"
}

map_of() { # sdX: the map it belongs to
    local holder
    for holder in "/sys/block/$1"/holders/dm-*; do [ -e "$holder" ] && cat "$holder/dm/name" && return; done
    return 1
}

map_paths() { # how many paths the kernel's table of the map has
    local dir slaves=0
    for dir in /sys/block/"$(node_of "$1")"/slaves/sd*; do
        [ -e "$dir" ] && slaves=$((slaves + 1))
    done
    echo $slaves
}

table_groups() { # MAP: its groups in the kernel's table, a line each: the numbers of their paths
    local word group=''
    for word in $(dmsetup table "$1") end; do
        case $word in
        round-robin | service-time | queue-length | end) [ -z "$group" ] || echo "${group# }"; group='' ;;
        *:*) group+=" $word" ;;
        esac
    done
}

map_wwids() { # the WWIDs of the map's paths, each once
    local dir
    for dir in /sys/block/"$(node_of "$1")"/slaves/sd*; do san_wwid "${dir##*/}"; done | sort -u
}

paths_status() { dmsetup status "$1" | grep -oE '[0-9]+:[0-9]+ [AF] ' | sed 's/^/ /'; }

active_paths() { # in all maps, as the kernel has them
    dmsetup status --target multipath 2>/dev/null | grep -oE '[0-9]+:[0-9]+ A ' | wc -l
}

# Primary partitions of Linux: what sfdisk would write, and kpartx makes maps of.
partition() { # DEVICE START:SECTORS...
    partition_table "$@"
    kpartx -a -p -part "$1"
    udevadm settle --timeout=30
}

partition_table() { # DEVICE START:SECTORS...
    python3 - "$@" <<'END'
import struct, sys
parts = [map(int, part.split(":")) for part in sys.argv[2:]]
table = b"".join(struct.pack("<B3sB3sII", 0, b"\0\0\0", 0x83, b"\0\0\0", start, count) for start, count in parts)
with open(sys.argv[1], "r+b") as disk:
    disk.seek(446)
    disk.write(table.ljust(64, b"\0") + b"\x55\xaa")
END
}

write_once() { # MAP SECONDS: written, failed or waiting. Direct, of one block.
    local status=0
    timeout --signal=KILL "$2" dd if=/dev/zero "of=/dev/mapper/$1" bs=4k count=1 oflag=direct conv=nocreat,notrunc >/dev/null 2>&1 || status=$?
    case $status in 0) echo written ;; 137) echo waiting ;; *) echo failed ;; esac
}

blocked_writers() { ps -C dd -o state= | grep -c D; } # how many of `write_once` wait in the kernel

# Verified I/O in the background of a scenario; io_stop gives the verdict.
io_start() {
    rm -f /run/io.score
    "$vm/guest/io.py" "$1" /run/io.score >/run/io.log 2>&1 &
    io_pid=$!
    poll 20 says 'writes [1-9]' cat /run/io.score || fail 'I/O starts' "$(cat /run/io.log)"
}

# The longest time without a write completed, in ms, while a command runs. What that says goes to the standard error.
io_pause() { # COMMAND...
    local status=0
    kill -USR1 "$io_pid"
    io_score >/dev/null
    "$@" >&2 || status=$?
    io_score | sed -E 's/.*longest ([0-9]+)\.([0-9]+).*/\1\2/; s/^0+(.)/\1/'
    return $status
}

io_score() { # what is written from now on
    touch /run/io.asked
    poll 20 test /run/io.score -nt /run/io.asked
    cat /run/io.score
}

io_stop() {
    local status=0
    kill -TERM "$io_pid" || status=gone
    wait "$io_pid" || status=$?
    expect_eq 'I/O went on to the end' "$status" 0
    expect_match 'I/O was never disturbed' "$(cat /run/io.score /run/io.log)" 'errors 0 mismatches 0'
}

settled() { # nothing is due any more: udev has no events, and a few checks have passed
    udevadm settle --timeout=30
    sleep 3
}
