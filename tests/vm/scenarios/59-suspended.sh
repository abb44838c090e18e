# shellcheck shell=bash
# A map that its operator has suspended goes when he says so, at once; one that somebody else resumes is looked after again.
# shellcheck disable=SC2034
for_reference=no

suspended() { [[ $(dmsetup info -c --noheadings -o suspended "$1") == *uspended ]]; }

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local disk map
    disk=$(debug_disk 0 0)
    map=$(map_of "$disk")
    settled
    expect_eq 'suspended' "$(ctl suspend map "$map")" ok
    expect_ok 'so says the kernel' suspended "$map"
    expect_eq 'no order but resume is taken' "$(ctl fail path "$disk" 2>&1 | xargs)" 'the map is suspended: resume it first'
    expect_match 'and none that loads' "$(ctl reload map "$map" 2>&1)" '^the map is suspended'
    dmsetup resume "$map"
    wait_for 'the daemon has seen that' 20 is "$map active" ctl show map "$map" raw format '%n %t'
    expect_eq 'fail path' "$(ctl fail path "$disk")" ok
    wait_for 'the kernel is told' 20 in_service 3
    expect_eq 'reinstate path' "$(ctl reinstate path "$disk")" ok
    wait_for 'and told again' 20 in_service 4
    udevadm settle --timeout=30 # who reads a map that is suspended waits, and has it open
    expect_eq 'suspended again' "$(ctl suspend map "$map")" ok
    expect_eq 'and removed' "$(ctl del map "$map") $(maps_count)" 'ok 1'
}
