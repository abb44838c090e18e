# shellcheck shell=bash
# shellcheck disable=SC2034
# Messages of the Fibre Channel transport, as its driver would send them, reach the daemon while marginal_pathgroups is
# fpin, and no longer. No disk here goes through Fibre Channel: which paths they hit is seen in the simulator.
for_reference=no # it says nothing of ports that no path goes through

scenario() {
    san_scsi_debug 2 1 || return
    conf_debug 'marginal_pathgroups on'
    daemon_start || return
    wait_for 'one map' 20 is 1 maps_count || return
    expect_eq 'nobody listens' "$(listeners)" 0
    expect_ok 'a message that nobody waits for' "$vm/guest/fabric.py" 3 integrity 500a09849b1234cf
    conf_debug 'marginal_pathgroups fpin'
    expect_eq 'reconfigure' "$(ctl reconfigure)" ok
    wait_for 'the daemon listens' 5 is 1 listeners
    expect_ok 'a message of the transport' "$vm/guest/fabric.py" 3 integrity 500a09849b1234cd 500a09849b1234ce
    wait_for 'is heard' 5 grep -q \
        'host3: the fabric tells of invalid CRCs on the link of 0x500a09849b1234cd, 0x500a09849b1234ce: 0 paths' "$MP_LOG"
    expect_ok 'another' "$vm/guest/fabric.py" 3 congestion 500a09849b1234cd
    wait_for 'is heard, too' 5 grep -q 'the fabric tells of congestion at 0x500a09849b1234cd: 0 paths' "$MP_LOG"
    expect_ok 'one that is cut' "$vm/guest/fabric.py" 3 cut 500a09849b1234cd
    wait_for 'is ignored' 5 grep -q "a message of the Fibre Channel fabric is ignored: the notification's descriptors" "$MP_LOG"
    expect_eq 'no path suffers' "$(ctl show paths raw format '%M' | sort -u)" normal
    conf_debug 'marginal_pathgroups on'
    expect_eq 'reconfigure back' "$(ctl reconfigure)" ok
    wait_for 'nobody listens any more' 5 is 0 listeners
    expect_ok 'and a last message' "$vm/guest/fabric.py" 3 integrity 500a09849b1234cf
    expect_eq 'the daemon still answers' "$(maps_count) $(ctl show paths raw format '%M' | sort -u)" '1 normal'
    expect_no_match 'what was told meanwhile is not known' "$(cat "$MP_LOG")" 500a09849b1234cf
}

# Sockets of NETLINK_SCSITRANSPORT (18) that a process has bound: the kernel's own has port 0.
listeners() { awk '$2 == 18 && $3 != 0' /proc/net/netlink | wc -l; }
