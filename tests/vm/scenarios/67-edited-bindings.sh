# shellcheck shell=bash
# The bindings file is edited while the daemon runs: the edit is kept when a LUN comes that needs a name, and is honoured.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    san_scsi_debug 2 2 || return
    path_delete "$(debug_disk 0 1)"
    path_delete "$(debug_disk 1 1)"
    conf_debug 'user_friendly_names yes'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    expect_eq 'a name' "$(maps)" mpatha
    sed -i 's/^mpatha /data /' /etc/multipath/bindings
    printf '# mine\nother 3600000000000000000000000000000ff\n' >>/etc/multipath/bindings
    host_rescan "$(debug_host 0)"
    host_rescan "$(debug_host 1)"
    wait_for 'another LUN' 20 in_service 4
    wait_for 'its name is written' 20 grep -q '^mpathb ' /etc/multipath/bindings
    expect_eq 'and nothing of the edit is lost' "$(grep -cE '^(data 3|# mine$|other 3)' /etc/multipath/bindings)" 3
    expect_eq 'it is taken over' "$(ctl reconfigure)" ok
    wait_for 'the map has its new name' 20 test -b /dev/mapper/data
    expect_eq 'both have' "$(maps | sort | xargs)" 'data mpathb'
}
