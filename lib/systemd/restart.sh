#!/bin/sh
# restart.sh UNIT restarts UNIT.service as the file /run/namecast/restart/UNIT wishes;
# nc-restart@.service runs it.
#
# Nothing happens if systemd starts the daemon again already, if the administrator has
# stopped it, or if its process is less than five seconds older than the wish: that one
# cannot be meant.
set -eu

unit=$1.service
wish=/run/namecast/restart/$1
[ -e "$wish" ] || exit 0
wished=$(stat -c %Y "$wish")
rm -f "$wish"
[ "$(systemctl show -P SubState "$unit")" != auto-restart ] || exit 0
began=$(systemctl show --timestamp=unix -P ExecMainStartTimestamp "$unit")
began=${began#@}
[ $((${began:-0} + 5)) -le "$wished" ] || exit 0
exec systemctl --no-block try-restart "$unit"
