#!/bin/sh
# demo.sh hosts a record on this machine from beginning to end and shows each
# command as it runs it. Run it with "make demo"; ONCE=1 ends by itself, and
# exits with 0 only if every answer was right.
set -eu

bin=$(cd "$(dirname "$0")/.." && pwd)/bin
work=$(mktemp -d)
node=
finish() {
	[ -z "$node" ] || { kill "$node" 2>/dev/null && wait "$node" || true; }
	rm -rf "$work"
}
trap finish EXIT
trap 'echo; exit 130' INT TERM
cd "$work"
PATH=$bin:$PATH
wrong=0

say() { printf '\n# %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; sh -ec "$*"; }
# answer NAME TYPE WANT asks the node and checks that it says WANT.
answer() {
	if command -v dig >/dev/null; then
		ask="dig +noall +answer @${dns%:*} -p ${dns##*:} $1 $2"
	else
		ask="ask $dns $1 $2"
	fi
	printf '$ %s\n' "$ask"
	got=$($ask)
	printf '%s\n' "$got"
	case $got in
	*"$3"*) ;;
	*) echo "demo: expected $3" >&2; wrong=1 ;;
	esac
}

say "The tools"
printf '$ PATH=%s:$PATH; cd %s\n' "$bin" "$work"

say "A node, on free ports of the loopback device"
serve="nc-serve -domain namecast.example -dns 127.0.0.1:0 -nup 127.0.0.1:0 -db node.db -ns ns1.namecast.example=127.0.0.1"
printf '$ %s 2>node.log &\n' "$serve"
$serve 2>node.log &
node=$!
i=0
until grep -q 'msg=ready' node.log; do
	kill -0 "$node" 2>/dev/null || { cat node.log >&2; exit 1; }
	i=$((i + 1)); [ $i -lt 100 ] || { echo "demo: the node is not ready after 10 s" >&2; exit 1; }
	sleep 0.1
done
dns=$(sed -n 's/.*msg=ready.* dns=\([^ ]*\).*/\1/p' node.log)
nup=$(sed -n 's/.*msg=ready.* nup=\([^ ]*\).*/\1/p' node.log)
grep 'msg=ready' node.log

say "A key is an account; nobody has to be asked"
NAMECAST_SERVER=namecast.example@$nup
NAMECAST_KEY=$work/me.key
export NAMECAST_SERVER NAMECAST_KEY
printf '$ export NAMECAST_SERVER=%s NAMECAST_KEY=%s\n' "$NAMECAST_SERVER" "$NAMECAST_KEY"
run 'nc-keygen > me.key'
run 'nc-keygen -hash < me.key'
name=$(nc-keygen -hash < me.key).namecast.example

say "An update: what stands in update.txt, all of it or nothing"
cat > update.txt <<'EOF'
add www  300  A     192.0.2.1
add www  300  AAAA  2001:db8::1
add @    3600 MX    10 mail.example.net.
add @    3600 TXT   "hosted by a key"
EOF
run 'cat update.txt'
run 'nc-sign < update.txt | nc-send'

say "The same node answers"
answer "www.$name" A 192.0.2.1
answer "www.$name" AAAA 2001:db8::1
answer "$name" MX mail.example.net.

say "A dynamic address: from cron, every few minutes"
run 'echo "replace home 60 A $(nc-send -whoami)" | nc-sign | nc-send'
answer "home.$name" A 127.0.0.1

[ $wrong -eq 0 ] || exit 1
if [ -n "${ONCE:-}" ]; then
	kill "$node"; wait "$node"; node=
	exit 0
fi
say "The node goes on running; end it with Ctrl-C"
wait "$node"
