package keep

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

func TestSnapshot(t *testing.T) {
	c := New(Options{})
	now := 10 * time.Hour
	own(t, c, now, entry(t, now-time.Minute, "own", 3600, func(e *Entry) { e.Put, e.PutTo[1], e.State = now, you, packet.Secure }))
	if err := c.Put(now, entry(t, now, "owned", 3600, foreign(them))); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := c.Snapshot(&buf, Moment{Now: now, Boot: "one", Wall: 1000}); err != nil {
		t.Fatal(err)
	}
	key := Key{Net: 1, Name: rr.MustName("own"), Type: dns.TypeA}
	for _, m := range []struct {
		name string
		at   Moment
		n    int
		age  time.Duration
	}{
		{"the same boot", Moment{Now: now + time.Hour, Boot: "one", Wall: 3}, 2, time.Hour + time.Minute},
		{"another boot", Moment{Now: time.Minute, Boot: "two", Wall: 1000 + 7200}, 2, 2*time.Hour + time.Minute},
		{"a clock that went back", Moment{Now: 3 * time.Minute, Boot: "two", Wall: 5}, 2, 4 * time.Minute},
		{"much later", Moment{Now: time.Minute, Boot: "two", Wall: 1000 + 100000}, 0, 0},
	} {
		k := New(Options{})
		n, err := k.Load(bytes.NewReader(buf.Bytes()), m.at)
		if err != nil || n != m.n {
			t.Fatalf("%s: %d entries, %v", m.name, n, err)
		}
		check(t, k)
		e := k.Get(key)
		if m.n == 0 {
			continue
		}
		if e.Fresh(m.at.Now) || e.Age(m.at.Now) != m.age || e.State != packet.Secure || !e.First || e.PutTo[1] != you || e.Put == 0 {
			t.Errorf("%s: age %v, %+v", m.name, e.Age(m.at.Now), e)
		}
		if n := k.Counts(); n.Own != 1 || n.Owned != 1 {
			t.Errorf("%s: %+v", m.name, n)
		}
	}
}

func TestSnapshotDamaged(t *testing.T) {
	c := New(Options{})
	own(t, c, 0, entry(t, 0, "own", 3600, nil))
	var buf bytes.Buffer
	if err := c.Snapshot(&buf, Moment{Boot: "one"}); err != nil {
		t.Fatal(err)
	}
	k := New(Options{})
	for i := range buf.Len() {
		bad := bytes.Clone(buf.Bytes())
		bad[i] ^= 1
		for _, data := range [][]byte{bad, bad[:i], buf.Bytes()[:i]} {
			if _, err := k.Load(bytes.NewReader(data), Moment{Boot: "one"}); !errors.Is(err, ErrSnapshot) {
				t.Fatalf("octet %d: %v", i, err)
			}
		}
	}
}

func FuzzLoad(f *testing.F) {
	c := New(Options{})
	own(f, c, 0, entry(f, 0, "own", 3600, nil))
	_ = c.Put(0, entry(f, 0, "owned", 3600, foreign(them)))
	var buf bytes.Buffer
	if err := c.Snapshot(&buf, Moment{Now: time.Hour, Boot: "one", Wall: 1000}); err != nil {
		f.Fatal(err)
	}
	body, form, _, err := head(buf.Bytes())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body, form == form2)
	f.Add(body, form != form2)
	f.Fuzz(func(t *testing.T, data []byte, second bool) {
		form := byte(form1)
		if second {
			form = form2
		}
		for len(data) > 0 {
			e, rest, err := parseEntry(data, form, time.Hour, time.Minute)
			if err != nil {
				return
			}
			if e.Fresh(time.Hour) || e.Age(time.Hour) < time.Minute || len(rest) >= len(data) {
				t.Fatalf("%+v", e)
			}
			if form == form1 && (e.Until != 0 || e.MaxTTL != 0) {
				t.Fatalf("the first form has no end of signatures: %+v", e)
			}
			data = rest
		}
	})
}
