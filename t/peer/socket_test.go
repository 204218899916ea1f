package peer

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
	"namecast/t/tools"
)

// A supervisor holds the sockets at which programs ask, as systemd does for nc-peer.socket,
// and starts the daemon with them.
type supervisor struct {
	t    *testing.T
	bin  string
	dir  string
	udp  *os.File
	tcp  *os.File
	addr string
	log  string
	runs *exec.Cmd
}

func newSupervisor(t *testing.T) *supervisor {
	t.Helper()
	s := &supervisor{t: t, bin: filepath.Join(tools.Build(t, "nc-peer"), "nc-peer"), dir: t.TempDir(), log: filepath.Join(t.TempDir(), "log")}
	var tcp *net.TCPListener
	for tries := 20; tcp == nil; tries-- { // a free UDP port may not be free for TCP
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		s.addr = udp.LocalAddr().String()
		port := udp.LocalAddr().(*net.UDPAddr).Port
		if tcp, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err != nil {
			if tries == 0 {
				t.Fatal(err)
			}
			continue
		}
		defer tcp.Close()
		s.udp, s.tcp = file(t, udp), file(t, tcp)
	}
	return s
}

// file gives a socket another descriptor, which is the test's until its end.
func file(t *testing.T, c interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// command is the daemon's, with some sockets. LISTEN_PID is that of the process that the
// shell becomes.
func (s *supervisor) command(upstream string, sockets ...*os.File) *exec.Cmd {
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", s.bin, "-db", s.dir, "-mode", "solo", "-listen", s.addr, "-upstream", upstream)
	cmd.Env = append(os.Environ(), fmt.Sprint("LISTEN_FDS=", len(sockets)), "LISTEN_FDNAMES=nc-peer.socket:nc-peer.socket")
	cmd.ExtraFiles = sockets
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// start starts the daemon, and returns when it is ready.
func (s *supervisor) start(upstream string) {
	s.t.Helper()
	log, err := os.Create(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd := s.command(upstream, s.udp, s.tcp)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.runs = cmd
	s.t.Cleanup(s.stop)
	s.until("the daemon is ready", func() bool {
		text, err := os.ReadFile(s.log)
		return err == nil && strings.Contains(string(text), "msg=ready")
	})
}

// stop ends the daemon.
func (s *supervisor) stop() {
	if s.runs == nil {
		return
	}
	_ = s.runs.Process.Signal(syscall.SIGTERM) // it may have ended
	if err := s.runs.Wait(); err != nil {
		s.t.Errorf("nc-peer ended: %v", err)
	}
	s.runs = nil
}

func (s *supervisor) until(what string, so func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			text, _ := os.ReadFile(s.log)
			s.t.Fatalf("not so: %s\n%s", what, text)
		}
	}
}

// ask asks for a name, and returns what reads the answer.
func (s *supervisor) ask(network, name string) (answered func()) {
	s.t.Helper()
	c, err := net.DialTimeout(network, s.addr, patience)
	if err != nil {
		s.t.Fatal(err)
	}
	co, q := &dns.Conn{Conn: c}, new(dns.Msg).SetQuestion(name, dns.TypeA)
	if err := co.WriteMsg(q); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.t.Helper()
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		if m, err := co.ReadMsg(); err != nil || m.Id != q.Id || len(m.Answer) != 1 {
			s.t.Errorf("%s, asked before the daemon ran: %v, %v", name, m, err)
		}
	}
}

// aServer is a name server that has one address for all names.
func aServer(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1)})
		_ = w.WriteMsg(m) // who asked may be gone
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.ActivateAndServe() }()
	t.Cleanup(func() { pc.Close(); <-done })
	return pc.LocalAddr().String()
}

// TestSocketsOfTheSupervisor: with sockets that outlive it, the daemon answers what was
// asked before it was started, and what was asked between its end and its next start.
func TestSocketsOfTheSupervisor(t *testing.T) {
	s, upstream := newSupervisor(t), aServer(t)
	for round := range 3 {
		var early []func()
		for _, network := range []string{"udp", "tcp"} {
			early = append(early, s.ask(network, fmt.Sprintf("%s%d.example.", network, round)))
		}
		s.start(upstream)
		for _, answered := range early {
			answered()
		}
		for _, network := range []string{"udp", "tcp"} {
			c := &dns.Client{Net: network, Timeout: patience}
			m, _, err := c.Exchange(new(dns.Msg).SetQuestion("x.example.", dns.TypeA), s.addr)
			if err != nil || len(m.Answer) != 1 {
				t.Errorf("round %d: over %s: %v, %v", round, network, m, err)
			}
		}
		s.stop()
	}
}

// TestHalfOfTheSockets: an address with UDP alone would leave those without an answer
// whose answer is long; the daemon says so and does not begin.
func TestHalfOfTheSockets(t *testing.T) {
	s := newSupervisor(t)
	for what, sockets := range map[string][]*os.File{
		"one of UDP and TCP only": {s.udp},
		"supervisor's socket":     {s.tcp, file(t, pipeEnd(t))},
	} {
		out, err := s.command("192.0.2.1", sockets...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), what) {
			t.Errorf("want %q: %v: %s", what, err, out)
		}
	}
}

// pipeEnd is a socket of neither UDP nor TCP.
func pipeEnd(t *testing.T) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestActivated starts the daemon by systemd's own program, which listens for it.
func TestActivated(t *testing.T) {
	program, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("systemd-socket-activate is missing (Debian's package systemd)")
	}
	w := lab.New(t)
	m := w.Machine("m")
	m.IP("link", "set", "lo", "up")
	bin := filepath.Join(tools.Build(t, "nc-peer"), "nc-peer")
	p := m.StartCommand(lab.Command{Path: program, Name: "activate", Args: []string{"-l", stub, bin, "-db", t.TempDir(), "-mode", "solo", "-upstream", "192.0.2.1"}})
	p.WaitFor(patience, "Listening on")
	// It has one kind of socket only, which the daemon refuses by name: so it has seen it.
	c, err := m.Dial(t.Context(), "tcp", stub)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.WaitFor(patience, "opened "+stub+" for one of UDP and TCP only")
}
