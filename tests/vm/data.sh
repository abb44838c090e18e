#!/bin/bash
# Data under faults: ext4 and LVM on kpartx's partitions of one map, fio with verification on both, while paths fail, go and
# come back, groups are switched, the configuration is changed and the daemon is stopped and killed. With queueing, no
# I/O fails, no byte is wrong, and fsck finds nothing.
#
#   tests/vm/run --timeout 900 tests/vm/data.sh [FAULTS [SEED]]
#   tests/soak [--hours N] [--seed N]
#
# FAULTS, or as many as fit: '90m' ends after so many minutes.
# shellcheck source=tests/vm/lib.sh
. /vm/lib.sh
faults=${1:-500} seed=${2:-1} hosts=4 dir=/run/data mnt=/mnt/data
declare -A pids
: >"$verdicts"
mkdir -p $dir $mnt

# Settings that make other tables, all with queueing. The disks tell of ALUA: but for detect_pgpolicy, each policy would be group_by_prio.
data_conf() { # NUMBER
    local policy=(group_by_prio multibus failover) selector=('round-robin 0' 'service-time 0' 'queue-length 0')
    conf <<END
defaults {
	polling_interval 1
	max_polling_interval 2
	find_multipaths greedy
	no_path_retry queue
	queue_without_daemon yes
	path_grouping_policy ${policy[$1 % 3]}
	detect_pgpolicy no
	path_selector "${selector[$1 / 3 % 3]}"
	failback $( ((($1 / 9) % 2)) && echo immediate || echo manual)
	user_friendly_names yes
	flush_on_last_del never
}
blacklist {
	devnode "^sda$"
}
END
}

storage() {
    rules_up
    san_scsi_debug $hosts 1 dev_size_mb=256 || return
    data_conf 0
    daemon_start || return
    poll 30 is $hosts map_paths mpatha || { fail 'a map of all paths' "$(ll)"; return 1; }
    partition /dev/mapper/mpatha 2048:196608 200704:196608
    poll 20 test -e /dev/mapper/mpatha-part2 || { fail 'partitions' "$(dmsetup ls)"; return 1; }
    mke2fs -q -t ext4 -E lazy_itable_init=0 /dev/mapper/mpatha-part1 && mount /dev/mapper/mpatha-part1 $mnt || return
    vgcreate -qq -y faulty /dev/mapper/mpatha-part2 && lvcreate -qq -y -l 100%FREE -n data faulty || return
    ok 'ext4 and LVM on partitions of a map'
}

# Writes at random and reads back; a wrong byte or an error ends it at once with a status.
job() { # NAME FILE SIZE
    fio --name="$1" --filename="$2" --size="$3" --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=8 \
        --rate_iops=150 --verify=crc32c --verify_backlog=64 --verify_fatal=1 --time_based --runtime=30d \
        --output-format=json --output="$dir/$1.json" >"$dir/$1.log" 2>&1 &
    pids[$1]=$!
}

# --- the faults: each awaits what it does

disk() { debug_disk "$1" 0; } # of a host; nothing where it was deleted

# All that data_conf makes, each with another policy than the one before.
conf_number=0

# Drawn before each fault: a command substitution would draw from a sequence of its own, whatever the seed.
pick=0
some_disk() { local name; name=$(disk $pick); [ -n "$name" ] && echo "$name"; }

fault_fail() { local d; d=$(some_disk) || return; ctl fail path "$d"; }
fault_reinstate() { local d; d=$(some_disk) || return; ctl reinstate path "$d"; }
fault_offline() { local d; d=$(some_disk) || return; path_offline "$d"; }
fault_online() { all_online; }

fault_delete() { # one at a time is away: the last path with a queue behind it can't go
    local d; d=$(some_disk) || return
    [ "$(debug_disks_count)" = $hosts ] || return 0
    path_delete "$d"
    poll 20 test ! -e "/sys/block/$d"
}

fault_rescan() {
    local host
    for ((host = 0; host < hosts; host++)); do [ -n "$(disk $host)" ] || host_rescan "$(debug_host $host)"; done
    poll 20 is $hosts debug_disks_count
}

fault_switch_group() { dmsetup message mpatha 0 switch_group $((1 + RANDOM % 3)) 2>/dev/null || true; }
fault_switchgroup() { ctl switchgroup map mpatha group 1; }
fault_all_offline() { local d; for d in $(debug_disks); do path_offline "$d"; done; poll 10 is 0 active_paths; }
fault_reconfigure() { note_groups; conf_number=$(((conf_number + 5) % 18)); data_conf $conf_number; ctl reconfigure; }
# What groups a table of all disks was of, since the last one: their sizes.
note_groups() { [ "$(map_paths mpatha)" != $hosts ] || table_groups mpatha | awk '{ printf "%d ", NF } END { print "" }' >>$dir/groups; }
# udev is not waited for: where an operator has failed the last usable path, its rules wait for the fault that brings one back.
fault_reload() { dmsetup table mpatha | dmsetup load mpatha && dmsetup resume --noflush --noudevsync mpatha; }
fault_kill() { daemon_kill; daemon_start; }
fault_restart() { daemon_stop; daemon_start; }

all_online() {
    local d
    for d in $(debug_disks); do [ "$(<"/sys/block/$d/device/state")" = running ] || path_online "$d"; done
}

kinds=(fail fail reinstate reinstate offline offline online online delete rescan switch_group switchgroup all_offline
    reconfigure reconfigure reload kill restart)

over() { # DONE: enough?
    case $faults in *m) [ $SECONDS -ge $((${faults%m} * 60)) ] ;; *) [ "$1" -ge "$faults" ] ;; esac
}

alive() { kill -0 "${pids[files]}" && kill -0 "${pids[raw]}"; }

# A fault that doesn't end is told with all that may explain it, and ends the run.
watch_over() { # PID of the script
    local seen='' now
    while sleep 60; do
        now=$(cat $dir/now)
        [ "$now" = "$seen" ] || { seen=$now; continue; }
        printf 'FAIL %s: not over after a minute\n%s\n' "$now" "$(cat $dir/last)"
        ps -eo pid,stat,wchan:24,args | grep -vE '\]$'
        timeout 5 dmsetup status --target multipath
        timeout 5 dmsetup info
        timeout 10 "$MPCTL" -ll
        grep -H . /sys/block/sd*/device/state
        tail -n 60 "$MP_LOG"
        dmesg | tail -n 40
        kill -KILL "$1"
    done
}

# Writes that have got through the map since it was made.
writes() { local stat; read -ra stat <"/sys/block/$map/stat" && echo "${stat[4]}"; }

written() { [ "$(writes)" -gt "$1" ]; } # more than BEFORE

go_through() {
    local refused=0 kind before map; map=$(basename "$(readlink -f /dev/mapper/mpatha)")
    declare -gA count=()
    SECONDS=0 done=0
    until over $done; do
        kind=${kinds[RANDOM % ${#kinds[@]}]}
        pick=$((RANDOM % hosts))
        echo "fault $((done + 1)), $kind" >$dir/now
        "fault_$kind" >"$dir/last" 2>&1 || refused=$((refused + 1))
        done=$((done + 1)) count[$kind]=$((${count[$kind]:-0} + 1))
        if ! alive 2>/dev/null; then fail "I/O goes on" "fault $done, $kind: $(cat $dir/files.log $dir/raw.log)"; return; fi
        # Queued I/O runs before the next one: it is to meet a working map, too.
        if [ "$kind" = all_offline ]; then
            all_online
            poll 30 says ' A ' paths_status mpatha || { fail 'a path serves again' "fault $done: $(ll)"; return; }
            before=$(writes)
            poll 30 written "$before" || { fail 'I/O goes on where a path serves' "fault $done, writes: $before; $(ll)"; return; }
        fi
        [ $((done % 50)) != 0 ] || echo "# $done faults, $SECONDS s"
    done
    for kind in "${!count[@]}"; do printf '%s %s, ' "${count[$kind]}" "$kind"; done
    echo "in $SECONDS s; $refused refused"
    ok "I/O goes on through $done faults"
    expect_below 'faults that could not be made' "$refused" $((done / 10 + 1))
    echo "# tables by the sizes of their groups: $(sort $dir/groups | uniq -c | awk '{ print $1 " of " $2 "," $3 "," $4 "," $5 }' | xargs)"
    # One group, one for each path, and what is between.
    [ $done -lt 200 ] || expect_between 'kinds of groups' "$(sort -u $dir/groups | wc -l)" 3 9
}

usable() { ll mpatha 2>/dev/null | grep -cE 'active +(ready|ghost) +running'; }

put_right() {
    all_online
    fault_rescan
    local d
    for d in $(debug_disks); do ctl reinstate path "$d"; done >/dev/null
    wait_for 'in the end all paths are in service' 60 is $hosts usable
}

score() { # NAME: how its fio ended
    kill -INT "${pids[$1]}" 2>/dev/null
    wait "${pids[$1]}" || true
    local json written_blocks read_blocks
    json=$(sed -n '/^{/,$p' "$dir/$1.json")
    expect_eq "$1: no error" "$(jq '.jobs[0].error' <<<"$json")" 0
    read -r written_blocks read_blocks <<<"$(jq -r '.jobs[0] | "\(.write.total_ios) \(.read.total_ios)"' <<<"$json")"
    echo "# $1: $written_blocks writes, $read_blocks read back"
    expect_ok "$1: there was a write for each fault" test "$written_blocks" -ge "$done"
    expect_ok "$1: what was written was read back" test "$read_blocks" -gt 0
    expect_no_match "$1: no byte is wrong" "$(cat "$dir/$1.log")" 'verify|error'
}

verdict() {
    score files
    score raw
    umount $mnt
    expect_ok 'fsck finds nothing' e2fsck -fn /dev/mapper/mpatha-part1
    expect_ok 'the volume group is whole' vgck faulty
    expect_eq 'no I/O error above the map' "$(dmesg | grep -cE 'I/O error.*dev dm-|EXT4-fs (error|warning)')" 0
    vgchange -qq -an faulty
    daemon_stop
    summary
}

RANDOM=$seed
echo "# seed $seed, $faults faults"
storage || { summary; exit 1; }
job files $mnt/file 24m
job raw /dev/faulty/data 48m
poll 30 alive
echo start >$dir/now
watch_over $$ &
watch=$!
go_through
echo 'the end' >$dir/now
put_right
kill $watch
verdict || { status=$?; tail -n 60 "$MP_LOG"; dmesg | tail -n 40; exit $status; }
