#!/bin/bash
# The units of etc/systemd under a real systemd, and what else is there for the boot: installed, started by a client's connection, ready when
# it says so, reloaded, watched, restarted after a crash and after a hang, stopped; and I/O that waits for a path when the machine goes down,
# with a daemon and without.
#   VM_SYSTEMD=1 tests/vm/run tests/vm/systemd.sh
# shellcheck disable=SC2154
# shellcheck source=tests/vm/lib.sh
. /vm/lib.sh

service=multipathd.service
property() { systemctl show -P "$1" "$service"; }
main_pid() { property MainPID; }
is_now() { is "$1" systemctl is-active "$service"; }
another_pid() { local pid; pid=$(main_pid); [ "$pid" != 0 ] && [ "$pid" != "$1" ] && is_now active; } # than FORMER
journal() { cat "$MP_LOG"; }

units_up() {
    install -t /sbin "$vm/bin/multipathd" "$vm/bin/multipathctl"
    ln -sf multipathctl /sbin/mpathconf
    cp "$vm"/etc/systemd/multipathd.{service,socket} /etc/systemd/system/
    # What the journal would keep, and a watchdog that need not be waited for half a minute.
    mkdir -p /etc/systemd/system/$service.d
    printf '[Service]\nStandardOutput=append:%s\nStandardError=inherit\nWatchdogSec=4\n' "$MP_LOG" \
        >/etc/systemd/system/$service.d/test.conf
    systemctl daemon-reload
}

module_there() { test -e /sys/module/dm_multipath; }
module_gone() { # with those that need it, the selectors
    local holder
    for holder in /sys/module/dm_multipath/holders/*; do [ ! -e "$holder" ] || modprobe -r "${holder##*/}"; done
    modprobe -r dm_multipath
    ! module_there
}

# What the package brings for the machine's boot, before a map is there to need it.
boots() {
    expect_ok 'the module is away' module_gone
    install -D -m 644 -t /etc/modules-load.d "$vm/etc/modules-load.d/multipath.conf"
    expect_ok 'modules are loaded, as at boot' systemctl restart systemd-modules-load.service
    expect_ok 'it is among them' module_there
    rm -rf /run/multipath
    install -D -m 644 -t /etc/tmpfiles.d "$vm/etc/tmpfiles.d/multipath.conf"
    expect_ok 'folders are made, as at boot' systemd-tmpfiles --create multipath.conf
    expect_eq 'theirs are, for root, and for all to read' "$(stat -c '%a %U %n' /run/multipath /etc/multipath | xargs)" \
        '700 root /run/multipath 755 root /etc/multipath'
}

# What installers call, on a machine where nothing runs yet.
is_installed() {
    local pid is='is-active is-enabled'
    expect_ok 'the module is away' module_gone
    expect_ok 'mpathconf makes a configuration only' mpathconf --enable --find_multipaths y --with_module n --with_chkconfig n
    expect_match 'and says so' "$(mpathconf | xargs)" 'multipath is enabled .* dm_multipath module is not loaded multipathd is not running$'
    expect_ok 'mpathconf loads the module' mpathconf --enable --with_module y --with_chkconfig n
    expect_ok 'it is there' module_there
    expect_eq 'and does no more' "$(for one in $is; do systemctl "$one" $service; done | xargs)" 'inactive disabled'
    expect_ok 'mpathconf starts the daemon, and has it started at boot' mpathconf --enable --with_multipathd y --with_chkconfig y
    expect_eq 'so it is' "$(for one in $is; do systemctl "$one" $service; done | xargs)" 'active enabled'
    pid=$(main_pid)
    expect_ok 'mpathconf has it read the configuration' mpathconf --enable --user_friendly_names n --with_multipathd y
    wait_for 'it holds' 20 says 'user_friendly_names "?no"?$' multipathctl show config local
    expect_eq 'in the same daemon' "$(main_pid)" "$pid"
    expect_ok 'mpathconf stops it, at boot too' mpathconf --disable --with_multipathd y --with_chkconfig y
    expect_eq 'so it is' "$(for one in $is; do systemctl "$one" $service; done | xargs)" 'inactive disabled'
}

starts() {
    expect_ok 'the socket unit starts' systemctl start multipathd.socket
    expect_match 'mpathconf asks whether it runs' "$(mpathconf)" '^multipathd is not running$'
    expect_eq 'the service is not there yet' "$(systemctl is-active $service)" inactive
    # A client's connection starts it; both addresses are the socket unit's. A client waits for 4 s, and a unit's start can take longer
    # under emulation: then it asks again.
    wait_for 'a client wakes it' 30 says '^pid [0-9]+ (idle|running|configure)' timeout 60 multipathctl show daemon
    wait_for 'systemd has it active' 30 is_now active
    expect_ok 'start waits for its word' systemctl start $service
    wait_for 'two paths in service' 20 is 2 ready_paths
    expect_match 'it tells systemd how it is' "$(property StatusText)" '^configured: 1 maps, 2 paths$'
    expect_eq 'the main pid is its own' "$(main_pid)" "$(cat /run/multipathd.pid)"
    expect_eq 'it was started once' "$(property NRestarts)" 0
}

# What the unit's sandbox must leave: SG_IO, writes to sysfs and to its files, nodes for others, netlink's large buffer, device-mapper.
has_what_it_needs() {
    local disk node; disk=$(debug_disk 0 0)
    expect_no_match 'no wish of it is refused' "$(journal)" 'not granted'
    expect_match 'it may open as many files as the configuration says' "$(cat "/proc/$(main_pid)/limits")" '^Max open files +2000000 +2000000 '
    expect_match 'names are written' "$(cat /etc/multipath/bindings)" "^mpatha $(san_wwid "$disk")\$"
    expect_eq 'limits of disks are written to sysfs' "$(cat "/sys/block/$disk/queue/max_sectors_kb")" 256
    node=$(readlink -f /dev/mapper/mpatha)
    wait_for 'the map is given to whom the configuration says' 20 is '3:640' stat -L -c '%u:%a' "$node"
    path_offline "$disk"
    wait_for 'a path is failed' 20 is 1 ready_paths
    path_online "$disk"
    wait_for 'and taken back' 20 is 2 ready_paths
    path_delete "$(debug_disk 1 0)"
    wait_for 'one that goes leaves the map' 20 is 1 map_paths mpatha
    host_rescan "$(debug_host 1)"
    wait_for 'one that comes joins it' 20 is 2 map_paths mpatha
}

is_protected() {
    local pid; pid=$(main_pid)
    expect_match 'it runs at a real-time priority' "$(chrt -a -p "$pid" | grep -c 'SCHED_RR')" '^[2-9]'
    expect_no_match 'all its threads do' "$(chrt -a -p "$pid" | grep policy)" 'SCHED_OTHER'
    expect_below 'systemd-analyze security' "$(systemd-analyze security --no-pager $service | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')" 3.05
    expect_eq 'the kernel kills everybody else first' "$(cat "/proc/$pid/oom_score_adj")" -1000
    expect_match 'its memory is locked' "$(grep VmLck "/proc/$pid/status")" ' [1-9][0-9]* kB'
}

# Where an operator writes it, which is not where the daemon writes.
plans_what_is_in_roots_home() {
    cp /etc/multipath.conf /root/new.conf
    expect_match 'a plan of a file in /root' "$(multipathctl plan /root/new.conf)" '^nothing would change$'
    expect_ok 'its status' multipathctl plan /root/new.conf
}

reloads() {
    local pid; pid=$(main_pid)
    sed -i 's/polling_interval 1$/polling_interval 2/' /etc/multipath.conf
    expect_ok 'systemctl reload' systemctl reload $service
    wait_for 'the new configuration holds' 20 says 'polling_interval 2$' multipathctl show config
    expect_eq 'by the same daemon' "$(main_pid)" "$pid"
}

# Longer than the watchdog waits: as long as it runs it is left alone, and when it hangs it is replaced.
is_watched() {
    local pid; pid=$(main_pid)
    sleep 9
    expect_eq 'one that lives is left alone' "$(main_pid)" "$pid"
    kill -STOP "$pid"
    wait_for 'one that hangs is replaced' 40 another_pid "$pid"
    expect_eq 'once' "$(property NRestarts)" 1
    wait_for 'and takes the maps over' 20 is 2 ready_paths
    pid=$(main_pid)
    kill -KILL "$pid"
    wait_for 'one that is killed is replaced' 40 another_pid "$pid"
    wait_for 'and takes the maps over' 20 is 2 ready_paths
}

# As where the kernel has no real-time class for it.
starts_without_real_time() {
    local pid
    expect_eq 'nothing that is run when it is ready can end it' "$(systemctl show -P TimeoutStartUSec $service)" infinity
    mount --bind /bin/false /usr/bin/chrt
    expect_ok 'it starts where no real-time priority is to be had' timeout 60 systemctl restart $service
    umount /usr/bin/chrt
    pid=$(main_pid)
    is_now active || fail 'without real time' "$(systemctl is-active $service)"
    expect_no_match 'none of its threads has one' "$(chrt -a -p "$pid" | grep policy)" 'SCHED_RR|SCHED_FIFO'
    expect_eq 'they have a better priority than usual' "$(ps -L -o ni= -p "$pid" | sort -u | xargs)" -10
    expect_no_match 'no wish of it is refused' "$(journal)" 'not granted'
    wait_for 'two paths in service' 20 is 2 ready_paths
}

restarts_while_a_thread_hangs() {
    local pid
    systemctl stop $service
    files_freezable && systemctl start $service || { fail 'a file system to freeze' 'there is none'; return; }
    wait_for 'two paths in service' 20 is 2 ready_paths
    pid=$(main_pid)
    thread_hangs multipathctl "$pid"
    systemctl restart --no-block $service
    wait_for 'a restart is not held up by it for long' 90 another_pid "$pid"
    expect_ok 'though it hangs still' has_hanging_thread "$pid"
    wait_for 'two paths in service' 20 is 2 ready_paths
    fsfreeze -u /etc/multipath
    expect_ok 'it stops' systemctl stop $service
    umount /etc/multipath
    expect_ok 'and starts' systemctl start $service
    wait_for 'two paths in service' 20 is 2 ready_paths
}

# As the package leaves it: the folder is there.
starts_where_etc_is_read_only() {
    expect_ok 'it stops' systemctl stop $service
    mkdir -p /etc/multipath
    mount --bind -o ro /etc /etc || { fail 'a read-only /etc' "$(findmnt /etc)"; return; }
    expect_ok 'a read-only /etc' test ! -w /etc/multipath
    expect_ok 'it starts where /etc is read-only' systemctl start $service
    wait_for 'two paths in service' 20 is 2 ready_paths
    umount /etc
}

# The socket is there, and who connects has the daemon started.
starts_for_no_watcher() {
    local watcher
    expect_ok 'the daemon starts to be watched' systemctl start multipathd.socket $service
    multipathctl --watch --interval 0.2 >/run/watched &
    watcher=$!
    wait_for 'a watcher sees the map' 20 grep -q '^mpatha ' /run/watched
    expect_ok 'the daemon alone is stopped' systemctl stop $service
    wait_for 'the watcher sees that it is gone' 20 grep -q '^# multipathd is not there$' /run/watched
    sleep 2
    expect_eq 'and has not started it' "$(systemctl is-active $service multipathd.socket | xargs)" 'inactive active'
    : >/run/watched
    expect_ok 'it starts' systemctl start $service
    wait_for 'the watcher sees the map again' 20 grep -aq 'mpatha ' /run/watched
    kill $watcher
    expect_ok 'both are stopped' systemctl stop multipathd.socket $service
}

stops() {
    cp /etc/multipath.conf /run/kept.conf
    expect_match 'mpathconf knows that it runs' "$(mpathconf)" '^multipathd is running$'
    expect_ok 'mpathconf stops it' mpathconf --disable --with_chkconfig n --with_multipathd y
    expect_eq 'for whoever connects, too' "$(systemctl is-active multipathd.socket $service | xargs)" 'inactive inactive'
    cp /run/kept.conf /etc/multipath.conf
    expect_eq 'cleanly' "$(property Result)" success
    expect_eq 'the map stays' "$(maps_count)" 1
    starts_for_no_watcher
    expect_ok 'and comes back' systemctl start $service
    wait_for 'with its paths' 20 is 2 ready_paths
    expect_ok 'stopped again' systemctl stop multipathd.socket $service
}

queueing=multipathd-queueing.service

# Its boot goes on with it, up to the network's file systems: what would wait for an answer on the console, for a network or for an
# initiator's name is left out.
queueing_up() {
    local unit
    for unit in systemd-firstboot systemd-networkd-wait-online iscsid open-iscsi; do
        ln -s /dev/null /etc/systemd/system/$unit.service
    done
    cp "$vm/etc/systemd/$queueing" /etc/systemd/system/
    printf '[Service]\nRestart=no\n' >/etc/systemd/system/$service.d/no-restart.conf
    systemctl daemon-reload
    conf_debug 'user_friendly_names yes' 'no_path_retry queue' 'verbosity 3'
}

queues() { [[ $(dmsetup table mpatha) = *queue_if_no_path* ]]; }

# WHAT: the daemon has a map that queues, and a writer waits in it.
writer_waits() {
    local disk
    for disk in $(debug_disks); do path_online "$disk"; done
    expect_ok "$1: the daemon starts" systemctl start multipathd.socket $service
    wait_for "$1: its end of queueing is at hand" 90 is active systemctl is-active $queueing
    wait_for "$1: two paths in service" 30 in_service 2
    # The one that was told to end it keeps to that.
    expect_eq "$1: it queues" "$(multipathctl restorequeueing maps)" ok
    wait_for "$1: and so does the map" 20 queues
    for disk in $(debug_disks); do path_offline "$disk"; done
    wait_for "$1: none is left" 30 is 0 active_paths
    write_once mpatha 120 >/run/written &
    wait_for "$1: a writer waits" 20 is 1 blocked_writers
    sleep 2
    expect_eq "$1: and waits" "$(blocked_writers)$(cat /run/written)" 1
}

# Another program may be on the disks that are waited for: the daemon's own is held in memory by it.
program() { systemctl show -P "$1" "$2" | grep -o 'path=[^ ;]*'; } # PROPERTY UNIT

times_told() { journal | grep -c 'disablequeueing maps'; }

writer_fails() { wait_for "$1: the writer need not wait" "$2" is failed cat /run/written; } # WHAT SECONDS

# As a crash would, and systemd does not start it again.
daemon_dies() {
    systemctl kill --signal=KILL $service
    wait_for "$1: no daemon is left" 20 is_now failed
}

target_up() { # LINE of the unit
    printf '[Unit]\nDefaultDependencies=no\n%s\n' "$1" >/etc/systemd/system/test.target
    systemctl daemon-reload
}

ends() {
    local what
    echo "   $(now) s"
    queueing_up
    expect_eq 'the end of queueing is by a program that is in memory' "$(program ExecStop $queueing)" "$(program ExecStart $service)"
    what='with a daemon'
    writer_waits "$what"
    expect_ok "$what: stop of the unit" systemctl stop $queueing
    writer_fails "$what" 5
    expect_eq "$what: by the daemon" "$(times_told)" 1
    is_now active || fail "$what" 'the daemon is gone'

    what='in its order'
    writer_waits "$what"
    target_up "Conflicts=multipathd.socket $service $queueing" # one transaction, as a shutdown is
    expect_ok "$what: stop of both" systemctl start test.target
    writer_fails "$what" 5
    expect_eq "$what: the daemon is told first" "$(times_told)" 2

    what='without a daemon'
    writer_waits "$what"
    systemctl stop multipathd.socket
    daemon_dies "$what"
    expect_ok "$what: stop of the unit" systemctl stop $queueing
    writer_fails "$what" 5

    what='a map left suspended'
    writer_waits "$what"
    systemctl stop multipathd.socket
    daemon_dies "$what"
    dmsetup suspend --noflush --nolockfs mpatha
    expect_ok "$what: end-queueing" multipathctl end-queueing
    writer_fails "$what" 5

    # Its socket is there: whoever connects would start the daemon, which systemd does not do any more.
    what='the machine goes down without a daemon'
    writer_waits "$what"
    daemon_dies "$what"
    expect_eq "$what: its socket is there" "$(systemctl is-active multipathd.socket)" active
    target_up Requires=shutdown.target
    expect_ok "$what: as a shutdown goes" systemctl start --no-block --job-mode=replace-irreversibly test.target
    writer_fails "$what" 40
    expect_ok "$what: no daemon came back" is_now failed
    echo "   $(now) s"
}

expect_eq 'pid 1' "$(cat /proc/1/comm)" systemd
units_up
part boots
part is_installed
san_scsi_debug 2 1 || exit 1
conf_debug 'user_friendly_names yes' 'max_sectors_kb 256' 'max_fds 2000000' 'verbosity 3'
printf 'multipaths {\n\tmultipath {\n\t\twwid %s\n\t\tuid 3\n\t\tmode 0640\n\t}\n}\n' "$(san_wwid "$(debug_disk 0 0)")" >>/etc/multipath.conf
echo 4000000 >/proc/sys/fs/nr_open # more than the unit grants
for what in starts has_what_it_needs is_protected plans_what_is_in_roots_home reloads is_watched starts_without_real_time \
    restarts_while_a_thread_hangs starts_where_etc_is_read_only stops ends; do
    part $what || break
done
[ "$(failures)" = 0 ] || { systemctl status --no-pager $service; journal | tail -n 40; }
summary
