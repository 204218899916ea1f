package peers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Database is a running server of MariaDB with a database "namecast" that is empty
// at first; the user root needs no password.
type Database struct {
	Socket  string
	Dir     string
	program string
	process *process
}

// Stop ends the server and waits until it is gone.
func (d *Database) Stop() { d.process.stop() }

// Log is all that the server has written so far.
func (d *Database) Log() string { return d.process.log() }

// MariaDB starts a server on a socket in a folder of its own, until the test's end;
// more arguments are the server's.
func MariaDB(t testing.TB, args ...string) *Database {
	t.Helper()
	program, install := lookup(t, "mariadbd"), lookup(t, "mariadb-install-db")
	lookup(t, "mariadb")
	dir := folder(t)
	data := filepath.Join(dir, "data")
	me, err := exec.Command("id", "-un").Output()
	if err != nil {
		t.Fatalf("who am I: %v", err)
	}
	user := "--user=" + strings.TrimSpace(string(me))
	if out, err := exec.Command(install, "--no-defaults", user, "--datadir="+data, "--skip-test-db",
		"--auth-root-authentication-method=normal").CombinedOutput(); err != nil {
		t.Fatalf("make a database: %v\n%s", err, out)
	}
	d := &Database{Socket: filepath.Join(dir, "s"), Dir: dir, program: program}
	d.process = spawn(t, dir, program, append([]string{
		"--no-defaults", user, "--datadir=" + data, "--socket=" + d.Socket, "--pid-file=" + filepath.Join(dir, "pid"),
		"--skip-networking", "--skip-name-resolve", "--innodb-buffer-pool-size=64M",
	}, args...)...)
	t.Cleanup(d.Stop)
	d.await(t)
	d.Ask(t, "CREATE DATABASE namecast")
	return d
}

// await polls until the server answers.
func (d *Database) await(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; {
		out, err := d.client("", "SELECT 1")
		if err == nil {
			return
		}
		if time.Now().After(deadline) || d.process.endedWithin(20*time.Millisecond) {
			t.Fatalf("start MariaDB: %v: %s\n%s", err, out, d.Log())
		}
	}
}

func (d *Database) client(database, statements string) (string, error) {
	cmd := exec.Command("mariadb", "--no-defaults", "--user=root", "--socket="+d.Socket, "--batch", "--skip-column-names", database)
	cmd.Stdin = strings.NewReader(statements)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Ask has the server carry out statements and returns what they give, a line a row.
func (d *Database) Ask(t testing.TB, statements string) string {
	t.Helper()
	database := "namecast"
	if strings.HasPrefix(statements, "CREATE DATABASE") {
		database = ""
	}
	out, err := d.client(database, statements)
	if err != nil {
		t.Fatalf("%s: %v: %s", statements, err, out)
	}
	return out
}

// PowerDNS starts PowerDNS's authoritative server over a database, as it comes, with
// its caches off unless settings say else; it answers for a zone before it returns.
func PowerDNS(t testing.TB, d *Database, zone string, settings ...string) *Server {
	t.Helper()
	program := lookup(t, "pdns_server")
	if _, err := os.Stat("/usr/lib/x86_64-linux-gnu/pdns/libgmysqlbackend.so"); err != nil {
		if matches, _ := filepath.Glob("/usr/lib/*/pdns/libgmysqlbackend.so"); len(matches) == 0 {
			t.Skip("pdns-backend-mysql is not installed: comparison with it skipped")
		}
	}
	k := kind{
		name: "pdns", program: "pdns_server", version: []string{"--version"},
		config: func(dir string, port int, _ []string) string {
			return strings.Join(append([]string{
				"launch=gmysql", "gmysql-user=root", "gmysql-dbname=namecast", "gmysql-dnssec=yes", "gmysql-socket=" + d.Socket,
				"local-address=127.0.0.1", "local-port=" + strconv.Itoa(port), "socket-dir=" + dir,
				"security-poll-suffix=", "disable-syslog=yes", "loglevel=4", "receiver-threads=1", "distributor-threads=2",
				"cache-ttl=0", "query-cache-ttl=0", "negquery-cache-ttl=0", "zone-cache-refresh-interval=0",
			}, settings...), "\n") + "\n"
		},
		args: func(conf string) []string { return []string{"--config-dir=" + filepath.Dir(conf)} },
	}
	var s *Server
	for range tries {
		s = k.start(t, program, nil, nil)
		err := s.answersFor([]string{zone})
		if err == nil {
			return s
		}
		s.Stop()
		if !strings.Contains(strings.ToLower(s.Log()), "in use") {
			t.Fatalf("start PowerDNS: %v\n%s", err, s.Log())
		}
	}
	t.Fatalf("start PowerDNS: every port was taken\n%s", s.Log())
	return nil
}
