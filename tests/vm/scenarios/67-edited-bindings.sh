# shellcheck shell=bash
# The bindings file is edited while the daemon runs: the edit is kept when a LUN comes that needs a name, and is honoured.
# So it is where the file is a mount of its own, and wwids a link.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    san_scsi_debug 2 2 || return
    path_delete "$(debug_disk 0 1)"
    path_delete "$(debug_disk 1 1)"
    conf_debug 'user_friendly_names yes'
    mkdir -p /etc/multipath /tmp/kept
    touch /tmp/kept/bindings /etc/multipath/bindings
    mount --bind /tmp/kept/bindings /etc/multipath/bindings || return
    ln -sfn /tmp/kept/wwids /etc/multipath/wwids
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    expect_eq 'a name' "$(maps)" mpatha
    sed 's/^mpatha /data /' /tmp/kept/bindings >/tmp/kept/edited
    cat /tmp/kept/edited >/tmp/kept/bindings
    printf '# M\374nchen\nother 3600000000000000000000000000000ff oracle # hot\n' >>/etc/multipath/bindings
    host_rescan "$(debug_host 0)"
    host_rescan "$(debug_host 1)"
    wait_for 'another LUN' 20 in_service 4
    wait_for 'its name is written' 20 grep -q '^mpathb ' /etc/multipath/bindings
    expect_eq 'and nothing of the edit is lost' "$(LC_ALL=C grep -acE $'^(data 3|# M\374nchen$|other 3.* oracle # hot$)' /tmp/kept/bindings)" 3
    # What comes within a second after a write of the file is written together.
    wait_for 'the WWIDs are where the link leads to' 5 is 2 grep -c '^/3' /tmp/kept/wwids
    expect_ok 'which is a link still' test -L /etc/multipath/wwids
    expect_eq 'it is taken over' "$(ctl reconfigure)" ok
    wait_for 'the map has its new name' 20 test -b /dev/mapper/data
    expect_eq 'both have' "$(maps | sort | xargs)" 'data mpathb'
}
