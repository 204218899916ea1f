package host

import (
	"testing"
	"time"

	"namecast/lib/clock"
)

// TestJoins: in which networks a portal may be.
func TestJoins(t *testing.T) {
	const home, cafe, unsure = 1, 2, 4
	now := clock.Boot()
	for _, c := range []struct {
		name   string
		now    uint64
		known  networkNote
		passed stay
		want   bool
	}{
		{"the first ever", home, networkNote{}, stay{}, false},
		{"the same", home, networkNote{home, "", false}, stay{home, now}, false},
		{"the same, perhaps", unsure | home, networkNote{home, "", false}, stay{home, now}, true},
		{"the same, not passed yet", cafe, networkNote{cafe, "", true}, stay{home, now}, true},
		{"another", cafe, networkNote{home, "", false}, stay{home, now}, true},
		{"none", 0, networkNote{home, "", false}, stay{home, now}, true},
		{"none, and then the same", home, networkNote{home, "", false}, stay{home, now}, false},
		{"back at once", home, networkNote{cafe, "", true}, stay{home, now - time.Second}, false},
		{"back the next day", home, networkNote{cafe, "", false}, stay{home, now - 24*time.Hour}, true},
	} {
		d := new(daemon)
		if got := d.joins(site{net: c.now &^ unsure, sure: c.now&unsure == 0}, c.known, c.passed); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"", "", false}, {"", "192.0.2.0/24", false}, {"192.0.2.0/24", "", false},
		{"192.0.2.0/24,2001:db8::/64", "2001:db8::/64", true},
		{"192.0.2.0/24", "192.0.2.0/25,10.0.0.0/8", false},
	} {
		if got := overlap(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}
