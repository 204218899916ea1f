package disk

import (
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

func (s *sieve) isWhole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whole
}

// drawn are requests as clients draw them.
func drawn(n int, seed uint64) []chain.RequestID {
	r := rand.New(rand.NewPCG(seed, 1))
	all := make([]chain.RequestID, n)
	for i := range all {
		binary.LittleEndian.PutUint64(all[i][:8], r.Uint64())
		binary.LittleEndian.PutUint64(all[i][8:], r.Uint64())
	}
	return all
}

// TestSieve: what was added is never denied before it is forgotten, and of the rest
// nearly all is, with as many requests as a chain may remember.
func TestSieve(t *testing.T) {
	const window = chain.Window
	s := &sieve{}
	known, others := drawn(window, 1), drawn(window, 2)
	if !s.mayHave(&others[0]) {
		t.Error("a request is denied before all are known")
	}
	s.complete()
	for i := range known {
		s.add(&known[i], chain.LSN(i+1))
	}
	for i := range known {
		if !s.mayHave(&known[i]) {
			t.Fatalf("request %d is denied", i)
		}
	}
	wrong := 0
	for i := range others {
		if s.mayHave(&others[i]) {
			wrong++
		}
	}
	if wrong > window/10 {
		t.Errorf("%d of %d requests that are not there are not denied", wrong, window)
	}
	s.forget(window - 1)
	for i := range known[window-2:] {
		if !s.mayHave(&known[window-2+i]) {
			t.Error("a request is forgotten too soon")
		}
	}
	if n := len(s.layers); n != 1 {
		t.Errorf("%d layers are left for 2 requests", n)
	}
}

// TestSieveCounters: requests that differ in few bits are told apart all the same.
func TestSieveCounters(t *testing.T) {
	for _, at := range []int{0, 8} {
		s := &sieve{whole: true}
		id := func(n int) (q chain.RequestID) {
			binary.BigEndian.PutUint64(q[at:], uint64(n))
			return q
		}
		for n := range layerRequests {
			q := id(n)
			s.add(&q, chain.LSN(n+1))
		}
		wrong := 0
		for n := range layerRequests {
			if q := id(layerRequests + n); s.mayHave(&q) {
				wrong++
			}
		}
		if wrong > layerRequests/50 {
			t.Errorf("octet %d: %d of %d are not denied", at, wrong, layerRequests)
		}
	}
}

// TestSieveGathers: after a restart the requests of before are found, while the
// sieve is gathered and after it; then others are denied.
func TestSieveGathers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	d := open(t, dir, Options{})
	requests := drawn(2*layerRequests, 3)
	b := replica.Batch{Seq: 1, Meta: &replica.Meta{Inc: 1}}
	for i, q := range requests {
		b.Remembered = append(b.Remembered, chain.Remembered{Request: q, Outcome: chain.Outcome{Verdict: chain.Applied, LSN: chain.LSN(i + 1)}})
	}
	d.Write(3, b)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, dir, Options{})
	other, s := drawn(1, 4)[0], d.Storage(3)
	sieve := d.chains[3].shown.Load().sieve
	for end := time.Now().Add(10 * time.Second); ; {
		whole := sieve.isWhole()
		for i := range requests {
			if _, ok := s.Outcome(requests[i]); !ok {
				t.Fatalf("request %d is not found, whole %v", i, whole)
			}
		}
		if whole {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the sieve is not gathered")
		}
	}
	if _, ok := s.Outcome(other); ok || s.Err() != nil {
		t.Error(ok, s.Err())
	}
	d.Write(3, replica.Batch{Seq: 1, Wipe: true, Sync: true})
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Outcome(requests[0]); ok || d.chains[3].shown.Load().sieve.mayHave(&requests[0]) {
		t.Error("a request is there after a wipe")
	}
}
