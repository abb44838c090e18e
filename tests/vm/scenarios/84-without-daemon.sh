# shellcheck shell=bash
# The command `multipath` where no daemon runs: maps are made, shown, loaded anew and removed, as Debian's command does it in the
# same guest.
# shellcheck disable=SC2034
for_reference=no

mp() { $names/multipath "$@"; }

# Standard output, '[STATUS]', and what of standard error is not a line of the log's level.
whole() {
    local status
    "$@" 2>/run/stderr
    status=$?
    echo "[$status]$(sed -e 's/^[0-9]*\.[0-9]* | //' -e /^libdevmapper:/d /run/stderr)"
}

tables() { dmsetup table --target multipath | sort; }

paths_in_tables() { tables | grep -oE ' 8:[0-9]+' | wc -l; }

both() { # WHAT ARGUMENTS...: the same output and status of ours and Debian's
    local what=$1 ours theirs; shift
    ours=$(whole mp "$@")
    theirs=$(whole "$reference/multipath" "$@")
    expect_eq "$what: multipath $*" "$ours" "$theirs"
}

make_both() { # WHAT: the tables that ours makes of nothing, and those that Debian's makes
    local theirs
    poll 20 remove_maps; rm -f /etc/multipath/{wwids,bindings}
    "$reference/multipath" >/dev/null 2>&1
    theirs=$(tables)
    poll 20 remove_maps; rm -f /etc/multipath/{wwids,bindings}
    mp >/run/created 2>/run/stderr
    expect_eq "$1: made" "$? $(cat /run/stderr)" '0 '
    expect_eq "$1: the same tables" "$(tables)" "$theirs"
}

scenario() {
    ours || return 0
    names_up
    san_scsi_debug 2 2 || return
    local disk map wwid second node out
    disk=$(debug_disk 0 0) wwid=$(san_wwid "$disk") second=$(san_wwid "$(debug_disk 0 1)")

    conf_debug
    make_both 'of nothing'
    expect_eq 'and said' "$(grep -c '^create: ' /run/created)" 2
    expect_eq 'in use at once' "$(active_paths)" 4
    expect_match 'the wwids file has them' "$(cat /etc/multipath/wwids)" "^/$wwid/\$"
    map=$(map_of "$disk")
    both 'all of them' -ll
    both 'one' -ll "$map"
    both 'without checks' -l
    both 'names' -v1 -ll
    both 'one that is not there' -ll nosuch
    path_offline "$disk"
    expect_match 'a path that is lost is seen by a check' "$(mp -ll "$map" 2>/dev/null)" " $disk +[0-9:]+ +active +faulty +offline"
    expect_eq 'and nothing is done about it' "$(active_paths)" 4
    path_online "$disk"

    expect_eq 'again: nothing is new' "$(mp 2>&1)" ''
    swaps_watch
    local before; before=$(swaps)
    expect_ok 'every table anew' mp -r
    expect_swaps 'both were loaded' "$before" 2
    out=$(prlimit --nofile=20:20 "$names/multipath" -r 2>&1)
    expect_eq 'where few files may be open' "$? $out $(paths_in_tables)" '0  4'

    poll 20 remove_maps
    rm -f /etc/multipath/wwids
    mount --bind /etc/multipath /etc/multipath && mount -o remount,ro,bind /etc/multipath || return
    expect_below 'where the files can not be written, nothing waits for that (s)' "$(elapsed mp)" 10
    expect_eq 'and all are made' "$(maps_count)" 2
    umount /etc/multipath

    conf_debug 'no_path_retry queue'
    make_both 'no queueing without a daemon'
    expect_no_match 'none queues' "$(tables)" queue_if_no_path
    poll 20 remove_maps
    expect_ok 'but where it is wanted' mp -q
    expect_eq 'both queue' "$(tables | grep -c queue_if_no_path)" 2
    conf_debug
    poll 20 remove_maps

    expect_ok 'one disk' mp "/dev/$disk"
    expect_eq 'makes one map' "$(maps)" "$map"
    expect_ok 'the other, by its WWID' mp "$second"
    expect_ok 'a map' mp -f "$map"
    printf 'multipaths {\n\tmultipath {\n\t\twwid %s\n\t\talias data\n\t}\n}\n' "$wwid" >>/etc/multipath.conf
    both 'by its alias, with no map of it' -a data
    expect_eq 'as -a knows it, -w does' "$(mp -w data 2>&1)" "wwid '$wwid' removed"
    expect_ok 'is made by its alias' mp data
    expect_match 'and has it' "$(maps)" '^data$'
    conf_debug
    expect_ok 'and its name again' mp "/dev/$disk"
    expect_match 'that it had' "$(maps)" "^$map\$"
    expect_eq 'is there then' "$(maps_count)" 2

    both 'a map that is not there' -f nosuch
    both 'a node that is not there' -f /dev/nosuch
    exec 9<"/dev/mapper/$map"
    out=$(mp -f "$map" 2>&1)
    expect_eq 'a map in use: the status' $? 1
    expect_match 'and what it says' "$out" "^[0-9]+\.[0-9]{6} \| $map: map in use"
    expect_ok 'Debian fails too' test "$("$reference/multipath" -f "$map" >/dev/null 2>&1; echo $?)" = 1
    mp -F >/dev/null 2>&1
    expect_eq 'all but the one in use' "$? $(maps)" "1 $map"
    exec 9<&-
    expect_ok 'a map' mp -f "$map"
    expect_eq 'is gone' "$(maps_count)" 0
    mp >/dev/null
    expect_ok 'all' mp -F
    expect_eq 'are gone' "$(maps_count)" 0
    expect_match 'a dry run' "$(mp -d 2>&1)" "$wwid"
    expect_eq 'makes nothing' "$(maps_count)" 0
    part interrupted_leaves_none_queueing
    part hangs_are_left
}

# While a write into /etc/multipath hangs.
interrupted_leaves_none_queueing() {
    local pid
    conf_debug 'no_path_retry queue'
    files_freezable && fsfreeze -f /etc/multipath || return
    "$names/multipath" >/dev/null 2>&1 &
    pid=$!
    wait_for 'maps queue while others are made' 15 queueing 2
    kill -TERM $pid
    wait_for 'who is interrupted leaves none queueing' 10 queueing 0
    fsfreeze -u /etc/multipath
    wait $pid
    expect_eq 'and ends by that' $? 143
    ignored_ends_nothing
    conf_debug
    poll 20 remove_maps
    umount /etc/multipath
}

# As under nohup: who started it has it ignore the signal.
ignored_ends_nothing() {
    local pid status
    poll 20 remove_maps
    rm -f /etc/multipath/wwids # there is something to be written
    fsfreeze -f /etc/multipath
    (trap '' HUP; exec "$names/multipath" >/dev/null 2>&1) &
    pid=$!
    wait_for 'maps queue again while others are made' 15 queueing 2
    kill -HUP $pid
    if poll 3 queueing 0; then fail 'a signal that is ignored ends nothing' 'the queueing has ended'; else ok 'a signal that is ignored ends nothing'; fi
    fsfreeze -u /etc/multipath
    wait $pid
    status=$?
    expect_eq 'it ends by itself' "$status $(maps_count)" '0 2'
}

# Disks that don't answer for 40 seconds.
hangs_are_left() {
    local delay=/sys/bus/pseudo/drivers/scsi_debug/delay
    conf_debug 'path_checker tur' 'detect_checker no' 'checker_timeout 40'
    expect_ok 'each answer takes a minute' poll 20 put $((60 * 250)) $delay
    expect_between 'what hangs is waited for, and not for long (s)' "$(elapsed mp -d)" 15 30
    wait_for 'its commands have ended' 60 put 1 $delay
}

queueing() { [ "$(tables | grep -c queue_if_no_path)" = "$1" ]; } # HOW MANY

put() { echo "$1" >"$2"; } 2>/dev/null
