package peer

import (
	"slices"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// Times and bounds of questions to servers.
const (
	fetchWithin   = 2 * time.Second
	iterateWithin = 5 * time.Second
	jobWithin     = 5 * time.Second
	maxFetches    = 5  // of one job
	maxAsks       = 64 // members that wait for one job
)

// Response codes of RFC 1035 section 4.1.1 that are told apart.
const (
	rcodeNone     = 0
	rcodeServFail = 2
	rcodeName     = 3
)

// A jobKey is a question and whom it is put to.
type jobKey struct {
	q    Question
	root bool // not to a name server, but from the root on
}

// A job is one question to the name servers, or from the root on, for all who wait for
// its answer. It never asks a member (invariant I5).
type job struct {
	jobKey
	turn    uint64
	begun   time.Duration
	fetches int      // so far
	live    int      // without an end
	last    int      // the server that was asked last
	portal  bool     // it was begun while a portal might answer, whose word is not kept
	errs    []int    // servers that answered with an error
	err     []byte   // such an answer
	cutOff  bool     // after which what is kept may be given: who knows could not be reached
	refused *finding // by the own validation
	lookups []*lookup
	asks    []*waiter
	audits  []*audit
	done    bool
}

// ended reports whether a job is over.
func (j *job) ended() bool { return j.done }

// A fetch is a question to one server.
type fetch struct {
	server int
	q      Question
	job    *job // nil for probes
	probe  bool
	canary int // the number of the try that it belongs to; 0: none
	sent   time.Duration
	judged time.Duration // of the time since, what the own validation took
}

// A waiter is a member that waits for an answer.
type waiter struct {
	to     packet.NodeID
	id     uint64
	fresh  bool // what is past its time is not wanted
	served bool
}

// job gives the job for a question, begun if it was not.
func (n *Node) job(q Question, root bool) *job {
	k := jobKey{q, root}
	if j := n.jobs[k]; j != nil {
		return j
	}
	n.turns++
	j := &job{jobKey: k, turn: n.turns, begun: n.now, last: -1, portal: n.captive}
	n.jobs[k] = j
	n.unless(j.ended, jobWithin, func() { n.finish(j, nil) })
	if root {
		n.stats.Iterations++
		n.root.begun(n.now, n.rest())
		req := n.request()
		n.fetches[req] = &fetch{q: q, job: j, sent: n.now}
		n.emit(Iterate{Req: req, Within: iterateWithin, Question: q})
		return j
	}
	n.attempt(j)
	return j
}

// attempt asks the next server. If it does not answer, others are asked, or the same
// again: a datagram may have been lost.
func (n *Node) attempt(j *job) {
	i := n.choose(j)
	if j.done || i < 0 || j.fetches >= maxFetches {
		if j.live == 0 {
			n.finish(j, nil)
		}
		return
	}
	s := n.servers[i]
	j.last = i
	j.fetches++
	n.fetch(&fetch{server: i, q: j.q, job: j}, fetchWithin)
	n.watch(i)
	p95, _ := s.quantile(0.95)
	wait := min(max(askPatience, 2*p95), time.Second)
	if k := n.choose(j); k >= 0 && k != i || n.o.NoProbes {
		wait = max(s.hedge(), 2*s.quick())
		if n.o.NoProbes {
			wait = askPatience
		}
	}
	had := j.fetches
	n.unless(j.ended, wait, func() {
		if !j.done && j.fetches == had && j.live > 0 {
			n.attempt(j)
		}
	})
}

// watch looks at whether a server that was just asked is silent: after its usual time
// it gets a question that it has the answer to at hand.
func (n *Node) watch(i int) {
	s, had, begun := n.servers[i], n.servers[i].replies, n.now
	n.pulse(i, max(askPatience, s.quick()))
	if n.o.NoProbes {
		return
	}
	n.unless(s.heard(), s.hedge(), func() {
		if i < len(n.servers) && n.servers[i] == s && s.replies == had && s.state == packet.Healthy && begun >= n.late && s.probed+s.quick() <= n.now {
			s.probed = n.now
			n.probe(i, s.quick())
		}
	})
}

// choose gives the server to ask next: of the best state, and among those, the one that
// comes next in their order. It is -1 if there is none.
func (n *Node) choose(j *job) int {
	found, least := -1, 0
	for k := range n.servers {
		i := (j.last + 1 + k) % len(n.servers)
		if slices.Contains(j.errs, i) {
			continue
		}
		if r := rank(n.servers[i].state); found < 0 || r < least {
			found, least = i, r
		}
	}
	if found >= 0 && !n.servers[found].usable() && (j.fetches > 0 || n.usable()) {
		return -1
	}
	return found
}

// fetch has a server asked.
func (n *Node) fetch(f *fetch, within time.Duration) {
	req := n.request()
	f.sent = n.now
	n.fetches[req] = f
	if f.job != nil {
		f.job.live++
		n.stats.Fetches++
	}
	n.emit(Fetch{Req: req, Server: f.server, Within: within, Probe: f.probe, Question: f.q})
}

// fetched takes what a server said, or that it said nothing.
func (n *Node) fetched(ev Fetched) {
	f := n.fetches[ev.Req]
	if f == nil || f.job != nil && f.job.root {
		return // of another network, or done
	}
	delete(n.fetches, ev.Req)
	if f.job != nil {
		f.job.live--
	}
	if ev.Failure != None || ev.Msg == nil {
		n.fruitless(f, ev.Failure)
		return
	}
	info, err := keep.Describe(ev.Msg)
	bad := err != nil || !ev.Bogus && info.Rcode != rcodeNone && info.Rcode != rcodeName
	f.judged = ev.Judging
	n.sees(f, ev.Unsigned, info.Signed)
	n.answered(f.server, f, bad)
	switch {
	case f.canary != 0:
		n.heardCanary(f, info, err)
	case f.job == nil || f.job.done:
	case err != nil || info.Name != f.q.Name || info.Type != f.q.Type:
		n.unserved(f, nil) // it does not even repeat the question
	case ev.Unsigned:
		n.unserved(f, nil)
	case bad:
		n.unserved(f, ev.Msg)
	case ev.Bogus:
		n.refuted(f, &finding{ev.Msg, info, ev.Verdict})
	default:
		n.finish(f.job, &finding{ev.Msg, info, ev.Verdict})
	}
}

// refuted is an answer that the own validation refuses. It may be the server's fault, so
// that another is asked; of one that gives no signatures it is as good as none.
func (n *Node) refuted(f *fetch, what *finding) {
	if n.servers[f.server].blind == nil {
		f.job.refused = what
	}
	n.unserved(f, nil)
}

// fruitless is a fetch that ended without an answer.
func (n *Node) fruitless(f *fetch, why Failure) {
	if why == Unreachable {
		n.stats.Unreachable++
		n.strike(f.server, "it is not reachable")
	} else if f.job != nil {
		n.stats.Timeouts++
		if s := n.servers[f.server]; s.usable() && s.end(ending{f.q, n.now, true}) {
			s.lame = true
			n.turn(f.server, packet.Down, "it answers nothing but probes")
		}
	}
	if f.canary != 0 {
		n.heardCanary(f, keep.Info{}, errSilent)
	}
	if j := f.job; j != nil && !j.done {
		if why == Unreachable || j.live == 0 {
			n.attempt(j)
		}
	}
}

// unserved is an answer that is an error: another server may know more.
func (n *Node) unserved(f *fetch, msg []byte) {
	j := f.job
	j.errs = append(j.errs, f.server)
	if msg != nil {
		// Keys that are kept speak for themselves, however old.
		j.err, j.cutOff = msg, cutOff(msg) || j.q.CD && chainType(j.q.Type)
	}
	if i := n.choose(j); i >= 0 && j.fetches < maxFetches {
		n.attempt(j)
		return
	}
	if j.live == 0 || len(j.errs) >= len(n.servers) {
		n.finish(j, nil)
	}
}

// iterated takes the end of an iteration.
func (n *Node) iterated(ev Fetched) {
	f := n.fetches[ev.Req]
	if f == nil || f.job == nil || !f.job.root {
		return
	}
	delete(n.fetches, ev.Req)
	if f.job.done {
		return
	}
	info, err := keep.Describe(ev.Msg)
	if ev.Failure != None || ev.Msg == nil || err != nil || info.Name != f.q.Name || info.Type != f.q.Type {
		if ev.Failure == Unreachable {
			n.root.failed(n.now, f.job.begun, n.rest())
		}
		n.finish(f.job, nil)
		return
	}
	n.root = health{}
	if !ev.Bogus && info.Rcode != rcodeNone && info.Rcode != rcodeName {
		f.job.err = ev.Msg
		n.finish(f.job, nil)
		return
	}
	n.finish(f.job, &finding{ev.Msg, info, ev.Verdict})
}

// A finding is what a job found at first hand.
type finding struct {
	msg  []byte
	info keep.Info
	Verdict
}

// finish ends a job with what it found, or with nothing.
func (n *Node) finish(j *job, f *finding) {
	if j.done || n.jobs[j.jobKey] != j {
		return
	}
	j.done = true
	delete(n.jobs, j.jobKey)
	if f == nil {
		f = j.refused
	}
	for _, l := range j.lookups { // first of all: they wait
		n.found(l, j, f)
	}
	switch {
	case f != nil && f.Bogus:
		if !j.root {
			n.disbelieve(j.q, f.Verdict)
		}
	case f != nil && !j.portal:
		n.learn(j.q, f)
	case f == nil && !j.root && (j.err != nil || n.usable() && j.begun >= n.since):
		n.fail(j.q, j.err, j.cutOff || j.err == nil)
	}
	for _, w := range j.asks {
		n.serve(w, j.q, f)
	}
	for _, a := range j.audits {
		n.audited(a, f)
	}
}

// learn keeps what was found, and gives it to its owners.
func (n *Node) learn(q Question, f *finding) {
	delete(n.failed.of, q)
	delete(n.missed.of, q)
	if n.captive || !f.info.Keepable() || meta(q.Type) {
		return
	}
	e := &keep.Entry{
		Key: n.key(q), Msg: f.msg, Brief: f.info.Brief, Base: n.now, First: true, Agreed: true,
		Origin: n.self, From: n.self, Verdict: f.Verdict.Verdict, Rank: n.rankOf(q.Name),
	}
	n.cache.Put(n.now, e)
	n.give(e)
	n.push(q, e)
}
