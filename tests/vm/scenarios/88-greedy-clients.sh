# shellcheck shell=bash
# Shows situation 18: clients never read; the others are served.
# Clients by the thousand, of two users, that say nothing, half a thing, or read nothing: connections of each are bounded, memory
# and descriptors too, and no honest client waits, be it root or another user.
# shellcheck disable=SC2034
for_reference=no

descriptors() { find "/proc/$(daemon_pid)/fd" -mindepth 1 -maxdepth 1 | wc -l; }

rss_mb() { awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$(daemon_pid)/status"; }

as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups) # no function: what is to be killed would be its child

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

threads() { awk '$1 == "Threads:" { print $2 }' "/proc/$(daemon_pid)/status"; }

latency() { "$@" "$vm/guest/bench.py" latency "$(daemon_pid)" 20 'show daemon' 'show topology'; } # COMMAND that runs it

# Ten thousand at once, of one user: those whose connection is ended hold their end, and there are always new ones.
storm() {
    local pid before usual median slowest
    before=$(rss_mb)
    usual=$(latency nice -n 0)
    echo "   replies usually: $usual (median, slowest, CPU; ms)"
    prlimit --nofile=12000 "${as_nobody[@]}" "$vm/guest/bad-client.py" storm 120 10000 >/run/bad-client 2>&1 &
    pid=$!
    wait_for 'ten thousand at once' 90 says sent cat /run/bad-client
    expect_between 'their sockets' "$(find "/proc/$pid/fd" -lname 'socket:*' 2>/dev/null | wc -l)" 9990 10010
    read -r median slowest _ <<<"$(latency nice -n 0)"
    expect_below "in a storm: a reply to root, usually in ${usual%% *} ms" "$median" "$(awk -v a="${usual%% *}" 'BEGIN { print 4 * a + 200 }')"
    expect_below 'in a storm: the slowest (ms), a client waits for 4000' "$slowest" 4000
    read -r median slowest _ <<<"$(latency setpriv --reuid=1234 --regid=1234 --clear-groups)"
    expect_below 'in a storm: the slowest to another user (ms)' "$slowest" 4000
    served 'in a storm'
    expect_below "in a storm: descriptors, usually $idle" "$(descriptors)" $((idle + 44)) # 32 of a user
    expect_below 'in a storm: threads' "$(threads)" 12
    expect_below 'in a storm: memory, more than before (MB)' "$(($(rss_mb) - before))" 4
    expect_eq 'the storm goes on, and no other bad client' "$(pgrep -u 65534 -f bad-client.py)" "$pid"
    { kill -KILL $pid && wait $pid; } 2>/dev/null
    wait_for 'the places of a storm are free again' 10 clients_are_gone
    expect_below 'after a storm: memory, more than before (MB)' "$(($(rss_mb) - before))" 4
    served 'after a storm'
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
    expect_eq 'ten thousand clients come and go' "$("${as_nobody[@]}" "$vm/guest/bad-client.py" crowd 10000)" done
    served 'after a crowd'

    # As many as it lets in at once, of a user, and of root.
    for what in silent half-many deaf-many; do
        "${as_nobody[@]}" "$vm/guest/bad-client.py" $what 60 >/run/bad-client 2>&1 &
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

    storm

    # One that is quick: it reads all that it asks for, and asks on.
    "${as_nobody[@]}" "$vm/guest/bad-client.py" flood 60 >/run/bad-client 2>&1 &
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
