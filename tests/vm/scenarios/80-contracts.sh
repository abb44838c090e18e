# shellcheck shell=bash
# What programs that know multipath-tools rely on, contract by contract. They come from their sources: each breaks several of them
# where it is broken. Debian's own client speaks to our daemon where framing and words are compared.
# shellcheck disable=SC2034
for_reference=no

mpd() { $names/multipathd "$@"; }
mp() { $names/multipath "$@"; }

# What a command does, whole: standard output, a line '[STATUS]', and standard error behind it, if there is any.
whole() {
    local status
    "$@" 2>/run/stderr
    status=$?
    echo "[$status]$(cat /run/stderr)"
}

silent() { # NUMBER ARGUMENTS...: succeeds, and says nothing on standard error
    local number=$1 status; shift
    "$@" 2>/run/stderr >/dev/null
    status=$?
    expect_eq "contract $number: ${*##*/} says nothing on standard error" "$status $(cat /run/stderr)" '0 '
}

fails() { # NUMBER TEXT ARGUMENTS...: that text on standard output, nothing on standard error, status 1
    local number=$1 text=$2; shift 2
    expect_eq "contract $number: ${*##*/}" "$(whole "$@")" "$text"$'\n[1]'
}

oks() { # NUMBER ARGUMENTS...: just ok and a newline
    local number=$1; shift
    expect_eq "contract $number: ${*##*/}" "$(whole "$@")" $'ok\n[0]'
}

same_words() { # NUMBER ARGUMENTS...: what Debian's client has from the same daemon for the same arguments
    local number=$1; shift
    expect_eq "contract $number: as Debian's client: $*" "$(whole mpd "$@")" "$(whole "$reference/multipathd" "$@")"
}

silence() { # 1: whoever reads both streams as one parses what comes
    local line
    for line in 'show status' 'show daemon' 'show paths' 'show maps' 'show maps json' 'show topology' 'show config' \
        'show config local' 'show blacklist' 'show devices' 'show wildcards' "show map $map json" reconfigure \
        "resize map $map" "fail path $disk" "reinstate path $disk" 'reset maps stats'; do
        # shellcheck disable=SC2086
        silent 1 mpd $line
    done
    for line in -ll -l '-v1 -ll' "-ll $map" "-c /dev/$disk" "-C /dev/$(node_of "$map")" -d -r '' "-a $wwid" -W -t -T; do
        # shellcheck disable=SC2086
        silent 1 mp $line
    done
}

failures() { # 2: how a failure looks
    fails 2 'device not found' mpd show map nosuch topology
    fails 2 'device not found' mpd fail path nosuch
    fails 2 'device not found' mpd resize map nosuch
    fails 2 fail mpd bogus command
    fails 2 'device not found' mp -f nosuch
    expect_eq 'contract 2: on the wire' "$("$vm/guest/wire.py" 'fail path nosuch')" $'fail\ndevice not found'
    fails 2 'permission deny: need to be root' setpriv --reuid=65534 --clear-groups $names/multipathd reconfigure
    expect_eq 'contract 2: a line that ends with a newline, as some clients frame it' \
        "$("$vm/guest/wire.py" --newline "show map $map raw format %n:%w")" "$map:$wwid"
    expect_eq 'contract 2: who is not root may look' \
        "$(setpriv --reuid=65534 --clear-groups $names/multipathd show maps raw format %n | wc -l)" "$luns"
    local pid; pid=$(daemon_pid)
    kill -STOP "$pid"
    fails 2 'timeout receiving packet' mpd show status
    kill -CONT "$pid"
}

verbs() { # 3: clients compare byte for byte
    local line
    for line in "fail path $disk" "reinstate path $disk" "suspend map $map" "resume map $map" "reload map $map" \
        "resize map $map" 'reset maps stats' "reset map $map stats" "disablequeueing map $map" \
        "restorequeueing map $map" 'disablequeueing maps' 'restorequeueing maps' 'forcequeueing daemon' \
        'restorequeueing daemon' "switchgroup map $map group 1" "del path $disk" "add path $disk" "del map $map" \
        "add map $map" reconfigure; do
        # udev has a map open when it has changed: it is in use, and that is said.
        case $line in 'del map '*) udevadm settle --timeout=30 ;; esac
        # shellcheck disable=SC2086
        oks 3 mpd $line
    done
    expect_eq 'contract 3: a device that is excluded' "$(whole mpd add path sda)" $'blacklisted\n[0]'
}

empty() { # 4: nothing to list
    conf_debug
    sed -i 's/devnode ".*"/devnode ".*"/' /etc/multipath.conf
    daemon_start || return
    local line
    for line in 'show paths' 'show maps' 'show topology' 'show maps topology' 'show maps status' 'show maps stats' \
        'show maps raw format %n' 'show paths raw format %d'; do
        # shellcheck disable=SC2086
        oks 4 mpd $line
    done
    expect_eq 'contract 4: show maps json' "$(mpd show maps json | tail -n 2)" $'   "maps": []\n}'
    expect_eq 'contract 4: multipath -ll' "$(whole mp -ll)" '[0]'
    expect_eq 'contract 4: multipath -ll of one' "$(whole mp -ll nosuch)" '[0]'
    daemon_stop
}

arguments() { # 5: arguments become a line
    same_words 5 show paths format '%d %w'
    same_words 5 show maps raw format '"' '%n,%w' '"'
    same_words 5 -k'show maps raw format "%n %w"'
    expect_eq 'contract 5: quotes as words of their own' "$(mpd show maps raw format '"' %n '"' | sort | head -n 1)" \
        " $(maps | sort | head -n 1) "
    expect_eq 'contract 5: -kCOMMAND is sent as it is' "$(mpd -k"show map $map raw format \"a  b\"")" 'a  b'
}

keywords() { # 6: short words, other words, and the help
    local line
    expect_match 'contract 6: show conf' "$(mpd -k'show conf')" '^defaults {$'
    expect_match 'contract 6: show topo' "$(mpd show topo)" "^(.*: )?$map "
    oks 6 mpd -kreconfig
    expect_eq 'contract 6: list multipaths' "$(mpd list multipaths)" "$(mpd show maps)"
    expect_eq 'contract 6: show multipath' "$(mpd list multipath "$map" raw format %n)" "$map"
    oks 6 mpd switch map "$map" group 1
    oks 6 mpd remove path "$disk"
    oks 6 mpd add path "$disk"
    expect_match 'contract 6: of several none' "$(mpd show p)" 'not found'
    for line in help '?' 'show bogus' -khelp; do
        # shellcheck disable=SC2086
        expect_eq "contract 6: $line: its first line" "$(mpd $line | head -n 1)" \
            "$("$reference/multipathd" $line | sed '/^fail$/d' | head -n 1)"
        # shellcheck disable=SC2086
        expect_match "contract 6: $line: the release" "$(mpd $line)" \
            '^multipath-tools v[0-9]+\.[0-9]+\.[0-9]+ \([0-9]+/[0-9]+, [0-9]+\)$'
        # shellcheck disable=SC2086
        expect_match "contract 6: $line: the grammar" "$(mpd $line)" '^CLI commands reference:$'
    done
    fails 6 fail mpd bogus paths
}

devices() { # 7: whatever a device is called
    local name node; node=$(node_of "$map")
    for name in "$map" "$wwid" "/dev/mapper/$map" "$node" "/dev/$node" "$(cat "/sys/block/$node/dev")" \
        "/dev/disk/by-id/dm-uuid-mpath-$wwid" "/dev/disk/by-id/dm-name-$map"; do
        oks 7 mpd resize map "$name"
        expect_match "contract 7: multipath -ll $name" "$(mp -ll "$name" 2>&1)" "^$map "
    done
    for name in "$disk" "/dev/$disk" "$(cat "/sys/block/$disk/dev")"; do
        oks 7 mpd fail path "$name"
        oks 7 mpd reinstate path "$name"
    done
    expect_match "contract 7: multipath -ll of a path" "$(mp -ll "/dev/$disk")" "^$map "
}

literals() { # 8: no null, no true, no false
    expect_eq 'contract 8: show maps json' "$(mpd show maps json | "$vm/guest/literal.py")" $((luns * 4 + 1))
    expect_eq 'contract 8: show map json' "$(mpd show map "$map" json | "$vm/guest/literal.py")" 5
}

tables() { # 9: no table ends half way, nothing is cut
    local columns
    columns=$(mpd show wildcards | sed '1,/^path format/d' | awk '{ printf "%s|", $1 }')
    conf_debug
    sed -i 's/find_multipaths .*/find_multipaths strict/' /etc/multipath.conf
    daemon_stop
    poll 20 remove_maps
    rm -f /etc/multipath/wwids
    daemon_start || return
    expect_eq 'contract 9: paths without a map' "$(mpd show paths raw format %m | sort | uniq -c | xargs)" "$((2 * luns)) [orphan]"
    expect_eq 'contract 9: every column of each' "$(mpd show paths format "$columns" | grep -c '|$')" $((2 * luns + 1))
    expect_eq 'contract 9: the table that clients read' "$(mpd show paths | grep -c ' undef *undef *unknown orphan *$')" $((2 * luns))
    conf_debug
    oks 9 mpd reconfigure
    wait_for 'all paths are in maps' 30 in_service $((2 * luns))
    # More than a pipe holds, and a reader who takes his time.
    expect_eq 'contract 9: JSON whole through a pipe' \
        "$("$vm/guest/through-pipe.py" $names/multipathd show maps json | jq '.maps | length')" "$luns"
    expect_eq 'contract 9: topologies too' "$("$vm/guest/through-pipe.py" $names/multipathd show topology | grep -c '^size=')" "$luns"
}

at_once() { # 10: whoever reconfigures resizes in the next line
    local round
    for round in 1 2 3; do
        oks 10 mpd reconfigure
        oks 10 mpd resize map "$map"
    done
    mpd reconfigure >/run/reconfigured & # and does not wait
    oks 10 mpd resize map "$map"
    wait $!
    expect_eq 'contract 10: nor does the other' "$(cat /run/reconfigured)" ok
}

prompts() { # 11: commands line by line, on a pipe
    local reply line
    line="show map $map raw format %n:%w"
    reply=$map:$wwid
    expect_eq 'contract 11: the same words with -kCOMMAND' "$(echo "$line" | mpd -k)" "$(mpd -k"$line")"
    expect_eq "contract 11: as Debian's client" "$(whole mpd -k <<<"$line")" "$(whole "$reference/multipathc" <<<"$line")"
    expect_eq 'contract 11: no newline at the end' "$(printf %s "$line" | mpd -k)" "$reply"
    expect_eq 'contract 11: plain builds' "$(echo "$line" | MULTIPATHD_PROMPT=plain mpd -k; echo '|')" \
        "multipathd> $reply"$'\nmultipathd> |'
    expect_eq 'contract 11: builds with readline' "$(printf %s "$line" | MULTIPATHD_PROMPT=readline mpd -k; echo '|')" \
        "multipathd> $line"$'\n'"$reply"$'\nmultipathd> |'
    expect_eq 'contract 11: a verb' "$(printf 'add path %s' "$disk" | MULTIPATHD_PROMPT=readline $names/multipathc)" \
        "multipathd> add path $disk"$'\nok\nmultipathd> '
    expect_match 'contract 11: its help' "$(printf help | mpd -k)" 'switchgroup'
    expect_eq 'contract 11: it ends at quit' "$(printf 'show maps raw format %%n\nquit\nshow daemon\n' | mpd -k | wc -l)" "$luns"
}

scenario() {
    ours || return 0
    names_up
    local luns=16 map disk wwid
    san_scsi_debug 2 $luns || return
    empty || return
    conf_debug
    daemon_start || return
    wait_for 'all paths are in maps' 30 in_service $((2 * luns)) || return
    settled
    disk=$(debug_disk 0 1) map=$(map_of "$disk") wwid=$(san_wwid "$disk")
    failures
    verbs
    wait_for 'all paths are in maps' 30 is $((2 * luns)) active_paths
    silence
    arguments
    keywords
    devices
    literals
    tables
    disk=$(debug_disk 0 1) map=$(map_of "$disk") wwid=$(san_wwid "$disk")
    at_once
    prompts
    daemon_stop
    expect_eq 'contract 2: no daemon' "$(whole mpd show status)" '[1]ERROR: failed to connect to multipathd'
}
