package host

import (
	"time"

	"namecast/lib/peer"
)

// A query is a question on its way to the Node.
type query struct {
	request
	limit int           // of the response, in octets
	began time.Duration // when it came
	// reply takes the response. It is called once by who is inside the loop, and does
	// not wait.
	reply func(response []byte)
	// own, if set, takes the Node's answer in place of reply: the question is the
	// daemon's own.
	own func(*peer.Reply)
}

// none is a Reply that has nothing to say.
var none = &peer.Reply{EDE: -1}

// fail answers a query with a response code.
func (q *query) fail(rcode int) {
	if q.own != nil {
		q.own(&peer.Reply{Rcode: rcode, EDE: -1, By: peer.ByNobody})
		return
	}
	q.reply(q.empty(rcode, none))
}
