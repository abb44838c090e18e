#!/bin/bash
# The adapters' contract on a real kernel, in the guest:
#   VM_FILES=…/adapters-… tests/vm/run multipathd/tests/adapters.sh [NAME-PART...]
# where adapters-… is what `cargo test -p multipathd --test adapters --no-run` has built.
vm=/vm
# shellcheck source=tests/vm/lib.sh
. "$vm/lib.sh"
adapters=$(echo "$vm"/files/adapters*)
: >"$verdicts"
status=0
san_scsi_debug 2 1 || exit 1
"$adapters" --guest "$@" || status=1
cleanup
# Hosts that take one command at a time.
san_scsi_debug 2 1 max_queue=1 || exit 1
"$adapters" --guest without_a_free_request || status=1
[ "$(failures)" = 0 ] || status=1 # of storage that stays, for one
exit $status
