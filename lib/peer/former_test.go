package peer

import (
	"testing"
	"time"

	"namecast/lib/peer/packet"
)

// TestFormerOwnerTells: what a member gave to an owner is told also when others are found
// to own the name, as when members were silent for a moment; what was only heard in answer
// to a question is not.
func TestFormerOwnerTells(t *testing.T) {
	ring := ringOf(0, 6)
	g := newRig(t, Options{Ring: ring})
	var foreign []Question // of names that this node does not own
	for _, name := range []string{"a.example", "b.example", "c.example", "d.example", "e.example", "f.example"} {
		if q := a(name); g.n.rankOf(q.Name) < 0 {
			foreign = append(foreign, q)
		}
	}
	if len(foreign) < 2 {
		t.Fatal("it owns nearly everything")
	}
	given, heard := foreign[0], foreign[1]
	for k := 1; k < 6; k++ {
		ring.silent[id(k)] = 2
	}
	ring.change++
	g.step(Received{From: id(3), ID: 1, Body: &packet.Put{Records: []*packet.Record{
		{Origin: id(3), Net: 7, Msg: response(given, 600, "192.0.2.1")},
	}}})
	clear(ring.silent)
	ring.change++
	g.wait(5 * time.Second) // ranks are looked at again
	g.down()
	g.ask(heard)
	for _, s := range g.asks() {
		g.have(s, s.To, s.To, time.Minute, response(heard, 600, "192.0.2.2"))
	}
	g.wait(time.Second)
	for q, want := range map[Question]packet.Outcome{given: packet.Have, heard: packet.Miss} {
		g.sends = nil
		g.step(Received{From: id(4), ID: 9, Body: &packet.Ask{Name: q.Name, Type: q.Type, Net: 7}})
		if len(g.sends) != 1 || g.sends[0].Body.(*packet.Answer).Outcome != want {
			t.Errorf("%s: %+v", q.Name.FQDN(), g.sends)
		}
	}
}
