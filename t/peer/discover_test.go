package peer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"namecast/t/lab"
)

// bare makes a network without members yet.
func bare(t *testing.T) *world {
	t.Helper()
	return newWorld(t, 0, options{})
}

// place makes a machine with IPv6, IPv4 or both.
func (w *world) place(six, four bool) (*member, *lab.Port) {
	w.t.Helper()
	i := len(w.members) + 1
	m := &member{Machine: w.lab.Machine(fmt.Sprintf("m%d", i)), w: w, addr: fmt.Sprintf("192.0.2.%d", 100+i)}
	var addrs []string
	if six {
		addrs = append(addrs, fmt.Sprintf("2001:db8::%d/64", 100+i))
	} else {
		m.Sysctl("net.ipv6.conf.default.disable_ipv6", "1")
	}
	if four {
		addrs = append(addrs, m.addr+"/24")
	}
	port := w.lan.Join(m.Machine, addrs...)
	m.dir = filepath.Join(w.dir, m.Name())
	m.Etc("resolv.conf", "nameserver 127.0.0.35\noptions edns0 trust-ad\n")
	w.members = append(w.members, m)
	return m, port
}

// stop ends the machine's nc-peer in good order.
func (m *member) stop() {
	m.w.t.Helper()
	if err := m.peer.Stop(); err != nil {
		m.w.t.Errorf("%s: %v", m.Name(), err)
	}
}

// sees waits until a machine sees n members that live, itself among them.
func (m *member) sees(n int) {
	m.w.t.Helper()
	m.w.lab.Expect(2*patience, func() error {
		out, err := m.status("peers")
		if live := strings.Count(out, " live\n") + strings.Count(out, " self\n"); err == nil && live != n {
			err = fmt.Errorf("%s sees %d members, want %d:\n%s", m.Name(), live, n, out)
		}
		return err
	})
}

// self is a machine's own NodeID.
func (m *member) self() string {
	m.w.t.Helper()
	out, err := m.status("peers")
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); strings.HasSuffix(line, " self\n") {
			return f[0]
		}
	}
	m.w.t.Fatalf("%s knows no NodeID of its own: %v\n%s", m.Name(), err, out)
	return ""
}

// TestDiscover: twelve machines find each other.
func TestDiscover(t *testing.T) {
	for _, c := range []struct {
		name      string
		six, four bool
	}{{"IPv6", true, false}, {"IPv4", false, true}, {"both", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			w := bare(t)
			began := time.Now()
			for range 12 {
				m, _ := w.place(c.six, c.four)
				m.start()
			}
			started := time.Since(began)
			w.complete(12)
			t.Logf("the last of 12 was ready after %v, all had found all after %v", started, time.Since(began))
		})
	}
}

// TestTwoLinks: the machines are on two networks, and a cut of one separates nobody.
func TestTwoLinks(t *testing.T) {
	w := bare(t)
	second := w.lab.LAN("second")
	for i := range 4 {
		m, _ := w.place(true, true)
		second.Join(m.Machine, fmt.Sprintf("198.51.100.%d/24", i+1))
		m.start()
	}
	w.complete(4)
	for _, m := range w.members {
		w.lan.Isolate(m.Machine)
	}
	for _, m := range w.members {
		w.lab.Expect(2*patience, func() error {
			out, err := m.status("peers")
			second := 0
			for line := range strings.Lines(out) {
				if f := strings.Fields(line); len(f) > 1 && strings.HasSuffix(line, " live\n") && (f[1] == "eth1" || strings.HasPrefix(f[1], "eth1,")) {
					second++
				}
			}
			if err == nil && second != 3 {
				err = fmt.Errorf("%s does not see 3 by its second link:\n%s", m.Name(), out)
			}
			return err
		})
	}
}

// TestMulticastFiltered: the switch drops multicast, and they find each other by
// broadcast. Then they are all cut off: each is alone, and says so.
func TestMulticastFiltered(t *testing.T) {
	w := bare(t)
	for range 5 {
		m, port := w.place(true, true)
		w.lab.Hub().Run("bridge", "link", "set", "dev", port.Outer(), "mcast_flood", "off")
		m.start()
	}
	began := time.Now()
	for _, m := range w.members {
		m.sees(5)
	}
	t.Logf("found by broadcast within %v", time.Since(began))
	for _, m := range w.members {
		w.lan.Isolate(m.Machine)
	}
	for _, m := range w.members {
		m.sees(1)
	}
	w.lan.Heal()
	for _, m := range w.members {
		m.sees(5)
	}
}

// TestComeAndGo does to members what happens to machines.
func TestComeAndGo(t *testing.T) {
	w := newWorld(t, 5, options{})
	for _, c := range []struct {
		name string
		do   func(w *world)
	}{
		{"stopped and started", stopAndStart},
		{"killed and started", killAndStart},
		{"paused", pauseAndResume},
		{"state wiped", wipe},
		{"partition", partition},
		{"interface made again", remake},
		{"address changed", readdress},
		{"clone", clone},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			c.do(w)
			w.complete(5)
		})
	}
}

// others waits until all that run, but one, see n members.
func (w *world) others(but *member, n int) {
	w.t.Helper()
	for _, m := range w.members {
		if m != but && !m.peer.Ended() {
			m.sees(n)
		}
	}
}

func stopAndStart(w *world) {
	m := w.members[0]
	m.stop()
	began := time.Now()
	w.others(m, 4)
	if took := time.Since(began); took > 5*time.Second {
		w.t.Errorf("it said Bye, and was a member for %v", took)
	}
	before := w.members[1].self()
	m.start()
	w.complete(5)
	if w.members[1].self() != before {
		w.t.Error("another has another identity now")
	}
}

func killAndStart(w *world) {
	m := w.members[1]
	id := m.self()
	m.peer.Kill()
	w.others(m, 4)
	m.start()
	w.complete(5)
	if m.self() != id {
		w.t.Error("it has another identity after its start")
	}
}

func pauseAndResume(w *world) {
	m := w.members[2]
	m.peer.Pause()
	w.others(m, 4)
	m.peer.Resume()
}

// wipe has a machine forget all, its identity too.
func wipe(w *world) {
	m := w.members[3]
	id := m.self()
	m.peer.Kill()
	if err := os.RemoveAll(m.dir); err != nil {
		w.t.Fatal(err)
	}
	m.start()
	w.complete(5)
	if m.self() == id {
		w.t.Error("it has the identity that was wiped")
	}
}

func partition(w *world) {
	var near []*lab.Machine
	for _, m := range w.members[:2] {
		near = append(near, m.Machine)
	}
	w.lan.Partition(near)
	for i, m := range w.members {
		if i < 2 {
			m.sees(2)
		} else {
			m.sees(3)
		}
	}
	w.lan.Heal()
}

// remake deletes a machine's interface and makes it again under the same name, with
// other hardware addresses; what had joined a multicast group on it has not.
func remake(w *world) {
	m, port := w.join(), "p-again"
	m.start()
	w.complete(6)
	m.IP("link", "del", "eth0")
	w.others(m, 5)
	hub := w.lab.Hub()
	hub.IP("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", m.Namespace())
	hub.IP("link", "set", port, "master", "br0", "up")
	m.IP("addr", "add", m.addr+"/24", "dev", "eth0")
	m.IP("link", "set", "eth0", "up")
	w.complete(6)
	m.stop()
	w.others(m, 5)
}

func readdress(w *world) {
	m := w.members[0]
	m.IP("addr", "del", m.addr+"/24", "dev", "eth0")
	m.IP("addr", "add", "192.0.2.222/24", "dev", "eth0")
	for _, o := range w.members[1:5] {
		w.lab.Expect(patience, func() error {
			out, err := o.status("peers")
			if err == nil && !strings.Contains(out, "192.0.2.222") && !strings.Contains(out, "[fe80::") {
				err = fmt.Errorf("%s does not know the new address:\n%s", o.Name(), out)
			}
			return err
		})
	}
	w.complete(5)
	m.IP("addr", "del", "192.0.2.222/24", "dev", "eth0")
	m.IP("addr", "add", m.addr+"/24", "dev", "eth0")
}

// clone starts a machine with a copy of another's state.
func clone(w *world) {
	m := w.join()
	copyFiles(w.t, w.members[4].dir, m.dir)
	m.start()
	w.complete(6)
	ids := map[string]bool{}
	for _, m := range w.members {
		if !m.peer.Ended() {
			ids[m.self()] = true
		}
	}
	if len(ids) != 6 {
		w.t.Errorf("six machines have %d identities", len(ids))
	}
	m.stop()
	w.others(m, 5)
}

// copyFiles copies the files of a folder, and not its sockets.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if !e.Type().IsRegular() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
