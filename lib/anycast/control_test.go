package anycast

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dial makes a session of a connection to a running nc-bgp.
func dial(t *testing.T, path string) *session {
	t.Helper()
	var c net.Conn
	var err error
	for end := time.Now().Add(soon); ; time.Sleep(5 * time.Millisecond) {
		if c, err = net.Dial("unix", path); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { c.Close() })
	s := &session{t: t, in: c, end: func() { c.Close() }}
	s.read(c)
	return s
}

// listening runs a configuration with a socket and gives its path.
func listening(t *testing.T, conf string) (*session, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	return begin(t, conf, func(c *Config) { c.Listen = path }), path
}

// TestSocket: one commands at a time, is told everything first, and what it wished
// goes with it; the process stays.
func TestSocket(t *testing.T) {
	_, path := listening(t, plain)
	a := dial(t, path)
	a.expect(`peer 127\.0\.0\.99 .*`)
	a.expect(`route 192\.0\.2\.0/24 withdrawn 0/0`)
	a.say("announce 192.0.2.0/24")
	a.expect(`ok 1 .*`)
	a.expect(`route 192\.0\.2\.0/24 announced 0/0`)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	b := dial(t, path)
	b.expect(`error 0 another commands`)
	if line, more := <-b.out; more {
		t.Errorf("also told %q", line)
	}
	a.end()
	c := dialOwner(t, path)
	c.expect(`route 192\.0\.2\.0/24 withdrawn 0/0`)
	c.say("announce 198.51.100.0/24")
	c.expect(`ok 1 announce 198\.51\.100\.0/24`)
	c.say("quit")
	d := dialOwner(t, path)
	d.expect(`route 198\.51\.100\.0/24 withdrawn 0/0`)
}

// dialOwner connects until there is nobody else who commands.
func dialOwner(t *testing.T, path string) *session {
	t.Helper()
	for end := time.Now().Add(soon); ; {
		s := dial(t, path)
		line, more := <-s.out
		if more && !strings.HasPrefix(line, "error") {
			s.out = prepended(line, s.out)
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("still another: %q", line)
		}
	}
}

func prepended(line string, rest chan string) chan string {
	out := make(chan string, cap(rest))
	out <- line
	go func() {
		defer close(out)
		for line := range rest {
			out <- line
		}
	}()
	return out
}

// TestTakeover: who does not keep its beat is replaced by the next who comes.
func TestTakeover(t *testing.T) {
	_, path := listening(t, plain)
	a := dial(t, path)
	a.say("announce 192.0.2.0/24")
	a.expect(`route 192\.0\.2\.0/24 announced 0/0`)
	a.say("beat 100")
	a.expect(`beat lost`)
	a.expect(`route 192\.0\.2\.0/24 withdrawn 0/0`)
	b := dial(t, path)
	b.expect(`route 192\.0\.2\.0/24 withdrawn 0/0`)
	b.say("announce 192.0.2.0/24")
	b.expect(`route 192\.0\.2\.0/24 announced 0/0`)
	for range a.out { // until it is told that it has gone
	}
	b.say("status")
	b.expect(`route 192\.0\.2\.0/24 announced 0/0`)
}

// TestSocketInUse: a socket that somebody listens at is left alone, and so is any
// other file.
func TestSocketInUse(t *testing.T) {
	_, path := listening(t, plain)
	dial(t, path).expect(`peer .*`)
	other := begin(t, plain, func(c *Config) { c.Listen = path })
	if err := other.result(); !errors.Is(err, errInUse) || !Transient(err) {
		t.Errorf("in use: %v", err)
	}
	file := write(t, "file", "something")
	other = begin(t, plain, func(c *Config) { c.Listen = file })
	if err := other.result(); !errors.Is(err, fs.ErrExist) || Transient(err) {
		t.Errorf("a file: %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "something" {
		t.Errorf("%q %v", text, err)
	}
}

// TestSocketLeft: a socket that a killed process left is replaced.
func TestSocketLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	begin(t, plain, func(c *Config) { c.Listen = path })
	for end := time.Now().Add(soon); ; {
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal("it is not replaced")
		}
	}
}

// TestUsers: the kernel's word decides who may command.
func TestUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to be another user")
	}
	const nobody, other = 65534, 65533
	dir, err := os.MkdirTemp("", "nc") // open to others, unlike that of the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	begin(t, plain, func(c *Config) { c.Listen, c.Owner = path, nobody })
	root := dial(t, path)
	root.expect(`peer .*`)
	root.end()
	for uid, want := range map[uint32]string{nobody: "peer", other: "error 0 user may not command"} {
		for end := time.Now().Add(soon); ; {
			got := as(t, uid, path)
			if strings.HasPrefix(got, want) {
				break
			}
			if time.Now().After(end) || !strings.Contains(got, "another") {
				t.Errorf("user %d is told %q", uid, got)
				break
			}
		}
	}
}

// as connects as another user and gives the first line that it is told.
func as(t *testing.T, uid uint32, path string) string {
	t.Helper()
	cmd := exec.Command("/usr/bin/perl", "-MIO::Socket::UNIX", "-e", `my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "no: $!"; print scalar <$s>`, path)
	if _, err := os.Stat(cmd.Path); err != nil {
		t.Skip("needs perl")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("user %d: %v %s", uid, err, out)
	}
	return string(out)
}

// TestVotesInUse: an address that another process has may be free later.
func TestVotesInUse(t *testing.T) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = hearVotes(c.LocalAddr().(*net.UDPAddr).AddrPort())
	if err == nil || !Transient(err) {
		t.Errorf("got %v", err)
	}
}
