# shellcheck shell=bash
# `plan` says what a reconfigure with a file would change, and changes nothing; the reconfigure then does just that.
# shellcheck disable=SC2034
for_reference=no

# What a plan says of maps and paths, in the words of the log; `plan_of` of the plan, `done_since` of the log.
plan_of() { # TEXT
    sed -nE 's/^create  ([^ ]+) .*/created \1/p; s/^reload  ([^ ]+) .*/reloaded \1/p; s/^remove  ([^ ]+) .*/removed \1/p
        s/^rename  ([^ ]+) \([^)]*\) to (.*)/renamed \1 \2/p' <<<"$1" | sort
}

done_since() { # LINE of the log
    tail -n +"$1" "$MP_LOG" | sed -nE 's/.* ([^ ]+): created \[.*/created \1/p; s/.* ([^ ]+): reloaded \(.*/reloaded \1/p
        s/.* ([^ ]+): removed$/removed \1/p; s/.* ([^ ]+): renamed to (.*)/renamed \1 \2/p' | sort
}

status_of() { # COMMAND...: its exit status
    "$@" >/dev/null 2>&1
    echo $?
}

has_open() { # DISK: how much of it the daemon has
    find "/proc/$(daemon_pid)/fd" -lname "$(readlink -f "/sys/block/$1/device")/*" -o -lname "/dev/$1" | wc -l
}

new_conf() { # WWIDs: one gets a name, one another selector, one is left alone
    conf_debug 'failback immediate'
    cat >>/etc/multipath.conf <<END
multipaths {
	multipath {
		wwid $1
		alias planned
	}
	multipath {
		wwid $2
		path_selector "queue-length 0"
	}
}
blacklist {
	wwid $3
}
END
    mv /etc/multipath.conf /run/new.conf
}

scenario() {
    san_scsi_debug 2 4 || return
    local a b c d mark plan before
    a=$(san_wwid "$(debug_disk 0 0)") b=$(san_wwid "$(debug_disk 0 1)") c=$(san_wwid "$(debug_disk 0 2)") d=$(san_wwid "$(debug_disk 0 3)")
    new_conf "$a" "$b" "$c"
    conf_debug
    printf 'blacklist {\n\twwid %s\n}\n' "$d" >>/etc/multipath.conf
    cp /etc/multipath.conf /run/old.conf
    daemon_start || return
    wait_for 'three maps' 20 is 3 maps_count || return
    wait_for 'six paths in service' 20 in_service 6
    settled

    expect_eq 'nothing would change' "$(ctl plan)" 'nothing would change'
    expect_eq 'and the status says so' "$(status_of ctl plan)" 0
    swaps_watch
    before=$(swaps)
    cd /run || return
    plan=$(ctl plan new.conf)
    expect_eq 'changes are status 3' "$(status_of ctl plan /run/new.conf)" 3
    settled
    expect_eq 'a plan loads nothing' "$(($(swaps) - before)) $(maps | sort | xargs)" "0 $(printf '%s\n' "$a" "$b" "$c" | sort | xargs)"
    expect_match 'a name' "$plan" "^rename  $a \($a\) to planned$"
    expect_match 'a table: the old one' "$plan" '^        - 0 .* service-time 0 2'
    expect_match 'a table: the new one' "$plan" '^        \+ 0 .* queue-length 0 2'
    expect_match 'paths are released' "$plan" "^release $(debug_disk 0 2) from $c: blacklisted by wwid"
    expect_match 'paths are claimed' "$plan" "^claim   $(debug_disk 1 3) for $d"
    expect_match 'a setting without a table' "$plan" '^set     failback manual -> immediate: '
    expect_eq 'as JSON' "$(ctl plan new.conf --json | jq -r '[.maps[].change] | sort | join(" ")')" 'create reload remove rename'

    expect_between 'what its checks read is open' "$(has_open "$(debug_disk 0 2)")" 1 9
    mark=$(($(wc -l <"$MP_LOG") + 1))
    cp new.conf /etc/multipath.conf
    expect_eq 'the plan of the file in place is the same' "$(ctl plan)" "${plan//\/run\/new.conf/\/etc\/multipath.conf}"
    expect_eq 'reconfigure' "$(ctl reconfigure)" ok
    wait_for 'the new map' 20 test -b "/dev/mapper/$d"
    wait_for 'six paths again' 20 is 6 active_paths
    settled
    expect_eq 'what was planned was done, and nothing else' "$(done_since "$mark")" "$(plan_of "$plan")"
    expect_eq 'nothing of a path that was released is open' "$(has_open "$(debug_disk 0 2)")" 0
    expect_eq 'then nothing is left to do' "$(ctl plan)" 'nothing would change'

    printf 'defaults {\n\tchecker_timeout soon\n}\n' >bad.conf
    expect_eq 'errors are status 2' "$(status_of ctl plan bad.conf)" 2
    expect_match 'and are told' "$(ctl plan bad.conf)" "^/run/bad.conf:2:18: error: "
    expect_eq 'no such file is status 1' "$(status_of ctl plan nosuch.conf)" 1
}
