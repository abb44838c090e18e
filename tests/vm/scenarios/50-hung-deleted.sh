# shellcheck shell=bash
# A disk is deleted while a command to it hangs: the daemon neither waits nor spins, and the map is without the path as soon as
# the kernel lets go of it.
# shellcheck disable=SC2034
for_reference=no

count() { echo $(($(cat "/sys/block/$1/device/$2"))); }

in_flight() { [ "$(count "$1" iorequest_cnt)" -gt "$(count "$1" iodone_cnt)" ]; } # DISK

ticks() { awk '{ print $14 + $15 }' "/proc/$(daemon_pid)/stat"; } # of a hundredth second, of all its threads

scenario() {
    SAN_REPLACEMENT=86400 SAN_NOOP_INTERVAL=0 SAN_NOOP_TIMEOUT=0 san_iscsi_up >/dev/null || return
    local hung map before try
    conf_debug 'path_checker tur' 'checker_timeout 60' 'path_grouping_policy multibus'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    hung=$(iscsi_disk 192.168.2.201)
    map=$(map_of "$hung")
    portal_cut 192.168.2.201
    wait_for 'a check hangs' 20 in_flight "$hung" || return
    echo 1 >"/sys/block/$hung/device/delete" &
    wait_for 'its generic device is going' 10 test ! -e "/sys/block/$hung/device/scsi_generic"
    before=$(ticks)
    for try in 1 2 3 4; do
        expect_below "show paths answers at its usual speed ($try)" "$(elapsed ctl show paths)" 1
        sleep 0.5
    done
    expect_below 'it took no more of the processor than a second of that' $(($(ticks) - before)) 100
    portal_mend 192.168.2.201
    wait_for 'the deletion ends, and the path is out of the map' 60 is 1 map_paths "$map"
    expect_eq 'the other one serves' "$(write_once "$map" 10)" written
}
