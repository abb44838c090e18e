# shellcheck shell=bash
# Shows situation 18: clients never read; the others are served.
# Clients by the thousand, of two users, that say nothing, half a thing, or read nothing: connections of each are bounded, memory
# and descriptors too, and no honest client waits, be it root or another user.
# shellcheck disable=SC2034
for_reference=no

descriptors() { find "/proc/$(daemon_pid)/fd" -mindepth 1 -maxdepth 1 | wc -l; }

rss_mb() { awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$(daemon_pid)/status"; }

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

served() { # WHAT: root and another user are answered
    expect_below "$1: root is served (s)" "$(elapsed repeat 5 ctl show paths)" 5
    expect_eq "$1: and rightly" "$(ready_paths)" 2
    expect_below "$1: another user is served (s)" \
        "$(elapsed setpriv --reuid=1234 --clear-groups "$MPCTL" show maps)" 3
}

# A device may say anything of itself, also what leads out of a folder where it is taken for a file's name.
hostile_wwid() { # DISK
    local disk=$1 wwid=../../../etc/hostile rules=/run/udev/rules.d/99-hostile.rules
    mkdir -p ${rules%/*}
    echo "KERNEL==\"$disk\", ENV{ID_SERIAL}=\"$wwid\"" >$rules
    udevadm control --reload
    udevadm trigger --action=change --settle "/sys/block/$disk"
    wait_for 'a disk with a hostile WWID' 20 says "^$wwid\$" ctl show paths raw format %w
    # The name is none for device-mapper; after the second failure the WWID is marked.
    wait_for 'no map can be made of it' 60 tried_twice
    sed -i 's/find_multipaths .*/find_multipaths smart/' /etc/multipath.conf
    rm -rf /run/multipath/find_multipaths
    expect_match 'udev asks and has an answer' "$(env DEVNAME="/dev/$disk" DEVTYPE=disk ID_SERIAL=$wwid $names/multipath -u "$disk" 2>&1)" DM_MULTIPATH_DEVICE_PATH
    expect_eq 'no file is where the name leads' "$(find /etc /run /var /tmp -xdev -name '*hostile*' ! -path $rules)" ''
    expect_eq 'its marks are in their folder' "$(find /run/multipath -mindepth 1 ! -name failed_wwids ! -path '/run/multipath/find_multipaths*')" ''
    rm $rules
    udevadm control --reload
}

tried_twice() { [ "$(grep -c 'hostile: .*create' "$MP_LOG")" -ge 2 ]; }

sockets() {
    expect_eq 'anybody may connect' "$(stat -c %a /run/multipathd.socket)" 666
    daemon_stop
    MULTIPATH_SOCKET_NAME=/run/another.socket daemon_start || return
    expect_eq 'at another socket, too' "$(stat -c '%F %a' /run/another.socket)" 'socket 666'
    expect_eq 'which is the only one' "$(ctl show daemon 2>&1)" 'ERROR: failed to connect to multipathd'
    daemon_stop
    expect_eq 'and goes with the daemon' "$(ls /run/another.socket 2>&1)" "ls: cannot access '/run/another.socket': No such file or directory"
}

clients_are_gone() { [ "$(descriptors)" -le $((idle + 4)) ]; } # a check may be under way

scenario() {
    ours || return 0
    names_up
    san_scsi_debug 2 1 || return
    conf_debug
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local before idle after what
    ctl show paths >/dev/null
    before=$(rss_mb) idle=$(descriptors)

    # Ten thousand one after the other, each of them gone without a word.
    expect_eq 'ten thousand clients come and go' "$(as_nobody "$vm/guest/bad-client.py" crowd 10000)" done
    served 'after a crowd'

    # As many as it lets in at once, of a user, and of root.
    for what in silent half-many deaf-many; do
        as_nobody "$vm/guest/bad-client.py" $what 60 >/run/bad-client 2>&1 &
        wait_for "$what: sent" 30 says sent cat /run/bad-client
        served "$what"
        expect_below "$what: descriptors" "$(descriptors)" 150
        { kill -KILL $! && wait $!; } 2>/dev/null
    done
    "$vm/guest/bad-client.py" silent 60 >/run/bad-client 2>&1 &
    wait_for 'root leaks connections: sent' 30 says sent cat /run/bad-client
    served 'leaks of root'
    { kill -KILL $! && wait $!; } 2>/dev/null

    wait_for 'their places are free again' 10 clients_are_gone

    # One that is quick: it reads all that it asks for, and asks on.
    as_nobody "$vm/guest/bad-client.py" flood 60 >/run/bad-client 2>&1 &
    wait_for 'a flood: sent' 30 says sent cat /run/bad-client
    served 'in a flood'
    expect_no_match 'and the flood, too' "$(cat /run/bad-client)" 'dropped|Error'
    { kill -KILL $! && wait $!; } 2>/dev/null
    expect_below 'memory, more than before (MB)' "$(($(rss_mb) - before))" 32

    # What is said of a format's end and of strange names.
    expect_eq 'a format that ends in %' "$(ctl show paths raw format %d% 2>&1 | head -n 1)" "$(debug_disk 0 0)"
    expect_eq 'and one of % alone' "$(ctl show paths raw format % 2>&1 | sort -u)" ''
    for what in ../../etc/passwd /etc/passwd . .. '' "$(printf '%0200d' 0)" 'a/b'; do
        ctl add wwid "$what" >/dev/null 2>&1
        expect_match "a WWID '${what:0:20}' makes no map" "$(ctl del map "$what" 2>&1)" 'not found|Missing|fail|commands'
    done
    hostile_wwid "$(debug_disk 0 0)"
    expect_ok 'the same daemon' daemon_alive
    sockets
}
