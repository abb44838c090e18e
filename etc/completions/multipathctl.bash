# Made of the command line's own tables: see multipathctl/tests/manual.rs.
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
check $file
explain $path
events
end-queueing
plan $file
GRAMMAR
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

_multipathctl() {
    local current=${COMP_WORDS[COMP_CWORD]} given=() word words=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word = -* ]] || given+=("$word")
    done
    COMPREPLY=()
    if [[ $current = -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--command --for --interval --json --shell --timeout --watch -T -l -t -v' -- "$current")
        return
    fi
    while read -r word; do
        case $word in
        '$path') mapfile -t -O "${#words[@]}" words < <(multipathctl show paths raw format %d 2>/dev/null) ;;
        '$map') mapfile -t -O "${#words[@]}" words < <(multipathctl show maps raw format %n 2>/dev/null) ;;
        '$file') mapfile -t -O "${#words[@]}" words < <(compgen -f -- "$current") ;;
        '$'*) ;;
        *) words+=("$word") ;;
        esac
    done < <(_multipathctl_next | sort -u)
    # A name may have anything in it, and is no shell's code: compgen -W would run it.
    for word in "${words[@]}"; do
        [[ $word != "$current"* ]] || COMPREPLY+=("$(printf %q "$word")")
    done
}

complete -F _multipathctl multipathctl multipathd multipathc
