package lab

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An FRR is the programs of FRRouting that run on a machine as a Router: zebra,
// which has the kernel's routes, bgpd, and bfdd.
type FRR struct {
	Zebra, BGP, BFD *Process

	machine *Machine
	dir     string // of the sockets
}

// frrDir is where the package has its daemons.
const frrDir = "/usr/lib/frr"

// FRR starts FRRouting on a machine and returns when it answers; its sessions
// come up when they can. It skips the test if FRRouting is not there (Debian's
// package frr, version 8 or later). Changes of the routes by it have the origin
// 186 in Machine.Watch.
func (l *Lab) FRR(m *Machine, r Router) *FRR {
	l.t.Helper()
	l.need(filepath.Join(frrDir, "bgpd"), "frr")
	l.need("vtysh", "frr")
	r.Neighbors = slices.Clone(r.Neighbors)
	err := r.check(m)
	f := &FRR{machine: m}
	var group string
	if err == nil {
		f.dir, err = l.folder("frr")
	}
	if err == nil {
		group, err = frrGroups()
	}
	for name, conf := range map[string]string{"zebra": frrHead, "bfdd": frrHead, "bgpd": frrConf(r), "vtysh": ""} {
		if err == nil {
			err = os.WriteFile(filepath.Join(f.dir, name+".conf"), []byte(conf), 0o600)
		}
	}
	if err != nil {
		l.t.Fatalf("lab: machine %s: FRR: %v", m.name, err)
	}
	m.Etc("group", group)
	f.Zebra = f.start("zebra", "show version")
	f.BFD = f.start("bfdd", "show version", "--bfdctl", filepath.Join(f.dir, "bfdd.sock"))
	f.BGP = f.start("bgpd", "show bgp summary")
	return f
}

// frrGroups are the groups of users with root in that of FRR's terminals: its
// daemons insist on that of their user, and cannot be another user in the lab's
// folder.
func frrGroups() (string, error) {
	b, err := os.ReadFile("/etc/group")
	if err != nil {
		return "", err
	}
	var c strings.Builder
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "frrvty:") {
			line = strings.Replace(strings.TrimSpace(line)+",root\n", ":,", ":", 1)
		}
		c.WriteString(line)
	}
	return c.String(), nil
}

// frrHead begins the configuration of each daemon.
const frrHead = "log stdout informational\n"

// start starts a daemon and waits until it answers to a command.
func (f *FRR) start(name, command string, more ...string) *Process {
	l := f.machine.lab
	l.t.Helper()
	p := f.machine.StartCommand(Command{Path: filepath.Join(frrDir, name), Args: append([]string{
		"-f", filepath.Join(f.dir, name+".conf"), "-i", filepath.Join(f.dir, name+".pid"),
		"-z", filepath.Join(f.dir, "zserv.api"), "--vty_socket", f.dir,
		"-P", "0", "-u", "root", "-g", "root",
	}, more...)})
	// It makes a folder for its last words, which nobody needs.
	l.whenClosed(func() { _ = os.RemoveAll(fmt.Sprintf("/var/tmp/frr/%s.%d", name, p.Pid())) })
	err := until(routerStart, func() error {
		if p.Ended() {
			return errEnded
		}
		_, err := f.vtysh(name, command)
		return err
	})
	if err != nil {
		l.t.Fatalf("lab: machine %s: %s does not run: %v\n%s", f.machine.name, name, err, tail(p.Log(), shown))
	}
	return p
}

// Vtysh is what FRR answers to a command of vtysh, such as "show bgp ipv4". It
// fails the test if there is no answer.
func (f *FRR) Vtysh(command string) string {
	f.machine.lab.t.Helper()
	out, err := f.TryVtysh(command)
	if err != nil {
		f.machine.lab.t.Fatalf("lab: FRR on %s: %v", f.machine.name, err)
	}
	return out
}

// TryVtysh is Vtysh from any goroutine.
func (f *FRR) TryVtysh(command string) (string, error) { return f.vtysh("", command) }

// vtysh asks one daemon, or all.
func (f *FRR) vtysh(daemon, command string) (string, error) {
	args := []string{"--vty_socket", f.dir, "--config_dir", f.dir}
	if daemon != "" {
		args = append(args, "-d", daemon)
	}
	return run("", "vtysh", append(args, "-c", command)...)
}

// Established returns nil if the session with that neighbour is up; it is for
// Lab.Expect, and may be called from any goroutine.
func (f *FRR) Established(neighbor netip.Addr) error {
	var told map[string]struct {
		State string `json:"bgpState"`
	}
	if err := f.ask(&told, "show bgp neighbors %v json", neighbor); err != nil {
		return err
	}
	if state := told[neighbor.String()].State; state != "Established" {
		return fmt.Errorf("FRR on %s: the session with %v is %q", f.machine.name, neighbor, state)
	}
	return nil
}

// Learned returns nil if the neighbour has sent a route for that prefix, be it the
// best or not; it is for Lab.Expect, and may be called from any goroutine.
func (f *FRR) Learned(neighbor netip.Addr, prefix netip.Prefix) error {
	family := "ipv4"
	if prefix.Addr().Is6() {
		family = "ipv6"
	}
	var told struct {
		Paths []struct {
			Peer struct {
				ID string `json:"peerId"`
			} `json:"peer"`
		} `json:"paths"`
	}
	if err := f.ask(&told, "show bgp %s unicast %v json", family, prefix); err != nil {
		return err
	}
	for _, p := range told.Paths {
		if p.Peer.ID == neighbor.String() {
			return nil
		}
	}
	return fmt.Errorf("FRR on %s: no route for %v from %v", f.machine.name, prefix, neighbor)
}

// ask reads what bgpd answers to a command in JSON.
func (f *FRR) ask(answer any, format string, args ...any) error {
	out, err := f.vtysh("bgpd", fmt.Sprintf(format, args...))
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		return fmt.Errorf("FRR on %s: answer to %q: %w: %s", f.machine.name, fmt.Sprintf(format, args...), err, out)
	}
	return nil
}

// Kill ends the three daemons with SIGKILL.
func (f *FRR) Kill() {
	for _, p := range []*Process{f.BGP, f.BFD, f.Zebra} {
		p.Kill()
	}
}

// frrConf is the configuration of bgpd.
func frrConf(r Router) string {
	var c strings.Builder
	c.WriteString(frrHead)
	writeLists(&c, r)
	fmt.Fprintf(&c, "router bgp %d\n bgp router-id %v\n", r.AS, r.ID)
	// The defaults want a policy for each neighbour, and a route in the kernel for
	// each prefix that is sent.
	c.WriteString(" no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n no bgp network import-check\n")
	// Of routes that are alike the one of the least identifier is used, as BIRD does, and
	// not the oldest: which that is depends on when sessions came up, for each family.
	c.WriteString(" bgp bestpath compare-routerid\n")
	for _, n := range r.Neighbors {
		frrNeighbor(&c, r, n)
	}
	for _, v := range []string{"ipv4", "ipv6"} {
		// One path alone, as with other routers; the default is to use all equal ones.
		fmt.Fprintf(&c, " address-family %s unicast\n  maximum-paths 1\n", v)
		for _, p := range r.Static {
			if p.Addr().Is4() == (v == "ipv4") {
				fmt.Fprintf(&c, "  network %v\n", p)
			}
		}
		for _, n := range r.Neighbors {
			fmt.Fprintf(&c, "  neighbor %v activate\n", n.Addr)
			if !n.IgnoreDrain {
				fmt.Fprintf(&c, "  neighbor %v route-map drained in\n", n.Addr)
			}
			fmt.Fprintf(&c, "  neighbor %v route-map %s out\n", n.Addr, frrSend[n.Send])
		}
		c.WriteString(" exit-address-family\n")
	}
	return c.String()
}

// frrSend is the route map of what a neighbour is sent.
var frrSend = map[Send]string{SendNothing: "nothing", SendStatic: "static", SendAll: "all"}

// writeLists writes the route maps.
func writeLists(c *strings.Builder, r Router) {
	for _, p := range r.Static {
		v := "ip"
		if p.Addr().Is6() {
			v = "ipv6"
		}
		fmt.Fprintf(c, "%s prefix-list static permit %v\n", v, p)
	}
	c.WriteString(`bgp community-list standard drained permit graceful-shutdown
route-map drained permit 10
 match community drained
 set local-preference 0
route-map drained permit 20
route-map nothing deny 10
route-map static permit 10
 match ip address prefix-list static
route-map static permit 20
 match ipv6 address prefix-list static
route-map all permit 10
`)
}

// frrNeighbor writes what is so for both families. The times are the shortest
// that make sense: a test should not wait for a router that pauses.
func frrNeighbor(c *strings.Builder, r Router, n Neighbor) {
	say := func(format string, args ...any) {
		fmt.Fprintf(c, " neighbor %v %s\n", n.Addr, fmt.Sprintf(format, args...))
	}
	say("remote-as %d", n.AS)
	say("timers %d %d", r.Hold/time.Second/3, r.Hold/time.Second)
	say("timers connect 1")
	say("advertisement-interval 0")
	if n.Local.IsValid() {
		say("update-source %v", n.Local)
	}
	if n.Password != "" {
		say("password %s", n.Password)
	}
	if n.GTSM {
		say("ttl-security hops 1")
	}
	if n.Multihop > 0 {
		say("ebgp-multihop %d", n.Multihop)
	}
	if n.Passive {
		say("passive")
	}
	if n.BFD > 0 {
		say("bfd %d %d %d", n.BFDMultiplier, n.BFD.Milliseconds(), n.BFD.Milliseconds())
	}
}
