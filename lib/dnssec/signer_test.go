package dnssec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"namecast/lib/limit"
	"namecast/lib/rr"
)

func TestRollover(t *testing.T) {
	secret := testSecret(t, 0, 48*time.Hour)
	signer, now := testSigner(secret, Options{})
	old := testKey(t, secret, "example.com")
	next, err := secret.epochs[1].Key(rr.MustName("example.com"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		at         time.Duration
		keys       []*Key
		data, want *Key
	}{
		{"before", 47 * time.Hour, []*Key{old}, old, old},
		{"published", 48 * time.Hour, []*Key{old, next}, old, old},
		{"signing", 48*time.Hour + Prepublish, []*Key{old, next}, next, next},
	} {
		t.Run(c.name, func(t *testing.T) {
			*now = day.Add(c.at)
			z := testZone(t, signer, "example.com")
			keys := z.DNSKEY()
			keys.Owner = z.name
			sigs, err := z.Sign(keys, Want{Class: Few})
			if err != nil {
				t.Fatal(err)
			}
			verify(t, z, keys, sigs, *now)
			if len(keys.Data) != len(c.keys) || len(sigs.Data) != len(c.keys) {
				t.Errorf("%d keys, %d signatures, want %d", len(keys.Data), len(sigs.Data), len(c.keys))
			}
			s := set(t, sets[0]...)
			sigs, err = z.Sign(s, Want{Class: Held})
			if err != nil {
				t.Fatal(err)
			}
			verify(t, z, s, sigs, *now)
			if got := binary.BigEndian.Uint16([]byte(sigs.Data[0][16:18])); len(sigs.Data) != 1 || got != c.data.Tag {
				t.Errorf("data is signed by key %d, want %d", got, c.data.Tag)
			}
			if z.CDS().Data[0] != c.want.DS() || z.CDNSKEY().Data[0] != c.want.DNSKEY() || z.DS().Data[0] != c.want.DS() {
				t.Errorf("the parent is asked for another key")
			}
		})
	}
}

func TestSetSecret(t *testing.T) {
	signer, now := testSigner(testSecret(t, 0), Options{})
	s := set(t, sets[0]...)
	z := testZone(t, signer, "example.com")
	if _, err := z.Sign(s, Want{Class: Held}); err != nil {
		t.Fatal(err)
	}
	other := testSecret(t, 0, time.Minute)
	signer.SetSecret(Secret{other.epochs[1:]})
	z = testZone(t, signer, "example.com")
	sigs, err := z.Sign(s, Want{Class: Held})
	if err != nil {
		t.Fatal(err)
	}
	verify(t, z, s, sigs, *now)
}

func TestBudget(t *testing.T) {
	signer, now := testSigner(testSecret(t, 0), Options{Rate: limit.Rate{N: 160, Per: time.Second}})
	zones := make([]*Zone, 4)
	for i := range zones {
		zones[i] = testZone(t, signer, fmt.Sprintf("z%d.example", i))
	}
	n := 0
	sign := func(z *Zone, c Class, stream bool) error {
		n++
		name := z.name
		_, err := z.Sign(NSEC(rr.MustName(fmt.Sprintf("n%d", n))+name, name, 300, TypeNXNAME), Want{Class: c, Stream: stream})
		return err
	}
	many := func(z *Zone, c Class, stream bool) (done int) {
		for range 500 {
			if err := sign(z, c, stream); err == nil {
				done++
			} else if !errors.Is(err, ErrBusy) {
				t.Fatal(err)
			}
		}
		return done
	}
	if got := many(zones[0], Asked, false); got != 10 {
		t.Errorf("one zone got %d signatures at once, want 10", got)
	}
	if got := many(zones[1], Asked, false); got != 10 {
		t.Errorf("another zone got %d, want the 10 that are left", got)
	}
	if got := many(zones[2], Asked, false); got != 0 {
		t.Errorf("a third zone got %d, want none", got)
	}
	if got := many(zones[0], Asked, true); got != 2 {
		t.Errorf("over streams %d, want 2 of their own", got)
	}
	if _, err := zones[0].Sign(NSEC(rr.MustName("n")+zones[0].name, zones[0].name, 300), Want{Class: Asked, Payer: "another"}); !errors.Is(err, ErrBusy) {
		t.Errorf("another payer gets more than there is: %v", err)
	}
	if err := sign(zones[0], Held, false); err != nil {
		t.Errorf("what is held starves: %v", err)
	}
	if got := many(zones[0], Few, false); got != 500 {
		t.Errorf("the few starve: %d of 500", got)
	}
	*now = now.Add(time.Second)
	for _, z := range zones {
		z.now = *now
	}
	if got := many(zones[2], Asked, false); got != 10 {
		t.Errorf("a second later: %d, want 10", got)
	}
	st := signer.Stats()
	if st.Made[Asked] != 32 || st.Made[Held] != 1 || st.Made[Few] != 500 || st.Refused[Asked] == 0 || st.Cached != [3]uint64{} {
		t.Errorf("stats %+v", st)
	}
}

func TestCacheIsUsed(t *testing.T) {
	signer, now := testSigner(testSecret(t, 0), Options{Rate: limit.Rate{N: 1, Per: time.Second}})
	s := set(t, sets[0]...)
	for i := range 100 {
		sigs, err := testZone(t, signer, "example.com").Sign(s, Want{Class: Held})
		if err != nil {
			t.Fatalf("time %d: %v", i, err)
		}
		verify(t, testZone(t, signer, "example.com"), s, sigs, *now)
	}
	if st := signer.Stats(); st.Made[Held] != 1 || st.Cached[Held] != 99 || st.Kept != 1 {
		t.Errorf("stats %+v", st)
	}
}
