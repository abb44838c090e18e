#!/bin/bash
# The same situations (settings, and paths that are offline or marginal) given to Debian's daemon and to ours, one after the other, on one
# kernel: the tables that they load are compared.
#   tests/vm/run --timeout 3000 tests/vm/situations.sh [COUNT [SEED]]
# shellcheck disable=SC2154
# shellcheck source=tests/vm/lib.sh
. /vm/lib.sh
count=${1:-200} seed=${2:-1} dir=/run/situations

tables() { dmsetup table --target multipath | grep -v '^No devices' | sort; }

disks_up() { local disk; for disk in $disks; do echo running >"/sys/block/$disk/device/state"; done; }

# What is the same three looks long is what it is.
settled_tables() {
    local last='' now same=0 looks=0
    while [ $same -lt 3 ] && [ $looks -lt 60 ]; do
        sleep 0.4
        now=$(tables)
        if [ "$now" = "$last" ] && says 'idle|running' ctl show daemon; then same=$((same + 1)); else same=0; fi
        last=$now looks=$((looks + 1))
    done
    echo "$last"
}

reconfigured() { # NAME NUMBER
    local said; said=$(ctl reconfigure all 2>/run/stderr)
    [ "$said" = ok ] || { echo "$1: $2: reconfigure all: $said"; cat /run/stderr; exit 1; }
}

# Where only a standby path was left, udev's reads wait.
all_removed() {
    local map
    for map in $(maps); do dmsetup message "$map" 0 fail_if_no_path; done
    remove_maps
}

those() { local disk; for disk in $(cat "$dir/$1"); do cut -d' ' -f$((disk + 1)) <<<"$disks"; done; } # FILE: disks by number

# One that is in no map is refused.
marginal() { # NAME NUMBER DISK
    local said; said=$(ctl setmarginal path "$3" 2>/dev/null)
    [ "$said" = ok ] || echo "# $1: $2: setmarginal path $3: $said"
}

go_through() { # NAME: of the daemon that runs
    local conf number disk map rest
    for conf in "$dir"/*.conf; do
        number=${conf##*/} number=${number%.conf}
        # Each from nothing: what was before would shine through. Nothing is made while everything is excluded, so no daemon
        # can build a map between two of these steps.
        printf 'blacklist {\n\tdevnode ".*"\n}\n' >/etc/multipath.conf
        reconfigured "$1" "$number"
        poll 10 all_removed
        poll 10 is 0 maps_count || { echo "$1: $number: maps are left"; exit 1; }
        disks_up
        cp "$conf" /etc/multipath.conf
        for disk in $(those "$number.offline"); do echo offline >"/sys/block/$disk/device/state"; done
        reconfigured "$1" "$number"
        [ ! -s "$dir/$number.marginal" ] || settled_tables >/dev/null # which the reconfigure would forget
        for disk in $(those "$number.marginal"); do marginal "$1" "$number" "$disk"; done
        settled_tables | while read -r map rest; do [ -z "$map" ] || echo "$number ${map%:} $rest"; done >>"$dir/$1"
        [ $((10#$number % 20)) != 0 ] || echo "# $1: $number"
    done
}

san_scsi_debug 3 4 || exit 1
conf_debug
mkdir -p $dir
disks=$(debug_disks | xargs)
daemon_start
poll 20 is 4 maps_count
maps | python3 "$vm/guest/situations.py" "$seed" "$count" $dir
echo "# seed $seed, $count situations"
go_through ours
daemon_stop
disks_up
MPD=$reference/multipathd MPCTL=$vm/guest/reference-ctl
conf_debug
daemon_start
go_through reference
daemon_stop
python3 "$vm/guest/situations.py" --compare $dir/ours $dir/reference
status=$?
[ -z "${VM_LOG:-}" ] || cat "$MP_LOG"
exit $status
