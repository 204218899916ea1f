package anycast

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"namecast/lib/route"
)

// FuzzRead: whatever comes, each line that has an end is handed on whole, or as one
// that is too long, and then the end.
func FuzzRead(f *testing.F) {
	f.Add([]byte("announce 192.0.2.0/24\nquit\n"))
	f.Add([]byte("\n\r\n\x00cut off"))
	f.Add(append(bytes.Repeat([]byte("x"), 2*route.MaxLine+5), "\nstatus\n"...))
	f.Add(append(bytes.Repeat([]byte("x"), route.MaxLine+1), '\n'))
	f.Fuzz(func(t *testing.T, input []byte) {
		o, lines := &owner{gone: make(chan struct{})}, make(chan line)
		go func() {
			o.read(bytes.NewReader(input), lines)
			close(lines)
		}()
		rest := input
		for l := range lines {
			text, after, whole := bytes.Cut(rest, []byte("\n"))
			switch {
			case !whole:
				if !errors.Is(l.err, io.EOF) {
					t.Fatalf("%q, %v, and not the end", l.text, l.err)
				}
			case len(text) > route.MaxLine+1:
				if !errors.Is(l.err, errLong) {
					t.Fatalf("%q, %v, and not too long", l.text, l.err)
				}
			case l.err != nil || l.text != string(text)+"\n":
				t.Fatalf("%q, %v, and not %q", l.text, l.err, text)
			}
			rest = after
		}
		if len(rest) > 0 {
			t.Fatalf("not handed on: %q", rest)
		}
	})
}
