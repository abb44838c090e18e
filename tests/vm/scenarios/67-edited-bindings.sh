# shellcheck shell=bash
# The bindings file is edited while the daemon runs: the edit is kept when a LUN comes that needs a name, and is honoured.
# So it is where the file is a mount of its own, and wwids a link. Names go on behind the last letter, `alias_prefix` gives them another
# beginning. A WWID that is written into the wwids file by hand counts from the next reconfigure on.
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
    rescanned
    wait_for 'another LUN' 20 in_service 4
    wait_for 'its name is written' 20 grep -q '^mpathb ' /etc/multipath/bindings
    expect_eq 'and nothing of the edit is lost' "$(LC_ALL=C grep -acE $'^(data 3|# M\374nchen$|other 3.* oracle # hot$)' /tmp/kept/bindings)" 3
    # What comes within a second after a write of the file is written together.
    wait_for 'the WWIDs are where the link leads to' 5 is 2 grep -c '^/3' /tmp/kept/wwids
    expect_ok 'which is a link still' test -L /etc/multipath/wwids
    expect_eq 'it is taken over' "$(ctl reconfigure)" ok
    wait_for 'the map has its new name' 20 test -b /dev/mapper/data
    expect_eq 'both have' "$(maps | sort | xargs)" 'data mpathb'
    part behind_the_last_letter
    part wwid_by_hand
}

rescanned() {
    host_rescan "$(debug_host 0)"
    host_rescan "$(debug_host 1)"
}

leaves() { # LUN
    path_delete "$(debug_disk 0 "$1")"
    path_delete "$(debug_disk 1 "$1")"
}

behind_the_last_letter() {
    local letter
    leaves 0 && leaves 1
    wait_for 'the maps go with their paths' 20 is 0 maps_count
    for letter in {a..z}; do echo "mpath$letter 36000000000000000000000000000000$letter"; done >/etc/multipath/bindings
    expect_eq 'all letters are in use' "$(ctl reconfigure)" ok
    rescanned
    wait_for 'both LUNs are back' 20 in_service 4
    expect_eq 'with two letters each' "$(maps | sort | xargs)" 'mpathaa mpathab'
}

# LUN 1 is forgotten, by hand, and comes back.
wwid_by_hand() {
    local wwid
    wwid=$(san_wwid "$(debug_disk 0 1)")
    conf_debug 'user_friendly_names yes' 'alias_prefix lun_'
    sed -i 's/greedy/strict/' /etc/multipath.conf
    leaves 1
    wait_for 'a map goes with its paths' 20 is 1 maps_count
    grep -v " $wwid\$" /tmp/kept/bindings >/tmp/kept/edited
    cat /tmp/kept/edited >/tmp/kept/bindings # it is mounted
    sed -i "/$wwid/d" /tmp/kept/wwids
    expect_eq 'only what is known gets a map' "$(ctl reconfigure)" ok
    rescanned
    wait_for 'both disks are there' 20 is 4 disks_known
    settled
    expect_eq 'what was taken out of the wwids file has none' "$(maps | wc -l)" 1
    echo "/$wwid/" >>/etc/multipath/wwids
    expect_eq 'a WWID is written by hand' "$(ctl reconfigure)" ok
    wait_for 'its LUN has a map' 20 in_service 4
    expect_eq 'with a name of the other beginning' "$(maps | sort | xargs)" "lun_a $(map_of "$(debug_disk 0 0)")"
    expect_eq 'and the WWID is there once' "$(grep -c "^/$wwid/\$" /tmp/kept/wwids)" 1
}

disks_known() { ctl show paths raw format %d | grep -c '^sd'; }
