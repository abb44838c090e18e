# Made of the command line's own tables: see multipathctl/tests/manual.rs.
# What the daemon understands, and what one of the names has alone.
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
'
    if test $argv[1] = multipathctl
        echo 'check $file
explain $device
events
end-queueing
plan $file
'
    else
        echo 'explain $device
explain $device json
plan
plan json
plan file $file
plan file $file json
events
events follow
'
    end
end

# The options that may stand there: NAME VERB. A line each: the name, the verb or `-` without one, the options.
function __multipathctl_options
    set -l options
    for line in (echo 'multipathctl - --command --for --help --interval --json --shell --timeout --watch -T -l -ll -t -v
multipathctl check --fix --help --json --strict --write
multipathctl explain --help --json
multipathctl events --follow --help
multipathctl end-queueing --help
multipathctl plan --help --json
multipathd - -B -d -h -k -n -s -v -w
')
        set -l words (string split -n ' ' -- $line)
        if test "$words[1]" = "$argv[1]"; and contains -- "$words[2]" - $argv[2]
            set options $words[3..-1]
        end
    end
    printf '%s\n' $options
end

# Names that the daemon has: WHAT FORMAT. Where there is none it answers `ok`.
function __multipathctl_names
    set -l names (multipathctl show $argv[1] raw format $argv[2] 2>/dev/null); or return
    if set -q names[1]; and test "$names" != ok
        printf '%s\n' $names
    end
end

# The words that may come after those that are there.
function __multipathctl_next
    set -l line (commandline -opc)
    set -l current (commandline -ct)
    set -l name (string replace -r '.*/' '' -- $line[1])
    set -l given
    set -l lists 0
    set -l value 0
    for word in $line[2..-1]
        if test $value = 1
            set value 0
        else if contains -- $word -v --interval --for --timeout --command
            set value 1
        else if contains -- $word -l -ll --watch
            set lists 1
        else if not string match -q -- '-*' $word
            set -a given $word
        end
    end
    if test $value = 1
        return
    end
    if string match -q -- '-*' "$current"
        __multipathctl_options $name $given[1]
        return
    end
    set -l grammar (__multipathctl_grammar $name)
    if test $name = multipathctl -a $lists = 1
        set grammar '$map'
    end
    for line in $grammar
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
                __multipathctl_names paths %d
            case '$map'
                __multipathctl_names maps %n
            case '$device'
                __multipathctl_names paths %d
                __multipathctl_names maps %n
            case '$file'
                __fish_complete_path $current
            case '$*'
            case '*'
                string split '|' -- $rest[1]
        end
    end | sort -u
end

for name in multipathctl multipathd multipathc
    complete -c $name -f -a '(__multipathctl_next)'
end
