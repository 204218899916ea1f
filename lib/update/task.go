package update

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"time"

	"namecast/lib/key"
	"namecast/lib/nup"
	"namecast/lib/store"
	"namecast/lib/zone"
)

// A task is a datagram on its way to a reply.
type task struct {
	packet []byte
	from   netip.AddrPort
	now    time.Time
	hash   [sha256.Size]byte // of the packet
	wait   time.Duration     // for all nodes to have what it makes, at most
	req    *nup.Request
	keyID  string // of the request's key

	at      stage
	head    store.Head    // the account, the zero Head if there is none
	records *zone.Records // all the account's, nil if they are not known
	pub     key.Public
	out     zone.Outcome // what is to be committed
	reply   *nup.Reply   // nil is none
}

// A stage is how far a task has come.
type stage int

const (
	opened   stage = iota // read, and worth a look at the account
	deferred              // the same, behind another of the same account
	waiting               // verified, and needs answers of the network
	applied               // out is to be committed
	ended                 // reply is the end of it
	reported              // its group has told of that
)

// newTask makes a task of a datagram.
func newTask(datagram []byte, from netip.AddrPort, now time.Time) task {
	packet, wait := nup.CutWait(datagram)
	return task{packet: packet, from: from, now: now, hash: sha256.Sum256(packet), wait: wait}
}

// end ends the task with a reply.
func (t *task) end(r *nup.Reply) { t.at, t.reply = ended, r }

// answer appends the reply to room; nil if there is none.
func (t *task) answer(room []byte) []byte {
	if t.reply == nil {
		return nil
	}
	t.reply.From = t.from
	return t.reply.Append(room, len(t.packet))
}

// asks reports whether the request has an element of one of the kinds.
func (t *task) asks(kinds ...nup.Op) bool {
	return slices.ContainsFunc(t.req.Elements, func(e nup.Element) bool { return slices.Contains(kinds, e.Op) })
}

// detached gives a copy of a verified task that does not need the buffer in
// which its packet stands.
func (t *task) detached() *task {
	d := *t
	d.packet = slices.Clone(t.packet)
	d.req, _ = nup.ParseDatagram(d.packet) // it was parsed before
	d.req.Check()
	return &d
}
