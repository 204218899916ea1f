// Nc-chain is a node of replicated storage, on which several nc-serve keep the
// accounts of one service.
//
// Usage:
//
//	nc-chain -name N -listen HOST:PORT [-db DIR] [flags]
//	nc-chain -status [-json] [-db DIR]
//	nc-chain -drain NODE | -undrain NODE | -remove NODE [-db DIR]
//	nc-chain -set replicas=N [-db DIR]
//	nc-chain -recover [-accept stale,empty] [-yes] [-db DIR]
//
// The storage is 256 chains of records. A chain is on several nodes, by default
// three, which have it in an order: the first numbers a write, each makes it
// durable and hands it on, and when the last has it, it is done and told. Every node
// of a chain answers reads. Any node takes any request. When a node dies, its chains
// go on with those that are left within seconds, and get another node after
// -recruit-after, with a copy of what they hold.
//
// Which node has which chain, and who is alive, is kept by etcd, which runs inside
// of nc-chain: on the first node, on the nodes with -member, and on those of
// -peers; three or five make its loss unlikely. While it is away, reads and writes
// go on as long as nobody else fails. -etcd names one that runs elsewhere.
//
// # One node
//
//	nc-chain -name n1 -listen 127.0.0.1:7153 -db n1
//
// founds a cluster: the node makes the authority by which its members know each
// other, and its own identity, in the folder. It uses three ports: the one given
// for links, the next for other members of etcd, and the one after for etcd's clients.
// An nc-serve needs an identity too:
//
//	nc-keygen -ca -issue -o s1.pem client/s1 < n1/authority.pem
//	nc-serve -store chain://127.0.0.1:7153 -identity s1.pem ...
//
// # More nodes
//
// A node joins with a token, which is made where the authority is, and the address
// of a node that runs and has the authority:
//
//	nc-keygen -ca -join -host 192.0.2.2 -o n2.token node/n2 < n1/authority.pem
//	nc-chain -name n2 -listen 192.0.2.2:7153 -db n2 -join n2.token -via 192.0.2.1:7153 -member
//
// The token is good once and for an hour. Chains move to the new node by
// themselves, a few at a time. Later starts need no -join and -via. Three nodes can
// also begin at the same time, each with an identity (nc-keygen -ca -issue) and the
// same -peers. Certificates are renewed by a node that has the authority, in its
// folder or by -authority; the authority belongs on few nodes, and into a safe.
//
// -zone says what fails together, a rack or a room of a datacenter: no two nodes of
// a chain are in one zone if there are enough of them, and a chain crosses from one
// datacenter to another as seldom as it can.
//
// # Looking after it
//
// -status asks the node that runs on the folder, and prints what the cluster is
// like: nodes, and every chain that does not fully serve and why. It exits with 0 if
// all do, with 1 if not, with 111 if the node cannot tell. -drain has all chains
// moved away from a node, so that it can be taken out, and waits until they are;
// -undrain takes that back. -remove ends the membership of a node that is gone
// for good: its identity is not believed any more, and etcd does not count on it. -set replicas=N changes how many
// nodes a chain should have. Restart nodes one after the other, each when -status
// is content.
//
// If etcd's data is lost, every node still has its chains and knows who else had
// them. Start the nodes with a new etcd: delete DIR/etcd on all members, start one
// of them with -peers, which names it alone, and then the others; or name another
// with -etcd. They see that there is no table, and wait. When all nodes that
// can be had are there, -recover prints what it would do, and with -yes does it.
// A node that ran while etcd was emptied has to be restarted first.
// What only missing nodes had is lost then: chains of which only an older state is
// left, or nothing, are named, and are taken up only with -accept stale or empty.
//
// A node whose disk fails ends. If the log of a chain on its disk does not hold
// together, that chain is copied from others. If the database as a whole does not,
// the node refuses it and says so: where others have its chains, move the folder
// DIR/chains away, and it comes back as an empty node; where it had the only copy,
// keep the folder, and ask who can read it.
//
// -http shows the node to its operator: a page for people at /, a health check at
// /healthz, metrics for Prometheus at /metrics.
//
// The log goes to standard error, a line an event. SIGTERM and SIGINT end the node
// after it has handed over what it leads. A supervisor that sets NOTIFY_SOCKET is
// told when the node is registered and takes requests, and if it has a watchdog, that
// its loops turn.
//
// Exit status: 0 ended as told, 1 refused (the folder is damaged or of another
// node; -status found something), 2 wrong usage, 111 try again later (the folder
// is locked, an address is in use, the coordinator cannot be reached, the disk is full).
//
// Example:
//
//	nc-chain -name n1 -listen 192.0.2.1:7153 -db /var/lib/namecast/chain -zone ams/r1
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"log/slog"
	"os"

	"namecast/lib/cli"
	"namecast/lib/storage"
)

func main() { cli.Tool{Name: "nc-chain", Source: source, Run: run}.Main() }

//go:embed main.go
var source string

func run(ctx context.Context, fs *flag.FlagSet, parse func() error) error {
	var c storage.Config
	var o operator
	serviceFlags(fs, &c)
	clusterFlags(fs, &c)
	o.register(fs)
	verbose := fs.Bool("v", false, "log more")
	if err := cli.Parse(fs, parse, 0); err != nil {
		return err
	}
	if asked, err := o.asked(fs); err != nil || asked {
		if err == nil {
			err = verdict(o.run(ctx, c.DB))
		}
		return err
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	return verdict(storage.Run(ctx, c))
}

// verdict gives an error its exit number.
func verdict(err error) error {
	switch {
	case errors.Is(err, storage.ErrConfig):
		return cli.UsageError("%w", err)
	case storage.Transient(err):
		return cli.RetryError(err)
	}
	return err
}
