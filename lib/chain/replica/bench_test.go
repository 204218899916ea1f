package replica_test

import (
	"encoding/binary"
	"testing"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// BenchmarkWrite writes through a chain of three, with all of its messages and
// batches: what the machinery itself costs, on one processor.
func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name string
		cond bool
	}{{"plain", false}, {"conditional", true}} {
		b.Run(c.name, func(b *testing.B) {
			l := trio(b)
			value := make([]byte, 200)
			b.ReportAllocs()
			for i := range b.N {
				key := binary.BigEndian.AppendUint64(nil, uint64(i%10000))
				m := chain.Propose{ID: uint64(i), Base: chain.LSN(i), Ops: []chain.Op{{Kind: chain.Put, Key: key, Value: value}}}
				binary.BigEndian.PutUint64(m.Request[:], uint64(i)+1)
				if c.cond {
					it, _ := l.hosts["A"].disk.Get(key)
					m.Conds = []chain.Cond{{Kind: chain.AtVersion, Key: key, Version: it.Version}}
				}
				l.replies[1] = l.replies[1][:0]
				for _, h := range l.hosts {
					h.sent = h.sent[:0]
				}
				l.hosts["A"].step(replica.Request{Client: 1, Body: m})
				l.settle()
			}
		})
	}
}

// BenchmarkRead reads clean keys at a member, strongly.
func BenchmarkRead(b *testing.B) {
	l := trio(b)
	l.write("A", put(1, "k", "v"))
	h, keys := l.hosts["B"], [][]byte{[]byte("k")}
	b.ReportAllocs()
	for i := range b.N {
		l.replies[1] = l.replies[1][:0]
		h.step(replica.Request{Client: 1, Body: chain.Read{ID: uint64(i), Mode: chain.Strong, Keys: keys}})
	}
}
