package nup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Scan yields the requests that follow one another in a stream, each as its
// own octets. After an error, which says at which octet of the stream the
// packet begins that is not one, it yields no more. An empty stream yields
// nothing.
func Scan(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		offset := 0
		s := bufio.NewScanner(r)
		s.Buffer(make([]byte, 4096), MaxPacket+1)
		s.Split(func(b []byte, end bool) (int, []byte, error) {
			if len(b) == 0 && end {
				return 0, nil, nil
			}
			n, err := Length(b)
			switch {
			case n > MaxPacket, errors.Is(err, ErrCutOff) && len(b) > MaxPacket:
				return 0, nil, ErrTooLarge
			case errors.Is(err, ErrCutOff) && !end:
				return 0, nil, nil
			}
			return n, b[:n], err
		})
		for s.Scan() {
			if !yield(append([]byte(nil), s.Bytes()...), nil) {
				return
			}
			offset += len(s.Bytes())
		}
		if err := s.Err(); err != nil {
			yield(nil, fmt.Errorf("read packet at octet %d: %w", offset, err))
		}
	}
}
