# shellcheck shell=bash
# Shows situation 19: two disks answer with whatever harms who believes it: lengths, counts, names, sense data. The other LUN is
# checked and used, what operators get is well-formed, the log ends, and no file is where none should be.
# shellcheck disable=SC2034
for_reference=no

good=6001405aaaaaaaaaaaaaaaaaaaaaaaa1
evil=6001405eeeeeeeeeeeeeeeeeeeeeeee

scenario() {
    array_up || return
    array_disk good1 1 1 wwid=$good volume=good && array_disk good2 2 1 wwid=$good volume=good || return
    array_disk evil1 1 2 wwid=${evil}1 && array_disk evil2 2 2 wwid=${evil}2 || return
    udevadm settle --timeout=30
    conf <<'END'
defaults {
	find_multipaths greedy
	polling_interval 1
	max_polling_interval 1
	no_path_retry fail
}
blacklist {
	devnode "^sda$"
}
blacklist_exceptions {
	property ".*"
}
END
    touch /run/before
    daemon_start || return
    wait_for 'three maps' 20 in_service 4
    local pid map
    pid=$(daemon_pid) map=$(map_of "$(array_dev good1)")
    io_start "/dev/mapper/$map"
    for kind in sense lengths vendors names groups groups_of_none; do
        rm -f $array_folder/evil[12]/.given
        $kind
        unharmed $kind
        asked_for $kind
    done
    io_stop
    expect_eq 'it is still that daemon' "$(daemon_alive && daemon_pid)" "$pid"
    expect_eq 'no file is where it should not be' "$(strangers)" ''
    expect_ok 'what it keeps is there' test -s /etc/multipath/wwids
    expect_ok 'and is text' "$vm/guest/formed.py" "$MPCTL" 4 /etc/multipath/*
    usual
    again
    wait_for 'who answers rightly again is served' 20 in_service 4
}

# Lengths beyond what comes, or none.
lengths() {
    usual
    array_says evil1 12.80 '0080ffff 41424344'
    array_says evil1 12.83 "0083ffff 0103ffff $(hex x) 010300ff 60"
    array_says evil2 12.00 '000000ff 00 80 83 c0 c9'
    array_says evil2 12.80 '00800000'
    array_says evil2 12.83 '00830010 01030000 02010000 61940000 0103ff00'
    again
}

# Pages of vendors: evil1 says that it is an RDAC array, evil2 that it is a CLARiiON.
vendors() {
    usual
    array_says evil1 vendor LSI
    array_says evil1 product INF-01-00
    array_says evil1 12.c9 '00c9ffff 7661'
    array_says evil2 vendor DGC
    array_says evil2 product 'RAID 5'
    array_says evil2 12.c0 '00c0ffff 01'
    again
}

# Names that lead elsewhere, end a line, are a format, or no text at all.
names() {
    local name LC_ALL=C
    printf -v name '%s' $'../../../../tmp/evil\n}{%n%s"\\\x01\x1b[2J\xff\xc0\x80'
    array_says evil1 vendor '"\../%n'
    array_says evil1 product '}../../tmp/"%s'
    array_says evil1 12.80 "0080$(printf %04x ${#name}) $(hex "$name")"
    array_says evil1 12.83 "$(designator 0201 "$name")"
    array_says evil2 12.00
    array_says evil2 12.80 "00800014 $(hex $'/../..\n/tmp/evil')"
    array_says evil2 12.83 "$(designator 0308 $'iqn.2026-01.lab:e\nDM_MULTIPATH_DEVICE_PATH=1\n/../../tmp/evil')"
    again
}

# Sense data of no format, and what is longer than it says, while paths are in use.
sense() {
    local data before
    for data in '7f 00 06' '72 06 3f 0e 00 00 00 ff 00 ff' '70' "f1 00 02 ffffffff ff $(printf 'ff%.0s' {1..80})" '00 00 00'; do
        array_says evil1 00 "sense-data $data"
        array_says evil2 00 "sense-data $data"
        before=$(array_checks evil1)
        poll 5 more_checks evil1 "$before" 1 || fail "sense data $data" 'nobody asked'
    done
}

# Port groups: as many as no answer can hold; the same one for ever. evil2 refuses the extended header.
groups() {
    in_groups
    array_says evil1 a3.2a 'fffffffc 10 ff ffff 00 ff 0001 ff ff ff ff'
    array_says evil2 a3.0a 'fffffffc 00 ff 0001 ff ff ff ff'
    again
}

# None; less than one.
groups_of_none() {
    in_groups
    array_says evil1 a3.2a '00000004 70 ff'
    array_says evil2 a3.0a '00000000'
    again
}

in_groups() {
    local disk
    usual
    array_says evil1 vendor '   '
    for disk in evil1 evil2; do
        array_says $disk tpgs 3
        array_says $disk group 1
    done
}

usual() { rm -f $array_folder/evil[12]/{00,12.*,a3.*,tpgs,group,vendor,product}; }

again() { # they go, and come as what they are now
    array_again evil1 &
    array_again evil2 && wait $!
}

hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }

designator() { # CODE-SET-AND-TYPE TEXT: a page of one
    local LC_ALL=C
    printf '0083%04x %s00%02x %s' $((4 + ${#2})) "$1" ${#2} "$(hex "$2")"
}

more_checks() { [ $(($(array_checks "$1") - $2)) -ge "$3" ]; } # NAME BEFORE COUNT

# Everything hostile that is there has been asked for: else nothing was shown. What is asked for depends on the others.
asked_for() { # KIND
    local disk file
    for disk in evil1 evil2; do
        for file in $array_folder/$disk/{00,12.*,a3.*}; do
            [ ! -e "$file" ] || poll 20 grep -qxF "${file##*/}" $array_folder/$disk/.given || fail "$1: $disk is asked for ${file##*/}" 'it was not'
        done
    done
}

unharmed() { # KIND
    local before lines
    udevadm settle --timeout=30
    before=$(array_checks good1) lines=$(wc -l <"$MP_LOG")
    wait_for "$1: the other LUN is checked" 8 more_checks good1 "$before" 3
    expect_below "$1: lines of the log in this time" $(($(wc -l <"$MP_LOG") - lines)) 60
    expect_eq "$1: and is used" "$(paths_status "$map" | grep -c ' A ')" 2
    expect_ok "$1: what operators get is well-formed" "$vm/guest/formed.py" "$MPCTL" 4
}

strangers() { # files of this time that nobody here makes
    find / /run /tmp /dev/shm -xdev -type f -newer /run/before ! -path '/run/udev/*' ! -path '/run/array*' ! -name '*.pyc' \
        ! -path '/run/verdicts' ! -path '/run/multipathd*' ! -path '/run/io.*' ! -path '/run/multipath/*' ! -path '/etc/multipath/*'
}
