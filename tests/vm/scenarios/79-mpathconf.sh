# shellcheck shell=bash
# What installers call: mpathconf makes /etc/multipath.conf, changes it in place, and leaves one with errors alone. The daemon heeds what it
# wrote.
for_reference=no # Debian's multipath-tools has no mpathconf

names=/run/names
conf_is() { diff /etc/multipath.conf - >/run/difference || fail "$1" "$(cat /run/difference)"; }
mpathconf() { $names/mpathconf "$@" 2>&1; }

scenario() {
    mkdir -p $names
    ln -sf "$MPCTL" $names/mpathconf
    san_scsi_debug 2 1 || return
    local wwid out; wwid=$(san_wwid "$(debug_disk 0 0)")

    expect_eq 'enable makes a file, in silence' "$(mpathconf --enable --find_multipaths yes --with_module y --with_chkconfig n)" ''
    conf_is 'it has what installers expect' <<'END_OF_FILE' && ok 'it has what installers expect'
# See multipath.conf(5).

defaults {
	user_friendly_names yes
	find_multipaths yes
}
END_OF_FILE
    expect_match 'how things are' "$(mpathconf | xargs)" '^multipath is enabled find_multipaths is yes user_friendly_names is enabled .* dm_multipath module is loaded multipathd is not running$'
    mpathconf --option polling_interval:1 >/dev/null
    printf 'blacklist {\n\tdevnode "^sda$" # the root disk\n}\n' >>/etc/multipath.conf
    daemon_start || return
    wait_for 'a map of two paths' 20 is 2 active_paths

    out=$(mpathconf --disable --with_chkconfig n)
    expect_eq 'disable, in silence' "$out" ''
    ctl reconfigure >/dev/null
    wait_for 'the map goes' 20 is 0 maps_count
    expect_match 'and that is shown' "$(mpathconf)" '^multipath is disabled$'
    mpathconf --enable --with_chkconfig n --user_friendly_names n >/dev/null
    expect_match 'comments stay' "$(cat /etc/multipath.conf)" '"\^sda\$" # the root disk$'
    ctl reconfigure >/dev/null
    wait_for 'the map is back, with its WWID as its name' 20 is "$wwid" maps
    wait_for 'and its node' 10 test -b "/dev/mapper/$wwid"
    mknod /run/null c 1 3
    $names/mpathconf --user_friendly_names n --outfile /run/null 2>/dev/null
    expect_eq 'a device is not written over' "$? $(stat -c %F /run/null)" '1 character special file'
    expect_ok 'only this one, in another file' $names/mpathconf --allow "/dev/mapper/$wwid" --outfile /run/allowed.conf
    expect_match 'by its WWID' "$(cat /run/allowed.conf)" "^	wwid \"\\^$wwid\\\$\"\$"

    local before; before=$(sha256sum /etc/multipath.conf)
    expect_match 'what is no mode is refused' "$(mpathconf --find_multipaths maybe)" 'takes yes, no, strict'
    expect_eq 'and the file stays' "$(sha256sum /etc/multipath.conf)" "$before"
    echo 'defaults {' >>/etc/multipath.conf
    before=$(sha256sum /etc/multipath.conf)
    expect_match 'a file with an error is left alone' "$(mpathconf --recheck_wwid y)" 'nothing was changed'
    expect_eq 'byte for byte' "$(sha256sum /etc/multipath.conf)" "$before"
}
