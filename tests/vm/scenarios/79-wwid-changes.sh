# shellcheck shell=bash
# Shows situation 5: the WWID changes under a path while it answers: the path is failed, reinstated by nothing, taken out, and the
# others are checked on time. It is found by a unit attention, and by a rescan that udev hears of.
# shellcheck disable=SC2034
for_reference=no

one=6001405aaaaaaaaaaaaaaaaaaaaaaaa1 two=6001405bbbbbbbbbbbbbbbbbbbbbbbb2 three=6001405cccccccccccccccccccccccc3
map=''

scenario() {
    array_up || return
    array_disk a 1 0 wwid=$one volume=one && array_disk b 2 0 wwid=$one volume=one || return
    array_disk c 1 1 wwid=$two volume=two && array_disk d 2 1 wwid=$two volume=two || return
    udevadm settle --timeout=30
    conf_debug 'path_checker tur' 'recheck_wwid yes' 'no_path_retry fail' 'max_polling_interval 1'
    sed -i 's/multibus/failover/; s/greedy/yes/; /max_polling_interval 2/d' /etc/multipath.conf
    daemon_start || return
    wait_for 'two maps of two paths' 20 in_service 4 || return
    map=$(map_of "$(array_dev a)")
    expect_eq 'a write works' "$(write_once "$map" 20)" written
    becomes_another 'a unit attention' attention
    becomes_another 'a rescan' rescan
    expect_eq 'a write works in the end' "$(write_once "$map" 20)" written
}

attention() { array_says b 00 'once sense 06 3f 03'; }
rescan() { # as an administrator's tools do it
    echo 1 >"/sys/block/$disk/device/rescan"
    udevadm trigger --action=change "/sys/block/$disk"
}

# The second path of the first LUN shows another: as what is done, and everybody tries to have it back.
becomes_another() { # HOW COMMAND
    local disk number before watcher
    disk=$(array_dev b) number=$(dev_t "$disk")
    before=$(array_checks c)
    states "$number" >/run/states &
    watcher=$!
    array_says b volume three
    array_says b wwid $three
    $2
    wait_for "$1: it is out of the map" 15 out "$number"
    wait_for 'that is said' 5 says "$map: $disk: its WWID changed from 3$one to 3$three" cat "$MP_LOG"
    expect_no_match 'nobody reinstates it' "$(ctl reinstate path "$disk" 2>&1)" '^ok'
    ctl reconfigure >/dev/null
    wait_for 'reconfigured' 10 daemon_ready
    udevadm trigger --action=change "/sys/block/$disk"
    udevadm settle --timeout=30
    poll 10 enough "$before" 5
    expect_ok 'the others are checked on time' enough "$before" 5
    kill $watcher
    expect_no_match 'and it is not used again' "$(xargs </run/states)" 'F A|- [AF]'
    expect_eq 'the map goes on with the other' "$(map_paths "$map")" 1

    # What can't go to the first LUN goes nowhere.
    path_offline "$(array_dev a)"
    expect_eq "$1: without the other there is none" "$(write_text)" failed
    expect_eq "$1: and nothing is in the LUN that it shows now" "$(tr -d '\0' <$array_folder/three.data | wc -c)" 0
    path_online "$(array_dev a)"
    wait_for "$1: the other is back" 20 says "$(dev_t "$(array_dev a)") A" dmsetup status "$map"

    # It is the LUN again: that is found and it is taken back.
    array_says b wwid $one
    array_says b volume one
    rescan
    wait_for 'it is the first LUN again' 30 in_service 4
    : >"$MP_LOG"
}

write_text() { # what is there to be found, where it should not be
    yes text | timeout --signal=KILL 20 dd "of=/dev/mapper/$map" bs=4k count=1 iflag=fullblock oflag=direct conv=nocreat,notrunc \
        >/dev/null 2>&1 && echo written || echo failed
}

out() { ! dmsetup table "$map" | grep -q " $1 "; }

enough() { [ $(($(array_checks c) - $1)) -ge "$2" ]; }

states() { # DEVICE NUMBER: A, F or - each time it becomes that
    local last='' state
    while sleep 0.05; do
        state=$(dmsetup status "$map" | grep -oE "$1 [AF] " | cut -d' ' -f2)
        [ "${state:--}" = "$last" ] || { last=${state:--}; echo "$last"; }
    done
}
