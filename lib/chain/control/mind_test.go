package control

import (
	"slices"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// two is a picture of one chain of three members, of which n1 has no registration.
func two() *Picture {
	p := &Picture{Lease: lease, Replicas: 3, Rows: []chain.Row{{Epoch: 7}}}
	for _, name := range []string{"n1", "n2", "n3"} {
		p.Nodes = append(p.Nodes, Node{Name: name, Zone: name, Inc: 1, Live: name != "n1", Renewed: 100 * time.Second, Renewal: 5})
		p.Rows[0].Members = append(p.Rows[0].Members, chain.Member{Node: name, Inc: 1})
	}
	return p
}

// minded makes a mind that looks at a picture at a time, without grace.
func minded(t *testing.T) (m *mind, look func(time.Duration, *Picture) []action) {
	cfg, err := Config{
		Name: "n2", Table: &board{}, Fence: (&board{}).fence, Log: discard, Now: func() time.Duration { return 0 },
	}.complete()
	if err != nil {
		t.Fatal(err)
	}
	m = newMind(&cfg, 0)
	return m, func(now time.Duration, p *Picture) []action { return m.look(now, p, 0, true) }
}

// heard has all but n1 heard of at a time.
func (p *Picture) heard(now time.Duration) *Picture {
	for i := range p.Nodes {
		if n := &p.Nodes[i]; n.Name != "n1" {
			n.Renewed = now
		}
	}
	return p
}

// That a registration is gone proves nothing before the leases are over.
func TestAbsence(t *testing.T) {
	seen := 100 * time.Second
	over := seen + plan.LeaseWait(lease)
	n1 := chain.Member{Node: "n1", Inc: 1}
	t.Run("after its last renewal", func(t *testing.T) {
		_, look := minded(t)
		p := two()
		if acts := look(over-1, p.heard(over-1)); len(acts) != 0 {
			t.Errorf("%+v", acts)
		}
		acts := look(over, p.heard(over))
		if len(acts) != 1 || acts[0].kind != publish || !slices.Equal(acts[0].gone, []chain.Member{n1}) {
			t.Errorf("%+v", acts)
		}
	})
	for name, change := range map[string]func(*Picture){
		"whose last renewal nobody knows":     func(p *Picture) { p.Nodes[0].Renewed = 0 },
		"whose record is gone":                func(p *Picture) { p.Nodes = p.Nodes[1:] },
		"whose record begins anew":            func(p *Picture) { p.Nodes[0].Inc, p.Nodes[0].Live = 0, false },
		"of which an older one ended cleanly": func(p *Picture) { p.Rows[0].Members[0].Inc, p.Nodes[0].Ended = 2, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			_, look := minded(t)
			p := two()
			change(p)
			for _, at := range []time.Duration{0, plan.LeaseWait(lease) - 1} {
				if acts := look(seen+at, p.heard(seen+at)); len(acts) != 0 {
					t.Errorf("after %v: %+v", at, acts)
				}
			}
			if acts := look(over, p.heard(over)); len(acts) != 1 || acts[0].kind != publish {
				t.Errorf("%+v", acts)
			}
		})
	}
	t.Run("ended cleanly", func(t *testing.T) {
		_, look := minded(t)
		p := two()
		p.Nodes[0].Ended = 1
		if acts := look(seen+1, p); len(acts) != 1 || acts[0].kind != publish || len(acts[0].gone) != 0 {
			t.Errorf("%+v", acts)
		}
	})
}

// A registration that is deleted must be the one whose last renewal was seen, and
// it is waited for from then, even if a picture shows it yet.
func TestExpel(t *testing.T) {
	m, look := minded(t)
	p := two()
	p.Nodes[0].Live = true
	p.Nodes[0].Renewed -= 2 * time.Second
	acts := look(100*time.Second+1, p)
	if len(acts) != 1 || acts[0].kind != expel || acts[0].renewal != 5 || acts[0].node != "n1" {
		t.Fatalf("%+v", acts)
	}
	if acts := look(100*time.Second+2, p); len(acts) != 0 {
		t.Fatalf("again: %+v", acts)
	}
	m.expelled(acts[0], true)
	acts = look(100*time.Second+3, p) // 2 s are more than the wait
	if len(acts) != 1 || acts[0].kind != publish || len(acts[0].gone) != 1 {
		t.Fatalf("%+v", acts)
	}
	m.published(acts[0], false, time.Second)
	if acts := look(100*time.Second+4, p); len(acts) != 0 {
		t.Fatalf("%+v", acts)
	}
	if acts := look(101*time.Second+5, &Picture{}); len(acts) != 0 {
		t.Fatalf("without settings: %+v", acts)
	}
}

// A registration that has been renewed meanwhile stays, and is tried again.
func TestExpelRefused(t *testing.T) {
	m, look := minded(t)
	p := two()
	p.Nodes[0].Live = true
	p.Nodes[0].Renewed -= 2 * time.Second
	acts := look(100*time.Second, p)
	m.expelled(acts[0], false)
	if acts := look(100*time.Second+1, p); len(acts) != 0 {
		t.Errorf("%+v", acts)
	}
	p.Nodes[0].Renewal, p.Nodes[0].Renewed = 6, 100*time.Second
	if acts := look(100*time.Second+expelAgain, p); len(acts) != 0 {
		t.Errorf("%+v", acts)
	}
	if acts := look(100*time.Second+expelAgain+m.cfg.Suspect, p); len(acts) != 3 || acts[0].renewal != 6 {
		t.Errorf("%+v", acts) // all three are silent by then
	}
}

func TestEars(t *testing.T) {
	e := &ears{cfg: &Config{Suspect: time.Second, Grace: 700 * time.Millisecond}}
	p := two()
	at := func(now time.Duration, p *Picture, want time.Duration) {
		t.Helper()
		if got := e.listen(100*time.Second+now, p); got != 100*time.Second+want {
			t.Errorf("grace until %v, want %v", got-100*time.Second, want)
		}
	}
	ms := time.Millisecond
	at(0, p, 700*ms) // it has just begun to listen
	at(400*ms, p, 700*ms)
	p.Nodes[1].Renewed += 400 * ms
	at(800*ms, p, 700*ms)
	at(950*ms, p, 1650*ms) // nobody is heard of
	p.Nodes[2].Renewed += 1300 * ms
	at(1400*ms, p, 1650*ms)
	p.Nodes[2].Renewed += 1500 * ms
	at(2800*ms, p, 3500*ms) // it stood still
}
