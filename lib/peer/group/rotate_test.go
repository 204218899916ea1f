package group

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// TestNewKeyIsNoSplit: while some machines have the new key and others the old one only,
// all agree on who owns a name, a call by one is heard by all, and everybody hears how the
// others are.
func TestNewKeyIsNoSplit(t *testing.T) {
	w := lan(t, 51, 5, 0, true, true)
	w.until(5 * time.Second)
	next, err := w.keys.Next(seeded(6))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range w.machines[:2] {
		m.g.SetKeys(next)
	}
	w.run(20 * time.Second)
	for i, m := range w.machines {
		ask := &packet.Ask{Name: rr.MustName("www.example.com"), Type: 1, Any: true}
		if got, want := m.g.Owners(ask.Name, 2, nil), w.machines[0].g.Owners(ask.Name, 2, nil); !slices.Equal(got, want) {
			t.Errorf("%s has the owners %v, %s has %v", m.name, got, w.machines[0].name, want)
		}
		for _, o := range w.machines {
			o.got = nil
		}
		m.send(m.g.Send(w.now, peer.Send{All: true, ID: uint64(i + 1), Body: ask}))
		w.run(10 * time.Millisecond)
		for _, o := range w.machines {
			if o != m && len(o.got) == 0 {
				t.Errorf("%s does not hear the call of %s", o.name, m.name)
			}
		}
	}
	w.machines[0].g.Say(Status{Upstream: packet.Down})
	w.run(time.Second)
	for _, o := range w.machines[1:] {
		for _, m := range o.g.Members() {
			if m.ID == w.machines[0].g.Self() && m.Upstream != packet.Down {
				t.Errorf("%s has not heard that the servers of %s are down", o.name, w.machines[0].name)
			}
		}
	}
}

// TestOldKeyGoesQuiet: when all have the new key, nothing is said under the old one any
// more, and who has only that is out.
func TestOldKeyGoesQuiet(t *testing.T) {
	w := lan(t, 52, 4, 0, true, true)
	w.until(5 * time.Second)
	next, err := w.keys.Next(seeded(7))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range w.machines {
		m.g.SetKeys(next)
		w.run(2 * time.Second)
	}
	w.run(time.Minute)
	for _, m := range w.machines {
		if keys := m.g.spoken(); len(keys) != 1 {
			t.Errorf("%s still speaks under the keys %v", m.name, keys)
		}
	}
	only, err := packet.ParseKeys(firstKey(next))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range w.machines[:3] {
		m.g.SetKeys(only)
	}
	w.machines[3].g.SetKeys(w.keys)
	w.run(time.Minute)
	for i, m := range w.machines {
		if size := m.g.Size(); i < 3 && size != 3 || i == 3 && size != 1 {
			t.Errorf("%s has %d members", m.name, size-1)
		}
	}
}

// firstKey is the text of the newest key alone.
func firstKey(k *packet.Keys) []byte {
	var text []byte
	for line := range bytes.Lines(k.Text()) {
		text = append(text, line...)
		if line[0] != '#' {
			break
		}
	}
	return text
}
