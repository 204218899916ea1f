package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// A server is one that runs.
type server struct {
	*process
	kind  *kind
	dns   netip.AddrPort
	nup   netip.AddrPort // of nc-serve
	http  netip.AddrPort // of nc-serve that is profiled
	ready time.Duration  // from its start to its first right answer
}

// A kind is a server as a program and how it is run.
type kind struct {
	name    string
	program string   // looked up in the path
	version []string // arguments that print the version
	// command writes the configuration of a server on s.dns and s.nup and
	// gives its arguments.
	command func(s *server, dir string, z zoneFile) ([]string, error)
	noZone  bool   // it answers without data
	update  string // its durability, said in the table; "" takes no updates
	signs   bool   // by itself, or serves a signed zone
}

// A zoneFile is the data in a form for the peers.
type zoneFile struct {
	path    string
	dynamic bool // takes updates signed with the key tsigName
}

// errMissing says that a program is not installed.
var errMissing = errors.New("not installed")

// lookup finds a program, also where root's path has it.
func (k *kind) lookup() (string, error) {
	for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, k.program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", k.program, errMissing)
}

// about is the line in which the program tells its version.
func (k *kind) about() string {
	if k.version == nil {
		return "this tree"
	}
	path, err := k.lookup()
	if err != nil {
		return err.Error()
	}
	out, _ := exec.Command(path, k.version...).CombinedOutput() // some exit with 1 after telling
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if _, after, ok := strings.Cut(line, "PowerDNS"); ok {
		line = "PowerDNS" + after // before it is a time
	}
	return strings.Join(strings.Fields(line), " ")
}

// startLimit is how long a server may take to load its data.
const startLimit = 10 * time.Minute

// start runs a server until its first right answer for the data.
func (b *bench) start(k *kind, z zoneFile) (*server, error) {
	program, err := k.lookup()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, k.name)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", k.name, err)
	}
	s := &server{kind: k, dns: freeAddr(), nup: freeAddr(), http: freeAddr()}
	args, err := k.command(s, dir, z)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", k.name, err)
	}
	if s.process, err = spawn(b.serverCPU, dir, filepath.Join(dir, "log"), program, args...); err != nil {
		return nil, err
	}
	b.running = append(b.running, s)
	if k.noZone {
		return s, nil
	}
	if err := b.firstAnswer(s); err != nil {
		err = fmt.Errorf("start %s: %w\n%s", k.name, err, s.tail())
		s.stop()
		return nil, err
	}
	return s, nil
}

// firstAnswer asks for a name of the last account until the answer is right.
func (b *bench) firstAnswer(s *server) error {
	last := len(b.data.accounts) - 1
	want := netip.AddrFrom4([4]byte(address(last, 0, typeA)))
	q := new(dns.Msg)
	q.SetQuestion(fqdn(b.data.accounts[last], "")+".", dns.TypeA)
	c := &dns.Client{Timeout: 50 * time.Millisecond}
	for time.Since(s.started) < startLimit && b.ctx.Err() == nil {
		if b.loading && s.kind.name == ncServe {
			q.SetQuestion(domain+".", dns.TypeSOA)
		}
		r, _, err := c.Exchange(q, s.dns.String())
		if err == nil && len(r.Answer) == 1 {
			a, isA := r.Answer[0].(*dns.A)
			if b.loading || isA && a.A.String() == want.String() {
				s.ready = time.Since(s.started)
				return nil
			}
		}
		if s.endedWithin(time.Millisecond) {
			return errors.New("it ended")
		}
	}
	if err := b.ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("no right answer within %s", startLimit)
}

// stopAll ends every server that runs.
func (b *bench) stopAll() {
	for _, s := range b.running {
		s.stop()
	}
	b.running = nil
}

// freeAddr is an address of this machine with a port that is free for UDP and
// TCP just now; the zero address if there is none.
func freeAddr() netip.AddrPort {
	for range 50 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			break
		}
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		u, err := net.ListenPacket("udp4", addr.String())
		l.Close()
		if err == nil {
			u.Close()
			return addr
		}
	}
	return netip.AddrPort{}
}
