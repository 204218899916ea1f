package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/key"
	"namecast/lib/nup"
	"namecast/lib/rr"
)

// domain is the service's base domain.
const domain = "bench.example"

// A server is one process of nc-serve.
type server struct {
	*process
	dns, nup, http string
	conn           *net.UDPConn // for questions
}

// serve starts an nc-serve with a database of its own, or with a replica of a
// cluster's storage.
func (b *bench) serve(name string, c *cluster, cpu int) (*server, error) {
	dir := filepath.Join(b.dir, "serve-"+name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	addr := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[0]+i) }
	s := &server{dns: addr(0), nup: addr(1), http: addr(2)}
	args := []string{"-domain", domain, "-ns", "ns1." + domain + "=192.0.2.53", "-dnssec", "none",
		"-dns", s.dns, "-nup", s.nup, "-http", s.http, "-db", filepath.Join(dir, "db")}
	for _, flag := range []string{"rrl", "rate-source", "rate-account", "rate-new", "rate-new-source", "rate-verify"} {
		args = append(args, "-"+flag, "none")
	}
	if c != nil {
		if err := c.issue("client/" + name); err != nil {
			return nil, err
		}
		var addrs []string
		for _, n := range c.nodes {
			addrs = append(addrs, n.addr)
		}
		args = append(args, "-store", "chain://"+strings.Join(addrs, ","), "-identity", c.file(name+".pem"))
	}
	if s.process, err = spawn(cpu, dir, name, b.tool("nc-serve"), args...); err != nil {
		return nil, err
	}
	b.peers = append(b.peers, s.process)
	if err := s.wait(b.ctx, startLimit); err != nil {
		return nil, fmt.Errorf("nc-serve %s: %w", name, err)
	}
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s.dns))
	s.conn, err = net.DialUDP("udp", nil, to)
	return s, err
}

// pause is the longest pause of the garbage collector that the server's metrics know.
func (s *server) pause(ctx context.Context) (time.Duration, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	for line := range strings.Lines(string(text)) {
		var seconds float64
		if n, _ := fmt.Sscanf(line, `go_gc_duration_seconds{quantile="1"} %g`, &seconds); n == 1 {
			return time.Duration(seconds * float64(time.Second)), nil
		}
	}
	return 0, errors.Join(err, errors.New("the metrics have no pauses of the garbage collector"))
}

// An account is one of a user.
type account struct {
	key  *key.Secret
	name string // its domain name, with a dot at the end
	seq  int64
}

func newAccount() (*account, error) {
	k, err := key.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	p := k.Public()
	return &account{key: k, name: key.AccountOf(p.Version(), p.Bytes()) + "." + domain + "."}, nil
}

// www is the owner that updates change.
var www = rr.MustName("www")

// update signs a request that makes www have the address of a number.
func (a *account) update(version uint32) ([]byte, error) {
	data := rr.Data(binary.BigEndian.AppendUint32(nil, 10<<24|version&0xffffff))
	return a.request(nup.Element{Op: nup.OpReplace, Owner: www, Type: rr.Type(dns.TypeA), TTL: 60, Data: []rr.Data{data}})
}

func (a *account) request(e ...nup.Element) ([]byte, error) {
	p, err := nup.Sign(&nup.Request{Version: 1, Service: rr.MustName(domain), Seq: a.seq, Elements: e}, a.key)
	a.seq++
	return p, err
}

// errAnswer says that an answer was not as it should be.
var errAnswer = errors.New("a wrong answer")

// send sends a request to a server and waits for the reply.
func (s *server) send(ctx context.Context, packet []byte) error {
	d := net.Dialer{}
	conn, err := d.DialContext(ctx, "udp", s.nup)
	if err != nil {
		return err
	}
	defer conn.Close()
	buf := make([]byte, 65536)
	for range 10 {
		if _, err := conn.Write(packet); err != nil {
			return err
		}
		conn.SetReadDeadline(time.Now().Add(time.Second))
		n, err := conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return err
		}
		r, err := nup.ParseReply(buf[:n])
		if err == nil && r.Status != nup.StatusOK {
			err = fmt.Errorf("%w: %s %s", errAnswer, r.Status, r.Text)
		}
		return err
	}
	return fmt.Errorf("%w: none", errAnswer)
}

// ask asks for an address; "" if the name does not exist.
func (s *server) ask(name string, limit time.Duration) (string, error) {
	q := new(dns.Msg)
	q.SetQuestion(name, dns.TypeA)
	packet, err := q.Pack()
	if err != nil {
		return "", err
	}
	if _, err := s.conn.Write(packet); err != nil {
		return "", err
	}
	s.conn.SetReadDeadline(time.Now().Add(limit))
	buf := make([]byte, 4096)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return "", err
		}
		var m dns.Msg
		if m.Unpack(buf[:n]) != nil || m.Id != q.Id {
			continue
		}
		if len(m.Answer) == 1 {
			if a, ok := m.Answer[0].(*dns.A); ok {
				return a.A.String(), nil
			}
		}
		return "", nil
	}
}
