package anycast

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A row is one failure of the table.
type row struct {
	name    string
	options options
	// fault does it to the node that serves the client, and returns when it began.
	fault func(w *world, victim *node) time.Time
	// measures are what is measured afterwards; measure does it, with figures in
	// the same order. If it is nil, it is measured how the node is left.
	measures []measure
	measure  func(w *world, victim *node, began time.Time) []float64
}

// left are the measures of a node that is left.
func left(gone, answered time.Duration) []measure {
	return []measure{
		{what: "until the route is gone", bound: gone},
		{what: "until another node answers the client", bound: answered},
	}
}

// rows are the failures, in the order of the table.
var rows = []row{
	{name: "nc-serve killed", measures: left(50*time.Millisecond, time.Second), fault: killed("nc-serve")},
	{name: "nc-serve stopped", measures: left(time.Second, 2*time.Second), fault: stopped("nc-serve")},
	{name: "nc-serve answers wrong data", measures: left(time.Second, 2*time.Second), fault: wrongData},
	{name: "nc-watch killed", measures: left(50*time.Millisecond, time.Second), fault: killed("nc-watch")},
	{name: "nc-watch stopped", measures: left(2*time.Second, 3*time.Second), fault: stopped("nc-watch")},
	{name: "nc-bgp killed", measures: left(50*time.Millisecond, time.Second), fault: killed("nc-bgp")},
	{name: "nc-bgp stopped, with BFD", options: options{bfd: true}, measures: left(time.Second, 2*time.Second), fault: stopped("nc-bgp")},
	{name: "nc-bgp stopped, without BFD", measures: left(12*time.Second, 13*time.Second), fault: stopped("nc-bgp")},
	{name: "link cut, with BFD", options: options{bfd: true}, measures: left(time.Second, 2*time.Second), fault: cut},
	{name: "link cut, without BFD", measures: left(12*time.Second, 13*time.Second), fault: cut},
	{name: "well for itself, dead from outside", measures: left(5*time.Second, 6*time.Second), fault: deafened},
	{name: "drained for maintenance", measures: drainMeasures, fault: drained, measure: maintained},
	{name: "a bad record on every node", measures: poisonMeasures, fault: poisoned, measure: survived},
	{name: "nc-serve killed, FRR", options: options{frr: true}, measures: left(500*time.Millisecond, time.Second), fault: killed("nc-serve")},
	{name: "nc-bgp stopped, with BFD, FRR", options: options{frr: true, bfd: true}, measures: left(1500*time.Millisecond, 2*time.Second), fault: stopped("nc-bgp")},
	{name: "drained for maintenance, FRR", options: options{frr: true}, measures: drainMeasures, fault: drained, measure: maintained},
}

func killed(tool string) func(*world, *node) time.Time {
	return func(_ *world, victim *node) time.Time {
		began := time.Now()
		victim.process[tool].Signal(syscall.SIGKILL)
		return began
	}
}

func stopped(tool string) func(*world, *node) time.Time {
	return func(_ *world, victim *node) time.Time {
		began := time.Now()
		victim.process[tool].Signal(syscall.SIGSTOP)
		return began
	}
}

// wrongData has nc-serve answer with another address than it should.
func wrongData(_ *world, victim *node) time.Time {
	packets := victim.sign("replace www 1 A " + bad)
	began := time.Now()
	victim.send(packets)
	return began
}

// cut takes the node off the network, without anything that it could notice.
func cut(w *world, victim *node) time.Time {
	began := time.Now()
	w.lan.Isolate(victim.machine)
	return began
}

// deafened has nobody but the node itself reach its port 53.
func deafened(_ *world, victim *node) time.Time {
	victim.machine.Run("nft", "add table inet deaf")
	victim.machine.Run("nft", "add chain inet deaf in { type filter hook input priority 0; }")
	began := time.Now()
	victim.machine.Run("nft", `add rule inet deaf in iifname "eth0" udp dport 53 drop; add rule inet deaf in iifname "eth0" tcp dport 53 drop`)
	return began
}

// drainMeasures are of a node that is drained, and then ended.
var drainMeasures = []measure{
	{what: "questions lost", most: 0},
	{what: "until another node answers the client", bound: time.Second},
}

// drained has the operator drain the node.
func drained(_ *world, victim *node) time.Time {
	began := time.Now()
	victim.command("-drain")
	return began
}

// maintained ends the programs of a node that was drained, and counts what was lost
// from the beginning until a second later.
func maintained(w *world, victim *node, began time.Time) []float64 {
	answered := w.answered(victim, began, patience)
	w.passes(time.Second)
	for _, tool := range []string{"nc-watch", "nc-bgp", "nc-serve"} {
		if err := victim.process[tool].Stop(); err != nil {
			w.t.Errorf("end of maintenance: %v", err)
		}
	}
	end := w.passes(time.Second)
	w.passes(grace)
	lost, sent := w.client.lost(began, end)
	w.t.Logf("%d of %d questions lost", lost, sent)
	return []float64{float64(lost), answered.Seconds()}
}

// poisonMeasures are of nodes that all have a bad record.
var poisonMeasures = []measure{
	{what: "until a node is there, drained", bound: 2 * time.Second},
	{what: "time without any route", bound: 2 * time.Second},
}

// poisoned gives all nodes a bad record at the same time.
func poisoned(w *world, _ *node) time.Time {
	var packets []string
	for _, n := range w.nodes {
		packets = append(packets, n.sign("replace www 1 A "+bad))
	}
	began := time.Now()
	var parts sync.WaitGroup
	for i, n := range w.nodes {
		parts.Go(func() {
			if err := n.trySend(packets[i]); err != nil {
				w.t.Error(err)
			}
		})
	}
	parts.Wait()
	return began
}

// survived waits until the router has a drained route, and adds up how long it had
// none.
func survived(w *world, _ *node, began time.Time) []float64 {
	w.lab.Expect(patience, func() error {
		out, err := w.bird.TryBirdc("show route all for " + service)
		if err != nil {
			return err
		}
		if !strings.Contains(out, "(65535,0)") || w.best() == "" {
			return fmt.Errorf("no drained route: %s", out)
		}
		return nil
	})
	back := time.Since(began)
	w.passes(3 * time.Second)
	if w.best() == "" {
		w.t.Error("the route has gone again")
	}
	return []float64{back.Seconds(), w.without(began).Seconds()}
}

// without adds up for how long the router had no route to the service.
func (w *world) without(since time.Time) (sum time.Duration) {
	var gone time.Time
	for _, r := range w.routes.Seen() {
		if r.Prefix != prefix || r.Table != mainTable || r.Time.Before(since) {
			continue
		}
		switch {
		case !r.Added && gone.IsZero():
			gone = r.Time
		case r.Added && !gone.IsZero():
			sum += r.Time.Sub(gone)
			gone = time.Time{}
		}
	}
	if !gone.IsZero() {
		sum += time.Since(gone)
	}
	return sum
}

// passes lets time pass in which nothing may happen; it gives its end.
func (w *world) passes(d time.Duration) time.Time {
	select {
	case <-time.After(d):
	case <-w.t.Context().Done():
	}
	return time.Now()
}

// testTable measures every row.
func testTable(t *testing.T, bin string) {
	figures := &table{}
	var names []string
	t.Run("of", func(t *testing.T) {
		for _, r := range rows {
			names = append(names, r.name)
			t.Run(strings.ReplaceAll(r.name, " ", "-"), func(t *testing.T) {
				share(t)
				for range *times {
					t.Run("once", func(t *testing.T) { r.once(t, bin, figures) })
				}
			})
		}
	})
	list := figures.sorted(names)
	t.Logf("\n%s", markdown(list))
	if *judge {
		for _, miss := range misses(list) {
			t.Error(miss)
		}
	}
	if *out != "" {
		if err := write(*out, list); err != nil {
			t.Error(err)
		}
	}
}

// once does the failure to a new service.
func (r row) once(t *testing.T, bin string, figures *table) {
	w := newService(t, bin, r.options)
	victim := w.steady()
	began := r.fault(w, victim)
	var got []float64
	if r.measure != nil {
		got = r.measure(w, victim, began)
	} else {
		got = append(got, w.leaves(victim, began, patience).Seconds(), w.answered(victim, began, patience).Seconds())
		w.others(victim)
	}
	for i, m := range r.measures {
		figures.add(r.name, m, got[i])
	}
}

// others checks that no node but the victim has lost its route.
func (w *world) others(victim *node) {
	w.t.Helper()
	for _, n := range w.nodes {
		if n == victim {
			continue
		}
		if err := w.announces(n); err != nil {
			w.t.Error(err)
		}
		if log := n.process["nc-bgp"].Log(); strings.Contains(log, "withdraw") {
			w.t.Errorf("%s has been withdrawn: %s", n.name, log)
		}
	}
	if best := w.best(); best == "" || best == victim.name {
		w.t.Errorf("the route leads to %q, and %s has failed", best, victim.name)
	}
}
