package replica_test

import (
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/memory"
	"namecast/lib/chain/replica"
)

// A source draws small numbers from octets.
type source []byte

func (s *source) next() uint64 {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	if b == 255 {
		return 1 << 60
	}
	return uint64(b)
}

func (s *source) lsn() chain.LSN { return chain.LSN(s.next()) }
func (s *source) member() chain.Member {
	n := s.next()
	return chain.Member{Node: string(rune('A' + n%4)), Inc: chain.Incarnation(1 + n/4%2)}
}

// records makes records that continue a log, most of the time.
func (s *source) records(prev chain.LSN, hash chain.Hash) (out []chain.Record) {
	for range s.next() % 4 {
		prev++
		m := put(int(s.next()%8), string(rune('a'+s.next()%3)), "v")
		rec := chain.Record{LSN: prev, Epoch: chain.Epoch(s.next() % 4), Request: m.Request, Ops: m.Ops}
		rec.Hash = rec.Sum(hash)
		if s.next() == 7 {
			rec.Hash[0]++
		}
		hash = rec.Hash
		out = append(out, rec)
	}
	return out
}

func (s *source) peer(st replica.Status, hash chain.Hash) chain.Message {
	switch s.next() % 13 {
	case 0:
		return chain.Hello{Last: s.lsn(), Commit: s.lsn()}
	case 1:
		return chain.Append{Prev: st.Last, PrevHash: hash, Records: s.records(st.Last, hash), Commit: s.lsn()}
	case 2:
		return chain.Append{Prev: s.lsn(), Records: s.records(s.lsn(), hash), Commit: s.lsn()}
	case 3:
		return chain.Ack{Last: st.Last, LastHash: hash, Durable: s.lsn(), Commit: s.lsn()}
	case 4:
		return chain.Ack{Last: s.lsn(), Durable: s.lsn(), Commit: s.lsn()}
	case 5:
		return chain.VersionQuery{ID: s.next()}
	case 6:
		return chain.VersionReply{ID: 1<<32 + s.next(), OK: s.next()%2 == 0, Commit: s.lsn()}
	case 7:
		return chain.ConfirmReply{ID: 1<<32 + s.next(), Tail: s.next()%2 == 0, Commit: s.lsn()}
	case 8:
		return chain.SnapBegin{ID: s.next(), LSN: s.lsn(), Hash: hash}
	case 9:
		return chain.SnapChunk{ID: s.next(), Seq: s.next(), Items: []chain.Item{{Key: []byte("k")}}}
	case 10:
		return chain.SnapEnd{ID: s.next(), Chunks: s.next()}
	case 11:
		return chain.SnapAck{ID: s.next(), Next: s.next(), Done: s.next()%2 == 0}
	}
	return chain.ProposeReply{ID: 1<<32 + s.next(), Status: chain.Done}
}

func (s *source) client() chain.Message {
	switch s.next() % 8 {
	case 0:
		return put(int(s.next()), "k", "v")
	case 1:
		return chain.Propose{ID: s.next(), Base: s.lsn(), Ops: []chain.Op{{Kind: chain.OpKind(s.next())}}}
	case 2:
		return chain.Read{ID: s.next(), Mode: chain.Mode(s.next()), MaxLag: s.next(), Keys: [][]byte{[]byte("a"), nil}}
	case 3:
		return chain.Subscribe{ID: s.next() % 4, After: s.lsn()}
	case 4:
		return chain.FeedAck{ID: s.next() % 4, LSN: s.lsn()}
	case 5:
		return chain.FeedPing{ID: s.next() % 4}
	case 6:
		return chain.SnapAck{ID: s.next() % 4, Next: s.next(), Done: s.next()%2 == 0}
	}
	return chain.Fence{Epoch: chain.Epoch(s.next() % 3)}
}

func (s *source) row() chain.Row {
	row := chain.Row{Chain: id, Epoch: chain.Epoch(s.next()), Restored: chain.Incarnation(s.next() % 2)}
	for range s.next() % 4 {
		row.Members = append(row.Members, s.member())
	}
	if s.next()%2 == 0 {
		row.Recruit = s.member()
	}
	return row
}

// FuzzStep gives a replica whatever a peer or a client could think of. It must
// not fall, nor commit what is not durable, nor go back.
func FuzzStep(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x03\x00\x01\x02\x01\x03\x02\x00\x05\x01\x02"))
	f.Add([]byte("\x00\x02\x00\x02\x01\x00\x00\x00\x02\x03\x01\x01\x02\x00\x00\x00\x04\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := source(b)
		disk := memory.New()
		self := chain.Member{Node: "A", Inc: 1}
		r := replica.New(replica.Options{Self: self, Keep: 4, Window: 8, Chunk: 16, MaxPending: 4}, disk)
		now, was := time.Duration(0), replica.Status{}
		var batches []replica.Batch
		for len(s) > 0 {
			st := r.Status()
			hash := chain.Hash{}
			if rec, ok := disk.Record(st.Last); ok {
				hash = rec.Hash
			}
			var in replica.Input = replica.Tick{}
			switch s.next() % 8 {
			case 0:
				in = replica.Configure{Row: s.row()}
			case 1, 2, 3:
				in = replica.Receive{Epoch: st.Row.Epoch + chain.Epoch(s.next()%3) - 1, From: s.member(), Body: s.peer(st, hash)}
			case 4, 5:
				in = replica.Request{Client: s.next() % 3, Body: s.client()}
			case 6:
				for i := range batches {
					disk.Apply(&batches[i])
					in = replica.Written{Seq: batches[i].Seq}
				}
				batches = nil
			case 7:
				now += time.Duration(s.next()) * 20 * time.Millisecond
			}
			for _, e := range r.Step(now, in) {
				if w, ok := e.(replica.Write); ok {
					batches = append(batches, w.Batch)
				}
			}
			st = r.Status()
			if st.Committed > st.Durable || st.Durable > st.Last || st.Row.Epoch < was.Row.Epoch ||
				st.Role == replica.Serving && st.Committed < was.Committed {
				t.Fatalf("%T %+v leads from %+v to %+v", in, in, was, st)
			}
			was = st
		}
	})
}
