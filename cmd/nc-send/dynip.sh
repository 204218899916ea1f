#!/bin/sh
# dynip.sh, installed as nc-dynip, keeps the A and AAAA records of a name equal
# to this machine's addresses of the moment. It is made for cron: it says nothing
# and sends nothing while nothing changes, and prints one line when something did.
#
# Usage:
#	nc-dynip [-n name] [-t ttl] [-4] [-6] [-i interface] [-a address]... [-f]
#
#	-n name       name to update, relative to the account; default "home"
#	-t ttl        time to live of the records in seconds; default 60
#	-4, -6        this family must be found; without -4 and -6, whichever is
#	-i interface  take the addresses from a network interface
#	-a address    take this address (give it twice for both families)
#	-f            send even if nothing changed
#
# Without -i and -a the addresses are those that the server sees, which is what
# a machine behind NAT needs. The key and the server are those of nc-sign and
# nc-send: $NAMECAST_KEY or ~/.namecast/key, and $NAMECAST_SERVER or what the
# key file names.
#
# Both families travel in one update: both records change or neither does. A
# family that was not found is left as it is. What was last accepted is kept in
# ${XDG_STATE_HOME:-~/.local/state}/namecast.
#
# Exit status: 0 up to date, 1 refused, 2 wrong usage, 111 no answer or another
# run is under way: try again later.
#
# A crontab that looks every five minutes (crontab -e):
#
#	PATH=/usr/local/bin:/usr/bin:/bin
#	*/5 * * * * nc-dynip -n home

set -euf
umask 077

say() { printf '%s: %s\n' "${0##*/}" "$*"; }

fail() {
	code=$1
	shift
	say "$*" >&2
	exit "$code"
}

usage() {
	echo 'usage: nc-dynip [-n name] [-t ttl] [-4] [-6] [-i interface] [-a address]... [-f]'
}

# look 4|6: print the address of that family.
look() {
	if [ -n "$given" ]; then
		for address in $given; do
			[ "$(family "$address")" != "$1" ] || { printf '%s\n' "$address"; return 0; }
		done
		say "no IPv$1 address is given" >&2
		return 1
	elif [ -n "$interface" ]; then
		look_at "$1"
	else
		nc-send -whoami "-$1" -t 5s
	fi
}

# want 4|6: this family must be found.
want() {
	case $families in
	*"$1"*) ;;
	*) families="$families $1" ;;
	esac
}

# family ADDRESS: print 4 or 6.
family() {
	case $1 in
	*:*) echo 6 ;;
	*) echo 4 ;;
	esac
}

# look_at 4|6: print the interface's first global address that lasts: not a
# temporary one (RFC 8981), not one on its way in or out, not a private IPv6 one.
look_at() {
	ip -o "-$1" addr show dev "$interface" scope global >"$file.ip" || return 1
	awk '
		/ (temporary|tentative|deprecated|dadfailed)/ || $4 ~ /^f[cd]/ { next }
		{ sub("/.*", "", $4); print $4; found = 1; exit }
		END { exit !found }
	' "$file.ip" && return
	say "no IPv$1 address on interface $interface" >&2
	return 1
}

# lock: let one run at a time do this name; the kernel drops a flock with the
# process that holds it, however that ends.
lock() {
	if command -v flock >/dev/null; then
		exec 9>"$file.lock"
		flock -n 9 || fail 111 "update $name: another run holds $file.lock"
		trap clean EXIT
	else
		mkdir "$file.lockdir" 2>/dev/null ||
			fail 111 "update $name: another run holds $file.lockdir (remove it if none does)"
		trap 'clean; rmdir "$file.lockdir"' EXIT
	fi
	trap 'exit 111' HUP INT TERM
}

clean() { rm -f "$file.ip" "$file.err" "$file.update" "$file.packet" "$file.reply" "$file.new"; }

# find_addresses: put what was found into $found, as "TYPE ADDRESS TYPE ADDRESS".
find_addresses() {
	found='' missing=0
	: >"$file.err"
	for f in ${families:-4 6}; do
		code=0
		address=$(look "$f" 2>>"$file.err") || code=$?
		case $code$f in
		04) found="$found A $address" ;;
		06) found="$found AAAA $address" ;;
		*) [ "$missing" = 111 ] || missing=$code ;;
		esac
	done
	[ "$missing" != 0 ] || return 0
	# Unless families were named, one is enough.
	if [ -z "$found" ] || [ -n "$families" ]; then
		cat "$file.err" >&2
		exit "$missing"
	fi
}

# compose: write the update, and set changed if a line of it is news.
compose() {
	: >"$file.update"
	while [ $# -gt 0 ]; do
		line="replace $name $ttl $1 $2"
		printf '%s\n' "$line" >>"$file.update" # echo may take the \ of a name for its own
		[ "$(cat "$file.$1" 2>/dev/null)" = "$line $who" ] || changed=yes
		shift 2
	done
}

# send: sign and send the update. Another client of the account may take the
# sequence number between the two, so that case is tried again.
send() {
	for try in 1 2 3; do
		nc-sign <"$file.update" >"$file.packet" || exit
		code=0
		nc-send <"$file.packet" >"$file.reply" || code=$?
		[ "$code" != 0 ] || return 0
		grep -q 'status=300' "$file.reply" || break
	done
	cat "$file.reply" >&2
	exit "$code"
}

# remember: keep what was accepted, by rename, so that no half state is read.
remember() {
	while [ $# -gt 0 ]; do
		printf '%s\n' "replace $name $ttl $1 $2 $who" >"$file.new"
		mv "$file.new" "$file.$1"
		shift 2
	done
}

name=home ttl=60 families='' interface='' given='' changed=''
while getopts 46a:fhi:n:t: option; do
	case $option in
	4 | 6) want "$option" ;;
	a) given="$given $OPTARG" && want "$(family "$OPTARG")" ;;
	f) changed=yes ;;
	h) usage && exit ;;
	i) interface=$OPTARG ;;
	n) name=$OPTARG ;;
	t) ttl=$OPTARG ;;
	*) usage >&2 && exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 0 ] || { usage >&2; exit 2; }
[ -n "$name" ] && [ -n "$ttl" ] || fail 2 'the name or the TTL is empty'
case $name$ttl$interface in
*[[:space:]]*) fail 2 'a name, TTL or interface holds white space' ;;
esac

folder=${XDG_STATE_HOME:-$HOME/.local/state}/namecast
mkdir -p "$folder"
file=$folder/dynip-$(printf %s "$name" | tr -c 'A-Za-z0-9@._-' _)
who="# ${NAMECAST_KEY:-} ${NAMECAST_SERVER:-}" # another account or server starts afresh

lock
find_addresses
# The words of $found are meant to be split.
# shellcheck disable=SC2086
compose $found
[ -n "$changed" ] || exit 0
send
# shellcheck disable=SC2086
remember $found
say "$name$found"
