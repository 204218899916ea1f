package host

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"namecast/lib/peer"
	"namecast/lib/resolve/upstream"
	"namecast/lib/rr"
)

// maxProofs is how many probes for loops are remembered.
const maxProofs = 64

// typeTXT is the type that probes ask for.
const typeTXT = 16

// prove asks each server for a name that nobody else knows. When this very question
// comes in at the own stub, the server leads back here, and is asked no more: each
// question would go around until it times out. The name has one label, which is
// never told to members.
func (l *loop) prove(servers []upstream.Server) {
	l.looping = map[string]int{}
	for i, s := range servers[:min(len(servers), maxProofs)] {
		var b [8]byte
		rand.Read(b[:]) // never fails
		name, err := rr.ParseName("nc-loop-" + hex.EncodeToString(b[:]))
		if err != nil {
			continue
		}
		l.looping[string(name)] = i
		client := l.workers.servers[i]
		l.workers.work(l.workers.fetches, func() peer.Event {
			_, _ = client.Exchange(l.workers.ctx, question(peer.Question{Name: name, Type: typeTXT}, false))
			return nil // what matters is whether the question comes back
		})
		l.log.Debug("probe for a loop", "server", fmt.Sprint(s))
	}
}
