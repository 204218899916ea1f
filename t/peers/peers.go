// Package peers starts the name servers and resolvers that Namecast is measured
// against: NSD, Knot DNS, BIND and Unbound, as the distribution packages them.
//
// Every server runs on a free port of 127.0.0.1, in a temporary folder of the
// test, in the foreground, and is stopped by its own process number at the
// test's end. A test whose server is not installed is skipped with a line that
// names the program.
package peers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A Server is one running peer.
type Server struct {
	Name    string // "nsd", "knot", "bind" or "unbound"
	Version string // as the program prints it
	Addr    string // 127.0.0.1:port, UDP and TCP
	Dir     string // its folder: configuration, zone files, log
	process *process
}

// Stop ends the server and waits until it is gone. The test's end does the
// same; stopping twice does nothing.
func (s *Server) Stop() { s.process.stop() }

// Log is all that the server has written so far, for a failing test to show.
func (s *Server) Log() string { return s.process.log() }

// limit is how long a server may take to answer for all of its zones.
const limit = 20 * time.Second

// tries is how many ports are tried before the test fails: between finding a
// free port and the server's bind, somebody else may take it.
const tries = 4

// A kind is what sets one server apart from the others.
type kind struct {
	name    string
	program string
	version []string                                      // arguments that print the version
	config  func(dir string, port int, z []string) string // z: zone names; their files are zoneFile(dir, name)
	args    func(conf string) []string
}

// FreePort finds a port of 127.0.0.1 that is free for both UDP and TCP.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("find a free port: %v", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port))
		l.Close()
		if err == nil {
			u.Close()
			return port
		}
	}
	t.Fatal("find a free port: none of 50 was free for UDP and TCP")
	return 0
}

// zoneFile is where the text of a zone is kept.
func zoneFile(dir, zone string) string {
	clean := strings.NewReplacer("/", "_", "\\", "_").Replace(strings.TrimSuffix(zone, "."))
	return filepath.Join(dir, "zone-"+clean+".db")
}

// run writes the zones, starts the server and waits until it answers for them.
func (k kind) run(t testing.TB, zones map[string]string) *Server {
	t.Helper()
	program := lookup(t, k.program)
	names := make([]string, 0, len(zones))
	for name := range zones {
		names = append(names, name)
	}
	sort.Strings(names)
	var s *Server
	for range tries {
		s = k.start(t, program, names, zones)
		err := s.answersFor(names)
		if err == nil {
			return s
		}
		s.Stop()
		if !strings.Contains(strings.ToLower(s.Log()), "in use") {
			t.Fatalf("start %s: %v\n%s", k.name, err, s.Log())
		}
	}
	t.Fatalf("start %s: every port was taken\n%s", k.name, s.Log())
	return nil
}

// lookup finds a program, also where root's path has it.
func lookup(t testing.TB, program string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed: comparison with it skipped", program)
	return ""
}

func (k kind) start(t testing.TB, program string, names []string, zones map[string]string) *Server {
	t.Helper()
	dir := folder(t)
	for _, name := range names {
		write(t, zoneFile(dir, name), zones[name])
	}
	port := FreePort(t)
	conf := filepath.Join(dir, k.name+".conf")
	write(t, conf, k.config(dir, port, names))
	s := &Server{
		Name:    k.name,
		Version: version(program, k.version),
		Addr:    fmt.Sprintf("127.0.0.1:%d", port),
		Dir:     dir,
		process: spawn(t, dir, program, k.args(conf)...),
	}
	t.Cleanup(s.Stop)
	return s
}

// folder makes the server's own folder. It is short, because some of the
// servers make Unix sockets in it, and gone when the test ends.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer")
	if err != nil {
		t.Fatalf("make a folder: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
}

// version is the first line of what the program says about itself.
func version(program string, args []string) string {
	out, _ := exec.Command(program, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// answersFor polls until the server gives an authoritative SOA for every zone.
func (s *Server) answersFor(zones []string) error {
	deadline := time.Now().Add(limit)
	for _, zone := range zones {
		m := new(dns.Msg)
		m.SetQuestion(dns.Fqdn(zone), dns.TypeSOA)
		if err := s.poll(m, deadline, func(r *dns.Msg) bool {
			return r.Rcode == dns.RcodeSuccess && r.Authoritative && len(r.Answer) > 0
		}); err != nil {
			return fmt.Errorf("zone %s: %w", zone, err)
		}
	}
	return nil
}

// poll asks until the answer is good, the server ends or the deadline passes.
func (s *Server) poll(m *dns.Msg, deadline time.Time, good func(*dns.Msg) bool) error {
	c := &dns.Client{Timeout: 200 * time.Millisecond}
	var last error
	for time.Now().Before(deadline) {
		r, _, err := c.Exchange(m, s.Addr)
		if err == nil && good(r) {
			return nil
		}
		last = err
		if err == nil {
			last = fmt.Errorf("answered %s", dns.RcodeToString[r.Rcode])
		}
		if s.process.endedWithin(20 * time.Millisecond) {
			return fmt.Errorf("the server ended")
		}
	}
	return fmt.Errorf("no good answer within %s: %v", limit, last)
}
