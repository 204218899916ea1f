package client

import "namecast/lib/chain"

// copyBegin starts a copy, unless there are enough: then the chain waits its turn.
func (f *feed) copyBegin(s *sub, m chain.SnapBegin) error {
	if err := f.apply(); err != nil { // what an earlier subscription has brought
		return err
	}
	if !s.heavy && f.heavies() >= f.c.config.Copies {
		f.leave(s, true)
		s.copies = true
		return nil
	}
	if s.copy != nil {
		f.abort(s)
	}
	c, err := f.to.Copy(s.chain, m)
	if err != nil {
		return err
	}
	s.copy, s.begin, s.chunks = c, m, 0
	s.heavy, s.started = true, false
	s.heard = f.now
	s.beats = nil
	return nil
}

// copyChunk takes the next part of the state.
func (f *feed) copyChunk(s *sub, m chain.SnapChunk) error {
	if s.copy == nil || m.Seq != s.chunks {
		return nil
	}
	if err := s.copy.Items(m.Items); err != nil {
		return err
	}
	s.heard = f.now
	s.chunks++
	s.send(chain.SnapAck{ID: s.id, Next: s.chunks})
	return nil
}

// copyEnd has the state taken for whole.
func (f *feed) copyEnd(s *sub, m chain.SnapEnd) error {
	if s.copy == nil {
		return nil
	}
	if m.Chunks != s.chunks {
		f.leave(s, false)
		return nil
	}
	if err := s.copy.End(); err != nil {
		return err
	}
	s.copy, s.copies, s.heavy, s.started = nil, false, false, true
	s.heard = f.now
	s.stand(s.begin.LSN, s.begin.Hash)
	f.c.counts.copies.Add(1)
	f.c.learn(s.chain, s.at)
	s.send(chain.SnapAck{ID: s.id, Next: s.chunks, Done: true})
	return nil
}

// abort drops a copy, after which the Follower tells what there is.
func (f *feed) abort(s *sub) {
	s.copy.Abort()
	s.copy = nil
	s.stand(f.to.Place(s.chain))
}
