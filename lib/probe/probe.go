// Package probe looks at the parts of a node, once at a time: at DNS over UDP and
// TCP with what it says, at an update on its way through all parts, at pages and
// numbers over HTTP, at processes, and at whatever a command can tell.
//
// A probe never looks twice at the same time, uses a fresh socket for each look,
// and ends with its context. Who calls it, how often, and what is decided from it
// are matters of others.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"unicode"
)

// A Func looks once. It tells in a few words what it saw, and an error if that is
// not as it should be. It ends soon after its context.
type Func func(ctx context.Context) (detail string, err error)

// What a look can fail with, besides errors of the network.
var (
	// ErrWrong: there was an answer, and it is not the right one.
	ErrWrong = errors.New("wrong answer")
	// ErrExited: the process is gone.
	ErrExited = errors.New("the process is gone")
	// ErrConfig: the words that describe a probe make none.
	ErrConfig = errors.New("no probe")
)

// Timeout tells whether a look failed because there was no answer in time: what
// is looked at may be gone, hung, or only have too much to do. Refused connections
// and wrong answers are none.
func Timeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.ETIMEDOUT) || errors.As(err, &timeout) && timeout.Timeout()
}

// wrong makes an ErrWrong.
func wrong(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrWrong, fmt.Sprintf(format, a...))
}

// maxText is how much of a foreign text is kept for people, in octets.
const maxText = 200

// line makes one short line of a foreign text: what it says first.
func line(text []byte) string {
	s := strings.TrimSpace(strings.ToValidUTF8(string(text[:min(len(text), 4*maxText)]), "?"))
	s, _, _ = strings.Cut(s, "\n")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "..."
	}
	return s
}
