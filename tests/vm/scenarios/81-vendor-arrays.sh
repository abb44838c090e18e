# shellcheck shell=bash
# Arrays that have a checker or prioritizer of their own, answered for by a program (array.sh): Debian's daemon and ours show the same
# states and priorities of the same disks, in each of the states that such an array has. What they answer is at the end.
# shellcheck disable=SC2034
for_reference=no # it is what is compared with

unreadable='a priority that cannot be read keeps its last value'

declare -A wanted=() theirs=() name_of=()
program='' who='' format=''

scenario() {
    # The kernel's handlers would move volumes themselves.
    modprobe -q -r scsi_dh_alua scsi_dh_rdac scsi_dh_emc scsi_dh_hp_sw
    array_up || return
    disks || { fail 'disks' "$(dmesg | tail -n 5)"; return; }
    configured
    for who in reference ours; do both_alike; done
    expect_eq 'every column, in the usual state' "$(cat /run/vendor.ours)" "$(cat /run/vendor.reference)"
    expect_eq 'of eleven paths' "$(wc -l </run/vendor.reference)" 11
}

configured() {
    conf <<'END'
defaults {
	find_multipaths greedy
	polling_interval 1
	max_polling_interval 1
}
overrides {
	no_path_retry fail
}
blacklist {
	devnode "^sda$"
}
blacklist_exceptions {
	property ".*"
}
devices {
	device {
		vendor "(LSI|DGC|HP)"
		product "(INF-01-00|VRAID|MSA1000)"
		hardware_handler "0"
	}
	device {
		vendor "LAB"
		product "GROUPS"
		path_grouping_policy group_by_prio
		detect_prio no
		prio alua
	}
	device {
		vendor "DataCore"
		product "SANmelody"
		path_grouping_policy group_by_prio
		prio datacore
		prio_args "timeout=1000 preferredsds=SDS1"
	}
	device {
		vendor "HP"
		product "LOGICAL VOLUME"
		detect_checker no
		path_checker cciss_tur
	}
}
END
}

both_alike() {
    local stage
    program=$MPCTL
    [ "$who" = ours ] || program=$vm/guest/reference-ctl
    stage_usual
    rm -rf /etc/multipath /run/multipath; mkdir -p /etc/multipath
    if [ "$who" = ours ]; then daemon_start; else reference_start; fi || return
    as_wanted usual
    columns >"/run/vendor.$who"
    for stage in moved both parts odd named served; do
        stage_$stage
        as_wanted $stage
    done
    daemon_stop
    poll 20 remove_maps
}

# --- what is shown, and what is to be

# From now on: path NAME STATE [WHAT ANSWER]...; the state is %t %T %p.
path() {
    local name=$1; wanted[$name]=$2; shift 2
    unset "theirs[$name]"
    while [ $# -gt 0 ]; do array_says "$name" "$1" ${2:+"$2"}; shift 2; done
}

# What Debian's daemon is known to show of it in its place: but NAME STATE REASON.
but() { theirs[$1]=$2; }

to_be() {
    local name
    for name in "${!wanted[@]}"; do
        if [ "$who" = ours ] || [ -z "${theirs[$name]:-}" ]; then echo "$name ${wanted[$name]}"; else echo "$name ${theirs[$name]}"; fi
    done | sort
}

shown() { # NAME %t %T %p, or sdX where it is none of ours
    local disk rest
    "$program" show paths raw format '%d %t %T %p' 2>/dev/null | while read -r disk rest; do
        echo "${name_of[$disk]:-$disk} $rest"
    done | sort
}

as_wanted() { # STAGE: each path has been checked since, and is what it is to be
    local before
    before=$(array_checks alua1)
    poll 10 checked_since "$before"
    to_be >/run/to_be
    if poll 10 as_to_be; then ok "$1, $who"; else fail "$1, $who" "$(diff /run/to_be /run/shown)"; fi
}

as_to_be() { shown >/run/shown; cmp -s /run/to_be /run/shown; }

checked_since() { [ $(($(array_checks alua1) - $1)) -ge 2 ]; }

# All that there are, but when the next check is due, and the model, which later releases show with the revision. Not of the disk that
# has other states in Debian's daemon.
columns() {
    [ "$who" = ours ] || format=$(reference_letters | grep -v '[Cs]' | sed 's/^/%/' | paste -sd'|')
    "$program" show paths raw format "%d $format" | grep -v "^$(array_dev cciss) " | sort
}

# --- the arrays

disks() {
    local name
    array_host 1 && array_host 2 || return
    side 1 & # a disk takes its time, and not the processor's
    side 2 && wait $! || return
    udevadm settle --timeout=30
    for name in {rdac,emc,hp,alua}{1,2} hds ontap data cciss; do name_of[$(array_dev $name)]=$name; done
}

side() { # HOST: the paths to four arrays, and to half of those with one path
    local host=$1 number=0
    one rdac$1 LSI INF-01-00 volume=rdac && one emc$1 DGC VRAID volume=emc && one hp$1 HP MSA1000 volume=hp || return
    one alua$1 LAB GROUPS volume=alua tpgs=1 "group=$1" || return
    if [ "$1" = 1 ]; then one hds HITACHI DF600F && one ontap NETAPP LUN; else
        number=6
        one data DataCore SANmelody && one cciss HP 'LOGICAL VOLUME'
    fi
}

one() { # NAME VENDOR PRODUCT [WHAT=ANSWER...]
    number=$((number + 1))
    array_disk "$1" "$host" $number "wwid=$(wwid $number)" "vendor=$2" "product=$3" "${@:4}"
}

wwid() { echo "6001405${1}00000000000000000000000$1"; }

zeroes() { printf "%0$((2 * $1))d" 0; }

# LSI, volume access control page: byte 0, flags, preferred path, state here, why, state there.
vac() { echo "$1 c9 00 2c 76616331 $2 $3 ${4:-00} ${5:-00} ${6:-00} 00 $(zeroes 34)"; }

# CLARiiON, unit path report: state of the LUN, default owner, this processor, revision; initiator type, failover mode, options;
# kind of operations; last byte of the WWN.
report() {
    echo "00c0007c $1 $2 00 00 $3 ${4:-00} 60060160a0b01f0000000000000000${9:-01} 00 ${5:-03} ${6:-04} 00 ${7:-04} $(zeroes 17) ${8:-00} $(zeroes 79)"
}

# NetApp: the name of a target port, by a command of its own; and the page that says whether it is a partner's.
port() { echo "00000018 0a980a01 41 000000 $(printf %s "$1" | od -An -tx1) $(zeroes 16)"; }
proxy() { echo "00c1001c 00000000 0a980a00c100 0000000000 $1 00"; }

server() { printf '%76s%s' '' "$1" | tr ' ' .; } # DataCore: its name, from byte 112 of the INQUIRY data on

# The answer of both paths: the states of their groups, with the plain header and the extended one.
groups() { # STATE STATE
    local list="$1 8f 0001 00 00 00 01 00000001 $2 8f 0002 00 00 00 01 00000002" name
    for name in alua1 alua2; do
        array_says $name a3.0a "00000018 $list"
        array_says $name a3.2a "0000001c 10 05 0000 $list"
    done
}

# The left path's controller owns the volume and is to own it.
stage_usual() {
    path rdac1 'active ready 6' 12.c9 "$(vac 00 01 01)"
    path rdac2 'active ghost 1' 12.c9 "$(vac 00 00 02)"
    path emc1 'active ready 4' 12.c0 "$(report 02 00 00)"
    path emc2 'active ready 1' 12.c0 "$(report 01 00 01)" 28 ''
    path hp1 'active ready 4' 00 '' 12.80 ''
    path hp2 'active ghost 2' 00 'sense 02 04 02'
    path hds 'active ready 1' inquiry '0105000100C6 0A' 00 ''
    path ontap 'active ready 4' c0 "$(port fcp0)" 12.c1 "$(proxy 00)"
    path data 'active ready 1' inquiry "$(server SDS1)" 00 ''
    path cciss 'active ready 1'
    but cciss 'failed faulty 1' 'it asks the driver of Smart Arrays, and only that'
    groups 80 01
    path alua1 'active ready 50'
    path alua2 'active ready 10'
}

# The volume is moved to the other controller.
stage_moved() {
    path rdac1 'active ghost 4' 12.c9 "$(vac 00 00 01)"
    path rdac2 'active ready 3' 12.c9 "$(vac 00 01 02)"
    path emc1 'active ready 3' 12.c0 "$(report 01 00 00)"
    path emc2 'active ready 2' 12.c0 "$(report 02 00 01)"
    path hp1 'active ghost 2' 00 'sense 02 04 02'
    path hp2 'active ready 4' 00 ''
    path hds 'active ready 0' inquiry '0105000100CF 0A'
    path ontap 'active ready 1' 12.c1 "$(proxy 02)"
    path data 'active ready 0' inquiry "$(server SDS2)"
    groups 81 02
    path alua1 'active ready 90'
    path alua2 'active ghost 1' 00 'sense 02 04 0b'
}

# Both controllers serve I/O; ports and servers of other kinds; pages of a later revision, and of a path in a special mode.
stage_both() {
    path rdac1 'active ready 14' 12.c9 "$(vac 00 21 01)"
    path rdac2 'active ready 9' 12.c9 "$(vac 00 20 02)"
    path emc1 'failed faulty 3' 12.c0 "$(report 02 00 00 01)"
    path emc2 'failed shaky 2' 12.c0 "$(report 02 00 01 00 03 04 04 01)"
    but emc2 'failed shaky -1' "$unreadable"
    path hp1 'active ghost 0' 00 'sense 02 04 03'
    path hds 'active ready 1' inquiry '0105000100CF 1A'
    path ontap 'active ready 3' c0 "$(port ism_sn0)"
    path data 'active ready 1' inquiry "$(server xSDS1)"
    groups 80 04
    path alua1 'active ready 50'
    path alua2 'active ready 5' 00 ''
}

# Parts of them do not serve: a controller starts, a LUN is not there, a group is changing its state.
stage_parts() {
    path rdac1 'failed faulty 14' 12.c9 "$(vac 00 11 01 0f 00 00)"
    path rdac2 'failed faulty 9' 12.c9 "$(vac 7f 11 02)"
    path emc1 'failed faulty 3' 12.c0 "$(report 00 00 00)"
    path emc2 'failed faulty 2' 28 'sense 03 11 00' 12.c0 "$(report 02 00 01)"
    but emc2 'failed faulty -1' "$unreadable"
    path hp2 'failed disconnected 4' 00 'sense 05 25 00'
    but hp2 'active ghost 0' 'a LUN that is not mapped any more is told from a standby one'
    path hds 'active ready 1' 00 'sense 01 17 00'
    but hds 'failed faulty 1' 'RECOVERED ERROR is up'
    path ontap 'active ready 3' 00 'sense 02 04 0a'
    but ontap 'failed faulty 3' 'later releases wait for the end of a transition'
    groups 80 0f
    path alua2 'active ready 5'
    but alua2 'active ready 0' 'a group in transition keeps its priority'
}

# Ports by their other names; a volume that nobody moves.
stage_named() {
    path ontap 'active ready 2' c0 "$(port ism_sw0)" 00 ''
    path rdac1 'active ready 6' 12.c9 "$(vac 00 01 01)"
}

stage_served() {
    path ontap 'active ready 2' c0 "$(port iswta)"
    path rdac1 'active ready 3' 12.c9 "$(vac 00 01 02)"
}

# Ownership is being moved; a controller is in service mode; answers that no such array gives.
stage_odd() {
    path rdac1 'failed faulty 14' 12.c9 "$(vac 00 11 01 03 07 00)"
    path rdac2 'active ready 3' 12.c9 "$(vac 00 11 02 0f 00 0f)"
    path emc1 'failed faulty 3' 12.c0 "$(report 02 00 00 00 03 02)"
    path emc2 'failed faulty 2' 12.c0 "$(report 02 00 01 00 03 04 04 00 02)" 28 ''
    but emc2 'failed faulty -1' "$unreadable"
    path hp1 'failed faulty 0' 12.80 'sense 04 44 00'
    path hp2 'active ghost 0' 00 'sense 04 44 00'
    path hds 'active ready 1' inquiry '0105000100CF XA' 00 ''
    but hds 'active ready -1' "$unreadable"
    path ontap 'active ready 3' c0 'sense 05 20 00' 00 ''
    but ontap 'active ready 0' "$unreadable"
    path data 'failed faulty 1' 00 'sense 02 04 0c'
    groups 03 01
    path alua1 'active ready 0'
    path alua2 'active ready 10'
}
