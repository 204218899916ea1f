package rrl

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"namecast/lib/limit"
)

var start = time.Unix(1e9, 0)

// judge counts the verdicts on n responses.
func judge(l *Limiter, n int, to string, c Class, name string, now time.Time) (verdicts [3]int) {
	for range n {
		verdicts[l.Judge(netip.MustParseAddr(to), c, []byte(name), now)]++
	}
	return verdicts
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name string
		rate limit.Rate
		slip int
		want [3]int // of 100 that are alike, at once
	}{
		{"slip 2", limit.Rate{N: 10, Per: time.Second}, 2, [3]int{10, 45, 45}},
		{"slip 1", limit.Rate{N: 10, Per: time.Second}, 1, [3]int{10, 90, 0}},
		{"slip 3", limit.Rate{N: 10, Per: time.Second}, 3, [3]int{10, 30, 60}},
		{"no slip", limit.Rate{N: 10, Per: time.Second}, 0, [3]int{10, 0, 90}},
		{"seldom", limit.Rate{N: 10, Per: time.Minute}, 0, [3]int{1, 0, 99}},
		{"no limit", limit.Rate{}, 2, [3]int{100, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judge(New(c.rate, c.slip), 100, "192.0.2.1", Positive, "www.example.", start); got != c.want {
				t.Errorf("sent, slipped, dropped: %v, want %v", got, c.want)
			}
		})
	}
}

// TestApart gives each network and each kind of response a budget of its own.
func TestApart(t *testing.T) {
	l := New(limit.Rate{N: 10, Per: time.Second}, 0)
	for _, c := range []struct {
		name, to, of string
		class        Class
		want         int // of 20
	}{
		{"the first", "192.0.2.1", "www.example.", Positive, 10},
		{"its neighbour", "192.0.2.200", "www.example.", Positive, 0},
		{"the neighbour in IPv6 form", "::ffff:192.0.2.200", "www.example.", Positive, 0},
		{"another network", "192.0.3.1", "www.example.", Positive, 10},
		{"another name", "192.0.2.1", "mail.example.", Positive, 10},
		{"another class", "192.0.2.1", "www.example.", Negative, 10},
		{"errors", "192.0.2.1", "", Error, 10},
		{"IPv6", "2001:db8::1", "www.example.", Positive, 10},
		{"the same /56", "2001:db8:0:ff::1", "www.example.", Positive, 0},
		{"another /56", "2001:db8:0:100::1", "www.example.", Positive, 10},
	} {
		if got := judge(l, 20, c.to, c.class, c.of, start); got[Send] != c.want {
			t.Errorf("%s: %d sent, want %d", c.name, got[Send], c.want)
		}
	}
	if got := judge(l, 20, "192.0.2.1", Positive, "www.example.", start.Add(500*time.Millisecond)); got[Send] != 5 {
		t.Errorf("half a second later: %d sent, want 5", got[Send])
	}
}

// TestAll bounds what one network gets through very many names.
func TestAll(t *testing.T) {
	l, sent := New(limit.Rate{N: 10, Per: time.Second}, 0), 0
	for i := range 1000 {
		sent += judge(l, 1, "192.0.2.1", Positive, fmt.Sprint(i), start)[Send]
	}
	if sent != 100 {
		t.Errorf("%d sent, want 100", sent)
	}
}

// TestSlipsOfEach counts slips by network: two that take turns both get theirs.
func TestSlipsOfEach(t *testing.T) {
	l := New(limit.Rate{N: 1, Per: time.Second}, 2)
	var one, two [3]int
	for range 100 {
		one[l.Judge(netip.MustParseAddr("192.0.2.1"), Error, nil, start)]++
		two[l.Judge(netip.MustParseAddr("198.51.100.1"), Error, nil, start)]++
	}
	if one[Slip] != 49 || two[Slip] != 49 {
		t.Errorf("%v, %v", one, two)
	}
}

func TestNoGarbage(t *testing.T) {
	l, to, name := New(limit.Rate{N: 10, Per: time.Second}, 2), netip.MustParseAddr("2001:db8::1"), []byte("www.example.")
	if n := testing.AllocsPerRun(100, func() { l.Judge(to, Positive, name, start) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkJudge(b *testing.B) {
	l, to, now := New(limit.Rate{N: 10, Per: time.Second}, 2), netip.MustParseAddr("192.0.2.1"), time.Now()
	name := []byte("www.example.")
	for b.Loop() {
		l.Judge(to, Positive, name, now)
	}
}
