package speaker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"namecast/lib/route"
)

// childOf, in the environment, has the test's binary be a speaker with this
// neighbour: what may end it must not end the test.
const childOf = "SPEAKER_TEST_NEIGHBOR"

func TestMain(m *testing.M) {
	if at := os.Getenv(childOf); at != "" {
		if err := child(netip.MustParseAddrPort(at)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child announces, withdraws at a line "-", and announces again at "+".
func child(at netip.AddrPort) error {
	s, err := New(context.Background(), Config{
		AS: ownAS, ID: netip.MustParseAddr("192.0.2.1"), Prefixes: []netip.Prefix{own4, own6},
		Neighbors: []Neighbor{{Addr: at.Addr(), Port: at.Port(), AS: otherAS, Hold: MinHold, NextHop6: next6}},
		Log:       slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for r := (Route{Is: route.Announced}); ; r.Is = map[string]route.Condition{"+": route.Announced, "-": route.Withdrawn}[in.Text()] {
		if err := s.Set(own4, r); err != nil || !in.Scan() {
			return err
		}
	}
}

// A process is a child, as the test has it.
type process struct {
	cmd *exec.Cmd
	in  io.Writer
	log strings.Builder
	end chan struct{}
}

// begun starts a child with a neighbour. It is gone with the test.
func begun(t *testing.T, n *neighbor) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(exe), end: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childOf+"="+n.l.Addr().String(), "GOTRACEBACK=single")
	p.cmd.Stderr = &p.log
	if p.in, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.end)
	}()
	t.Cleanup(p.kill)
	return p, nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.end
}

func attr(flags, kind byte, value ...byte) []byte {
	return append([]byte{flags, kind, byte(len(value))}, value...)
}

// withOne is an update with an attribute in the place of, or beside, the usual ones.
func withOne(a []byte) []byte {
	attrs := [][]byte{attr(0x40, 1, 0), attr(0x40, 2, 2, 1, 0, 0, otherAS>>8, otherAS&0xff), attr(0x40, 3, 127, 0, 0, 1)}
	replaced := false
	for i, b := range attrs {
		if b[1] == a[1] {
			attrs[i], replaced = a, true
		}
	}
	if !replaced {
		attrs = append(attrs, a)
	}
	return withAttrs(slices.Concat(attrs...), netip.MustParsePrefix("203.0.113.0/24"))
}

// nonsense is what a neighbour could send.
func nonsense() map[string][]byte {
	list := map[string][]byte{
		"header too short":           append(keepalive()[:16], 0, 18, 4),
		"header too long":            append(keepalive()[:16], 0xff, 0xff, 2),
		"bad marker":                 append(make([]byte, 16), 0, 19, 4),
		"unknown type":               message(9, nil),
		"KEEPALIVE with a body":      message(bgp.BGP_MSG_KEEPALIVE, []byte{1}),
		"OPEN again":                 open(),
		"empty UPDATE":               message(bgp.BGP_MSG_UPDATE, nil),
		"empty NOTIFICATION":         message(bgp.BGP_MSG_NOTIFICATION, nil),
		"empty ROUTE-REFRESH":        message(bgp.BGP_MSG_ROUTE_REFRESH, nil),
		"ROUTE-REFRESH of no family": message(bgp.BGP_MSG_ROUTE_REFRESH, []byte{0xff, 0xff, 0, 0xff}),
		"withdrawn beyond the end":   message(bgp.BGP_MSG_UPDATE, []byte{0xff, 0xff, 0, 0}),
		"attributes beyond the end":  message(bgp.BGP_MSG_UPDATE, []byte{0, 0, 0xff, 0xff, 0x40}),
		"withdrawn of 33 bits":       message(bgp.BGP_MSG_UPDATE, []byte{0, 5, 33, 1, 2, 3, 4, 0, 0}),
		"no attributes":              withAttrs(nil, netip.MustParsePrefix("203.0.113.0/24")),
		"attribute cut off":          withAttrs([]byte{0x40}, netip.MustParsePrefix("203.0.113.0/24")),
		"extended length cut off":    withAttrs([]byte{0x50, 1, 0}, netip.MustParsePrefix("203.0.113.0/24")),
		"our AS in the path":         withOne(attr(0x40, 2, 2, 1, 0, 0, ownAS>>8, ownAS&0xff)),
		"segment beyond the end":     withOne(attr(0x40, 2, 2, 255, 0, 0)),
		"segment of no type":         withOne(attr(0x40, 2, 9, 1, 0, 0, 0, 1)),
		"MP_REACH with no next hop":  withOne(attr(0x80, 14, 0, 2, 1, 0, 0)),
		"MP_REACH with 5 octets":     withOne(attr(0x80, 14, 0, 2, 1, 5, 1, 2, 3, 4, 5, 0)),
		"MP_REACH next hop beyond":   withOne(attr(0x80, 14, 0, 2, 1, 255, 1)),
		"MP_REACH of no family":      withOne(attr(0x80, 14, 0xff, 0xff, 0xff, 0, 0)),
		"MP_REACH of another family": withOne(attr(0x80, 14, 0, 1, 128, 12, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0)),
		"MP_REACH NLRI of 200 bits":  withOne(append(attr(0x80, 14), 0)),
		"MP_UNREACH cut off":         withOne(attr(0x80, 15, 0, 2)),
		"MP_UNREACH of 200 bits":     withOne(attr(0x80, 15, 0, 2, 1, 200, 1)),
	}
	for kind := range 41 {
		for _, size := range []int{0, 5} {
			list[fmt.Sprintf("attribute %d of %d octets", kind, size)] = withOne(attr(0xc0, byte(kind), make([]byte, size)...))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 48 {
		m := update(own4, netip.MustParsePrefix("203.0.113.0/24"))
		for range 1 + r.IntN(4) {
			m[bgp.BGP_HEADER_LENGTH+r.IntN(len(m)-bgp.BGP_HEADER_LENGTH)] = byte(r.Uint32())
		}
		list[fmt.Sprintf("random octets %d", i)] = m
	}
	return list
}

// TestNonsense: whatever a neighbour sends, the process either still does what it is
// told, or closes the session, or is gone; it never stands still with the route up.
func TestNonsense(t *testing.T) {
	const victims = 16
	all := nonsense()
	names := slices.Sorted(maps.Keys(all))
	var wg sync.WaitGroup
	for i := range victims {
		v := &victim{neighbor: newNeighbor(t, "127.0.0.1")}
		wg.Go(func() {
			for ; i < len(names); i += victims {
				if err := v.provoke(names[i], all[names[i]]); err != nil {
					t.Errorf("%s: %v", names[i], err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A victim is a speaker, begun anew when it has ended, and its neighbour.
type victim struct {
	*neighbor
	*process
	session net.Conn
	told    bool // that the prefix is announced
}

// provoke sends nonsense and looks whether what is announced can still be changed.
func (v *victim) provoke(name string, m []byte) error {
	for {
		if err := v.announced(); err != nil {
			return err
		}
		if _, err := v.session.Write(m); err == nil {
			break
		}
		v.session = nil // it has ended for what was sent before
	}
	fmt.Fprintln(v.in, "-")
	limit := time.After(patience)
	for {
		select {
		case e := <-v.events:
			v.note(e)
		case <-v.end:
			v.t.Logf("%s: the process has ended: %s", name, firstPanic(v.log.String()))
			return nil
		case <-limit:
			return fmt.Errorf("the route is still up, and the process does not withdraw it\n%s", v.log.String())
		}
		if v.session == nil || !v.told {
			fmt.Fprintln(v.in, "+")
			return nil
		}
	}
}

// announced waits until there are a process and a session, and the route is up. A
// process that has lost its session is not waited for: a new one is faster.
func (v *victim) announced() error {
	limit := time.After(patience)
	if v.process != nil && v.session == nil {
		v.kill()
		v.process = nil
	}
	for v.session == nil || !v.told {
		if v.process == nil {
			var err error
			if v.process, err = begun(v.t, v.neighbor); err != nil {
				return err
			}
		}
		select {
		case e := <-v.events:
			v.note(e)
		case <-v.end:
			v.process = nil
		case <-limit:
			return fmt.Errorf("no session, or no route\n%s", v.log.String())
		}
	}
	return nil
}

// note follows what happens to the neighbour.
func (v *victim) note(e event) {
	switch {
	case e.end:
		v.session, v.told = nil, false
	case e.up != nil:
		v.session, v.told = e.up, false
	case e.update != nil:
		announced, withdrawn, _ := parts(e.update)
		if slices.Contains(announced, own4.String()) {
			v.told = true
		}
		if slices.Contains(withdrawn, own4.String()) {
			v.told = false
		}
	}
}

// firstPanic is the line of a log that says why a program has ended.
func firstPanic(log string) string {
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			return line
		}
	}
	return "no panic"
}
