package replica_test

import (
	"fmt"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/memory"
	"namecast/lib/chain/replica"
)

const id = chain.ID(3)

// A lab is replicas that are joined by links that lose nothing and keep order,
// with disks that write at once unless they are held.
type lab struct {
	t       testing.TB
	now     time.Duration
	hosts   map[string]*host
	names   []string
	queue   []func()
	replies map[uint64][]chain.Message // by client
	reports []replica.Report
	wants   []chain.Epoch
	halts   []string
	cut     map[string]bool // "A>B" carries nothing
}

// A host is one node of a lab.
type host struct {
	l     *lab
	self  chain.Member
	disk  *memory.Storage
	rep   *replica.Replica
	held  bool // writes wait
	queue []replica.Batch
	sent  []replica.Send
}

func newLab(t testing.TB, names ...string) *lab {
	l := &lab{t: t, now: time.Hour, hosts: map[string]*host{}, replies: map[uint64][]chain.Message{}, cut: map[string]bool{}}
	for _, name := range names {
		l.add(name, replica.Options{})
	}
	return l
}

// add starts a node with an empty disk.
func (l *lab) add(name string, o replica.Options) *host {
	h := &host{l: l, disk: memory.New()}
	l.hosts[name] = h
	l.names = append(l.names, name)
	h.start(name, 1, o)
	return h
}

// start starts a process of the node, with a lease that lasts a minute.
func (h *host) start(name string, inc chain.Incarnation, o replica.Options) {
	h.self = chain.Member{Node: name, Inc: inc}
	o.Self = h.self
	h.queue, h.sent = nil, nil
	h.rep = replica.New(o, h.disk)
	h.step(replica.Lease{Until: h.l.now + time.Minute})
}

func (h *host) step(in replica.Input) {
	for _, e := range h.rep.Step(h.l.now, in) {
		h.carryOut(e)
	}
}

func (h *host) carryOut(e replica.Effect) {
	l := h.l
	switch e := e.(type) {
	case replica.Send:
		h.sent = append(h.sent, e)
		to, ok := l.hosts[e.To.Node]
		if !ok || l.cut[h.self.Node+">"+e.To.Node] {
			return
		}
		m := replica.Receive{Chain: id, Epoch: e.Epoch, From: h.self, Body: e.Body}
		l.queue = append(l.queue, func() {
			if to.self == e.To {
				to.step(m)
			}
		})
	case replica.Reply:
		l.replies[e.Client] = append(l.replies[e.Client], e.Body)
	case replica.Write:
		h.queue = append(h.queue, e.Batch)
		l.queue = append(l.queue, func() {
			if !h.held {
				h.flush()
			}
		})
	case replica.Report:
		l.reports = append(l.reports, e)
	case replica.WantRow:
		l.wants = append(l.wants, e.Epoch)
	case replica.Halt:
		l.halts = append(l.halts, e.Reason)
	}
}

// flush writes what waits.
func (h *host) flush() {
	if len(h.queue) == 0 {
		return
	}
	for i := range h.queue {
		h.disk.Apply(&h.queue[i])
	}
	seq := h.queue[len(h.queue)-1].Seq
	h.queue = nil
	h.step(replica.Written{Seq: seq})
}

// settle has everything happen that is under way.
func (l *lab) settle() {
	for n := 0; len(l.queue) > 0; n++ {
		if n > 1e6 {
			l.t.Fatal("it does not come to rest")
		}
		do := l.queue[0]
		l.queue = l.queue[1:]
		do()
	}
}

// wait lets time pass, with a tick whenever a replica wants one.
func (l *lab) wait(d time.Duration) {
	l.settle()
	for end := l.now + d; l.now < end; l.settle() {
		next := end
		for _, name := range l.names {
			if at, ok := l.hosts[name].rep.Wake(); ok && at < next {
				next = max(at, l.now+time.Millisecond)
			}
		}
		l.now = next
		for _, name := range l.names {
			l.hosts[name].step(replica.Tick{})
		}
	}
}

// row makes a row of the lab's nodes, as they are now.
func (l *lab) row(epoch chain.Epoch, recruit string, members ...string) chain.Row {
	row := chain.Row{Chain: id, Epoch: epoch}
	for _, name := range members {
		row.Members = append(row.Members, l.hosts[name].self)
	}
	if recruit != "" {
		row.Recruit = l.hosts[recruit].self
	}
	return row
}

// install gives a row to all nodes.
func (l *lab) install(row chain.Row) {
	for _, name := range l.names {
		l.hosts[name].step(replica.Configure{Row: row})
	}
	l.settle()
}

// request makes a request with the number as its name.
func request(n int) (q chain.RequestID) {
	copy(q[:], fmt.Sprintf("request %d", n))
	return q
}

// put makes a write of one key.
func put(n int, key, value string) chain.Propose {
	return chain.Propose{
		ID: uint64(n), Request: request(n),
		Ops: []chain.Op{{Kind: chain.Put, Key: []byte(key), Value: []byte(value)}},
	}
}

// ask has a client ask a node something, and gives the answers that it has then.
func (l *lab) ask(name string, client uint64, m chain.Message) []chain.Message {
	l.replies[client] = nil
	l.hosts[name].step(replica.Request{Client: client, Body: m})
	l.settle()
	return l.replies[client]
}

// write writes, and gives the outcome of what must be done.
func (l *lab) write(name string, m chain.Propose) chain.Outcome {
	l.t.Helper()
	got := l.ask(name, 1, m)
	if len(got) != 1 {
		l.t.Fatalf("write %d: answers %v", m.ID, got)
	}
	r := got[0].(chain.ProposeReply)
	if r.ID != m.ID || r.Status != chain.Done {
		l.t.Fatalf("write %d: %+v", m.ID, r)
	}
	return r.Outcome
}

// read reads one key; ok is false if no answer has come.
func (l *lab) read(name string, m chain.Read, key string) (r chain.ReadReply, ok bool) {
	m.ID, m.Keys = 9, [][]byte{[]byte(key)}
	got := l.ask(name, 2, m)
	if len(got) == 0 {
		return r, false
	}
	return got[0].(chain.ReadReply), true
}

// trio is a chain of three, A, B and C, in epoch 1.
func trio(t testing.TB) *lab {
	l := newLab(t, "A", "B", "C", "D")
	l.install(l.row(1, "", "A", "B", "C"))
	return l
}
