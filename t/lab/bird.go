package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Bird is the program BIRD, version 2, that runs on a machine as a Router.
type Bird struct {
	*Process

	router Router
	socket string // of birdc
}

// Bird starts BIRD on a machine and returns when it answers; its sessions come
// up when they can. It skips the test if BIRD is not there (Debian's package
// bird2). Changes of the routes by it have the origin 12 in Machine.Watch.
func (l *Lab) Bird(m *Machine, r Router) *Bird {
	l.t.Helper()
	l.need("bird", "bird2")
	l.need("birdc", "bird2")
	r.Neighbors = slices.Clone(r.Neighbors)
	if err := r.check(m); err != nil {
		l.t.Fatalf("lab: machine %s: BIRD: %v", m.name, err)
	}
	dir, err := l.folder("bird")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "bird.conf"), birdConf(r), 0o600)
	}
	if err != nil {
		l.t.Fatalf("lab: machine %s: BIRD: %v", m.name, err)
	}
	b := &Bird{router: r, socket: filepath.Join(dir, "ctl")}
	b.Process = m.StartCommand(Command{
		Path: "bird",
		Args: []string{"-f", "-c", filepath.Join(dir, "bird.conf"), "-s", b.socket, "-P", filepath.Join(dir, "pid")},
	})
	err = until(routerStart, func() error {
		if b.Ended() {
			return errEnded
		}
		out, err := b.TryBirdc("show status")
		if err == nil && !strings.Contains(out, "Daemon is up and running") {
			err = fmt.Errorf("status %q", out)
		}
		return err
	})
	if err != nil {
		l.t.Fatalf("lab: machine %s: BIRD does not run: %v\n%s", m.name, err, tail(b.Log(), shown))
	}
	return b
}

// folder makes a new folder of the lab, which has a short name, as sockets need,
// and is gone with the lab.
func (l *Lab) folder(name string) (string, error) {
	return os.MkdirTemp(l.home.dir, name)
}

// Birdc is what BIRD answers to a command of birdc, such as "show route all" or
// "disable n1": the neighbours' protocols are n1, n2 and so on. It fails the test
// if there is no answer.
func (b *Bird) Birdc(command string) string {
	b.machine.lab.t.Helper()
	out, err := b.TryBirdc(command)
	if err != nil {
		b.machine.lab.t.Fatalf("lab: %v: %v", b.Process, err)
	}
	return out
}

// TryBirdc is Birdc from any goroutine.
func (b *Bird) TryBirdc(command string) (string, error) {
	return run("", "birdc", slices.Concat([]string{"-s", b.socket}, strings.Fields(command))...)
}

// Established returns nil if the session with that neighbour is up; it is for
// Lab.Expect, and may be called from any goroutine.
func (b *Bird) Established(neighbor netip.Addr) error {
	return b.shows(neighbor, "show protocols %s", "Established")
}

// Learned returns nil if the neighbour has sent a route for that prefix, be it the
// best or not; it is for Lab.Expect, and may be called from any goroutine.
func (b *Bird) Learned(neighbor netip.Addr, prefix netip.Prefix) error {
	return b.shows(neighbor, fmt.Sprintf("show route %v protocol %%s", prefix), prefix.String())
}

// shows returns nil if the answer to a command about a neighbour's protocol has
// a word in it.
func (b *Bird) shows(neighbor netip.Addr, command, word string) error {
	i := slices.IndexFunc(b.router.Neighbors, func(n Neighbor) bool { return n.Addr == neighbor })
	if i < 0 {
		return fmt.Errorf("%v: no neighbour %v", b.Process, neighbor)
	}
	out, err := b.TryBirdc(fmt.Sprintf(command, fmt.Sprintf("n%d", i+1)))
	if err == nil && !strings.Contains(out, word) {
		err = fmt.Errorf("%v: of %v it is not %q: %s", b.Process, neighbor, word, out)
	}
	return err
}

// birdConf is BIRD's configuration of a router.
func birdConf(r Router) []byte {
	var c strings.Builder
	fmt.Fprintf(&c, "log stderr all;\nrouter id %v;\ndebug protocols { states };\nprotocol device {}\n", r.ID)
	for _, v := range []string{"4", "6"} {
		fmt.Fprintf(&c, "protocol kernel kernel%s { ipv%[1]s { import none; export where source = RTS_BGP; }; }\n", v)
		fmt.Fprintf(&c, "protocol static static%s { ipv%[1]s;\n", v)
		for _, p := range r.Static {
			if p.Addr().Is4() == (v == "4") {
				fmt.Fprintf(&c, "route %v blackhole;\n", p)
			}
		}
		fmt.Fprintln(&c, "}")
	}
	if slices.ContainsFunc(r.Neighbors, func(n Neighbor) bool { return n.BFD > 0 }) {
		fmt.Fprintln(&c, "protocol bfd {}")
	}
	for i, n := range r.Neighbors {
		birdNeighbor(&c, r, n, i+1)
	}
	return []byte(c.String())
}

// birdSend is how BIRD is told what to send.
var birdSend = map[Send]string{
	SendNothing: "none",
	SendStatic:  "where source = RTS_STATIC",
	SendAll:     "all",
}

// birdNeighbor writes the protocol of one neighbour. The times are the shortest
// that make sense: a test should not wait for a router that pauses.
func birdNeighbor(c *strings.Builder, r Router, n Neighbor, number int) {
	fmt.Fprintf(c, "protocol bgp n%d {\n", number)
	local := ""
	if n.Local.IsValid() {
		local = n.Local.String() + " "
	}
	fmt.Fprintf(c, "local %sas %d;\nneighbor %v as %d;\n", local, r.AS, n.Addr, n.AS)
	fmt.Fprintf(c, "hold time %d;\nkeepalive time %d;\n", r.Hold/time.Second, r.Hold/time.Second/3)
	fmt.Fprintln(c, "connect delay time 1;\nconnect retry time 1;\nerror wait time 1, 1;\nerror forget time 1;")
	if n.Multihop > 0 {
		fmt.Fprintf(c, "multihop %d;\n", n.Multihop)
	}
	if n.Password != "" {
		fmt.Fprintf(c, "password %q;\n", n.Password)
	}
	if n.GTSM {
		fmt.Fprintln(c, "ttl security on;")
	}
	if n.Passive {
		fmt.Fprintln(c, "passive on;")
	}
	if n.BFD > 0 {
		fmt.Fprintf(c, "bfd { interval %d ms; multiplier %d; };\n", n.BFD.Milliseconds(), n.BFDMultiplier)
	}
	in := "all"
	if !n.IgnoreDrain {
		in = "filter { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; }"
	}
	fmt.Fprintf(c, "ipv4 { import %s; export %s; };\n", in, birdSend[n.Send])
	next := ""
	if n.NextHop6.IsValid() {
		next = fmt.Sprintf(" next hop address %v;", n.NextHop6)
	}
	fmt.Fprintf(c, "ipv6 { import %s; export %s;%s };\n}\n", in, birdSend[n.Send], next)
}
