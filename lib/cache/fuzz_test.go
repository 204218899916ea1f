package cache

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzCache runs a sequence of operations, three octets each, against the model.
func FuzzCache(f *testing.F) {
	f.Add([]byte("\x00"))
	f.Add([]byte("\x01p\x01\x10g\x01\x00p\x01\x20g\x01\x00c\x00\x00g\x01\x00"))
	f.Add([]byte("\x02" + strings.Repeat("p\x01\xf0p\x02\xf1p\x03\xf2p\x04\xf3g\x01\x00", 20)))
	f.Add([]byte("\x03" + strings.Repeat("m\x01\x07g\x20\x00p\x01\xff", 30)))
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) == 0 || len(ops) > 1000 {
			return
		}
		m := newModel(int(ops[0]) << 12)
		for i := 1; i+2 < len(ops); i += 3 {
			operate(t, m, i, ops[i], int(ops[i+1]), int(ops[i+2]))
		}
		verify(t, m.Cache)
	})
}

func operate(t *testing.T, m *model, i int, what byte, n, size int) {
	key := strings.Repeat("k", n*n%1100) + fmt.Sprint(n)
	switch what {
	case 'c':
		m.Clear()
		clear(m.last)
	case 'p':
		m.put(t, key, strings.Repeat(string(rune('a'+i%26)), size*size/7))
	case 'm': // many small ones
		for j := range n * 4 {
			m.put(t, fmt.Sprint(i, j), strings.Repeat("v", size%16))
		}
	case 'e': // the numbers of slabs near their end
		if m.w.head == 0 {
			m.w.head = posMask>>m.w.shift - uint64(n)
			m.w.tail = m.w.head + 1
		}
	default:
		m.get(t, key)
	}
}
