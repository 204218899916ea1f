package main

const (
	maxNodes   = 6
	maxEpochs  = 9
	maxCrashes = 9
	maxWrites  = maxLog
)

// A state is everything at one moment: the nodes, the messages on the way, what
// the coordinator holds, and what the clients know.
type state struct {
	nodes [maxNodes]node
	// rows are the chain's rows in the coordinator's table, by epoch; rows[last]
	// is in force. Older ones are kept for the nodes that have yet to see a newer one.
	rows [maxEpochs + 1]row
	last uint8
	// told is what a node told in an epoch that it has left. Its messages may
	// come at any later time, as often as they like, or never.
	told [maxEpochs + 1][maxNodes]trail
	// seen is what may never change: all records that were committed, or, when
	// only what clients see is checked, all that they were shown.
	seen history
	// asked is, for each write, 1 + the size of seen when it was first sent.
	asked   [maxWrites]uint8
	crashes uint8
}

// A node is a replica. One that is in no epoch (0) may be spare, removed, or
// come back from a crash.
type node struct {
	log     history
	durable uint8 // how many records survive a crash
	commit  uint8 // how many records it knows to be committed
	epoch   uint8
	lease   bool // registered with the coordinator, with a lease that has not run out
	gate    bool // a tail that commits no more than its recruit holds
	active  bool // a tail that answers
}

// A row is a chain's members, the head first, and the one recruit that the tail
// copies to.
type row struct {
	members [maxNodes]uint8
	size    uint8 // of the members; 0 is a row that nobody needs any more
	recruit uint8 // 1 + its number, or 0
	gone    uint8 // set of those whose incarnation has ended
	ready   bool  // the tail has reported the recruit ready
}

// A trail is the messages of a node in one epoch. Each kind is cumulative, so
// the newest stands for all.
type trail struct {
	was     bool    // it was in the epoch: hello
	log     history // appends
	durable uint8   // acknowledgements of a recruit
	commit  uint8   // acknowledgements and answers of a tail
}

// place gives a member's position in the chain, from 0, or -1.
func (r *row) place(n uint8) int {
	for i := range r.size {
		if r.members[i] == n {
			return int(i)
		}
	}
	return -1
}

func (r *row) tail() uint8 { return r.members[r.size-1] }

func (r *row) isRecruit(n uint8) bool { return r.recruit == n+1 }

// has tells whether n, as it is now, is a member or the recruit.
func (r *row) has(n uint8) bool {
	return r.gone&(1<<n) == 0 && (r.place(n) >= 0 || r.isRecruit(n))
}

// pred gives who sends to n, if somebody does.
func (r *row) pred(n uint8) (uint8, bool) {
	switch at := r.place(n); {
	case at > 0:
		return r.members[at-1], true
	case at < 0 && r.size > 0 && r.isRecruit(n):
		return r.tail(), true
	}
	return 0, false
}

// succ gives whom n sends to, if there is somebody.
func (r *row) succ(n uint8) (uint8, bool) {
	at := r.place(n)
	switch {
	case at < 0:
		return 0, false
	case at+1 < int(r.size):
		return r.members[at+1], true
	}
	return r.recruit - 1, r.recruit > 0
}

// row gives the row of n's own epoch.
func (s *state) row(n uint8) *row { return &s.rows[s.nodes[n].epoch] }

// serves tells whether n is a member in its own epoch.
func (s *state) serves(n uint8) bool { return s.nodes[n].epoch > 0 && s.row(n).place(n) >= 0 }

func (s *state) isHead(n uint8) bool { return s.nodes[n].epoch > 0 && s.row(n).place(n) == 0 }

func (s *state) isTail(n uint8) bool { return s.serves(n) && s.row(n).tail() == n }

// leave remembers what n told in the epoch that it is in.
func (s *state) leave(n uint8, sent history) {
	nd := &s.nodes[n]
	if nd.epoch > 0 {
		s.told[nd.epoch][n] = s.heard(n, nd.epoch, sent)
	}
	nd.gate, nd.active = false, false
}

// heard gives what n can have told in epoch e, if it sent the records of sent
// in the epoch that it is in.
func (s *state) heard(n, e uint8, sent history) trail {
	t := s.told[e][n]
	if nd := &s.nodes[n]; nd.epoch == e {
		t.was = true
		if sent.size() >= t.log.size() {
			t.log = sent
		}
		t.durable = max(t.durable, nd.durable)
		t.commit = max(t.commit, nd.commit)
	}
	return t
}
