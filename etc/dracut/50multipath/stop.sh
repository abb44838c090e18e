#!/bin/sh
# The root file system's own daemon takes the maps over; until then they work without one. With SIGKILL, as an orderly end would end the
# queueing too. Sourced by dracut.
if [ -s /run/multipathd.pid ]; then
    kill -KILL "$(cat /run/multipathd.pid)"
    rm -f /run/multipathd.pid /run/multipathd.socket
fi
