package validate

import (
	"crypto/sha1"
	"strings"

	"namecast/lib/rr"
)

// compare orders names as RFC 4034 section 6.1 does: by labels from the right, each as
// octets; names are in lower case.
func compare(a, b rr.Name) int {
	var as, bs [maxLabels]string
	na, nb := split(a, &as), split(b, &bs)
	for i := 1; i <= min(na, nb); i++ {
		if c := strings.Compare(as[na-i], bs[nb-i]); c != 0 {
			return c
		}
	}
	return na - nb
}

// maxLabels is how many labels a name of 255 octets can have.
const maxLabels = 127

func split(n rr.Name, to *[maxLabels]string) int {
	i := 0
	for label := range n.Labels() {
		to[i] = label
		i++
	}
	return i
}

// tail is the last labels of a name.
func tail(n rr.Name, labels int) rr.Name {
	for drop := n.Count() - labels; drop > 0; drop-- {
		n = n.Parent()
	}
	return n
}

// common is the longest name that both are at or below.
func common(a, b rr.Name) rr.Name {
	for a != "" && !b.Under(a) {
		a = a.Parent()
	}
	return a
}

// hash is that of RFC 5155 section 5.
func hash(n rr.Name, salt string, iterations uint16) string {
	h := sha1.New()
	h.Write(n.Wire())
	h.Write([]byte(salt))
	sum := h.Sum(nil)
	for range iterations {
		h.Reset()
		h.Write(sum)
		h.Write([]byte(salt))
		sum = h.Sum(sum[:0])
	}
	return string(sum)
}
