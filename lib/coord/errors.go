package coord

import (
	"context"
	"errors"
	"fmt"
)

// Reasons why the coordinator does not do as it was asked.
var (
	// ErrUnavailable: there was no answer. What was asked for may have been done, or
	// may yet be.
	ErrUnavailable = errors.New("coordinator does not answer")
	// ErrLapsed: the registration is gone, and never comes back.
	ErrLapsed = errors.New("registration has lapsed")
	// ErrDeposed: another controller was elected.
	ErrDeposed = errors.New("no longer the elected controller")
	// ErrNode: there is no such node.
	ErrNode = errors.New("no such node")
	// ErrInUse: the node is live, or in a row of the chain table.
	ErrInUse = errors.New("node is in use")
	// ErrRemoved: the operator has removed the node; it has to join anew.
	ErrRemoved = errors.New("node was removed from the cluster")
	// ErrTable: there is a chain table already.
	ErrTable = errors.New("there is a chain table already")
	// ErrHeld: there is no chain table, but nodes hold data of one that there was.
	ErrHeld = errors.New("nodes hold chains, but there is no chain table; it has to be recovered")
	// ErrBad: a value that cannot be kept, or cannot be read.
	ErrBad = errors.New("bad value")
)

// unavailable puts an error of etcd in this package's terms.
func unavailable(ctx context.Context, what string, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, cause)
	}
	return fmt.Errorf("%s: %w: %v", what, ErrUnavailable, err)
}
