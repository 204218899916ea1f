package ldb

import (
	"math"
	"testing"
)

func TestShare(t *testing.T) {
	last := share(0)
	for _, memory := range []int64{1, 4 << 20, 32 << 20, 64 << 20, 128 << 20, 256 << 20, 1 << 30, 1 << 40, math.MaxInt64} {
		b := share(memory)
		if b.writeBuffer < minWriteBuffer || b.writeBuffer > maxWriteBuffer || b.cache < 1<<20 {
			t.Errorf("%d octets are shared out as %+v", memory, b)
		}
		if b.cache < last.cache || b.writeBuffer < last.writeBuffer {
			t.Errorf("%d octets are shared out as %+v, less as %+v", memory, b, last)
		}
		if used := 3*int64(b.writeBuffer) + int64(b.cache); memory >= MinMemory && used > memory/2 {
			t.Errorf("%d octets are shared out as %+v, more than half", memory, b)
		}
		last = b
	}
}
