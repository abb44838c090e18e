# Made of the command line's own tables: see multipathctl/tests/manual.rs.
# What the daemon understands, and what one of the names has alone.
_multipathctl_grammar() {
    cat <<'GRAMMAR'
list|show paths
list|show paths format $format
list|show paths raw format $format
list|show path $path
list|show maps|multipaths
list|show status
list|show daemon
list|show maps|multipaths status
list|show maps|multipaths stats
list|show maps|multipaths format $format
list|show maps|multipaths raw format $format
list|show maps|multipaths topology
list|show topology
list|show maps|multipaths json
list|show map|multipath $map topology
list|show map|multipath $map format $format
list|show map|multipath $map raw format $format
list|show map|multipath $map json
list|show config local
list|show config
list|show blacklist
list|show devices
list|show wildcards
reset maps|multipaths stats
reset map|multipath $map stats
add path $path
remove|del path $path
add map|multipath $map
remove|del map|multipath $map
remove|del maps|multipaths
switch|switchgroup map|multipath $map group $group
reconfigure
reconfigure all
suspend map|multipath $map
resume map|multipath $map
resize map|multipath $map
reload map|multipath $map
reset map|multipath $map
reinstate path $path
fail path $path
disablequeueing map|multipath $map
restorequeueing map|multipath $map
disablequeueing maps|multipaths
restorequeueing maps|multipaths
quit|exit
shutdown
getprstatus map|multipath $map
setprstatus map|multipath $map
setprstatus map|multipath $map pathlist $pathlist
unsetprstatus map|multipath $map
forcequeueing daemon
restorequeueing daemon
getprkey map|multipath $map
setprkey map|multipath $map key $key
unsetprkey map|multipath $map
setmarginal path $path
unsetmarginal path $path
unsetmarginal map|multipath $map
getprhold map|multipath $map
setprhold map|multipath $map
unsetprhold map|multipath $map
list|show paths json
list|show paths format $format json
list|show path $path json
list|show maps|multipaths status json
list|show maps|multipaths stats json
list|show topology json
list|show map|multipath $map format $format json
list|show status json
list|show daemon json
list|show config json
list|show config local json
list|show blacklist json
list|show devices json
list|show wildcards json
list|show replies
list|show replies json
add wwid $wwid
remove|del wwid $wwid
reset wwids
GRAMMAR
    if [ "$name" = multipathctl ]; then
        cat <<'GRAMMAR'
check $file
explain $device
events
end-queueing
plan $file
GRAMMAR
    else
        cat <<'GRAMMAR'
explain $device
explain $device json
plan
plan json
plan file $file
plan file $file json
events
events follow
GRAMMAR
    fi
}

# The options that may stand after the words that are there. A line each: the name, the verb or `-` without one, the options.
_multipathctl_options() {
    local line words=''
    while read -r line; do
        case $line in
        "$name - "* | "$name ${given[0]-} "*) words=${line#* * } ;;
        esac
    done <<'OPTIONS'
multipathctl - --command --for --help --interval --json --shell --timeout --watch -T -l -ll -t -v
multipathctl check --fix --help --json --strict --write
multipathctl explain --help --json
multipathctl events --follow --help
multipathctl end-queueing --help
multipathctl plan --help --json
multipathd - -B -d -h -k -n -s -v -w
OPTIONS
    printf '%s\n' "$words"
}

# The words that may come after those that are there.
_multipathctl_next() {
    local line word fits next
    while read -r line; do
        fits=1
        # shellcheck disable=SC2086 # words of the grammar
        set -f -- $line
        for word in "${given[@]}"; do
            next=${1-}
            shift
            case "|$next|" in
            '||') fits='' ;;
            '|$'*) ;;
            *"|$word|"*) ;;
            *) fits='' ;;
            esac
            [ -n "$fits" ] || break
        done
        [ -z "$fits" ] || [ -z "${1-}" ] || printf '%s\n' "${1//|/$'\n'}"
    done < <(_multipathctl_grammar)
    set +f
}

# Names that the daemon has: WHAT FORMAT. Where there is none it answers `ok`.
_multipathctl_names() {
    local names
    names=$(multipathctl show "$1" raw format "$2" 2>/dev/null) || return
    case $names in '' | ok) ;; *) printf '%s\n' "$names" ;; esac
}

_multipathctl() {
    local name=${COMP_WORDS[0]##*/} current=${COMP_WORDS[COMP_CWORD]} given=() word words=() value='' lists=''
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [ -n "$value" ]; then
            [ "$word" = = ] || value=''
            continue
        fi
        case " -v --interval --for --timeout --command " in *" $word "*) value=1 ;; esac
        case $word in
        -l | -ll | --watch) [ "$name" != multipathctl ] || lists=1 ;;
        -*) ;;
        *) given+=("$word") ;;
        esac
    done
    COMPREPLY=()
    [ -z "$value" ] || return 0
    if [[ $current = -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_multipathctl_options)" -- "$current")
        return
    fi
    while read -r word; do
        case $word in
        '$path') mapfile -t -O "${#words[@]}" words < <(_multipathctl_names paths %d) ;;
        '$map') mapfile -t -O "${#words[@]}" words < <(_multipathctl_names maps %n) ;;
        '$device') mapfile -t -O "${#words[@]}" words < <(_multipathctl_names paths %d; _multipathctl_names maps %n) ;;
        '$file') mapfile -t -O "${#words[@]}" words < <(compgen -f -- "$current") ;;
        '$'*) ;;
        *) words+=("$word") ;;
        esac
    done < <(if [ -z "$lists" ]; then _multipathctl_next | sort -u; elif [ ${#given[@]} = 0 ]; then echo '$map'; fi)
    # A name may have anything in it, and is no shell's code: compgen -W would run it.
    for word in "${words[@]}"; do
        [[ $word != "$current"* ]] || COMPREPLY+=("$(printf %q "$word")")
    done
}

complete -F _multipathctl multipathctl multipathd multipathc
