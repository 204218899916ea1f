#!/bin/sh
# install.sh puts the units, users and folders of a node into place, and samples of its
# configuration where there is none yet:
#
#	[DESTDIR=/tmp/package] [PREFIX=/usr/local] sh lib/systemd/install.sh
#
# The programs are expected in $PREFIX/bin. With an empty DESTDIR, on a machine that
# runs systemd, the users and folders are made as well; nothing is enabled or started.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dest=${DESTDIR-}
prefix=${PREFIX-/usr/local}

units=$dest$prefix/lib/systemd/system
install -d "$units" "$dest$prefix/lib/namecast" "$dest$prefix/lib/sysusers.d" "$dest$prefix/lib/tmpfiles.d"
for unit in "$here"/*.service "$here"/*.socket "$here"/*.path "$here"/*.target; do
	to=$units/$(basename "$unit")
	sed "s|=/usr/local/|=$prefix/|" "$unit" > "$to.new"
	chmod 644 "$to.new"
	mv -f "$to.new" "$to"
done
install -m 755 "$here/restart.sh" "$dest$prefix/lib/namecast/restart"
install -m 644 "$here/sysusers.conf" "$dest$prefix/lib/sysusers.d/namecast.conf"
install -m 644 "$here/tmpfiles.conf" "$dest$prefix/lib/tmpfiles.d/namecast.conf"

etc=$dest/etc/namecast
install -d "$etc"
for sample in "$here"/etc/*; do
	to=$etc/$(basename "$sample")
	[ -e "$to" ] || install -m 644 "$sample" "$to"
done

if [ -z "$dest" ] && [ -d /run/systemd/system ]; then
	systemd-sysusers
	systemd-tmpfiles --create "$prefix/lib/tmpfiles.d/namecast.conf"
	systemctl daemon-reload
fi
