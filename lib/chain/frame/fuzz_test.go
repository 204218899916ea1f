package frame

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"
	"testing/iotest"

	"namecast/lib/chain"
)

// FuzzParse: what is a frame is written as it was read, and a reader that gets
// the octets one by one finds the same frames and the same end.
func FuzzParse(f *testing.F) {
	all := frames(f)
	for _, name := range sortedKeys(all) {
		f.Add(all[name])
		f.Add(append(bytes.Clone(all[name]), all[name]...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(iotest.OneByteReader(bytes.NewReader(b)))
		for rest := b; ; {
			one, size, err := Parse(rest)
			read, readErr := r.Next()
			if err != nil {
				checkEnd(t, rest, err, readErr)
				return
			}
			if readErr != nil || !reflect.DeepEqual(one, read) {
				t.Fatalf("%x: parsed %+v, read %+v, %v", rest, one, read, readErr)
			}
			if again, err := Append(nil, one.Header, one.Body); err != nil || !bytes.Equal(again, rest[:size]) {
				t.Fatalf("%x is written as %x, %v", rest[:size], again, err)
			}
			rest = rest[size:]
		}
	})
}

// checkEnd compares how the two ways of reading end.
func checkEnd(t *testing.T, rest []byte, parsed, read error) {
	t.Helper()
	switch {
	case !errors.Is(parsed, ErrShort):
		if read == nil || read.Error() != parsed.Error() {
			t.Fatalf("%x: parse: %v, read: %v", rest, parsed, read)
		}
	case len(rest) == 0 && read != io.EOF, len(rest) > 0 && read != io.ErrUnexpectedEOF:
		t.Fatalf("%x: read: %v", rest, read)
	}
}

// FuzzMessage: what is a message is written as it was read.
func FuzzMessage(f *testing.F) {
	for _, m := range samples {
		b, err := AppendMessage(nil, envelope(m))
		if err != nil {
			f.Fatal(err)
		}
		one, _, err := Parse(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(one.Type), one.Stream, one.Chain, one.Epoch, one.Body)
	}
	f.Fuzz(func(t *testing.T, typ uint8, stream uint64, id uint16, epoch uint64, body []byte) {
		h := Header{Type: Type(typ), Stream: stream, Chain: id, Epoch: epoch}
		e, err := ParseMessage(Frame{h, body}, chain.Member{})
		if err != nil {
			if !errors.Is(err, ErrType) && !errors.Is(err, ErrMessage) {
				t.Fatal(err)
			}
			return
		}
		want, err := Append(nil, h, body)
		if err != nil {
			t.Skip("longer than a frame")
		}
		for i := range body {
			body[i] ^= 0xff // the message must not change with it
		}
		if got, err := AppendMessage(nil, e); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x is read as %+v and written as %x, %v", want, e, got, err)
		}
	})
}
