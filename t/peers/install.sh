#!/bin/sh
# install.sh installs the servers and programs that the tests compare with, from
# the distribution's packages, when it may; otherwise it says what is missing.
set -eu

# command package
wanted='nsd nsd
knotd knot
named bind9
unbound unbound
dig bind9-dnsutils
dnssec-signzone bind9-utils
kdig knot-dnsutils
ldns-signzone ldnsutils
dnsviz dnsviz python3-pygraphviz
openssl openssl
curl curl
ip iproute2
nft nftables
strace strace
dnsperf dnsperf
delv bind9-dnsutils
bird bird2
vtysh frr
debootstrap debootstrap
systemd-nspawn systemd-container
systemd-analyze systemd
perl perl
mariadbd mariadb-server galera-4
pdns_server pdns-server pdns-backend-mysql
chromium chromium
rsync rsync
javac default-jdk-headless'

# Other programs may be asked for, as arguments of that form.
[ $# -eq 0 ] || wanted=$(printf '%s\n' "$@")

missing=
while read -r command package; do
	PATH="$PATH:/usr/sbin" command -v "$command" >/dev/null || missing="$missing $package"
done <<EOF
$wanted
EOF
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "peers: not installed, so their tests are skipped:$missing" >&2
	exit 0
fi
echo "peers: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# The packages would start servers on port 53 of every address; the tests start
# their own. A policy that says no is how Debian wants this said.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -5 "$log" >&2
	echo "peers: could not install, so their tests are skipped:$missing" >&2
fi
rm -f "$log"
