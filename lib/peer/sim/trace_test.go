package sim

import (
	"math"
	"testing"
	"time"
)

// TestTrace is the acceptance test of the generator: as many names as were seen at MIT
// in the first twelve hours and in all seven days.
func TestTrace(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of the processor")
	}
	tr := NewTrace(Habits{}, 1233, 482, 1)
	seen := make([]bool, 550_000)
	names := 0
	for i := 1; i <= 4_160_954; i++ {
		_, _, n := tr.Next()
		if !seen[n] {
			seen[n] = true
			names++
		}
		want := map[int]int{281_943: 47_230, 4_160_954: 302_032}[i]
		if want == 0 {
			continue
		}
		off := float64(names)/float64(want) - 1
		t.Logf("%d lookups: %d names, %d seen (%+.1f %%)", i, names, want, 100*off)
		if math.Abs(off) > 0.05 {
			t.Errorf("%d lookups have %d names, and not %d", i, names, want)
		}
	}
}

// TestTraceRate: as many lookups as were ordered, by night fewer.
func TestTraceRate(t *testing.T) {
	tr := NewTrace(Habits{Night: 0.8}, 10, 4000, 1)
	var day, night int
	for {
		at, _, _ := tr.Next()
		if at > 10*24*time.Hour {
			break
		}
		if h := at % (24 * time.Hour) / time.Hour; h >= 6 && h < 18 {
			day++
		} else {
			night++
		}
	}
	if all := day + night; math.Abs(float64(all)/400_000-1) > 0.02 || night*2 > day {
		t.Errorf("%d by day, %d by night", day, night)
	}
}
