#!/bin/bash
# Debian's multipath-tools and multipath-tools-boot with a map in use, replaced by our package, that by itself, and back, with verified I/O on
# the map all the while; then packages of distributions that have their files below /usr, or not below it, where ours has it otherwise.
# Started by tests/package, which brings the packages.
# shellcheck disable=SC2154
# shellcheck source=tests/vm/lib.sh
. /vm/lib.sh
: >"$verdicts"
MPCTL=/sbin/multipathctl
service=multipathd.service
choice=/etc/initramfs-tools/conf.d/multipath
theirs=(/vm/files/multipath-tools{,-boot}_*.deb) ours=$(echo /vm/files/multipathd_*.deb)

# The guest's packages were unpacked, never installed: dpkg is told of them.
dpkg_knows() {
    local name version architecture
    mkdir -p /var/lib/dpkg/{info,updates,triggers}
    while IFS=_ read -r name version architecture; do
        case $name in multipath-tools | linux-image-*) continue ;; esac
        printf 'Package: %s\nStatus: install ok installed\nMaintainer: Debian\nArchitecture: %s\nVersion: %s\nDescription: there\n\n' \
            "$name" "${architecture%.deb}" "${version//%3a/:}"
        : >"/var/lib/dpkg/info/$name.list"
    done </vm/files/packages >/var/lib/dpkg/status
    rm -rf /usr/lib/multipath # a link to the reference's, for other tests
}

state() { dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | tr -d ' '; }
main_pid() { systemctl show -P MainPID $service; }
is_active() { [ "$(systemctl is-active $service)" = active ]; }
runs() { cmp -s "/proc/$(main_pid)/exe" "$1"; } # the daemon's program
files() { sha256sum /etc/multipath.conf /etc/multipath/bindings /etc/multipath/wwids; }
asks() { /vm/files/libmpathcmd 'show maps raw format %n' 2>&1 | tr '\n' ' '; } # with the library that is installed
library() { dpkg-query -S "$(LD_TRACE_LOADED_OBJECTS=1 /vm/files/libmpathcmd | awk '/libmpathcmd/ { print $3 }')"; } # the one that it takes
table() { dmsetup table "$map"; dmsetup info -c --noheadings -o major,minor,uuid "$map"; }
both_usable() { [ "$(paths_status "$map" | grep -c ' A ')" = 2 ]; }

# WHAT COMMAND...: with its output, should it fail
done_by() { local what=$1; shift; expect_ok "$what" env DEBIAN_FRONTEND=noninteractive "$@"; }

# NAME WHAT COMMAND...: done_by, and then the daemon runs and has both paths; I/O paused for so many ms at the longest meanwhile
declare -A paused
paused_by() {
    local name=$1 status=0; shift
    paused[$name]=$(io_pause and_serves "$@") || status=$?
    return $status
}
and_serves() { done_by "$@" && wait_for 'a daemon runs, with both paths' 30 serves; }
serves() { is_active && both_usable; }

with_theirs() {
    conf_debug 'user_friendly_names yes' 'no_path_retry queue' 'queue_without_daemon yes'
    done_by "Debian's packages are installed" dpkg -i "${theirs[@]}" || return
    wait_for 'its daemon runs' 30 is_active || return
    san_scsi_debug 2 1 || return
    map=mpatha
    wait_for 'a map of two paths' 30 both_usable || return
    expect_eq 'a program on its libmpathcmd is answered' "$(asks)" '0 mpatha closed 0 '
    kept_elsewhere
    was=$(table)
    swaps_watch
    io_start /dev/mapper/$map
    paused_by theirs "Debian's are installed over themselves" dpkg -i "${theirs[@]}"
    paused_by once "Debian's are installed over themselves once more" dpkg -i "${theirs[@]}"
    [ "${paused[theirs]}" -lt "${paused[once]}" ] || paused[theirs]=${paused[once]}
}

# Names and WWIDs are elsewhere, as the configuration says, and others are where ours reads them; then none.
kept_elsewhere() {
    local said status there=/srv/mp
    mkdir -p $there
    printf 'defaults {\n\tbindings_file %s\n\twwids_file "%s"\n}\n' $there/bindings $there/wwids >>/etc/multipath.conf
    mv /etc/multipath/bindings /etc/multipath/wwids $there
    sed 's/^mpatha /mpathz /' $there/bindings >/etc/multipath/bindings
    said=$(dpkg -i "$ours" 2>&1)
    status=$?
    expect_match 'ours refuses names that are not in force' "$status $(state multipath-tools) $(state multipathd)" '^1 ii (.n)?$'
    expect_match 'and says what to do' "$said" "cp -p $there/bindings /etc/multipath/bindings"
    wait_for "Debian's daemon runs on" 30 is_active
    wait_for 'with both paths' 30 both_usable
    # As apt does it. No other package of this image has files in some folders, so that the links to those go with it.
    links=(/sbin /lib) targets=("$(readlink /sbin)" "$(readlink /lib)")
    done_by "Debian's are removed first" dpkg -r multipath-tools-boot multipath-tools
    for i in 0 1; do [ -z "${targets[i]}" ] || [ -e "${links[i]}" ] || ln -s "${targets[i]}" "${links[i]}"; done
    said=$(dpkg -i "$ours" 2>&1)
    status=$?
    expect_match 'and ours refuses as before' "$status $(state multipathd)" '^1 (.n)?$'
    expect_match 'and says the same' "$said" "cp -p $there/bindings /etc/multipath/bindings"
    done_by "Debian's come back" dpkg -i "${theirs[@]}"
    wait_for "Debian's daemon runs again" 30 is_active
    wait_for 'with both paths again' 30 both_usable
    rm -f /etc/multipath/bindings /etc/multipath/wwids
    before=$(sha256sum /etc/multipath.conf $there/bindings $there/wwids | sed "s|$there/|/etc/multipath/|")
}

replaced() {
    paused_by replaced 'ours takes its place' dpkg -i "$ours" || return
    expect_match "Debian's is gone, its configuration not" "$(state multipath-tools)" '^.c$'
    expect_match 'so is its part for the initramfs' "$(state multipath-tools-boot)" '^.c$'
    expect_ok 'which has multipath in every image, and so has ours' grep -qx MULTIPATH=yes $choice
    expect_eq 'ours is there' "$(state multipathd)" ii
    expect_eq 'whole' "$(dpkg --verify multipathd)" ''
    expect_match 'rules that tell of more designators are needed by ours, too' "$(dpkg-query -W -f '${Depends}' multipathd)" '\<sg3-utils-udev\>'
    expect_eq 'and are there' "$(state sg3-utils-udev)" ii
    wait_for 'our daemon runs' 30 is_active
    expect_ok 'it is ours' runs "$vm/bin/multipathd"
    expect_eq 'configuration, names and WWIDs are as they were' "$(files)" "$before"
    expect_eq 'the map is as it was' "$(table)" "$was"
    expect_eq 'no table was loaded' "$(swaps)" 0
    wait_for 'two paths, for the old name too' 20 says "^mpatha .*dm-" multipath -ll
    expect_eq 'names lead to one program' "$(readlink -f /sbin/multipathc /sbin/mpathpersist | sort -u)" /usr/sbin/multipathctl
    expect_eq 'its libmpathcmd is ours' "$(library)" 'multipathd: /lib/libmpathcmd.so.0'
    expect_eq 'a program on it is answered' "$(asks)" '0 mpatha closed 0 '
    expect_eq 'udev asks ours' "$(multipath -u "$(debug_disk 0 0)")" 'DM_MULTIPATH_DEVICE_PATH="1"'
    expect_eq 'the unit of the old name' "$(systemctl show -P Id multipath-tools.service)" $service
    expect_eq 'it starts with the machine' "$(systemctl is-enabled $service multipathd.socket | xargs)" 'enabled enabled'
    expect_match 'a dependency on multipath-tools is met' "$(dpkg-query -W -f '${Provides}' multipathd)" 'multipath-tools \(= [0-9.]+\)'
    path_offline "$(debug_disk 0 0)"
    wait_for 'it fails a path' 20 path_is "$(debug_disk 0 0)" 'failed faulty offline'
    path_online "$(debug_disk 0 0)"
    wait_for 'and takes it back' 20 both_usable
}

again() {
    local pid; pid=$(main_pid)
    echo MULTIPATH=no >$choice
    rm -rf /run/multipath
    paused_by again 'ours is installed over itself' dpkg -i "$ours"
    expect_eq 'the folder of its marks is there again, for root' "$(stat -c '%a %U' /run/multipath)" '700 root'
    expect_eq 'what was chosen for images stays' "$(cat $choice)" MULTIPATH=no
    wait_for 'with another process' 30 another_than "$pid"
    expect_eq 'the map is as it was' "$(table)" "$was"
}
another_than() { is_active && [ "$(main_pid)" != "$1" ]; }

back() {
    paused[removed]=$(io_pause done_by 'ours is removed' dpkg -r multipathd)
    expect_eq 'no daemon' "$(systemctl is-active $service)" inactive
    expect_eq 'the map stays' "$(table)" "$was"
    expect_eq 'the files stay' "$(files)" "$before"
    expect_ok 'no rule of ours stays' test ! -e /lib/udev/rules.d/99-z-dm-mpath-late.rules
    done_by "Debian's packages come back" dpkg -i "${theirs[@]}"
    wait_for 'its daemon runs' 30 is_active
    expect_ok "it is Debian's" runs /opt/reference/sbin/multipathd
    wait_for 'it has both paths' 20 says 'mpatha.*2' multipathd show maps status
    expect_eq 'and so is libmpathcmd' "$(library) $(asks)" 'multipath-tools: /lib/libmpathcmd.so.0 0 mpatha closed 0 '
    expect_eq 'the files stay' "$(files)" "$before"
    done_by 'ours is purged' dpkg -P multipathd
    expect_eq "Debian's starts with the machine" "$(systemctl is-enabled $service)" enabled
    expect_eq 'the files stay' "$(files)" "$before"
}

# A multipath-tools whose files have other names for the folders than ours, and a package of ours for it.
elsewhere() {
    local said their_files status
    done_by "Debian's packages go" dpkg -P multipath-tools-boot multipath-tools
    done_by 'one with other places is installed' dpkg -i /vm/files/elsewhere/multipath-tools_*.deb
    mapfile -t their_files < <(dpkg -L multipath-tools)
    said=$(dpkg -i "$ours" 2>&1)
    status=$?
    expect_match 'ours refuses' "$status $(state multipath-tools) $(state multipathd)" '^1 ii (.n)?$'
    expect_match 'and says what to do' "$said" 'remove multipath-tools first'
    expect_eq 'nothing of the other is gone' "$(dpkg --verify multipath-tools; ls -d "${their_files[@]}" 2>&1)" "$(printf '%s\n' "${their_files[@]}")"
    done_by 'one with these places takes its place' dpkg -i /vm/files/elsewhere/multipathd_*.deb
    expect_eq 'it is there' "$(state multipathd)" ii
    expect_eq 'whole' "$(dpkg --verify multipathd)" ''
    done_by 'ours is installed over it' dpkg -i "$ours"
    expect_eq 'whole, too' "$(dpkg --verify multipathd)" ''
}

dpkg_knows
with_theirs && replaced && again && back
io_stop
echo "# $(cat /run/io.score)"
elsewhere
# Each is measured once, beside what else the host does: a moment more than the less of two with Debian's package is no sign, a daemon that I/O
# waits for is seconds.
for name in replaced again removed; do
    expect_below "$name: ms that I/O pauses longer than with Debian's over themselves (${paused[theirs]})" $((${paused[$name]:-99999} - ${paused[theirs]:-0})) 1000
done
[ "$(grep -c '^FAIL' "$verdicts")" = 0 ] || { systemctl status --no-pager $service; journalctl -u $service --no-pager 2>/dev/null | tail -n 30; }
summary
