# shellcheck shell=bash
# `check` on a file of the 2010s: each old keyword is told; `--fix --write` rewrites them, and to the daemon the new file
# says the same: no table is loaded.
# shellcheck disable=SC2034
for_reference=no

status_of() { # COMMAND...: its exit status
    "$@" >/dev/null 2>&1
    echo $?
}

conf_old() {
    conf <<'END'
# of the year 2012
defaults {
	udev_dir                /dev
	polling_interval        1
	selector                "round-robin 0"
	path_grouping_policy    multibus
	getuid_callout          "/lib/udev/scsi_id --whitelisted --device=/dev/%n"
	prio_callout            /bin/true
	path_checker            directio   # for all
	rr_min_io               100
	rr_weight               priorities
	failback                immediate
	no_path_retry           fail
	user_friendly_names     yes
}
devnode_blacklist {
	devnode "^sda$"
}
blacklist_exceptions {
	property ".*"
}
END
}

scenario() {
    san_scsi_debug 2 2 || return
    conf_old
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local out before
    out=$(ctl check)
    expect_match 'an old name and its place' "$out" '^ --> /etc/multipath.conf:5:2$'
    expect_match 'what to write' "$out" 'help: write `path_selector`'
    expect_match 'a summary' "$out" '^[0-9]+ notes$'
    expect_eq 'notes are status 0' "$(status_of ctl check)" 0
    expect_eq 'and 1 with --strict' "$(status_of ctl check --strict)" 1
    cp /etc/multipath.conf /run/was.conf
    out=$(ctl check --fix)
    expect_match 'a diff' "$out" '^\+.path_selector           "round-robin 0"$'
    expect_ok 'a diff alone writes nothing' cmp /etc/multipath.conf /run/was.conf
    expect_ok 'it is written' ctl check --fix --write
    expect_ok 'the original is kept' cmp /etc/multipath.conf.bak /run/was.conf
    expect_match 'comments and layout stay' "$(cat /etc/multipath.conf)" '^	path_checker            directio   # for all$'
    expect_match 'every disk is taken as before' "$(cat /etc/multipath.conf)" '^	find_multipaths greedy$'
    out=$(ctl check --strict)
    expect_match 'one thing is left to say' "$out" '^1 note$'
    expect_match 'which no old keyword has to do with' "$out" '^note: `path_grouping_policy` multibus: .* `group_by_prio`$'
    expect_no_match 'the plan has no map in it' "$(ctl plan)" '^(create|reload|rename|remove|claim|release)'
    swaps_watch
    before=$(swaps)
    expect_eq 'reconfigure' "$(ctl reconfigure)" ok
    settled
    expect_swaps 'no table was loaded' "$before" 0
    rm -f /etc/multipath.conf.bak

    printf 'defaults {\n\tpoling_interval 5\n}\n' >/run/bad.conf
    expect_eq 'errors are status 2' "$(status_of ctl check /run/bad.conf)" 2
    expect_eq 'as JSON' "$(ctl check --json - </run/bad.conf | jq -r '.diagnostics[0].code')" unknown-keyword
    conf_debug 'find_multipaths smart'
    expect_match 'what the machine lacks' "$(ctl check)" 'find_multipaths smart. needs udev rules'
}
