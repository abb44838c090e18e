# shellcheck shell=bash
# `show config local` says of the same file and disks what the reference says: of all devices and multipaths those only that
# are there.
# shellcheck disable=SC2034
for_reference=no

conf_local() { # WWID of a map that is there
    conf_debug 'no_path_retry 5' 'features "1 queue_if_no_path"'
    cat >>/etc/multipath.conf <<END
devices {
	device {
		vendor Linux
		product "scsi_debug"
		path_selector "queue-length 0"
		no_path_retry 7
	}
	device {
		vendor FOO
		product BAR
		prio alua
	}
}
overrides {
	failback 10
}
multipaths {
	multipath {
		wwid nosuch
		alias gone
	}
	multipath {
		wwid $1
		alias here
		no_path_retry fail
	}
}
END
}

section() { sed -n "/^$1 {/,/^}/p" "$2"; }

# Keywords that came or went after the reference's release, and those that the kernel or nobody heeds any more.
changed='rr_min_io|rr_min_io_rq|rr_weight|flush_on_last_del|bindings_file|wwids_file|prkeys_file|detect_pgpolicy'
changed+='|detect_pgpolicy_use_tpg|purge_disconnected|disable_changed_wwids|auto_resize'

scenario() {
    san_scsi_debug 2 2 || return
    conf_local "$(san_wwid "$(debug_disk 0 1)")"
    daemon_start || return
    wait_for 'two maps, and the daemon knows' 20 is 4 ready_paths || return
    ctl show config local >/run/local.ours
    daemon_stop
    reference_start || return
    "$vm/guest/reference-ctl" show config local >/run/local.reference
    reference_stop
    local name
    for name in overrides devices multipaths blacklist_exceptions; do
        expect_eq "$name" "$(section $name /run/local.ours)" "$(section $name /run/local.reference)"
    done
    expect_match 'a device that is there' "$(section devices /run/local.ours)" 'product "scsi_debug"'
    expect_no_match 'none that is not' "$(section devices /run/local.ours)" FOO
    expect_match 'a map that is there' "$(section multipaths /run/local.ours)" 'alias "here"'
    expect_eq 'defaults' "$(section defaults /run/local.ours | grep -vwE "$changed")" \
        "$(section defaults /run/local.reference | grep -vwE "$changed")"
}
