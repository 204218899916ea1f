package iterate

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// silence has all servers say nothing, until the function that it gives is called.
func (w *world) silence() (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	were := w.at
	w.at = map[string]handler{}
	for at := range were {
		w.at[at] = func(*dns.Msg) *dns.Msg { return nil }
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.at = were
	}
}

// When nobody answers, not even the root's servers, that is known soon, and what was
// known of delegations stays known.
func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := small(t)
		r := w.resolver(Options{})
		resolve(t, r, "www.example.test", dns.TypeA)
		resolve(t, r, "www.example.test", dns.TypeAAAA)
		end := w.silence()
		for _, name := range []string{"alias.example.test", "none.test", "www.away.test", "nothing"} {
			began := time.Now()
			_, err := r.Resolve(t.Context(), Question{Name: rr.MustName(name), Type: dns.TypeA})
			if took := time.Since(began); !errors.Is(err, ErrSilent) || !errors.Is(err, ErrServers) || took > 1500*time.Millisecond {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		}
		end()
		w.asked()
		resolve(t, r, "www.example.test", dns.TypeMX)
		if got := w.asked(); slices.Contains(got, "192.0.2.1 test. A") || slices.Contains(got, "192.0.2.2 example.test. A") {
			t.Errorf("the delegations were forgotten: %q", got)
		}
	})
}

// Who has never heard a server waits longer for the first.
func TestNobodyEverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := small(t)
		w.silence()
		began := time.Now()
		_, err := w.resolver(Options{}).Resolve(t.Context(), Question{Name: rr.MustName("www.test"), Type: dns.TypeA})
		if took := time.Since(began); !errors.Is(err, ErrSilent) || took < time.Second || took > 3*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// A zone whose servers are dead does not make the network so: a server of the root is
// asked once.
func TestDeadZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := small(t)
		r := w.resolver(Options{})
		resolve(t, r, "www.example.test", dns.TypeA)
		for _, at := range []string{"192.0.2.3", "192.0.2.4"} {
			w.at[at] = func(*dns.Msg) *dns.Msg { return nil }
		}
		w.asked()
		_, err := r.Resolve(t.Context(), Question{Name: rr.MustName("alias.example.test"), Type: dns.TypeA})
		if !errors.Is(err, ErrServers) || errors.Is(err, ErrSilent) {
			t.Errorf("got %v", err)
		}
		proofs := 0
		for _, q := range w.asked() {
			if q == "192.0.2.1 . NS" {
				proofs++
			}
		}
		if proofs != 1 {
			t.Errorf("the root's server was asked %d times whether it is there", proofs)
		}
	})
}

// A server that is only slow is waited for.
func TestSlowIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := small(t)
		r := w.resolver(Options{})
		resolve(t, r, "www.example.test", dns.TypeA)
		w.delay["192.0.2.3"], w.delay["192.0.2.4"] = 1200*time.Millisecond, 1200*time.Millisecond
		if got := resolve(t, r, "www.example.test", dns.TypeAAAA); got != "NOERROR, www.example.test. AAAA 2001:db8::1" {
			t.Errorf("got %s", got)
		}
	})
}
