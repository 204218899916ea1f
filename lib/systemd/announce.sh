#!/bin/sh
# announce.sh runs nc-watch and nc-bgp without systemd: a pipe does what the units do.
# When nc-watch ends, in whatever way, nc-bgp reads the end of its input, withdraws
# everything and ends; when nc-bgp ends, nc-watch cannot write any more and ends. Then
# both begin again, until SIGTERM.
#
#	[CONFIG=/etc/namecast] [DIR=/run/namecast/watch] sh announce.sh
set -u

config=${CONFIG-/etc/namecast}
dir=${DIR-/run/namecast/watch}
bgp=
stop=
trap 'stop=1; [ -z "$bgp" ] || kill "$bgp" 2>/dev/null' TERM INT
mkdir -p -m 700 "$dir" || exit 111
until [ "$stop" ]; do
	nc-watch -f "$config/node.conf" -dir "$dir" | nc-bgp -f "$config/bgp.conf" &
	bgp=$!
	wait "$bgp"
	[ "$stop" ] || sleep 1
done
wait
