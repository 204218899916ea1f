package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"time"

	"namecast/lib/cli"
	"namecast/lib/rr"
	"namecast/lib/serve"
)

// patience is how long the node waits for its own answer before it asks again.
const patience = 250 * time.Millisecond

// watchdog tells the supervisor that the node works, every interval in which it
// does, until ctx ends.
func (n *node) watchdog(ctx context.Context) error {
	interval, beat := cli.Watchdog()
	if interval == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if n.works(ctx, interval) {
			beat()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// works tells whether the node does its work: the database gives a view of itself,
// and a question gets an answer, any, on one of the node's own sockets, which are
// asked in turn for that long. Not all of them have to answer: the node may be
// bound to an address that the machine does not have just now. Where questions
// come faster than they can be answered, the node's own may be among those that
// are lost; then it is enough that others get answers.
func (n *node) works(ctx context.Context, within time.Duration) bool {
	v, err := n.db.View()
	if err != nil {
		return false
	}
	v.Release()
	before := responses(n.dns.Stats())
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for i := 0; ctx.Err() == nil; i++ {
		asked := time.Now()
		if n.ask(ctx, n.udp[i%len(n.udp)].LocalAddr()) || responses(n.dns.Stats()) != before {
			return true
		}
		rest := time.NewTimer(patience - time.Since(asked))
		select {
		case <-ctx.Done():
		case <-rest.C:
		}
		rest.Stop()
	}
	return false
}

// responses is how many there were over all transports.
func responses(s serve.Stats) (sum uint64) {
	for _, t := range []serve.Traffic{s.UDP, s.TCP, s.TLS} {
		for _, count := range t.Responses {
			sum += count
		}
	}
	return sum
}

// ask asks the node for the SOA record of its base domain at one of its addresses,
// over UDP, and tells whether there was an answer.
func (n *node) ask(ctx context.Context, at net.Addr) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "udp", at.String()) // to all addresses is to the loopback device
	if err != nil {
		return false
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		c.SetDeadline(deadline)
	}
	question := soaQuestion(uint16(rand.Uint32()), n.base)
	if _, err := c.Write(question); err != nil {
		return false
	}
	reply := make([]byte, 512)
	got, err := c.Read(reply)
	const qr = 0x80 // in the third octet: it is a response
	return err == nil && got >= headerSize && bytes.Equal(reply[:2], question[:2]) && reply[2]&qr != 0
}

// headerSize is the length of a message's header in octets, RFC 1035 section 4.1.1.
const headerSize = 12

// soaQuestion makes a query for the SOA record of a name.
func soaQuestion(id uint16, name rr.Name) []byte {
	q := make([]byte, headerSize, headerSize+len(name)+5)
	binary.BigEndian.PutUint16(q, id)
	q[5] = 1 // question
	q = append(append(q, name...), 0)
	const soa, in = 6, 1
	return append(q, 0, soa, 0, in)
}
