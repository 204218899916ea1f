package health

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"namecast/lib/watch"
)

// TestHungLoop sees that a loop that hangs is told, and waited for no longer than
// it has to be.
func TestHungLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{loop: newBench(t, onePrefix).loop, started: time.Now()} // nobody runs it
		if err := d.health(); !errors.Is(err, errSilent) {
			t.Errorf("health: %v", err)
		}
		if took := time.Since(d.started); took != callLimit {
			t.Errorf("that took %v", took)
		}
		if list := d.metrics(); len(list) != 1 || list[0].Name != "watch_answers" || list[0].Value() != 0 {
			t.Errorf("metrics: %+v", list)
		}
		w := httptest.NewRecorder()
		d.showPage(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 503 || !strings.Contains(w.Body.String(), errSilent.Error()) {
			t.Errorf("page: %d %s", w.Code, w.Body)
		}
	})
}

func TestHeadline(t *testing.T) {
	one := watch.PrefixShot{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Route: watch.Announce, Why: "all is well"}
	two := watch.PrefixShot{Prefix: netip.MustParsePrefix("2001:db8::/48"), Route: watch.Announce, Why: "all is well"}
	down := watch.PrefixShot{Prefix: two.Prefix, Route: watch.Withdraw, Why: "dns is dead"}
	for want, prefixes := range map[string][]watch.PrefixShot{
		"This node announces nothing and only watches others.":                            nil,
		"192.0.2.0/24 is announced: all is well":                                          {one},
		"All 2 prefixes are announced: all is well":                                       {one, two},
		"192.0.2.0/24 is announced: all is well; 2001:db8::/48 is withdrawn: dns is dead": {one, down},
	} {
		if got := headline(watch.Snapshot{Prefixes: prefixes}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
