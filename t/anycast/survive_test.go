package anycast

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"namecast/t/lab"
)

// manyRoutes is how many a neighbour sends that should send none.
const manyRoutes = 50000

// maxMemory is what nc-bgp may take with manyRoutes from a neighbour, in octets.
const maxMemory = 300 << 20

// testMany has a router send very many routes to the nodes: nothing comes of it,
// neither here nor there.
func testMany(t *testing.T, bin string) {
	w := newService(t, bin, options{many: manyRoutes, second: true})
	victim := w.steady()
	second := w.second
	for _, n := range w.nodes {
		w.lab.Expect(patience, func() error { return second.Established(n.machine.Addr()) })
		w.lab.Expect(patience, func() error { return second.Learned(n.machine.Addr(), prefix) })
		w.lab.Expect(patience, func() error { return w.sent(n, manyRoutes) })
	}
	for _, n := range w.nodes {
		size := memory(t, n.process["nc-bgp"])
		t.Logf("nc-bgp on %s takes %d MiB", n.name, size>>20)
		if size > maxMemory {
			t.Errorf("nc-bgp on %s takes %d octets", n.name, size)
		}
		if routes := n.machine.IP("route"); strings.Contains(routes, "\n20.") {
			t.Errorf("%s has taken routes over: %.200s", n.name, routes)
		}
	}
	if out := second.Birdc("show route count"); !strings.Contains(out, "3 of 3 routes for 1 networks in table master4") {
		t.Errorf("the second router has been told what the first has sent: %s", out)
	}
	began := killed("nc-serve")(w, victim)
	t.Logf("and the route goes after %v", w.leaves(victim, began, patience))
	w.answered(victim, began, patience)
	w.others(victim)
}

// sent returns nil if the first router has sent that many routes to a node.
func (w *world) sent(n *node, count int) error {
	out, err := w.bird.TryBirdc("show protocols all " + n.protocol())
	if err == nil && !strings.Contains(out, fmt.Sprintf("%d exported", count)) {
		err = fmt.Errorf("not yet %d routes to %s: %s", count, n.name, out)
	}
	return err
}

// memory is how much of a process is in memory, in octets.
func memory(t *testing.T, p *lab.Process) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(b))
	if len(words) < 2 {
		t.Fatalf("memory of %v: %q", p, b)
	}
	pages, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// testUnread has nobody read what nc-bgp says: it does what it is told all the same.
func testUnread(t *testing.T, bin string) {
	w := newWorld(t, bin, options{})
	n := w.nodes[0]
	conf := w.file("bgp.conf", fmt.Sprintf("local as=%d id=%s\nprefix=%v address=%s\nneighbor=%s as=%d\n",
		nodeAS, n.addr(), prefix, service, routerAddr, routerAS))
	p := n.machine.StartCommand(lab.Command{
		Path: "sh", Name: "nc-bgp", Pipe: true,
		Args: []string{"-c", `"$0" -f "$1" | sleep 1000`, filepath.Join(bin, "nc-bgp"), conf},
	})
	say := func(line string) {
		if _, err := fmt.Fprintln(p.Input, line); err != nil {
			t.Fatal(err)
		}
	}
	say(fmt.Sprintf("announce %v", prefix))
	w.lab.Expect(patience, func() error { return w.announces(n) })
	for range 20000 { // far more than a pipe holds
		say("status")
	}
	began := time.Now()
	say(fmt.Sprintf("withdraw %v nobody reads this", prefix))
	t.Logf("withdrawn after %v", w.leaves(n, began, patience))
	say(fmt.Sprintf("drain %v", prefix))
	w.lab.Expect(patience, func() error { return w.announces(n) })
	began = time.Now()
	if err := p.Input.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("withdrawn at the input's end after %v", w.leaves(n, began, patience))
}

// testDisk has the disks full that the sockets and logs of nc-bgp and nc-watch are
// on: nothing changes, and the operator can drain. Then one has the disk full that
// its database is on; nc-serve ends by that, and the node is left.
func testDisk(t *testing.T, bin string) {
	w := newService(t, bin, options{logs: true})
	victim := w.steady()
	w.fullLogs()
	for _, why := range []string{"-drain", "-undrain"} {
		victim.command(why)
		w.lab.Expect(patience, func() error {
			if left := w.best() != victim.name; left != (why == "-drain") {
				return fmt.Errorf("%s of %s has no effect", why, victim.name)
			}
			return nil
		})
	}
	began := time.Now()
	victim.db.Fill()
	w.leaves(victim, began, patience)
	w.answered(victim, began, patience)
	w.others(victim)
	for _, n := range w.nodes {
		for _, tool := range []string{"nc-watch", "nc-bgp"} {
			if n.process[tool].Ended() {
				t.Errorf("%s on %s has ended", tool, n.name)
			}
		}
	}
}

// fullLogs fills the disks of the logs and has much be logged; nothing is lost.
func (w *world) fullLogs() {
	w.t.Helper()
	began := time.Now()
	for _, n := range w.nodes {
		n.run.Fill()
		if os.WriteFile(filepath.Join(n.run.Dir(), "more"), make([]byte, 1<<13), 0o600) == nil {
			w.t.Errorf("the disk of %s is not full", n.name)
		}
	}
	// Each of these is a line of a log that cannot be written.
	for range 100 {
		for _, n := range w.nodes {
			n.process["nc-watch"].Signal(syscall.SIGHUP)
		}
		w.passes(10 * time.Millisecond)
	}
	w.unharmed(began, w.passes(3*time.Second))
	for _, n := range w.nodes {
		if err := n.well(); err != nil {
			w.t.Errorf("%s is not well with a full disk: %v", n.name, err)
		}
	}
}

// testRouter has the first router start anew while the second one goes on.
func testRouter(t *testing.T, bin string) {
	w := newService(t, bin, options{second: true, bfd: true})
	w.steady()
	for _, n := range w.nodes {
		w.lab.Expect(patience, func() error { return w.second.Learned(n.machine.Addr(), prefix) })
	}
	watched := w.routers[1].Watch()
	w.passes(6 * time.Second) // a session that ends sooner is tried again later
	w.bird.Kill()
	w.bird = w.lab.Bird(w.up, w.neighbors(options{bfd: true}))
	w.router = w.bird
	began := time.Now()
	for _, n := range w.nodes {
		w.lab.Expect(patience, func() error { return w.announces(n) })
	}
	t.Logf("all routes are back %v after the router", time.Since(began))
	for _, n := range w.nodes {
		if err := w.second.Learned(n.machine.Addr(), prefix); err != nil {
			t.Error(err)
		}
	}
	for _, r := range watched.Seen() {
		if r.Prefix == prefix && r.Table == mainTable {
			t.Errorf("the second router's route has changed: %+v", r)
		}
	}
}
