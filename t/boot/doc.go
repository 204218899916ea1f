// Package boot boots nodes for real: Debian with systemd in containers on machines
// of package lab, and on it what lib/systemd installs. It needs root,
// systemd-nspawn and debootstrap, which gets Debian once, half a minute and 250 MB,
// into the user's cache folder; without them its tests skip. The units are verified
// without root as well.
//
//	go test ./t/boot -v
//
// With the flag -artifacts the nodes' consoles and journals are kept.
package boot
