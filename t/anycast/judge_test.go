package anycast

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTable judges figures.
func TestTable(t *testing.T) {
	figures := &table{}
	fast, count := measure{what: "time", bound: 50 * time.Millisecond}, measure{what: "lost"}
	for i := range 100 {
		figures.add("second", fast, float64(i)/1000)
	}
	figures.add("first", count, 0)
	list := figures.sorted([]string{"first", "second"})
	if len(list) != 2 || list[0].row != "first" || percentile(list[1].figures, 50) != 0.049 || percentile(list[1].figures, 99) != 0.098 {
		t.Fatalf("lines %+v", list)
	}
	if m := misses(list); len(m) != 1 || !strings.Contains(m[0], "p99 of 100 is 98ms, more than 50ms") {
		t.Errorf("misses: %q", m)
	}
	figures.add("first", count, 1)
	if m := misses(figures.sorted([]string{"first"})); len(m) != 1 || !strings.Contains(m[0], "is 1, more than 0") {
		t.Errorf("misses: %q", m)
	}
	if text := markdown(list); !strings.Contains(text, "| second | time | 100 | 49ms | 98ms | 99ms | 50ms |") {
		t.Errorf("table:\n%s", text)
	}
	for _, c := range []struct {
		list    []float64
		percent int
		want    float64
	}{{[]float64{7}, 50, 7}, {[]float64{7}, 99, 7}, {[]float64{1, 2}, 50, 1}, {[]float64{1, 2}, 99, 2}, {[]float64{1, 2, 3}, 50, 2}} {
		if got := percentile(c.list, c.percent); got != c.want {
			t.Errorf("percentile %d of %v is %v", c.percent, c.list, got)
		}
	}
}

func FuzzUDP(f *testing.F) {
	b := []byte{
		0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
		0xc0, 0, 0x1f, 0xdb, 0, 10, 0, 0, 'h', 'i', // UDP to 8155
	}
	d, ok := parseUDP(append(slices.Clone(b), 0, 0), votes)
	if !ok || string(d.payload) != "hi" || d.from.String() != "10.0.0.1" {
		f.Fatalf("datagram %+v", d)
	}
	for i := range b {
		f.Add(b[:i])
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, ok := parseUDP(b, votes)
		if ok && (len(b) < 28 || len(d.payload) > len(b)-28 || int(binary.BigEndian.Uint16(b[2:])) > len(b)) {
			t.Errorf("%d octets of payload in %d", len(d.payload), len(b))
		}
	})
}
