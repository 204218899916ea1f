package limit

import (
	"fmt"
	"testing"
	"time"
)

func TestRateText(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Rate
		ok   bool
	}{
		{"10/s", Rate{10, time.Second}, true},
		{"600/min", Rate{600, time.Minute}, true},
		{"1/h", Rate{1, time.Hour}, true},
		{"none", Rate{}, true},
		{"0/s", Rate{}, false},
		{"-1/s", Rate{}, false},
		{"10", Rate{}, false},
		{"10/fortnight", Rate{}, false},
		{"", Rate{}, false},
	} {
		var r Rate
		err := r.Set(c.in)
		if (err == nil) != c.ok || c.ok && (r != c.want || r.String() != c.in) {
			t.Errorf("Set(%q) = %v, %v; prints %q", c.in, r, err, r)
		}
	}
}

func TestTake(t *testing.T) {
	now := time.Unix(1000, 0)
	tab := New(Rate{10, time.Second}, 3, 1024)
	for i := range 3 {
		if w := tab.Take("a", now); w != 0 {
			t.Fatalf("event %d of the burst waits %v", i, w)
		}
	}
	if w := tab.Take("a", now); w != 100*time.Millisecond {
		t.Errorf("past the burst: wait %v, want 100ms", w)
	}
	if w := tab.Wait("a", now.Add(100*time.Millisecond)); w != 0 {
		t.Errorf("after the wait: %v", w)
	}
	if w := tab.Take("b", now); w != 0 {
		t.Errorf("another key waits %v", w)
	}
	if w := tab.Take("a", now.Add(time.Hour)); w != 0 {
		t.Errorf("an hour later: %v", w)
	}
}

func TestNoLimit(t *testing.T) {
	tab := New(Rate{}, 0, 1)
	for range 1000 {
		if w := tab.Take("a", time.Unix(0, 0)); w != 0 {
			t.Fatalf("no limit, but wait %v", w)
		}
	}
}

// TestManyKeys checks that keys without number neither grow the table nor get
// more in all than its places allow.
func TestManyKeys(t *testing.T) {
	now := time.Unix(1000, 0)
	tab := New(Rate{1, time.Hour}, 1, 64)
	granted := 0
	for i := range 10000 {
		if tab.Take(fmt.Sprint(i), now) == 0 {
			granted++
		}
	}
	if granted > 64 {
		t.Errorf("%d events granted by 64 places", granted)
	}
}

// TestDebt checks that something dear is let through on a whole budget, and
// keeps others waiting for as long as it is worth.
func TestDebt(t *testing.T) {
	now := time.Unix(1000, 0)
	tab := New(Rate{10, time.Second}, 3, 1)
	if w := tab.TakeN("a", 40, now); w != 0 {
		t.Errorf("on a whole budget: wait %v", w)
	}
	if w := tab.Take("a", now); w != 3800*time.Millisecond {
		t.Errorf("in debt: wait %v, want 3.8s", w)
	}
}

// TestBytes counts a key in a buffer with the same key in a string.
func TestBytes(t *testing.T) {
	table, now := New(Rate{1, time.Second}, 2, 1000), time.Unix(1, 0)
	if table.Take("a key", now) != 0 || table.TakeBytes([]byte("a key"), now) != 0 || table.TakeBytes([]byte("a key"), now) == 0 {
		t.Error("the budgets are two")
	}
	if New(Rate{}, 1, 1).TakeBytes(nil, now) != 0 {
		t.Error("no rate is a limit")
	}
}
