package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Size is a number of octets, whose text form is a number with K, M or G for
// 2^10, 2^20 or 2^30 of them. It implements flag.Value.
type Size int64

// MinMemory is the least that -mem takes, in octets.
const MinMemory Size = 16 << 20

var sizeUnits = []struct {
	letter string
	octets Size
}{{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}}

// Set reads the text form of a size of at least MinMemory.
func (s *Size) Set(text string) error {
	num, unit := text, Size(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(text, u.letter); ok {
			num, unit = n, u.octets
		}
	}
	n, err := strconv.ParseUint(num, 10, 63)
	if err != nil || n > uint64(math.MaxInt64/unit) {
		return fmt.Errorf("a size is a number of octets, or one with K, M or G: %q", text)
	}
	if Size(n)*unit < MinMemory {
		return fmt.Errorf("a size of less than %s: %q", MinMemory, text)
	}
	*s = Size(n) * unit
	return nil
}

// String gives the shortest text form.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.octets == 0 {
			return strconv.FormatInt(int64(s/u.octets), 10) + u.letter
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
