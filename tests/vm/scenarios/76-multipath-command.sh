# shellcheck shell=bash
# The command `multipath`: what udev's rules ask of it, answered as Debian's answers it in the same guest; the wwids file; what it has
# the daemon do.
# shellcheck disable=SC2034
for_reference=no

same() { # WHAT ARGUMENTS...: the same words on standard output, and the same status
    local what=$1 ours theirs; shift
    ours=$("$names/multipath" "$@" 2>/dev/null; echo "status $?")
    theirs=$("$reference/multipath" "$@" 2>/dev/null; echo "status $?")
    expect_eq "$what: multipath $*" "$ours" "$theirs"
}

loads() { # MAP: how often the daemon has loaded it
    $names/multipathd show map "$1" raw format %2 | tr -d ' '
}

queueing() { dmsetup table --target multipath | grep -c queue_if_no_path; }

queue() { [ "$(queueing)" = "$1" ]; } # HOW MANY

# With a device -r loads that map, however it is named, and no other.
reloads_one() { # MAP DISK
    local map=$1 disk=$2 named before others other
    others=$(maps | grep -vx "$map")
    for named in "$map" "/dev/mapper/$map" "$(readlink -f "/dev/mapper/$map")" "/dev/$disk" "$disk" "$(dev_t "/dev/mapper/$map")" "$(san_wwid "$disk")"; do
        before=$(loads "$map") other=$(loads "$others")
        expect_eq "-r $named says nothing" "$($names/multipath -r "$named" 2>&1)" ''
        expect_eq "-r $named loads the map" "$(loads "$map")" $((before + 1))
        expect_eq "-r $named loads no other" "$(loads "$others")" "$other"
    done
}

# xapi's storage manager reads why a disk is none of ours on standard output.
says_why() { # DISK
    local disk=$1 wwid
    wwid=$(san_wwid "$disk")
    expect_match 'with -v3 its WWID is told' "$($names/multipath -v3 -c "/dev/$disk" 2>/dev/null)" "^$disk: wwid = $wwid\$"
    printf 'blacklist {\n\twwid "%s"\n}\n' "$wwid" >>/etc/multipath.conf
    expect_match 'or that a rule excludes it' "$($names/multipath -v3 -c "/dev/$disk" 2>/dev/null)" 'wwid blacklisted'
    expect_eq 'and with less nothing' "$($names/multipath -v2 -c "/dev/$disk" 2>&1)" 'DM_MULTIPATH_DEVICE_PATH="0"'
    printf 'defaults {\n\tuid_attribute NOTHING\n\trecheck_wwid no\n}\n' | conf
    expect_match 'or that it has none' "$($names/multipath -v3 -c "/dev/sda" 2>/dev/null)" 'scope is nul'
    conf_debug
}

# What is in use is nobody's path: mounted, swapped to, below another device.
in_use() { # DISK
    local disk=$1
    sed -i 's/greedy/smart/' /etc/multipath.conf
    mkfs.ext4 -q "/dev/$disk" && mkdir -p /run/mnt && mount "/dev/$disk" /run/mnt || fail "$disk is mounted" "$(mount | tail -n 3)"
    expect_eq 'mounted: no path' "$($names/multipath -c "/dev/$disk" | tail -n 1)" 'DM_MULTIPATH_DEVICE_PATH="0"'
    same 'mounted' -c "/dev/$disk"
    umount /run/mnt
    mkswap "/dev/$disk" >/dev/null 2>&1 && swapon "/dev/$disk" || fail "$disk is swapped to" "$(swapon 2>&1)"
    same 'swapped to' -c "/dev/$disk"
    sed -i 's/smart/greedy/' /etc/multipath.conf
    # The reference takes it then, of which it can make no map.
    expect_eq 'with greedy neither' "$($names/multipath -c "/dev/$disk" | tail -n 1)" 'DM_MULTIPATH_DEVICE_PATH="0"'
    sed -i 's/greedy/smart/' /etc/multipath.conf
    swapoff "/dev/$disk"
    dmsetup create above --table "0 8 linear /dev/$disk 0" || fail "$disk is below a device" "$(dmsetup ls)"
    same 'below another device' -c "/dev/$disk"
    poll 10 dmsetup remove above
    same 'free again' -c "/dev/$disk"
    expect_no_match 'free again: it may be one' "$($names/multipath -c "/dev/$disk")" 'DM_MULTIPATH_DEVICE_PATH="0"'
    rm -rf /run/multipath
    conf_debug
}

# What would be made is shown as with the reference, which says of everything that it is to be made, and nothing is.
dry() {
    local theirs
    theirs=$("$reference/multipath" -d 2>/dev/null | sed 's/^: //; s/^create: //; s/ *$//' | sort)
    expect_match 'there is something to be made' "$theirs" ' undef Linux,scsi_debug'
    expect_eq 'a dry run shows it' "$($names/multipath -d 2>&1 | sed 's/^create: //; s/ *$//' | sort)" "$theirs"
    expect_eq 'and says so of each' "$($names/multipath -d 2>&1 | grep -c '^create: ')" "$(grep -c ' undef Linux' <<<"$theirs")"
    expect_eq 'nothing is made' "$(maps_count)" 0
}

scenario() {
    names_up
    san_scsi_debug 2 2 || return
    local disk wwid find map node
    disk=$(debug_disk 0 0) wwid=$(san_wwid "$disk")

    for find in strict on greedy smart; do
        conf_debug
        sed -i "s/find_multipaths .*/find_multipaths $find/" /etc/multipath.conf
        same "$find, not known" -c "/dev/$disk"
        same "$find, an operator ignores the file" -i -c "/dev/$disk"
        same "$find, no daemon" -u "$disk"
        rm -rf /run/multipath
    done

    conf_debug
    expect_eq 'a WWID is added' "$($names/multipath -a "/dev/$disk" 2>&1)" "wwid '$wwid' added"
    expect_match 'the file has it' "$(cat /etc/multipath/wwids)" "^/$wwid/\$"
    sed -i 's/greedy/strict/' /etc/multipath.conf
    same 'known' -c "/dev/$disk"
    expect_eq 'and removed' "$($names/multipath -w "$wwid" 2>&1)" "wwid '$wwid' removed"
    expect_eq 'it is not there twice' "$($names/multipath -w "$wwid" 2>&1)" "wwid '$wwid' not in wwids file"
    same 'not known any more' -c "/dev/$disk"

    says_why "$disk"
    expect_eq 'names of another file are refused' "$($names/multipath -b /etc/b 2>&1 | head -n 1)" '-b /etc/b: the bindings file is /etc/multipath/bindings'

    conf_debug
    part in_use "$disk"
    dry
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    map=$(map_of "$disk")
    same 'in a map' -c "/dev/$disk"
    same 'in a map' -u "$disk"
    same 'excluded' -c /dev/sda
    node=$(readlink -f "/dev/mapper/$map")
    same 'a usable map' -C "$node"
    same 'by its kernel name' -C "${node##*/}"
    expect_ok 'a usable map by its name' $names/multipath -C "/dev/mapper/$map"
    same 'no path' -c "/dev/mapper/$map"
    same 'no map' -C "/dev/$disk"
    same 'a map, and no rule of udev asks' -U "${node##*/}"
    expect_ok 'and one does' env DEVPATH=/block/${node##*/} $names/multipath -U "${node##*/}"
    same 'nothing' -C nosuch
    same 'a list of names' -v1 -l
    same 'one map of none' -ll nosuch
    expect_eq 'the words of a client' "$($names/multipathd show paths raw format %d 2>&1 | grep -c '^sd')" 4
    expect_eq 'the prompt, on a pipe' "$(echo 'show maps raw format %n' | $names/multipathc 2>&1 | sort)" "$(maps | sort)"
    expect_eq 'mpathpersist is not there yet' "$($names/mpathpersist -i -k /dev/mapper/"$map" >/dev/null 2>&1; echo $?)" 1

    expect_eq 'the daemon takes a WWID out' "$($names/multipath -w "/dev/$disk" 2>&1)" "wwid '$wwid' removed"
    expect_no_match 'of the file' "$(cat /etc/multipath/wwids)" "^/$wwid/\$"
    expect_eq 'and in' "$($names/multipath -a "$wwid" 2>&1)" "wwid '$wwid' added"
    expect_match 'the file has it again' "$(cat /etc/multipath/wwids)" "^/$wwid/\$"
    expect_eq 'and leaves the maps of them' "$($names/multipath -W 2>&1)" 'successfully reset wwids'

    expect_eq 'a map is removed in silence' "$($names/multipath -f "$map" 2>&1)" ''
    expect_no_match 'it is gone' "$(maps)" "^$map\$"
    expect_match 'and made again' "$($names/multipath 2>&1)" "^create: $map "
    expect_eq 'a dry run has nothing to say' "$($names/multipath -d 2>&1)" ''
    conf_debug 'path_selector "queue-length 0"'
    expect_eq 'a dry run with another selector' "$($names/multipath -d -v1 2>&1 | sort)" "$(maps | sort)"
    expect_match 'shows a map as it would be' "$($names/multipath -d "$map" 2>&1)" "^.-\\+- policy='queue-length 0' prio=1 status="
    expect_eq 'that one alone' "$($names/multipath -d "$map" 2>&1 | grep -c ' dm-[0-9]* ')" 1
    expect_no_match 'and loads nothing' "$(dmsetup table)" queue-length
    conf_debug 'no_path_retry queue'
    expect_eq 'what needs no table is shown, too' "$($names/multipath -d -v1 2>&1 | sort)" "$(maps | sort)"
    expect_eq 'a dry run of nothing fails' "$($names/multipath -d nosuch 2>/dev/null; echo "status $?")" 'status 1'
    conf_debug
    expect_ok 'everything is loaded anew' $names/multipath -r
    reloads_one "$map" "$disk"

    conf_debug 'no_path_retry queue'
    expect_eq 'maps that queue' "$(ctl reconfigure)" ok
    wait_for 'do' 20 queue 2
    expect_ok 'are looked after without the daemon' $names/multipath -D
    expect_eq 'and go on, as it is there' "$(queueing)" 2
    conf_debug 'no_path_retry fail'
    expect_eq 'they are to fail' "$(ctl reconfigure)" ok
    wait_for 'and do' 20 queue 0

    local path
    for path in "$disk" "$(debug_disk 1 0)"; do echo offline >"/sys/block/$path/device/state"; done
    node=$(readlink -f "/dev/mapper/$map")
    same 'no path works' -C "$node"
    for path in "$disk" "$(debug_disk 1 0)"; do echo running >"/sys/block/$path/device/state"; done
    mkdir -p /run/multipath/failed_wwids && touch "/run/multipath/failed_wwids/$wwid"
    same 'marked as failed, in a map' -c "/dev/$disk"
    daemon_stop
    poll 20 remove_maps
    same 'marked as failed' -c "/dev/$disk"
    local ours_s theirs_s
    ours_s=$(elapsed repeat 20 $names/multipath -u "$disk")
    theirs_s=$(elapsed repeat 20 "$reference/multipath" -u "$disk")
    echo "20 times multipath -u: ours $ours_s s, the reference's $theirs_s s"
}
