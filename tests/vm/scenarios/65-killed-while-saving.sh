# shellcheck shell=bash
# Shows situation 21: the daemon is killed again and again while LUNs appear and get their names: the files are whole, old or new.
# shellcheck disable=SC2034
for_reference=no

luns=6

whole() { # every line of both files is one of theirs, the last has its end, and no name or WWID is there twice
    local names=/etc/multipath/bindings wwids=/etc/multipath/wwids
    [ ! -s $names ] || {
        ! grep -qvE '^(#.*|mpath[a-z]+ 3[0-9a-f]+|)$' $names && [ -z "$(tail -c 1 $names)" ] &&
            [ -z "$(grep -v '^#' $names | awk '{ print $1 }' | sort | uniq -d)$(grep -v '^#' $names | awk '{ print $2 }' | sort | uniq -d)" ]
    } && { [ ! -s $wwids ] || { ! grep -qvE '^(#.*|/3[0-9a-f]+/|)$' $wwids && [ -z "$(tail -c 1 $wwids)" ]; }; }
}

# WWIDs that come within a second of one another are written together: the last of them that much later than its map.
remembered() { [ "$(grep -c '^/' /etc/multipath/wwids)" = "$1" ]; }

bound() { grep -cv '^#' /etc/multipath/bindings 2>/dev/null; }

# As soon as so many have their names: no process is started before. A new file has seven lines of comment.
killed_at() { # COUNT
    local names start=$SECONDS
    until [ -s /etc/multipath/bindings ] && mapfile -t -s 7 names </etc/multipath/bindings && [ ${#names[@]} -ge "$1" ]; do
        [ $((SECONDS - start)) -lt 20 ] || return
    done
    kill -KILL "$pid"
}

scenario() {
    san_scsi_debug 1 $luns || return
    local round disk pid least kept=0
    conf_debug 'user_friendly_names yes' 'skip_kpartx yes'
    for round in 1 2 3 4 5 6 7 8; do
        daemon_start || return
        for disk in $(debug_disks); do path_delete "$disk"; done
        poll 20 is 0 maps_count || fail "round $round: no map is left" "$(dmsetup ls)"
        rm -f /etc/multipath/bindings /etc/multipath/wwids
        ctl reconfigure >/dev/null
        pid=$(daemon_pid)
        host_rescan "$(debug_host 0)" &
        least=$((round % luns + 1))
        killed_at $least || fail "round $round: names are given" "$(bound)"
        wait $!
        poll 10 gone "$pid"
        whole || fail "round $round: the files are whole" "$(tail -n 20 /etc/multipath/bindings /etc/multipath/wwids)"
        [ "$(bound)" -ge $least ] || fail "round $round: what had a name keeps it" "$(bound) of $least"
        [ "$(bound)" = $luns ] || kept=$((kept + 1))
        udevadm settle --timeout=30
    done
    expect_between 'eight times killed: how often with some of the names only' $kept 1 8
    daemon_start || return
    wait_for 'the next start has all' 20 in_service $luns
    expect_eq 'each with a name' "$(bound)" $luns
    wait_for 'every WWID is known' 5 remembered $luns
    expect_ok 'the files are whole' whole
    expect_eq 'what was left of a file that was being written has its place' "$(find /etc/multipath -type f -printf '%f\n' |
        grep -vxE '\.?(bindings|wwids)(\.new)?')" ''
    outlives_a_power_cut
}

# A process that is killed loses nothing of what it has written; a machine whose power is cut does, but for what the disk was asked to keep:
# the new file before it gets the name, and the name. One that is a mount of its own is written in place.
outlives_a_power_cut() {
    traced add_wwid 3600a0b800000000000000000000000a1
    expect_eq 'a file that is replaced is kept before it has the name, and the name after that' "$(order wwids)" 'file name folder'
    traced forget_and_name
    expect_eq 'and so is that of the names' "$(order bindings)" 'file name folder'
    mount --bind /etc/multipath/wwids /etc/multipath/wwids
    traced add_wwid 3600a0b800000000000000000000000a2
    expect_match 'one that is written in place is kept' "$(cat /run/trace)" 'f(data)?sync\(.*</etc/multipath/wwids>'
    umount /etc/multipath/wwids
}

order() { # FILE: in which what was kept, if nothing is written but that file
    grep -nE "f(data)?sync\(.*/\.$1\.new>|rename.*\"[^\"]*$1\"|fsync\(.*</etc/multipath>" /run/trace |
        sed -E "s/^([0-9]+):.*\.$1\.new>.*/\1 file/; s/^([0-9]+):.*rename.*/\1 name/; s/^([0-9]+):.*/\1 folder/" | awk '{ print $2 }' | xargs
}

add_wwid() { # WWID
    expect_eq 'a WWID is added' "$(ctl add wwid "$1")" ok
    expect_ok 'and is in the file' grep -qx "/$1/" /etc/multipath/wwids
}

# The name of a LUN is taken out of the file, and it comes again.
forget_and_name() {
    local disk wwid; disk=$(debug_disk 0 0) wwid=$(san_wwid "$disk")
    path_delete "$disk"
    wait_for 'a map goes' 20 is $((luns - 1)) maps_count
    sed -i "/ $wwid\$/d" /etc/multipath/bindings
    expect_eq 'its name is forgotten' "$(ctl reconfigure)" ok
    host_rescan "$(debug_host 0)"
    wait_for 'its LUN has another map' 20 in_service $luns
    wait_for 'and has a name' 10 grep -q " $wwid\$" /etc/multipath/bindings
    wait_for 'which is kept' 10 grep -q 'fsync(.*</etc/multipath>' /run/trace
}

traced() { # COMMAND...: what is done to keep what that makes, in /run/trace
    local pid tracer
    pid=$(daemon_pid)
    strace -f -qq -y -p "$pid" -o /run/trace -e trace=fsync,fdatasync,rename,renameat,renameat2 &
    tracer=$!
    poll 10 grep -q '^TracerPid:.*[1-9]' "/proc/$pid/status" || fail 'calls are traced' "$(cat "/proc/$pid/status")"
    "$@"
    kill "$tracer"
    wait "$tracer"
}
