package host

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
	"namecast/lib/chain/replica"
	"namecast/lib/link"
)

// A Config says which node this is and what it works with. All but Zone, Issue,
// Limits and Replica must be set.
type Config struct {
	// Name is the node's, as in its certificate; Addr is where other nodes and
	// clients reach its links, "host:port"; Zone is explained in package plan.
	Name, Addr, Zone string

	Disk        Disk
	Coordinator Coordinator
	Listener    net.Listener // of the links; closed by Run

	Credentials *link.Credentials
	Limits      link.Limits // Queue is 16 MiB where it is 0
	// Issue, unless it is nil, answers those that join or renew; see link.Config.
	Issue func(ctx context.Context, c net.Conn, peer *x509.Certificate)
	// Answer, unless it is nil, answers what is asked of the node beside its status.
	Answer func(ctx context.Context, what string) ([]byte, error)

	Replica replica.Options // of every replica, but for Self
	// MinReplicas is how many members a chain must have to take writes; 0 is 1 while
	// there are fewer than three nodes, and else 2.
	MinReplicas int
	Log         *slog.Logger
}

// required is how many members a chain must have to take writes, of so many nodes.
func (c *Config) required(nodes int) int {
	switch {
	case c.MinReplicas > 0:
		return c.MinReplicas
	case nodes < 3:
		return 1
	}
	return 2
}

// A Disk is what a host needs of package disk: the storages of all chains, with
// one order of writing for each.
type Disk interface {
	// Storage gives a chain's storage, for one goroutine at a time.
	Storage(chain.ID) Storage
	// Write takes a batch over, and does not wait for it. Who opened the disk has
	// it call Host.Written when the batch is durable.
	Write(chain.ID, replica.Batch)
	// Flush returns when all that was given to Write is durable, and Host.Written
	// was called for it; or with an error, when it never will be.
	Flush() error
	// Held is what is on the disk.
	Held() map[chain.ID]replica.Meta
	// Failed is closed when something could not be written, and Err says what.
	Failed() <-chan struct{}
	Err() error
}

// A Storage is a chain's part of a disk.
type Storage interface {
	replica.Storage
	Err() error // why something could not be read, once that has happened
}

// A Coordinator is what a host needs of package coord.
type Coordinator interface {
	// Picture is the newest there is, nil before the first. It does not change. It
	// is looked at for every request that is passed on.
	Picture() *Picture
	// Changed is closed when there is a newer one, renewals of registrations aside.
	Changed() <-chan struct{}
	// Register takes the node's next incarnation, and has its registration in
	// force from then on. ErrRemoved if that can never be.
	Register(context.Context, Node) (Registration, error)
	// Report tells the controller something about a chain.
	Report(context.Context, chain.ID, replica.Report) error
}

// A Registration is that of one incarnation of the node.
type Registration interface {
	Inc() chain.Incarnation
	// Lease is what a renewal is good for.
	Lease() time.Duration
	// Renew renews it. ok is false if it was not in force any more, and never
	// will be again; with an error nobody knows. Several are under way at a time.
	Renew(context.Context) (ok bool, err error)
	// Silent says with which nodes this one has no connection, in place of what it said
	// before.
	Silent(context.Context, []string) error
	// End says that this incarnation has ended.
	End(context.Context) error
}

// A Picture is how the cluster stands, as the coordinator told it.
type Picture struct {
	Revision int64 // only grows
	Nodes    []Node
	Rows     []chain.Row // none or all, in the order of their chains
}

// A Node is a node of the cluster.
type Node struct {
	Name, Addr, Zone string
	Pin              string // of its key, as ca.Pin.String has it
	Live             bool   // it is registered, as far as the coordinator can tell
	// Held is what a node has on its disk when it registers, and Above the newest
	// incarnation that has written anything there, half a copy included: the one that
	// registers has to be newer. Pictures need not have them.
	Held  map[chain.ID]Holding
	Above chain.Incarnation
}

// A Holding is the whole data of a chain on a node's disk.
type Holding = plan.Holding
