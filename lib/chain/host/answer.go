package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
)

// answerCluster answers what is asked of the node and not of a chain.
func (l *life) answerCluster(p *peer, e chain.Envelope) {
	switch m := e.Body.(type) {
	case chain.TableQuery:
		p.answer(chain.Envelope{Body: l.host.table.answer(l.host.config.Coordinator.Picture(), m)})
	case chain.SyncQuery:
		p.charge(1)
		if clock.Boot()-l.began < returning {
			return
		}
		o := l.loop(e.Chain)
		o.put(input{from: p, cost: 1, do: func() {
			s := o.seat(e.Chain)
			p.answer(chain.Envelope{Chain: s.id, Epoch: s.epoch, Body: chain.SyncReply{ID: m.ID, Subscribers: o.subscribers(s)}})
		}})
	case chain.Ask:
		l.told(p, m)
	}
}

// returning is for how long a node that has just begun does not say who follows its
// chains: those who did may be on their way back, link.Limits.Most apart, and who asks
// would take them for gone. It asks again.
const returning = 2500 * time.Millisecond

// askTime is how long an answer to a question may take.
const askTime = 5 * time.Second

// maxTold is how long an answer to an operator may be, octets.
const maxTold = frame.MaxBody - 64

// told answers an operator's question.
func (l *life) told(p *peer, m chain.Ask) {
	refuse := func(why string) { p.answer(chain.Envelope{Body: chain.Told{ID: m.ID, Text: []byte(why)}}) }
	select {
	case l.asks <- struct{}{}:
	default:
		refuse("too many ask at a time")
		return
	}
	l.chores.Go(func() {
		defer func() { <-l.asks }()
		ctx, cancel := context.WithTimeout(l.ctx, askTime)
		defer cancel()
		text, err := l.host.tell(ctx, m.What)
		if err == nil && len(text) > maxTold {
			err = fmt.Errorf("an answer of %d octets is too long", len(text))
		}
		if err != nil {
			refuse(err.Error())
			return
		}
		p.answer(chain.Envelope{Body: chain.Told{ID: m.ID, OK: true, Text: text}})
	})
}

// tell answers "status", and leaves the rest to who made the host.
func (h *Host) tell(ctx context.Context, what string) ([]byte, error) {
	switch {
	case what == "status":
		s := h.Status()
		text, err := json.Marshal(s)
		if err == nil && len(text) > maxTold {
			s.Links = nil // of these there may be too many
			text, err = json.Marshal(s)
		}
		return text, err
	case h.config.Answer != nil:
		return h.config.Answer(ctx, what)
	}
	return nil, errors.New("there is only status to ask for")
}

// tables answers questions for the chain table. The table's revision is that of the
// first picture in which it was as it is.
type tables struct {
	mu       sync.Mutex
	revision int64 // of the picture that was looked at last
	table    chain.Table
}

// answer gives the table of a picture, without its contents if the asker has them.
func (t *tables) answer(pic *Picture, q chain.TableQuery) chain.Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	if pic != nil && pic.Revision > t.revision {
		t.revision = pic.Revision
		t.take(pic)
	}
	answer := t.table
	answer.ID = q.ID
	if answer.Revision == q.Have {
		answer.Sites, answer.Rows = nil, nil
	}
	return answer
}

// take takes over the table of a newer picture.
func (t *tables) take(pic *Picture) {
	sites := make([]chain.Site, 0, len(pic.Nodes))
	for i := range pic.Nodes {
		n := &pic.Nodes[i]
		sites = append(sites, chain.Site{Node: n.Name, Addr: n.Addr, Zone: n.Zone, Live: n.Live})
	}
	slices.SortFunc(sites, func(a, b chain.Site) int { return strings.Compare(a.Node, b.Node) })
	if t.table.Revision != 0 && slices.Equal(sites, t.table.Sites) && sameRows(pic.Rows, t.table.Rows) {
		return
	}
	t.table = chain.Table{Revision: uint64(pic.Revision), Sites: sites, Rows: pic.Rows}
}

// sameRows compares tables, of which most share their memory.
func sameRows(a, b []chain.Row) bool {
	if len(a) != len(b) || len(a) > 0 && &a[0] == &b[0] {
		return len(a) == len(b)
	}
	return slices.EqualFunc(a, b, func(x, y chain.Row) bool { return x.Epoch == y.Epoch && reflect.DeepEqual(x, y) })
}
