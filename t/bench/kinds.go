package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const ncServe = "nc-serve"

// Every server has one processor, and so one thread or process that answers.
// Limits of responses are off. What makes answers cheaper is on where it is a
// matter of one line: minimal answers, the packet cache.

// kinds are the servers in the order of the tables.
func (b *bench) kinds() []*kind {
	return []*kind{
		{name: "echo", program: b.self, noZone: true,
			command: func(s *server, _ string, _ zoneFile) ([]string, error) {
				return []string{"-echo", s.dns.String()}, nil
			}},
		{name: ncServe, program: b.ncServe, command: b.ncServeCommand, signs: true,
			update: "on the disk before the reply, many in one write"},
		{name: "nsd", program: "nsd", version: []string{"-v"}, command: nsdCommand, signs: true},
		{name: "knot", program: "knotd", version: []string{"-V"}, command: knotCommand, signs: true,
			update: "journal on the disk before the reply, many in one write"},
		{name: "bind", program: "named", version: []string{"-v"}, command: bindCommand, signs: true,
			update: "journal on the disk before the reply, two syncs for each"},
		{name: "pdns", program: "pdns_server", version: []string{"--version"}, command: pdnsCommand},
		{name: "pdns-mysql", program: "sh", command: b.pdnsMySQLCommand,
			version: []string{"-c", "exec 2>/dev/null; PATH=$PATH:/usr/sbin; v=$(mariadbd --version) && echo PowerDNS as before, on $v || echo mariadbd: not installed"}},
	}
}

// ncServeCommand serves the database that was loaded before, or a new one.
func (b *bench) ncServeCommand(s *server, _ string, _ zoneFile) ([]string, error) {
	args := []string{"-domain", domain, "-ns", "ns1." + domain + "=192.0.2.53",
		"-dns", s.dns.String(), "-nup", s.nup.String(), "-db", b.db}
	manual, err := exec.Command(b.ncServe, "-h").Output()
	if err != nil {
		return nil, fmt.Errorf("ask for its flags: %w", err)
	}
	takes := func(flag string) bool { return strings.Contains(string(manual), "\n  -"+flag+" ") } // an older commit has fewer
	for _, flag := range []string{"rrl", "rate-source", "rate-account", "rate-new", "rate-new-source", "rate-verify", "rate-sign"} {
		if takes(flag) {
			args = append(args, "-"+flag, "none")
		}
	}
	if b.accounts >= manyAccounts && takes("mem") {
		args = append(args, "-mem", "2G")
	}
	if b.profile != "" {
		args = append(args, "-http", s.http.String(), "-pprof")
	}
	return args, nil
}

// configure writes a file of the server's folder and returns its path.
func configure(dir, name, format string, args ...any) (string, error) {
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600)
}

func nsdCommand(s *server, dir string, z zoneFile) ([]string, error) {
	conf, err := configure(dir, "nsd.conf", `server:
	ip-address: 127.0.0.1@%d
	server-count: 1
	username: ""
	chroot: ""
	zonesdir: %q
	database: ""
	pidfile: ""
	xfrdfile: %q
	zonelistfile: %q
	xfrdir: %q
	rrl-ratelimit: 0
	minimal-responses: yes
	answer-cookie: yes
	cookie-secret: %q
remote-control:
	control-enable: no
zone:
	name: %q
	zonefile: %q
`, s.dns.Port(), dir, dir+"/xfrd.state", dir+"/zone.list", dir, cookieSecret, domain, z.path)
	return []string{"-d", "-c", conf}, err
}

// cookieSecret is 16 octets of no secrecy.
const cookieSecret = "000102030405060708090a0b0c0d0e0f"

func knotCommand(s *server, dir string, z zoneFile) ([]string, error) {
	journal, acl := "none", ""
	if z.dynamic {
		journal, acl = "changes", "    acl: bench\n"
	}
	conf, err := configure(dir, "knot.conf", `server:
  rundir: %[1]q
  listen: 127.0.0.1@%[2]d
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: %[1]q
log:
  - target: stderr
    any: warning
key:
  - id: %[3]q
    algorithm: hmac-sha256
    secret: %[4]q
acl:
  - id: bench
    key: %[3]q
    action: update
mod-cookies:
  - id: default
    secret: 0x%[5]s
template:
  - id: default
    storage: %[1]q
    semantic-checks: off
    zonefile-sync: -1
    journal-content: %[6]s
    global-module: mod-cookies/default
zone:
  - domain: %[7]q
    file: %[8]q
%[9]s`, dir, s.dns.Port(), strings.TrimSuffix(tsigName, "."), tsigSecret, cookieSecret, journal, domain, z.path, acl)
	return []string{"-c", conf}, err
}

func bindCommand(s *server, dir string, z zoneFile) ([]string, error) {
	allow, path := "none", z.path
	if z.dynamic { // the journal stands beside the file
		allow, path = fmt.Sprintf("key %q", tsigName), filepath.Join(dir, "zone")
		if err := os.Link(z.path, path); err != nil {
			return nil, fmt.Errorf("give it the zone: %w", err)
		}
	}
	conf, err := configure(dir, "named.conf", `options {
	directory %q;
	listen-on port %d { 127.0.0.1; };
	listen-on-v6 { none; };
	pid-file none;
	session-keyfile none;
	recursion no;
	dnssec-validation no;
	empty-zones-enable no;
	notify no;
	allow-transfer { none; };
	minimal-responses yes;
	cookie-secret %q;
};
controls { };
logging { category default { stderr; }; category update { null; }; category update-security { null; };
	channel stderr { stderr; severity warning; }; };
key %q { algorithm hmac-sha256; secret %q; };
zone %q { type primary; file %q; allow-update { %s; }; };
`, dir, s.dns.Port(), cookieSecret, tsigName, tsigSecret, domain, path, allow)
	return []string{"-f", "-n", "1", "-c", conf}, err
}

func pdnsCommand(s *server, dir string, z zoneFile) ([]string, error) {
	zones, err := configure(dir, "named.conf", "zone %q { type master; file %q; };\n", domain, z.path)
	if err != nil {
		return nil, err
	}
	return []string{"--config-dir=" + dir}, pdnsConfigure(s, dir, "launch=bind\nbind-config="+zones)
}

// pdnsConfigure writes what PowerDNS is told whatever its backend.
func pdnsConfigure(s *server, dir, backend string) error {
	_, err := configure(dir, "pdns.conf", `%s
local-address=127.0.0.1
local-port=%d
receiver-threads=1
distributor-threads=1
cache-ttl=3600
query-cache-ttl=3600
negquery-cache-ttl=3600
socket-dir=%s
security-poll-suffix=
disable-axfr=yes
disable-syslog=yes
loglevel=3
edns-cookie-secret=%s
`, backend, s.dns.Port(), dir, cookieSecret)
	return err
}

//go:embed mysql.sh
var mysqlScript string

// pdnsMySQLCommand serves the zone from a database of MariaDB, which is filled
// at the first start.
func (b *bench) pdnsMySQLCommand(s *server, dir string, z zoneFile) ([]string, error) {
	for _, program := range []string{"mariadbd", "mariadb-install-db", "zone2sql", "pdns_server", "setpriv"} {
		if _, err := (&kind{program: program}).lookup(); err != nil {
			return nil, err
		}
	}
	script, err := configure(dir, "mysql.sh", "%s", mysqlScript)
	if err != nil {
		return nil, err
	}
	db := filepath.Join(b.dir, "mariadb")
	if err := os.Mkdir(db, 0o700); err == nil {
		b.say("filling MariaDB")
		if _, err := run("sh", script, db, z.path); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	backend := "launch=gmysql\ngmysql-user=root\ngmysql-dbname=pdns\ngmysql-dnssec=no\ngmysql-socket=" + filepath.Join(db, "s")
	return []string{script, db, z.path, dir}, pdnsConfigure(s, dir, backend)
}
