package replica

import (
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/safeguard"
)

// Options are what a replica is made with. Zero fields get the defaults that
// are given with them, but for Self.
type Options struct {
	Self chain.Member
	// MinMembers is how many members the chain must have to take writes: 1.
	MinMembers int
	// MaxPending is how many records, and MaxPendingSize how many octets of them,
	// may wait to be committed: 4096 and 1 MiB. A head that has more answers Busy.
	MaxPending     int
	MaxPendingSize int
	// MaxWaiting is how many requests of each kind may wait for an answer: 16384.
	MaxWaiting int
	// MaxFeeds is how many subscriptions there may be: 256. MaxCopies is how many
	// of them may be sent a snapshot at a time: 4.
	MaxFeeds, MaxCopies int
	// Keep is how many applied records stay in the log, for the feed and for
	// recruits: 8192; at most Window.
	Keep int
	// Window is chain.Window, and the same at every member.
	Window chain.LSN
	// Cache is how many octets of the log stay in memory beside what is pending:
	// 256 KiB.
	Cache int
	// Chunk is how many octets of state go in one message of a copy: 256 KiB.
	Chunk int
	// GateLag is how near, in records, a recruit is before commits are gated
	// on it: 512.
	GateLag chain.LSN
	// Retry is the time after which what was not answered is sent again: 100 ms.
	Retry time.Duration
	// Timeout is how long a request waits for its answer: 3 s, and up to half as
	// long again.
	Timeout time.Duration
	// Stall is how long a recruit or a successor may leave everything unanswered before
	// that is reported: 2 s. A recruit for which no commit waits may make no progress for
	// 15 times as long while it answers.
	Stall time.Duration
	// Pace is how long a recruit may follow the log without coming near before
	// commits are slowed down to half of what it keeps up with: 5 s.
	Pace time.Duration
	// AlwaysConfirm has strong reads proved by asking the other members and
	// never by the lease, for machines whose clocks are not to be trusted.
	AlwaysConfirm bool
	// Without leaves out safeguards; only the simulator can.
	Without safeguard.Set
}

func (o *Options) fill() {
	orInt := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	orTime := func(p *time.Duration, d time.Duration) {
		if *p == 0 {
			*p = d
		}
	}
	orInt(&o.MinMembers, 1)
	orInt(&o.MaxPending, 4096)
	orInt(&o.MaxPendingSize, 1<<20)
	orInt(&o.MaxWaiting, 16384)
	orInt(&o.MaxFeeds, 256)
	orInt(&o.MaxCopies, 4)
	orInt(&o.Keep, 8192)
	orInt(&o.Cache, 256<<10)
	orInt(&o.Chunk, 256<<10)
	if o.Window == 0 {
		o.Window = chain.Window
	}
	if o.GateLag == 0 {
		o.GateLag = 512
	}
	o.Keep = min(o.Keep, int(o.Window))
	orTime(&o.Retry, 100*time.Millisecond)
	orTime(&o.Timeout, 3*time.Second)
	orTime(&o.Stall, 2*time.Second)
	orTime(&o.Pace, 5*time.Second)
}

// A Role is what a replica is in its chain.
type Role uint8

// The roles.
const (
	None    Role = iota // takes no part
	Copying             // a recruit that copies, or follows the tail
	Serving             // a member
	Barred              // a member of the row that has stopped for a Fence
	Stopped             // stopped for good; see Halt
)

func (r Role) String() string {
	return [...]string{"none", "recruit", "serving", "fenced", "halted"}[r]
}

// A Replica is one node's part in one chain: a state machine without goroutines,
// clock or disk. It is for one goroutine at a time.
type Replica struct {
	opt   Options
	store Storage
	self  chain.Member

	now    time.Duration
	out    []Effect
	halted bool

	role  Role
	row   chain.Row // installed; epoch 0 if none
	place int       // in the row's members, or -1
	began bool      // this incarnation has taken part: what is in memory is its own
	// emptying is the batch that wipes half a copy before this incarnation takes
	// part, and emptied that it is durable.
	emptying uint64
	emptied  bool
	barred   chain.Epoch
	wanted   chain.Epoch // the newest that was heard of
	lease    time.Duration
	heard    bool // the predecessor has installed this epoch
	active   bool // as tail: the whole log was committed in this epoch

	log    journal
	state  overlay
	commit chain.LSN // everything up to it is applied
	batch  Batch
	seq    uint64 // of the last batch
	done   uint64 // of the last that is durable
	marks  []mark // those under way
	cuts   int    // how often the log was cut
	since  uint64 // the batch that installed the row

	succ     downstream // the next member
	recruit  downstream // as tail
	gate     bool
	in       inCopy // as recruit
	half     bool   // the state is half of a copy
	tended   tending
	lastCopy uint64
	acked    position // what the predecessor was told last
	ackDue   bool

	writes writes
	reads  reads
	feeds  feeds
	sweep  time.Duration // when to look for requests that waited too long; 0 is never
}

// position is what an Ack tells.
type position struct{ durable, commit chain.LSN }

// New makes a replica that takes no part in the chain yet.
func New(o Options, s Storage) *Replica {
	o.fill()
	r := &Replica{opt: o, store: s, self: o.Self, place: -1}
	r.state.init()
	r.log.init()
	r.writes.init()
	// An answer to an earlier incarnation must not be taken for one to this.
	r.writes.lastID = uint64(o.Self.Inc) << 32
	r.reads.lastID = r.writes.lastID
	return r
}

// off reports whether a safeguard is left out.
func (r *Replica) off(g safeguard.Guard) bool { return r.opt.Without.Off(g) }

func (r *Replica) isTail() bool { return r.role == Serving && r.place == len(r.row.Members)-1 }
func (r *Replica) isHead() bool { return r.role == Serving && r.place == 0 }

// upstream is who sends records: the predecessor, or the tail to a recruit.
func (r *Replica) upstream() chain.Member {
	switch {
	case r.role == Copying:
		return r.row.Tail()
	case r.role == Serving && r.place > 0:
		return r.row.Members[r.place-1]
	}
	return chain.Member{}
}

// leased reports whether the lease is in force at this moment.
func (r *Replica) leased() bool { return r.now < r.lease && !r.opt.AlwaysConfirm }
