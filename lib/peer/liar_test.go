package peer

import (
	"namecast/lib/peer/packet"
)

// lied looks at a reply that is the liar's word.
func (w *world) lied(m *mate, q Question, r Reply) {
	switch {
	case w.liar < 0 || w.opts.Agree > 1:
		w.t.Errorf("a lie was believed: %+v", r)
	case w.steady(m) && !w.opts.Share: // in share mode a member is asked first
		w.t.Errorf("a lie was believed though the servers answer: %+v", r)
	case r.MaxTTL > peerTTL || r.MaxTTL == 0 || r.EDE < 0:
		w.t.Errorf("a lie was given for long, or without a word: %+v", r)
	}
}

// lie answers an Ask, with a forged origin or not, and gives lies to the owners.
func (w *world) lie(m *mate, s Send) {
	ask, ok := s.Body.(*packet.Ask)
	if !ok {
		return
	}
	q := Question{Name: ask.Name, Type: ask.Type, DO: ask.DO}
	origin := id(w.rng.IntN(w.liar + 1))
	lie := &packet.Record{Origin: origin, Net: ask.Net, Msg: response(q, 1<<20, "9.9.9.9")}
	w.deliver(m.k, Received{From: id(w.liar), ID: s.ID, Body: &packet.Answer{Outcome: packet.Have, Record: lie}})
	own := *lie
	own.Origin = id(w.liar)
	for k := range w.mates {
		w.deliver(k, Received{From: id(w.liar), ID: w.rng.Uint64(), Body: &packet.Put{Records: []*packet.Record{&own}}})
	}
}
