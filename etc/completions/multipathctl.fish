# Made of the command line's own tables: see multipathctl/tests/manual.rs.
function __multipathctl_grammar
    echo 'list|show paths
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
'
end

# The words that may come after those that are there.
function __multipathctl_next
    set -l given (commandline -opc)[2..-1]
    set given (string match -v -- '-*' $given)
    for line in (__multipathctl_grammar)
        set -l rest (string split -n ' ' -- $line)
        set -l fits 1
        for word in $given
            if not set -q rest[1]
                set fits 0
                break
            end
            if not string match -q -- '$*' $rest[1]
                and not contains -- $word (string split '|' -- $rest[1])
                set fits 0
                break
            end
            set -e rest[1]
        end
        test $fits = 1; and set -q rest[1]; or continue
        switch $rest[1]
            case '$path'
                multipathctl show paths raw format %d 2>/dev/null
            case '$map'
                multipathctl show maps raw format %n 2>/dev/null
            case '$file'
                __fish_complete_path (commandline -ct)
            case '$*'
            case '*'
                string split '|' -- $rest[1]
        end
    end | sort -u
end

for name in multipathctl multipathd multipathc
    complete -c $name -f -a '(__multipathctl_next)'
    for word in --command --for --interval --json --shell --timeout --watch -T -l -t -v
        complete -c $name -a $word -n 'string match -q -- "-*" (commandline -ct)'
    end
end
