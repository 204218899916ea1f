package peer

import (
	"testing"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// FuzzMessages has a node hear any octets from its server, from members and from the
// root: it never panics, answers each question once, and of members believes nothing
// that is not the answer to the question.
func FuzzMessages(f *testing.F) {
	q := a("www.example")
	f.Add(response(q, 60, "192.0.2.1"), int64(0), uint8(0))
	f.Add(response(q, 1<<30, "192.0.2.1", "10.0.0.1"), int64(-5), uint8(1))
	f.Add(response(q, 60), int64(1<<62), uint8(2))
	f.Add(alias(q, 60, "other.example.", "192.0.2.1"), int64(time.Hour), uint8(3))
	f.Add(failed(q, 2), int64(time.Hour), uint8(4))
	f.Add(response(a("ftp.example"), 60, "192.0.2.1"), int64(0), uint8(5))
	f.Add([]byte{}, int64(0), uint8(6))
	f.Fuzz(func(t *testing.T, msg []byte, age int64, kind uint8) {
		g := newRig(t, Options{Ring: ringOf(0, 3), Iterate: kind&1 != 0, Validate: kind&2 != 0, Agree: 1 + int(kind>>2&1)})
		r := &packet.Record{Origin: id(1), Age: time.Duration(age), State: packet.State(kind % 3), Net: 7, Msg: msg}
		g.step(Received{From: id(1), ID: 1, Body: &packet.Put{Records: []*packet.Record{r, r}}})
		g.ask(q)
		g.step(Fetched{Req: g.fetch().Req, Msg: msg})
		if kind&8 != 0 {
			g.down()
		}
		g.ask(a("other.example"))
		for range 20 {
			for _, s := range g.asks() {
				g.step(Received{From: id(1), ID: s.ID, Body: &packet.Answer{Outcome: packet.Have, Record: r}})
			}
			for _, it := range g.roots {
				g.step(Iterated{Req: it.Req, Msg: msg})
			}
			for _, c := range g.checks {
				v := Verdict{Verdict: keep.Verdict{State: packet.State(kind >> 4 % 3), Until: time.Duration(age), MaxTTL: uint32(age)}}
				v.Bogus, v.Doubt = kind>>6 == 3, kind>>5 == 7
				g.step(Validated{Req: c.Req, Verdict: v})
			}
			g.roots, g.checks = nil, nil
			g.wait(50 * time.Millisecond)
		}
		g.wait(10 * time.Second)
		if left := len(g.n.lookups) + g.n.waiting + len(g.n.jobs) + len(g.n.asks) + len(g.n.checks); left != 0 {
			t.Fatalf("%d things are left", left)
		}
	})
}
