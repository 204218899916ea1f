package view

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// words are what the page says of figures; words.js says the same.
var words = template.FuncMap{
	"short":    short,
	"span":     span,
	"percent":  percent,
	"ready":    func(s State) string { return percent(uint64(s.Answerable), uint64(s.Of)) },
	"answered": func(c Counters) uint64 { return c.Fresh + c.Stale + c.Peer + c.Iterated },
	"join":     func(s []string) string { return strings.Join(s, ", ") },
	"ms":       func(f float64) string { return fmt.Sprintf("%.1f ms", f) },
	"took": func(f float64) string {
		if f == 0 {
			return Took(f)
		}
		return Took(f) + " ms"
	},
	"ages": ages,
	"share": func(n int, all []int) string {
		sum := 0
		for _, k := range all {
			sum += k
		}
		return percent(uint64(n), uint64(sum))
	},
	"doubted": func(m Member) bool { return !m.Self && m.Trust < trustLeast },
}

// trustLeast is below what a member is not asked.
const trustLeast = 0.5

// Took is a time in milliseconds; "-" if there is none.
func Took(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", ms)
}

// ages are what the stretches between [Ages] are called.
func ages() []string { return []string{"1 min", "10 min", "1 h", "6 h", "1 d", "older"} }

// short is enough of a NodeID to tell members apart.
func short(id string) string { return id[:min(len(id), 4)] }

// span says a time in the two largest of its units.
func span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Truncate(time.Second)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h >= 48:
		return fmt.Sprintf("%d d %d h", h/24, h%24)
	case h > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	case m > 0:
		return fmt.Sprintf("%d min %d s", m, s)
	}
	return fmt.Sprintf("%d s", s)
}

// percent is how many of all; "–" if there are none. What is not all is not called 100.
func percent(n, all uint64) string {
	switch {
	case all == 0:
		return "–"
	case n < all && float64(n)/float64(all) > 0.99:
		return "99 %"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(all))
}
