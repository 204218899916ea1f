// Package health composes the daemon nc-watch: the probes of package probe look
// at the parts of a node, package watch decides what follows, and this package
// does it: it sends route lines to nc-bgp, restarts components, talks with the
// watchers of the other nodes, and tells people what it sees and why.
//
// One goroutine, the loop, owns the decision. Everything else that runs is a
// goroutine that brings it events: one for each probe, process and counter, one
// for each restart, one that hears the others. The loop itself writes the route
// lines, so that a loop that hangs is silent, and nc-bgp withdraws.
package health

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"syscall"

	"namecast/lib/private"
)

// What a run ends with, and what an operator's command says.
var (
	// ErrConfig marks an error of the operator's words.
	ErrConfig = errors.New("")
	// ErrOutput: route lines cannot be written any more.
	ErrOutput = errors.New("the reader of the route lines does not take them")
	// ErrLocked: another process watches with the same folder.
	ErrLocked = private.ErrLocked
	// ErrNotAnnounced: a prefix is not announced for everybody. What there is to
	// say was printed.
	ErrNotAnnounced = errors.New("")
)

// A Config is what an operator says about a run. The tool fills it from flags.
type Config struct {
	File  string // the configuration, lines of package ndb: see Parse
	Dir   string // folder for the operator's socket
	HTTP  string // address of the status page; "" is none
	Route string // nc-bgp's socket; "" has the lines go to Out
	Pprof bool   // the status page has profiles of the process
	Force bool   // a new configuration may drop every prefix there is
	Out   *os.File
	Log   *slog.Logger
}

// Transient reports whether an error may pass by itself, so that the same start
// may succeed later.
func Transient(err error) bool {
	for _, e := range []error{ErrOutput, ErrLocked, io.ErrClosedPipe, syscall.EPIPE, syscall.EADDRINUSE, syscall.EADDRNOTAVAIL, syscall.EMFILE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
