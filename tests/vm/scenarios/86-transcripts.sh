# shellcheck shell=bash
# Every command of a day's work, given to Debian's daemon and then to ours on the same disks: the answers are the same, but for
# times and progress bars, and for what `differs` gives a reason for, and says how to compare all the same. A reason that is not
# needed any more is a failure, too.
# shellcheck disable=SC2034
for_reference=no

transcript_conf() { # WWID-OF-DATA [WHAT IS EXCLUDED, TOO]
    conf <<END
defaults {
	polling_interval 2
	max_polling_interval 8
	find_multipaths greedy
	user_friendly_names yes
	no_path_retry 5
	failback followover
}
blacklist {
	devnode "^sda\$"
	${2:-}
}
multipaths {
	multipath {
		wwid $1
		alias data
	}
}
END
}

# What 0.9.4 has of columns: 0.15 has more.
paths_columns='%w|%i|%d|%D|%t|%o|%T|%c|%C|%p|%S|%z|%M|%m|%N|%n|%R|%r|%a|%G|%g|%0|%P|'
maps_columns='%n|%w|%d|%F|%Q|%N|%r|%t|%S|%f|%x|%h|%A|%0|%1|%2|%3|%4|%v|%p|%e|%G|%g|'

commands() { # DISK OTHER: a line each; d: multipathd, m: multipath
    cat <<END
d show paths
d show maps
d show maps status
d show maps stats
d show topology
d show maps json
d show map data json
d show map data topology
d show map nosuch topology
d show path $1
d show paths format $paths_columns
d show paths raw format $paths_columns%%|%y|
d show maps raw format $maps_columns
d show maps format $maps_columns
d show map data format $maps_columns
d show wildcards
d show status
d show daemon
d show blacklist
d show devices
d show config
d help
d bogus command
d show
d fail path $1
d show paths
d reinstate path $1
d fail path nosuch
d disablequeueing map data
d restorequeueing map data
d switchgroup map data group 2
d show topology
d switchgroup map data group 1
d suspend map data
d show maps status
d resume map data
d reload map data
d reset map data stats
d show maps stats
d resize map data
d getprstatus map data
d getprkey map data
d del path $2
m -ll data
d add path $2
m -ll data
d del map data
d show maps
d add map data
d show maps
d add map nosuch
d forcequeueing daemon
d restorequeueing daemon
d setmarginal path $1
d unsetmarginal path $1
d reconfigure
m -ll
m -l
m -v1 -ll
m -ll data
m -ll $1
m -ll /dev/$1
m -ll nosuch
m -c /dev/$1
m -c /dev/mapper/data
m -C data
m -u $1
m -U dm-0
m -T
m -h
m -d
m -a /dev/$1
m -w /dev/$1
m -w /dev/$1
m -W
m -f data
m -f nosuch
m
m -ll
m -r
m -F
m -ll
d shutdown
END
}

# Why the answer to a command may be another one, and how it is compared then (`alike`).
differs='
d show map nosuch topology|words|later releases say why
d fail path nosuch|words|later releases say why
d show wildcards|status|later releases have others
d help|none|the grammar of a later release
d show|none|the grammar of a later release
d show devices|lines|names are lined up, and in another order
d show config|keywords|later releases have other keywords
d getprstatus map data|words|later releases have words for it
d show blacklist|status|the built-in rules are those of a later release
m -T|files|later releases have other keywords, and show two as they are in the files
m -h|status|it is in our words
m -f nosuch|status|later releases hand it to the daemon
m -C data|none|the name of a map is understood
m|made|a map is shown when it has been made, not before
'

reason() { # COMMAND: how, and why
    awk -F'|' -v command="$1" '$1 == command { print $2, $3; found = 1 } END { exit !found }' <<<"$differs"
}

# What is the same in both answers, as far as it can be: printed, one after the other, for `expect_eq`.
alike() { # HOW ANSWER THE-OTHER-ONE
    local how=$1 one=$2 other=$3
    case $how in
    status) grep '^\[' <<<"$one" ;;
    words) sed -E -e 's/^device not found$/fail/' -e 's/^0\[/unset\n[/' <<<"$one" ;;
    lines) tr -s ' ' <<<"$one" | sort ;;
    # The values of the defaults that both know, one of which has another name.
    keywords)
        grep '^\[' <<<"$one"
        { echo "$other"; echo 'and this one'; echo "$one"; } |
            awk '/^and this one/ { second = 1 } /^defaults/ { inside = 1 } /^}/ { inside = 0 }
                inside && !second { known[$1] } inside && second && $1 in known' | sed 's/flush_on_last_del "no"/flush_on_last_del "unused"/' | sort
        ;;
    # The command of 0.9.4 sets two for itself.
    files) alike keywords "$one" "$other" | sed -E '/^.(force_sync|retrigger_tries) /d' ;;
    # Without what is not known before, and without the log.
    made)
        sed -E -e '/addmap \[|setting scsi timeouts/d' -e 's/ (dm-[0-9]+|undef) / DM /' -e 's/wp=[a-z]+/wp=/' -e 's/status=[a-z]+/status=/' \
            -e 's/(active|undef|DM) +ready/STATE ready/' <<<"$one"
        ;;
    esac
}

# What the reference's answer has, and ours lacks, of a command that later releases answer with more.
lacking() { # COMMAND OURS THEIRS
    local kept
    case $1 in
    'd show config' | 'm -T') kept() { awk '/^defaults/ { inside = 1; next } /^}/ { inside = 0 } inside { print $1 }'; } ;;
    'd show wildcards') kept() { awk '/^[a-z].* format wildcards/ { kind = $0 } $1 ~ /^%.$/ { print kind, $1 }'; } ;;
    'd show blacklist') kept() { grep 'config file rule' | tr -s ' '; } ;;
    *) return ;;
    esac
    comm -13 <(kept <<<"$2" | sort -u) <(kept <<<"$3" | sort -u)
}

normal() { # of times, process ids and what is under way
    sed -E -e 's/^[0-9]+\.[0-9]+ \| //' -e 's/[X.]{10} [0-9]+\/[0-9]+/BAR/g' -e 's/^pid [0-9]+ (idle|running)/pid N rests/' -e '/^$/d'
}

# A table that is new gets its active group with its first I/O, which is udev's: not at once.
group_is_known() {
    local shown
    shown=$("$@" show map data topology 2>&1)
    [[ $shown != *'active ready'* || $shown = *status=active* ]]
}

calm() { # the daemon has nothing to do: the next command finds what the last one left
    poll 10 says 'busy: False' "$@" show status
    poll 10 says_not 'configure' "$@" show daemon
    udevadm settle --timeout=30 # what opens a new device may be in the way of its removal
}

is_question() { # COMMAND: it changes nothing
    case $1 in 'd show'* | 'd get'* | 'd help' | 'm -'[lcCuUdTh]* | 'm -v1 -ll') ;; *) false ;; esac
}

answer() { # WHO COMMAND...
    local program=$2 status; shift 2
    # shellcheck disable=SC2086
    "$program" "$@" >/run/answer 2>/run/answer.err
    status=$?
    normal </run/answer
    echo "[$status]"
    normal </run/answer.err
}

play() { # WHO FOLDER-OF-PROGRAMS
    local who=$1 dir=$2 number=0 kind words
    rm -rf "/run/transcript.$who"; mkdir -p "/run/transcript.$who"
    calm "$dir/multipathd"
    poll 10 says_not ' orphan ' "$dir/multipathd" show paths
    while read -r kind words; do
        number=$((number + 1))
        set -f
        # shellcheck disable=SC2086
        if [ "$kind" = d ]; then set -- "$dir/multipathd" $words; else set -- "$dir/multipath" $words; fi
        set +f
        answer "$who" "$@" >"/run/transcript.$who/$number" </dev/null
        is_question "$kind $words" || calm "$dir/multipathd"
        case $words in
        '') # `multipath` has made a map. Whether udev's reading has already given it an active group is chance.
            dd if=/dev/mapper/data of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null
            poll 5 group_is_known "$dir/multipathd"
            ;;
        'add path '* | 'del path '*) poll 5 group_is_known "$dir/multipathd" ;;
        # Debian's daemon goes on calling it faulty until its next check.
        'reinstate path '*) poll 10 says_not ' faulty ' "$dir/multipathd" show paths ;;
        esac
    done </run/commands
}

# dm-0 is the first of some lists. Debian's daemon makes the maps one by one, in the order of their disks; ours makes them at once,
# and it is chance who is first: so it is told of the second one when it has made the first.
begin() { # NAME
    poll 30 is 4 active_paths
    expect_eq "$1 has four paths in service" "$(active_paths)" 4 &&
        expect_eq "$1 made first" "$(dmsetup info -c --noheadings -o minor mpatha)" 0
}

begin_reference() {
    transcript_conf "$data"
    reference_start && begin 'the reference'
}

begin_ours() {
    transcript_conf "$data" "wwid \"$data\""
    daemon_start && poll 30 is 2 active_paths
    transcript_conf "$data"
    ctl reconfigure >/dev/null && begin ours
}

compare() {
    local number=0 command how why ours theirs
    while read -r command; do
        number=$((number + 1))
        ours=$(cat /run/transcript.ours/$number) theirs=$(cat /run/transcript.reference/$number)
        if [ "$command" = 'd shutdown' ]; then
            # The reference may be gone before it has answered.
            expect_eq "$number: $command" "$ours" $'ok\n[0]'
        elif why=$(reason "$command"); then
            how=${why%% *} why=${why#* }
            if [ "$ours" = "$theirs" ]; then
                fail "$number: $command" "it is the same: '$why' is not needed"
            elif [ "$how" != none ]; then
                expect_eq "$number: $command: no less" "$(lacking "$command" "$ours" "$theirs")" ''
                expect_eq "$number: $command: another, as $why" "$(alike "$how" "$ours" "$theirs")" "$(alike "$how" "$theirs" "$ours")"
            fi
        else
            expect_eq "$number: $command" "$ours" "$theirs"
        fi
    done </run/commands
}

scenario() {
    ours || return 0
    names_up
    san_scsi_debug 2 2 || return
    local disk other data
    disk=$(debug_disk 0 1) other=$(debug_disk 1 1)
    commands "$disk" "$other" >/run/commands
    data=$(san_wwid "$disk")
    begin_reference || return
    play reference "$reference"
    reference_stop
    poll 20 remove_maps
    udevadm settle --timeout=30
    rm -rf /etc/multipath /run/multipath; mkdir -p /etc/multipath
    begin_ours || return
    play ours $names
    rm -f /run/multipathd.test.pid
    compare
}
