package host

import (
	"context"
	"slices"
	"time"

	"namecast/lib/chain/replica"
	"namecast/lib/clock"
	"namecast/lib/link"
)

// The watch over connections with other nodes.
const (
	unheard = 1500 * time.Millisecond // without a connection, after which that is told
	listens = 250 * time.Millisecond  // between two looks
)

// A silence is since when there is no connection with other nodes, by their names.
type silence map[string]time.Duration

// look takes down who is missed, and gives the names of those who are for long.
func (s silence) look(now time.Duration, self string, pic *Picture, there func(string) bool) []string {
	var long []string
	known := map[string]bool{}
	for i := range pic.Nodes {
		name := pic.Nodes[i].Name
		if name == self || pic.Nodes[i].Addr == "" || there(name) {
			continue
		}
		known[name] = true
		since, ok := s[name]
		if !ok {
			since = now
			s[name] = now
		}
		if now-since >= unheard {
			long = append(long, name)
		}
	}
	for name := range s {
		if !known[name] {
			delete(s, name)
		}
	}
	slices.Sort(long)
	return long
}

// listen tells the coordinator with which nodes there is no connection, whenever that
// changes: two members of a chain may both be heard of there, and not hear each other.
// That a node is not live makes no difference: it may come back.
func (l *life) listen() {
	missed := silence{}
	var said []string
	sure := true // that is what the coordinator knows
	for clock.Sleep(l.ctx, listens) {
		pic := l.host.config.Coordinator.Picture()
		if pic == nil {
			continue
		}
		now := missed.look(clock.Boot(), l.self.Node, pic, func(name string) bool { return l.nodes.get(name) != nil })
		if sure && slices.Equal(now, said) {
			continue
		}
		within, cancel := context.WithTimeout(l.ctx, reportTime)
		err := l.reg.Silent(within, now)
		cancel()
		said, sure = now, err == nil
		if err != nil && l.ctx.Err() == nil {
			l.host.config.Log.Debug("silence was not told", "node", l.self.Node, "of", now, "error", err)
		}
	}
}

// A mute is a successor whose replica answers nothing, as this one says.
type mute struct {
	conn   *link.Conn
	frames uint64        // that had come from its node when it was said first
	at     time.Duration // when it was said last
}

// hangs reports whether it is the replica that is silent and not its node, as a report
// that is repeated shows: meanwhile something has come by the same connection.
func (l *loop) hangs(s *seat, r replica.Report) bool {
	p := l.life.nodes.get(r.Member.Node)
	if p == nil || p.conn.Peer.Incarnation != r.Member.Inc {
		s.mute = mute{}
		return false
	}
	frames := p.conn.Stats().FramesIn
	if s.mute.conn != p.conn || l.now-s.mute.at > mutePause {
		s.mute = mute{conn: p.conn, frames: frames}
	}
	s.mute.at = l.now
	return frames > s.mute.frames
}

// mutePause is after how long a report is not a repetition any more.
const mutePause = 2 * time.Second
