package quorum

import (
	"fmt"
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	type take struct {
		from      string
		boot, seq uint64
		sent      time.Duration // after the start
		now       time.Duration
		want      error
	}
	for _, c := range []struct {
		name  string
		takes []take
	}{
		{"in order", []take{{"a", 5, 1, 0, 0, nil}, {"a", 5, 2, 0, 0, nil}, {"a", 5, 9, 0, 0, nil}}},
		{"the same again", []take{{"a", 5, 1, 0, 0, nil}, {"a", 5, 1, 0, 0, ErrReplay}}},
		{"overtaken", []take{{"a", 5, 4, 0, 0, nil}, {"a", 5, 2, 0, 0, nil}, {"a", 5, 2, 0, 0, ErrReplay}, {"a", 5, 3, 0, 0, nil}, {"a", 5, 4, 0, 0, ErrReplay}}},
		{"overtaken by 63", []take{{"a", 5, 100, 0, 0, nil}, {"a", 5, 37, 0, 0, nil}, {"a", 5, 37, 0, 0, ErrReplay}}},
		{"overtaken by 64", []take{{"a", 5, 100, 0, 0, nil}, {"a", 5, 36, 0, 0, ErrReplay}}},
		{"a leap forgets no seq", []take{{"a", 5, 1, 0, 0, nil}, {"a", 5, 65, 0, 0, nil}, {"a", 5, 1, 0, 0, ErrReplay}, {"a", 5, 2, 0, 0, nil}}},
		{"the greatest seq", []take{{"a", 5, 1<<64 - 1, 0, 0, nil}, {"a", 5, 0, 0, 0, ErrReplay}, {"a", 5, 1<<64 - 2, 0, 0, nil}}},
		{"a new life", []take{{"a", 5, 100, 0, 0, nil}, {"a", 6, 1, 0, 0, nil}, {"a", 6, 1, 0, 0, ErrReplay}}},
		{"an old life", []take{{"a", 6, 1, 0, 0, nil}, {"a", 5, 100, 0, 0, ErrReplay}}},
		{"nodes apart", []take{{"a", 5, 1, 0, 0, nil}, {"b", 5, 1, 0, 0, nil}, {"b", 4, 1, 0, 0, ErrReplay}, {"a", 5, 2, 0, 0, nil}}},
		{"30 s late", []take{{"a", 5, 1, 0, MaxSkew, nil}}},
		{"later", []take{{"a", 5, 1, 0, MaxSkew + 1, ErrSkew}}},
		{"30 s early", []take{{"a", 5, 1, MaxSkew, 0, nil}}},
		{"not yet", []take{{"a", 5, 1, MaxSkew + 1, 0, ErrSkew}}},
		{"too late leaves no trace", []take{{"a", 9, 1, 0, time.Hour, ErrSkew}, {"a", 5, 1, time.Hour, time.Hour, nil}}},
		{"a clock set back", []take{{"a", 6, 1, 0, 0, nil}, {"a", 5, 1, 50 * time.Second, 60 * time.Second, ErrReplay}, {"a", 5, 2, 61 * time.Second, 61 * time.Second, nil}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w Window
			for i, k := range c.takes {
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					wantErr(t, w.Take(k.from, k.boot, k.seq, start.Add(k.sent), start.Add(k.now)), k.want)
				})
			}
		})
	}
}

// TestWindowIsBounded has nodes come and go with ever new names.
func TestWindowIsBounded(t *testing.T) {
	var w Window
	for i := range 1000 {
		now := start.Add(time.Duration(i) * time.Minute)
		wantErr(t, w.Take(fmt.Sprint(i), 1, 1, now, now), nil)
	}
	if len(w.seen) > 3 {
		t.Errorf("%d nodes remembered", len(w.seen))
	}
}

// TestWindowOnce offers the same messages again at any later time: no time comes
// at which one of them is taken twice.
func TestWindowOnce(t *testing.T) {
	for ahead := -MaxSkew; ahead <= MaxSkew; ahead += 5 * time.Second {
		var w Window
		wantErr(t, w.Take("a", 5, 1, start.Add(ahead), start), nil)
		for later := time.Duration(0); later < 3*time.Minute; later += time.Second {
			if w.Take("a", 5, 1, start.Add(ahead), start.Add(later)) == nil {
				t.Errorf("clock %v ahead: taken again after %v", ahead, later)
			}
		}
	}
}
