package mysql

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"namecast/lib/rr"
)

// A server is MariaDB in a folder of its own, which ends with the test's process.
type server struct {
	dir, socket string
	cmd         *exec.Cmd
	done        chan struct{}
}

// program finds a program of a server, or nothing.
func program(name string) string {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		path := filepath.Join(dir, name)
		if i, err := os.Stat(path); err == nil && i.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// newServer makes the folder of a server.
func newServer(dir string) (*server, error) {
	s := &server{dir: dir, socket: filepath.Join(dir, "s")}
	out, err := exec.Command(program("mariadb-install-db"), "--no-defaults", "--user="+user(), "--datadir="+filepath.Join(dir, "data"),
		"--skip-test-db", "--auth-root-authentication-method=normal").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	return s, nil
}

// user is who runs the test.
func user() string {
	out, err := exec.Command("id", "-un").Output()
	if err != nil {
		return "root"
	}
	return strings.TrimSpace(string(out))
}

// start runs the server until it answers.
func (s *server) start(args ...string) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(program("mariadbd"), append([]string{
		"--no-defaults", "--user=" + user(), "--datadir=" + filepath.Join(s.dir, "data"), "--socket=" + s.socket,
		"--pid-file=" + filepath.Join(s.dir, "pid"), "--skip-networking", "--innodb-buffer-pool-size=64M", "--skip-name-resolve",
	}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan struct{})
	go func() {
		s.cmd.Wait()
		close(s.done)
	}()
	db, err := open(Address{User: "root", Hosts: []string{s.socket}}, "")
	if err != nil {
		return err
	}
	defer db.Close()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if err = db.PingContext(context.Background()); err == nil {
			return nil
		}
		select {
		case <-s.done:
			return errors.New("mariadbd ended: see " + filepath.Join(s.dir, "log"))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("mariadbd does not answer: %w", err)
		}
	}
}

// end sends the server a signal and waits until it is gone.
func (s *server) end(sig syscall.Signal) {
	s.cmd.Process.Signal(sig)
	<-s.done
}

// shared is the server that most tests use.
var shared struct {
	sync.Mutex
	*server
	err       error
	databases atomic.Int64
}

// theServer gives a running server, or skips the test.
func theServer(t testing.TB) *server {
	t.Helper()
	if program("mariadbd") == "" || program("mariadb-install-db") == "" {
		t.Skip("MariaDB is not installed (Debian's package mariadb-server)")
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		dir, err := os.MkdirTemp("", "nc-mysql")
		if err != nil {
			t.Fatal(err)
		}
		s, err := newServer(dir)
		if err == nil {
			err = s.start("--innodb-flush-log-at-trx-commit=2")
		}
		shared.server, shared.err = s, err
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

func TestMain(m *testing.M) {
	code := m.Run()
	if s := shared.server; s != nil {
		s.end(syscall.SIGKILL)
		os.RemoveAll(s.dir)
	}
	os.Exit(code)
}

// testService is what the zones of tests have.
func testService() Service {
	return Service{
		Base: rr.MustName("namecast.example"),
		Apex: func(contact rr.Name, ttl, serial uint32) []rr.Set {
			soa, err := rr.ParseData(rr.TypeSOA, fmt.Sprintf("ns1.namecast.example. hostmaster.namecast.example. %d 7200 1800 1209600 300", serial))
			if err != nil {
				panic(err)
			}
			return []rr.Set{
				{Type: rr.TypeSOA, TTL: max(ttl, 3600), Data: []rr.Data{soa}},
				{Type: rr.TypeNS, TTL: 3600, Data: []rr.Data{rr.NameData(rr.MustName("ns1.namecast.example"))}},
			}
		},
		Hosts: []rr.Set{{Owner: rr.MustName("ns1"), Type: rr.TypeA, TTL: 3600, Data: []rr.Data{"\xc0\x00\x02\x01"}}},
	}
}

// database makes an empty database with the tables in it.
func (s *server) database(t testing.TB) Address {
	t.Helper()
	name := fmt.Sprintf("nc%d", shared.databases.Add(1))
	db, err := open(Address{User: "root", Hosts: []string{s.socket}}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	a := Address{User: "root", Database: name, Hosts: []string{s.socket}}
	if err := Migrate(t.Context(), a, "", testService().Base); err != nil {
		t.Fatal(err)
	}
	return a
}
