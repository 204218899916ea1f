package peer

import (
	"fmt"
	"io"
	"strings"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// Stats count what a node did since it was made.
type Stats struct {
	packet.Counters
	Fetches     uint64 // questions to servers
	Probes      uint64 // of servers, canaries too
	Timeouts    uint64 // of fetches
	Unreachable uint64
	Iterations  uint64
	Asks        uint64 // to members, one by one
	Calls       uint64 // to all
	Answers     uint64 // that members had and were accepted, or are to be validated
	Unasked     uint64 // answers to no open question
	Refused     uint64 // records that broke a rule
	Puts        uint64 // messages
	PutRecords  uint64
	Inquired    uint64 // asks of members to this node
	Told        uint64 // that were answered with a record
	Renewals    uint64 // fetches of what members ask for often, in share mode
	Helped      uint64 // that were looked up
	Given       uint64 // records of members' puts
	Kept        uint64 // that were taken
	Audits      uint64
	Lies        uint64 // audits whose answers had nothing in common
	Forgotten   uint64 // entries, by Forget
	Bogus       uint64 // refused by the own validation
}

// count takes note of a reply.
func (s *Stats) count(r Reply) {
	if r.Rcode != rcodeNone {
		s.Failed++
		return
	}
	switch r.By {
	case ByCache, ByUpstream:
		s.Fresh++
	case ByStale:
		s.Stale++
	case ByOwner, ByHelper, ByAny:
		s.Peer++
	case ByRoot:
		s.Iterated++
	default:
		s.Failed++
	}
}

// Stats gives what was counted.
func (n *Node) Stats() Stats { return n.stats }

// A ServerState is how a name server is.
type ServerState struct {
	State  packet.UpstreamState
	For    time.Duration // since it is so
	Median time.Duration // of its last answers; 0: none yet
	P95    time.Duration
	Blind  bool // it is down since it gives no signatures
}

// Servers gives the states of the name servers, in their order.
func (n *Node) Servers() []ServerState {
	out := make([]ServerState, len(n.servers))
	for i, s := range n.servers {
		median, _ := s.quantile(0.5)
		p95, _ := s.quantile(0.95)
		out[i] = ServerState{s.state, n.now - s.since, median, p95, s.blind != nil}
	}
	return out
}

// Entries gives what is kept, in no order: an iterator that must not outlive the next
// Step, nor change what it gives.
func (n *Node) Entries(yield func(*keep.Entry) bool) {
	for e := range n.cache.All() {
		if !yield(e) {
			return
		}
	}
}

// Kept counts what is kept.
func (n *Node) Kept() keep.Counts { return n.cache.Counts() }

// Snapshot writes what is kept; see [keep.Cache.Snapshot].
func (n *Node) Snapshot(w io.Writer, m keep.Moment) error { return n.cache.Snapshot(w, m) }

// Load reads a snapshot, before the first event, and gives the number of entries. What
// is of it is stale until a name server says it again.
func (n *Node) Load(r io.Reader, m keep.Moment) (int, error) { return n.cache.Load(r, m) }

// maxRecent is how many of the last lookups are remembered.
const maxRecent = 4096

// ring holds the last lookups of clients.
type ring struct {
	looked []look
	next   int
	told   memory[Question, verdict]
}

type look struct {
	at time.Duration
	q  Question
}

// A verdict is how a lookup last ended.
type verdict struct {
	at   time.Duration
	by   By
	text string
}

func (r *ring) add(at time.Duration, q Question) {
	if len(r.looked) < maxRecent {
		r.looked = append(r.looked, look{at, q})
		return
	}
	r.looked[r.next] = look{at, q}
	r.next = (r.next + 1) % maxRecent
}

func (r *ring) tell(at time.Duration, q Question, rep Reply) {
	r.told.put(q, verdict{at, rep.By, rep.Text})
}

// Readiness says how many of the last hour's lookups of own clients would be answered by
// what is kept here, were all name servers and members to vanish now, and of how many:
// the last 4096 at most.
func (n *Node) Readiness(now time.Duration) (answerable, asked int) {
	for _, k := range n.recent.looked {
		if now-k.at > time.Hour {
			continue
		}
		asked++
		e := n.cache.Get(n.key(k.q))
		if e != nil && (e.First || e.Agreed || n.o.Agree == 1) && (e.Overdue(now) == 0 || !e.Negative && e.Overdue(now) <= n.o.MaxStale) {
			answerable++
		}
	}
	return answerable, asked
}

// Why says in a few lines what this node knows of a question, and what it would do.
func (n *Node) Why(q Question) string {
	q = n.normal(q)
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("name servers: %s for %s", n.best(), spell(n.now-n.since))
	if v, ok := n.recent.told.get(q); ok {
		line("last answer: by %s, %s ago%s", v.by, spell(n.now-v.at), prefixed(": ", v.text))
	}
	n.whyKept(q, line)
	if f, ok := n.failed.get(q); ok && n.now < f.until {
		line("failure: an error of the name servers %s ago; asked again in %s", spell(n.now-f.begun), spell(f.until-n.now))
	}
	if f, ok := n.missed.get(q); ok && n.now < f.until {
		line("miss: nobody knew it %s ago; asked again in %s", spell(n.now-f.begun), spell(f.until-n.now))
	}
	if !n.tellable(q) {
		line("sharing: members are not asked, nor told")
	} else {
		var ids []string
		for _, id := range n.owners(q.Name) {
			ids = append(ids, short(id))
		}
		line("owners: %s", strings.Join(ids, " "))
	}
	return b.String()
}

// whyKept says what is kept of a question.
func (n *Node) whyKept(q Question, line func(string, ...any)) {
	e := n.cache.Get(n.key(q))
	if e == nil {
		line("kept: nothing")
		return
	}
	o := n.ofEntry(e)
	when := fmt.Sprintf("fresh for %s", spell(e.Life()-e.Age(n.now)))
	if over := e.Overdue(n.now); over > 0 || e.Old {
		when = fmt.Sprintf("stale since %s", spell(over))
	}
	line("kept: %s, %s", n.from(o), when)
	if e.Rank >= 0 {
		line("kept for the group: this node is owner %d of the name", e.Rank+1)
	}
}

// prefixed puts something before a text that is not empty.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
