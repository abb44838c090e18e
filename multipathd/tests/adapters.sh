#!/bin/bash
# The adapters' contract on a real kernel, in the guest:
#   VM_FILES=…/adapters-… tests/vm/run multipathd/tests/adapters.sh [NAME-PART...]
# where adapters-… is what `cargo test -p multipathd --test adapters --no-run` has built.
vm=/vm
# shellcheck source=tests/vm/lib.sh
. "$vm/lib.sh"
san_scsi_debug 2 1 || exit 1
udevadm settle
exec "$vm"/files/adapters* --test-threads=1 "$@"
