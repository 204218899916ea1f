package mysql

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

// TestParseAddress: what an address may be, and what is said of one that is none.
func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ name, text, hosts, fault string }{
		{name: "hosts", text: "mysql://nc@db1,db2:3307,[2001:db8::1]:3308/names", hosts: "db1:3306 db2:3307 [2001:db8::1]:3308"},
		{name: "bare IPv6", text: "mysql://nc@[2001:db8::1]/names", hosts: "[2001:db8::1]:3306"},
		{name: "socket", text: "mysql://nc@/names?socket=/run/mysqld/mysqld.sock", hosts: "/run/mysqld/mysqld.sock"},
		{name: "another scheme", text: "postgres://nc@db1/names", fault: "it does not begin with"},
		{name: "a password", text: "mysql://nc:secret@db1/names", fault: "a password in it is seen by everybody"},
		{name: "no user", text: "mysql://db1/names", fault: "no user"},
		{name: "no database", text: "mysql://nc@db1", fault: "no database"},
		{name: "no host", text: "mysql://nc@/names", fault: "is not HOST"},
		{name: "socket and host", text: "mysql://nc@db1/names?socket=/s", fault: "goes without hosts"},
		{name: "unknown option", text: "mysql://nc@db1/names?charset=latin1", fault: `unknown option "charset"`},
		{name: "tls", text: "mysql://nc@db1/names?tls=maybe", fault: "tls is on or off"},
		{name: "no such file", text: "mysql://nc@db1/names?ca=/nowhere/ca.pem", fault: "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := ParseAddress(c.text)
			switch {
			case c.fault == "" && err != nil:
				t.Fatal(err)
			case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
				t.Errorf("error %v, want %q", err, c.fault)
			case c.fault != "" && strings.Contains(err.Error(), "secret"):
				t.Error("the error has the password")
			case c.fault == "" && strings.Join(a.Hosts, " ") != c.hosts:
				t.Errorf("hosts %q, want %q", a.Hosts, c.hosts)
			}
		})
	}
	far, _ := ParseAddress("mysql://nc@db1/names")
	near, _ := ParseAddress("mysql://nc@127.0.0.1,localhost/names")
	if far.TLS == nil || near.TLS != nil {
		t.Errorf("TLS to another machine %v, to this one %v", far.TLS != nil, near.TLS != nil)
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("mysql://nc@db1,db2:3307/names?tls=off")
	f.Add("mysql://nc@/names?socket=/run/s")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err == nil && (a.User == "" || a.Database == "" || len(a.Hosts) == 0) {
			t.Errorf("%q: %+v", s, a)
		}
	})
}

// execute changes a database behind the store's back.
func execute(t *testing.T, a Address, statements ...string) {
	t.Helper()
	db, err := open(a, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// TestRefused: databases that are not what they should be.
func TestRefused(t *testing.T) {
	server := theServer(t)
	for _, c := range []struct {
		name, fault string
		is          error
		statements  []string
		change      func(*Address)
	}{
		{name: "newer tables", statements: []string{`UPDATE nc_schema SET version = 99`}, is: store.ErrFormat, fault: "version 99"},
		{name: "older tables", statements: []string{`UPDATE nc_schema SET version = 0`}, fault: "nc-serve -migrate"},
		{name: "no tables", statements: []string{`DROP TABLE nc_schema`}, fault: "nc-serve -migrate"},
		{name: "another service", statements: []string{`UPDATE nc_state SET domain = 'other'`}, is: store.ErrOtherUse, fault: "has the accounts of"},
		{name: "a zone of somebody else", statements: []string{`UPDATE domains SET account = 'somebody'`}, is: store.ErrOtherUse, fault: "not Namecast's"},
		{name: "another user", change: func(a *Address) { a.User = "stranger" }, fault: "user or password"},
		{name: "no such database", change: func(a *Address) { a.Database = "nowhere" }, fault: "no such database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := server.database(t)
			newStore(t, a) // makes the base zone
			execute(t, a, c.statements...)
			if c.change != nil {
				c.change(&a)
			}
			s, err := Open(filepath.Join(t.TempDir(), "db"), Options{Address: a, Service: testService()})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.fault) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %q, want %q", err, c.fault)
			}
		})
	}
	a := server.database(t)
	execute(t, a, `UPDATE nc_schema SET version = 99`)
	if err := Migrate(t.Context(), a, "", testService().Base); !errors.Is(err, store.ErrFormat) {
		t.Errorf("migrate what is newer: %v", err)
	}
	if err := Migrate(t.Context(), server.database(t), "", rr.MustName("other.example")); !errors.Is(err, store.ErrOtherUse) {
		t.Errorf("migrate another service's: %v", err)
	}
}

// privateServer runs a server for one test, or skips it.
func privateServer(t *testing.T, args ...string) *server {
	t.Helper()
	theServer(t)
	dir, err := os.MkdirTemp("", "nc") // short: a socket's path has 108 octets at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := newServer(dir)
	if err == nil {
		err = s.start(args...)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	return s
}

// TestReadOnly: a server that takes no changes is said to be that, and is left for the
// next one, where they are taken.
func TestReadOnly(t *testing.T) {
	s := privateServer(t)
	a := s.database(t)
	execute(t, a, `CREATE USER nc@localhost`, `GRANT ALL ON `+a.Database+`.* TO nc@localhost`)
	root := a
	a.User = "nc"
	alone := newStore(t, a)
	execute(t, root, `SET GLOBAL read_only = 1`)
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := alone.Commit(short, storetest.Change(storetest.Account(1), 1)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("commit: %v", err)
	}
	_, err := alone.db.Exec(`UPDATE nc_state SET lsn = lsn`)
	if !elsewhere(err) || !passing(err) || !strings.Contains(cause(err).Error(), "takes no changes") {
		t.Errorf("the server's error: %v", err)
	}
	// The second host is the same server by another way.
	other := newRelay(t, a.Hosts[0])
	both := via(a, other)
	both.Hosts = []string{a.Hosts[0], other.path}
	m := newStore(t, both)
	done := make(chan error, 1)
	go func() {
		_, err := m.Commit(t.Context(), storetest.Change(storetest.Account(2), 1))
		done <- err
	}()
	until(t, "the other host", func() bool { return other.count() > 0 })
	execute(t, root, `SET GLOBAL read_only = 0`)
	if err := <-done; err != nil {
		t.Errorf("commit when a server takes changes: %v", err)
	}
}

// TestSettle: what the service says of itself is in all zones, the old is gone, and who
// says the same again writes nothing.
func TestSettle(t *testing.T) {
	a := theServer(t).database(t)
	account, domain := storetest.Account(1), rr.MustName("example.com")
	service := testService()
	run := func(f func(s *Store)) {
		t.Helper()
		s, err := Open(filepath.Join(t.TempDir(), "db"), Options{Address: a, Service: service})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rows := func(s *Store) string {
		t.Helper()
		var all []string
		err := each(t.Context(), s.db, func(scan func(...any) error) error {
			var id int
			var name, kind, content string
			err := scan(&id, &name, &kind, &content)
			all = append(all, fmt.Sprintln(id, name, kind, content))
			return err
		}, `SELECT id, name, IFNULL(type, ''), IFNULL(content, '') FROM records ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(all, "")
	}
	var first string
	run(func(s *Store) {
		if _, err := s.SetClaim(t.Context(), domain, 0, store.Claim{Version: 1, Account: account}); err != nil {
			t.Fatal(err)
		}
		c := storetest.Change(account, 1, storetest.Set("www", 1, "\x01\x02\x03\x04"))
		c.Head.Domains = []store.Domain{{Name: domain, Contact: rr.MustName("a.b"), TTL: 60}}
		if _, err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		first = rows(s)
	})
	run(func(s *Store) {
		if got := rows(s); got != first {
			t.Errorf("rows were written anew:\n%s\nwere\n%s", got, first)
		}
	})
	was := service.Apex
	service.Apex = func(contact rr.Name, ttl, serial uint32) []rr.Set {
		sets := was(contact, ttl, serial)
		sets[1].Data = []rr.Data{rr.NameData(rr.MustName("a.dns.namecast.example"))}
		return sets
	}
	service.Hosts = []rr.Set{{Owner: rr.MustName("a.dns"), Type: rr.TypeA, TTL: 3600, Data: []rr.Data{"\xc0\x00\x02\x02"}}}
	run(func(s *Store) {
		got := rows(s)
		for _, want := range []string{" example.com NS a.dns.namecast.example.", " namecast.example NS a.dns.namecast.example.", " a.dns.namecast.example A 192.0.2.2", " dns.namecast.example  ", " www.example.com A 1.2.3.4"} {
			if strings.Count(got, want) != 1 {
				t.Errorf("not once %q in\n%s", want, got)
			}
		}
		if strings.Contains(got, " ns1.namecast.example A") || strings.Contains(got, "NS ns1.") {
			t.Errorf("the old name server is still there:\n%s", got)
		}
	})
}

// TestShorten: all changes that are too old go, however many they are.
func TestShorten(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "db"), Options{Address: theServer(t).database(t), Service: testService(), Keep: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	const each = trimRows/10 + 2 // together more than go at once
	var accounts sync.WaitGroup
	for n := range 10 {
		accounts.Go(func() {
			for v := uint64(1); v <= each; v++ {
				if _, err := s.Commit(t.Context(), storetest.Change(storetest.Account(n), v)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	accounts.Wait()
	if err := s.shorten(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n, least int
	if err := s.db.QueryRow(`SELECT COUNT(*), MIN(lsn) FROM nc_changes`).Scan(&n, &least); err != nil {
		t.Fatal(err)
	}
	if n != 5 || least != 10*each-4 {
		t.Errorf("%d changes from LSN %d, want 5 from %d", n, least, 10*each-4)
	}
}

// TestForeignZones: what is in PowerDNS's tables and not Namecast's stays as it is,
// also when an account owns the domain.
func TestForeignZones(t *testing.T) {
	a := theServer(t).database(t)
	s := newStore(t, a)
	execute(t, a, `INSERT INTO domains (name, type) VALUES ('example.com', 'NATIVE')`,
		`INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.example.com', 'A', '192.0.2.99', 60 FROM domains WHERE name = 'example.com'`)
	account, domain := storetest.Account(1), rr.MustName("example.com")
	if _, err := s.SetClaim(t.Context(), domain, 0, store.Claim{Version: 1, Account: account}); err != nil {
		t.Fatal(err)
	}
	c := storetest.Change(account, 1, storetest.Set("www", 1, "\x01\x02\x03\x04"))
	c.Head.Domains = []store.Domain{{Name: domain, Contact: rr.MustName("a.b"), TTL: 60}}
	if _, err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	var n int
	var content string
	if err := s.db.QueryRow(`SELECT COUNT(*), MAX(content) FROM records WHERE name LIKE '%example.com'`).Scan(&n, &content); err != nil {
		t.Fatal(err)
	}
	if n != 1 || content != "192.0.2.99" {
		t.Errorf("%d rows, %q", n, content)
	}
}

// TestTLS: the server's certificate has to be from whom the operator says, and have
// the server's name.
func TestTLS(t *testing.T) {
	theServer(t)
	dir, err := os.MkdirTemp("", "nc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := newServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	makeCertificate(t, dir)
	port := freePort(t)
	if err := s.start("--skip-networking=0", "--bind-address=127.0.0.1", "--port="+port,
		"--ssl-cert="+dir+"/cert.pem", "--ssl-key="+dir+"/key.pem", "--require-secure-transport=ON"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	a := s.database(t)
	execute(t, a, `CREATE USER nc@'127.0.0.1' IDENTIFIED BY 'swordfish'`, `GRANT ALL ON `+a.Database+`.* TO nc@'127.0.0.1'`)
	for _, c := range []struct{ name, options, password, fault string }{
		{name: "right", options: "?ca=" + dir + "/cert.pem", password: "swordfish"},
		{name: "unknown authority", options: "?tls=on", password: "swordfish", fault: "certificate"},
		{name: "without", options: "", password: "swordfish", fault: "user or password"},
		{name: "wrong password", options: "?ca=" + dir + "/cert.pem", password: "herring", fault: "user or password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := ParseAddress("mysql://nc@127.0.0.1:" + port + "/" + a.Database + c.options)
			if err != nil {
				t.Fatal(err)
			}
			err = Migrate(t.Context(), at, c.password, testService().Base)
			switch {
			case c.fault == "" && err != nil:
				t.Error(err)
			case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
				t.Errorf("error %v, want %q", err, c.fault)
			}
			if err != nil && strings.Contains(err.Error(), c.password) {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// makeCertificate writes cert.pem, which is its own authority, and key.pem.
func makeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "database"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
