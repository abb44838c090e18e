#!/bin/bash
# The walkthrough, in the guest: an iSCSI initiator with two portals, one daemon, one cut portal, one file system.
# Run by tests/demo. Each command is printed before it is run; each step ends with a verdict.
# shellcheck disable=SC2016,SC2154
# shellcheck source=tests/vm/lib.sh
. /vm/lib.sh

# As an administrator of this guest would type them.
mkdir -p /run/demo
ln -s "$MPCTL" /run/demo/multipathctl
PATH=/run/demo:$PATH
missing=0 steps=0 step='' why=()

begin() { step=$1 why=(); printf '\n== %s\n' "$1"; }

run() { # COMMAND: printed, run, its output kept in $out. Colours and warnings of the client are not of interest here.
    printf '$ %s\n' "$1"
    out=$(eval "$1" 2>&1)
    rc=$?
    [ -z "$out" ] || printf '%s\n' "$out"
    return $rc
}

want() { # WHAT COMMAND...: noted for the verdict if it fails
    local what=$1; shift
    "$@" >/dev/null 2>&1 || why+=("$what")
}

seen() { grep -qE -- "$1" <<<"$out"; }

verdict() { # false if something was not seen: the later steps need it
    steps=$((steps + 1))
    if [ ${#why[@]} = 0 ]; then
        echo "ok $step (at $(since 0) s)"
    else
        missing=$((missing + 1))
        printf 'FAIL %s: not seen: %s\n' "$step" "$(IFS=';'; echo "${why[*]}")"
        echo "--- the daemon's log"; tail -n 30 "$MP_LOG"; echo ---
        return 1
    fi
}

# The reference rejects what it calls invalid keywords; ours takes the file as it is.
adapt() {
    [ -n "${VM_REFERENCE:-}" ] || { cat; return; }
    sed -e '/udev_dir\|getuid_callout\|prio_callout/d' -e 's/ selector /path_selector /'
}

conf_plain() { sed -e '/user_friendly_names/d' -e '/^multipaths/,$d' /vm/demo.conf | adapt >/etc/multipath.conf; }
conf_seed() { sed "s/@WWID@/$wwid/" /vm/demo.conf | adapt >/etc/multipath.conf; }

# Follows a path's line in -ll, from now to FOLLOW's end. The daemon's memory is looked at every millisecond, over one
# connection and before all other work: what holds for a few milliseconds is seen too. The reference can only be asked again and again.
watch() {
    dmesg -n 1 # a serial console takes longer than what is to be seen
    if [ -n "${VM_REFERENCE:-}" ]; then
        while :; do printf '# +%s s\n' "$(since 0)"; "$MPCTL" -ll; sleep 0.05; done >/run/demo/watch 2>/dev/null &
    else
        echo '$ chrt --fifo 1 multipathctl -ll --watch --interval 0.001 >/run/demo/watch &'
        chrt --fifo 1 multipathctl -ll --watch --interval 0.001 >/run/demo/watch 2>&1 &
    fi
    watcher=$!
}

changes() { # DEVICE: its lines in what was watched, where they changed
    awk -v device=" $1 " '
        /^# \+/ { time = $2 }
        index($0, device) {
            line = substr($0, index($0, device) + 1); gsub(/ +/, " ", line); sub(/ $/, "", line)
            if (line != last) printf "%10s s  %s\n", time, line
            last = line
        }' /run/demo/watch
}

follow() { # DEVICE REGEX SECONDS: until its line matches; every change is printed
    local start=$SECONDS status=0
    echo "\$ tail -f /run/demo/watch | grep $1    # every change is shown"
    until changes "$1" | tail -n 1 | grep -qE -- "$2"; do
        [ $((SECONDS - start)) -le "$3" ] || { status=1; break; }
        sleep 0.5
    done
    { kill "$watcher"; wait "$watcher"; } 2>/dev/null
    dmesg -n 5
    changes "$1"
    return $status
}

pages_around() { # REGEX: of what was watched, the first page with such a line, the one before and the one after
    awk -v regex="$1" '
        /^# \+/ { page++ }
        { text[page] = text[page] $0 "\n" }
        !hit && $0 ~ regex { hit = page }
        END { for (i = hit - 1; hit && i <= hit + 1; i++) printf "%s", text[i] }' /run/demo/watch
}

score() { sed -n "s/.*$1 \([0-9.]*\).*/\1/p" /run/demo/score 2>/dev/null; }

more_writes() { # than FROM
    [ "$(score writes)" -gt "$1" ]
}

step_1() {
    begin 'Step 1: one target, two portals, two disks'
    san_target_up && san_initiator_up
    run "iscsiadm -m discovery -t sendtargets -p ${san_portals%% *}:3260"
    want 'two portals' is 2 grep -c ":3260,1 $san_target" <<<"$out"
    local ip
    for ip in $san_portals; do
        run "iscsiadm -m node -T $san_target -p $ip:3260 -o update -n node.startup -v automatic"
        run "iscsiadm -m node -T $san_target -p $ip:3260 --login"
        want "login at $ip" seen successful
        want "a disk through $ip" poll 20 iscsi_disk "$ip"
    done
    udevadm settle --timeout=30
    run 'grep . /sys/block/sd*/device/model'
    want 'sdb through .200' is sdb iscsi_disk 192.168.2.200
    want 'sdc through .201' is sdc iscsi_disk 192.168.2.201
    run 'iscsiadm -m node -o show | grep node.startup'
    want 'automatic' is 2 grep -c automatic <<<"$out"
    wwid=$(san_wwid sdb)
    want 'one WWID' is "$wwid" san_wwid sdc
    verdict
}

step_2() {
    begin 'Step 2: one map of both'
    conf_plain
    run 'cat /etc/multipath.conf'
    [ -z "${VM_REFERENCE:-}" ] || run "multipathctl -a $wwid"
    echo '$ multipathd -d &'
    daemon_start
    poll 15 is 2 ready_paths
    run 'multipathctl -ll'
    want 'name, dm-0, vendor' seen "^$wwid dm-0 Proware,proIPS *\$"
    want 'size, features' seen "^size=1.1T features='0' hwhandler='0' wp=rw\$"
    want 'group' seen "^\`-\\+- policy='round-robin 0' prio=1 status=active\$"
    want 'sdb' seen '^  \|- 1:0:0:0 sdb 8:16 +active ready running *$'
    want 'sdc' seen '^  `- 2:0:0:0 sdc 8:32 +active ready running *$'
    run "dmsetup table $wwid"
    verdict
}

step_3() {
    begin 'Step 3: a portal is cut, I/O goes on'
    local before
    /vm/guest/io.py "/dev/mapper/$wwid" /run/demo/score 2>/run/demo/io.log &
    io=$!
    poll 20 more_writes 20 || why+=('I/O before the cut')
    run 'cat /run/demo/score'
    cut_portal
    before=$(score writes)
    want 'I/O goes on' poll 30 more_writes $((before + 50))
    run 'cat /run/demo/score'
    want 'no error' is 0 score errors
    want 'nothing wrong read' is 0 score mismatches
    run "dmsetup status $wwid"
    want 'failed in the kernel' seen '8:32 F'
    verdict
}

# The checker knows before the kernel is told. The transport gives up the check and the I/O at the same moment, though: where
# the I/O's error was there first, the kernel has failed the path by itself, and the portal is cut once more. It is always first
# where no check was on its way at that moment: so the portal is cut while one is about to go out, before the transport blocks the disk.
cut_portal() {
    local try mark first=
    for try in 1 2 3; do
        echo '$ multipathctl show paths format "%d %C"    # until the next check of sdc is a second away'
        poll 60 check_is_near sdc || { why+=('a check is due'); return; }
        mark=$(wc -l <"$MP_LOG")
        watch
        run 'iptables -I OUTPUT -d 192.168.2.201 -j DROP'
        follow sdc 'failed faulty' 60 || { why+=('the path fails'); return; }
        checker_first $((mark + 1)) && return
        [ $? = 2 ] && first=1
        [ "$try$first" = 21 ] || [ "$try" = 3 ] && break
        echo '# This time it was too quick, or an I/O failed before the check did: once more.'
        watch
        run 'iptables -D OUTPUT -d 192.168.2.201 -j DROP'
        follow sdc 'active ready running' 90 || break
    done
    [ -n "$first" ] || why+=('first the checker sees it')
}

check_is_near() { # DEVICE: it is checked within the next second or two
    "$MPCTL" show paths format '%d %C' | grep -qE "^$1 +[X.]+ [01]/"
}

# Status 0: it was on the screen. 2: it was too quick for that (an emulated machine may skip it), and the log says what was
# first. 1: the check was not first.
checker_first() { # FIRST-LINE of the log
    [ -z "${VM_REFERENCE:-}" ] || return 0
    echo '$ less /run/demo/watch    # active faulty: the page with it, the one before and the one after'
    local page
    page=$(pages_around 'sdc 8:32 +active faulty running')
    printf '%s\n' "${page:-(no page: it took less than two looks)}"
    run "tail -n +$1 $MP_LOG | grep -E 'sdc - (directio checker reports path is down|path offline)|8:32.*failed'"
    # The check says what its read came to, or that the transport has given the device up meanwhile. The kernel's line may be
    # missing: an I/O that fails meanwhile does the same.
    head -n 1 <<<"$out" | grep -qE 'sdc - (directio checker reports path is down|path offline)' || return 1
    [ -n "$page" ] || return 2
}

step_4() {
    begin 'Step 4: the portal is back'
    local mark
    mark=$(wc -l <"$MP_LOG")
    watch
    run 'iptables -D OUTPUT -d 192.168.2.201 -j DROP'
    follow sdc 'active ready running' 90 || why+=('the path is back')
    run "tail -n +$((mark + 1)) $MP_LOG"
    want 'directio reports the path up' seen 'directio checker reports path is up'
    want '8:32 is reinstated' seen '8:32.* reinstated'
    want '2 active paths remain' seen 'remaining active paths: 2'
    kill -TERM "$io"; wait "$io"
    run 'cat /run/demo/score'
    want 'no error' is 0 score errors
    want 'nothing wrong read' is 0 score mismatches
    verdict
}

step_5() {
    begin 'Step 5: the configuration of the guide, whole'
    conf_seed
    run 'cat /etc/multipath.conf'
    run 'multipathctl reconfigure'
    want '/dev/mapper/iscsi_data' poll 20 test -b /dev/mapper/iscsi_data
    poll 10 says '^iscsi_data ' ll # udev makes the link a moment before the daemon hears that all is done
    run 'multipathctl -ll'
    want 'alias' seen "^iscsi_data \($wwid\) dm-0 Proware,proIPS"
    run 'mkfs.ext4 -q -J size=8 /dev/mapper/iscsi_data 2G && mkdir -p /mnt/data && mount /dev/mapper/iscsi_data /mnt/data'
    want 'file system' mountpoint -q /mnt/data
    run 'head -c 16M /dev/urandom >/mnt/data/file && sync && sha256sum </mnt/data/file'
    local sum=$out
    run 'umount /mnt/data && echo 3 >/proc/sys/vm/drop_caches && mount /dev/mapper/iscsi_data /mnt/data && sha256sum </mnt/data/file'
    want 'the file is as written' test "$out" = "$sum"
    run 'umount /mnt/data; for disk in mapper/iscsi_data sdb sdc; do dd if=/dev/$disk bs=1M count=16 iflag=direct status=none | sha256sum; done'
    want 'the same through either path' is 1 eval 'sort -u <<<"$out" | wc -l'
    verdict
}

step_1 && step_2 && step_3 && step_4 && step_5
printf '\n%d steps of 5 seen, %s s after the kernel started\n' $((steps - missing)) "$(since 0)"
[ $((steps - missing)) = 5 ]
