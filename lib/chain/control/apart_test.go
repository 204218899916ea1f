package control

import (
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// apart has two nodes say, or say no more, that they do not hear each other.
func (b *board) apart(x, y string, are bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.nodes[x]
	n.Silent = nil
	if are {
		n.Silent = []string{y}
	}
	b.tell()
}

// together counts the chains that two nodes have together.
func (b *board) together(x, y string) (n int) {
	for _, row := range b.table() {
		if !row.Node(x).IsZero() && !row.Node(y).IsZero() {
			n++
		}
	}
	return n
}

// Two nodes that do not hear each other are taken out of each other's chains, with a
// Fence, and others take their places; nothing is expelled, and when it is over all is
// as before.
func TestApart(t *testing.T) {
	in(t, 64, 3, five, func(t *testing.T, b *board) {
		count, end := b.control("n5")
		defer end()
		time.Sleep(2 * time.Second)
		began := b.now()
		b.apart("n1", "n2", true)
		time.Sleep(1900 * time.Millisecond)
		if n := b.steps()[plan.Remove]; n != 0 {
			t.Errorf("%d are removed after %v", n, b.now()-began)
		}
		b.await(5*time.Second, func() string {
			if b.together("n1", "n2") > 0 {
				return "they are together"
			}
			return ""
		})
		took := b.now() - began
		t.Logf("apart %v after they said so", took)
		if took > 3*time.Second || count.Expelled.Load() != 0 || count.Fences.Load() == 0 {
			t.Errorf("it took %v, with %d fences, and %d expelled", took, count.Fences.Load(), count.Expelled.Load())
		}
		b.await(60*time.Second, func() string { return b.whole(3) })
		if n := b.together("n1", "n2"); n > 0 {
			t.Errorf("%d chains bring them together again", n)
		}
		moved := b.latest()
		time.Sleep(time.Minute)
		if b.latest() != moved {
			t.Error("the table does not come to rest")
		}
		b.apart("n1", "n2", false)
		b.await(time.Minute, func() string { return b.whole(3) })
	})
}

// A short silence is nothing.
func TestApartShortly(t *testing.T) {
	in(t, 64, 3, five, func(t *testing.T, b *board) {
		_, end := b.control("n5")
		defer end()
		for range 10 {
			b.apart("n1", "n2", true)
			time.Sleep(1800 * time.Millisecond)
			b.apart("n1", "n2", false)
			time.Sleep(200 * time.Millisecond)
		}
		if len(b.steps()) != 0 {
			t.Errorf("%v", b.steps())
		}
	})
}

// A node that answers no Fence, as the controller's does not hear it either, is
// expelled, once, and comes back; though it is silent yet, it stays away from the other.
func TestApartFromController(t *testing.T) {
	in(t, 64, 3, five, func(t *testing.T, b *board) {
		count, end := b.control("n1")
		defer end()
		time.Sleep(2 * time.Second)
		b.change("n2", func(n *peer) { n.deaf = true })
		b.apart("n1", "n2", true)
		b.await(10*time.Second, func() string {
			if b.together("n1", "n2") > 0 {
				return "they are together"
			}
			return ""
		})
		t.Logf("%v later", b.latest())
		b.await(60*time.Second, func() string { return b.whole(3) })
		time.Sleep(time.Minute)
		if b.expelled() != 1 || count.Expelled.Load() != 1 {
			t.Errorf("%d registrations deleted", b.expelled())
		}
		if n := plan.Load(b.table())["n1"]; b.together("n1", "n2") > 0 || n == 0 {
			t.Errorf("%d chains on n1, %d with n2", n, b.together("n1", "n2"))
		}
	})
}

// With three nodes there is nobody else: a chain keeps two members.
func TestApartOfThree(t *testing.T) {
	in(t, 64, 3, []string{"a", "b", "c"}, func(t *testing.T, b *board) {
		_, end := b.control("n3")
		defer end()
		time.Sleep(2 * time.Second)
		b.apart("n2", "n1", true)
		b.await(5*time.Second, func() string {
			if b.together("n1", "n2") > 0 {
				return "they are together"
			}
			return ""
		})
		time.Sleep(30 * time.Second)
		for _, row := range b.table() {
			if len(row.Members) != 2 || !row.Recruit.IsZero() || row.Node("n3").IsZero() {
				t.Errorf("%+v", row)
			}
		}
		b.apart("n2", "n1", false)
		b.await(2*time.Minute, func() string { return b.whole(3) })
	})
}

// A member that its predecessor cannot get an answer from is taken out, by expelling
// it if it does not answer the controller either, and others take its place.
func TestHangs(t *testing.T) {
	in(t, 8, 3, five, func(t *testing.T, b *board) {
		count, end := b.control("n0")
		defer end()
		time.Sleep(2 * time.Second)
		row := b.table()[3]
		tail := row.Tail()
		b.change(tail.Node, func(n *peer) { n.deaf = true })
		b.mu.Lock()
		b.reports[3] = Reports{Silent: plan.Report{Epoch: row.Epoch, Member: tail}}
		b.tell()
		b.mu.Unlock()
		b.await(5*time.Second, func() string {
			if b.table()[3].Index(tail) >= 0 {
				return "it is a member yet"
			}
			return ""
		})
		if count.Expelled.Load() != 1 {
			t.Errorf("%d expelled", count.Expelled.Load())
		}
		b.change(tail.Node, func(n *peer) { n.deaf = false })
		b.await(60*time.Second, func() string { return b.whole(3) })
	})
}

// A step for which the chain stands still does not wait for one that nobody answers.
func TestForceFirst(t *testing.T) {
	m, look := minded(t)
	p := two()
	p.Nodes[0].Live = true
	p.Replicas = 2 // the surplus is asked to stop
	at := 100 * time.Second
	hear := func() { // all are heard of
		for i := range p.Nodes {
			p.Nodes[i].Renewed = at
		}
	}
	hear()
	acts := look(at, p)
	if len(acts) != 1 || acts[0].kind != fence {
		t.Fatalf("%+v", acts)
	}
	asked := acts[0].member
	m.answered(acts[0], false)
	other := chain.Member{Node: "n2", Inc: 1}
	if asked == other {
		other.Node = "n3"
	}
	p.Reports = map[chain.ID]Reports{0: {Silent: plan.Report{Epoch: 7, Member: other}}}
	at += time.Millisecond
	hear()
	acts = look(at, p)
	if len(acts) != 1 || acts[0].kind != fence || acts[0].member != other {
		t.Fatalf("%+v", acts)
	}
	m.answered(acts[0], false)
	at += fenceAgain
	hear()
	acts = look(at, p)
	if len(acts) != 2 || acts[1].kind != expel || acts[1].member != other {
		t.Fatalf("%+v", acts)
	}
	m.expelled(acts[1], false) // it has renewed meanwhile
	at += expelAgain
	hear()
	if acts = look(at, p); len(acts) != 1 || acts[0].kind != expel {
		t.Fatalf("%+v", acts)
	}
	m.expelled(acts[0], true)
	at += time.Millisecond
	hear()
	if acts = look(at, p); len(acts) != 0 {
		t.Fatalf("before its leases are over: %+v", acts)
	}
	at += plan.LeaseWait(lease)
	hear()
	acts = look(at, p)
	if len(acts) != 1 || acts[0].kind != publish || acts[0].step.Member != other || acts[0].step.Kind != plan.Remove {
		t.Fatalf("%+v", acts)
	}
}
