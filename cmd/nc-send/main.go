// Nc-send sends signed updates to a DNS hosting service and prints the replies.
//
// Usage:
//
//	nc-send [-s server] [-t duration] [-wait duration] [-4 | -6] < packets
//	nc-send -whoami [-s server] [-t duration] [-4 | -6]
//
// Packets come on standard input, as nc-sign makes them. For each packet, and
// each of its elements, what the server says is printed as one line:
//
//	packet 1 ok account=mfrggzdfmztwq2lkmfrggzdfmztwq2lk seq=5 next=6
//	element 1.1 ok
//	packet 2 refused status=102 "an element is invalid, nothing was changed" seq=6 next=6
//	element 2.1 refused code=400 "invalid record data"
//	packet 3 unsent seq=7
//
// All packets are read before the first is sent, and nothing is sent if one of
// them is damaged or cut off. They are sent in order; after the first that is
// not accepted the rest stay unsent. A packet without an answer is sent again,
// the same bytes, until the time of -t is over: it may have arrived, and the
// server applies it once. A server that is busy and says when to come again is
// asked again then, within the same time; otherwise the packet's line has the
// word later and retry-after=SECONDS. What else the server says to people comes
// last in a line, as text="...".
//
// A packet is accepted when the node that took it has made it durable and answers
// with it. With -wait, nc-send then waits until every node of the service does, for
// so long at most, and prints for the last packet of each key one of
//
//	packet 2 insync
//	packet 2 behind
//	packet 2 unknown
//
// where behind is that some node does not have it yet, and unknown that the server
// does not tell.
//
// With -whoami nothing is read. Nc-send asks the server from which address it
// sees this machine and prints that address, which behind NAT is the one that
// other people see.
//
// The server is that of -s, $NAMECAST_SERVER, or the key file ($NAMECAST_KEY or
// ~/.namecast/key), written [service@]host[:port]; the port is 8153 if none is
// given. Only -whoami needs the service, the domain of the installation.
//
// Exit status: 0 all packets accepted, 1 a packet was refused or the input is
// no packet, 2 wrong usage, 111 no answer or the server is busy: try again, or
// with -wait: accepted, but not known to be everywhere.
//
// Examples:
//
//	nc-sign < update.txt | nc-send
//	nc-send -s namecast.example@192.0.2.53 -whoami -4
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"namecast/lib/cli"
	"namecast/lib/client"
	"namecast/lib/key"
	"namecast/lib/nup"
	"namecast/lib/rr"
)

func main() { cli.Tool{Name: "nc-send", Source: source, Run: run}.Main() }

//go:embed main.go
var source string // its package comment is the manual

func run(ctx context.Context, fs *flag.FlagSet, parse func() error) error {
	var o client.Options
	spec := fs.String("s", "", "`server` to send to: [service@]host[:port]")
	fs.DurationVar(&o.Limit, "t", client.DefaultLimit, "`duration` after which a packet without an answer is given up")
	wait := fs.Duration("wait", 0, "`duration` to wait for all nodes to have what was sent; 0 is not at all")
	whoami := fs.Bool("whoami", false, "print the address that the server sees, send no packet")
	four := fs.Bool("4", false, "use IPv4 only")
	six := fs.Bool("6", false, "use IPv6 only")
	if err := cli.Parse(fs, parse, 0); err != nil {
		return err
	}
	switch {
	case *four && *six:
		return cli.UsageError("-4 and -6 exclude each other")
	case *wait < 0 || *wait > 0 && *whoami:
		return cli.UsageError("-wait takes a time, and packets to send")
	case o.Limit <= 0:
		return cli.UsageError("-t %v: not a time to wait", o.Limit)
	case *four:
		o.Network = "udp4"
	case *six:
		o.Network = "udp6"
	}
	server, service, err := client.Find(*spec, *whoami)
	if err != nil {
		return result(err)
	}
	o.Progress = client.Progress(os.Stderr, "nc-send", server)
	if *whoami {
		return result(printAddress(ctx, server, service, o))
	}
	packets, err := read(os.Stdin)
	if err != nil {
		return err
	}
	return result(send(ctx, server, packets, *wait, o))
}

// send sends all packets and then, if there is a time to wait, waits until all
// nodes have what they made.
func send(ctx context.Context, server string, packets [][]byte, wait time.Duration, o client.Options) error {
	err := client.SendAll(ctx, server, packets, os.Stdout, o)
	if err == nil && wait > 0 {
		err = client.WaitAll(ctx, server, packets, wait, os.Stdout, o)
	}
	return err
}

// read reads all packets; there must be one.
func read(r io.Reader) (packets [][]byte, err error) {
	for p, err := range nup.Scan(r) {
		if err != nil {
			return nil, fmt.Errorf("packet %d on standard input: %w", len(packets)+1, err)
		}
		packets = append(packets, p)
	}
	if len(packets) == 0 {
		return nil, errors.New("nothing to send on standard input")
	}
	return packets, nil
}

func printAddress(ctx context.Context, server string, service rr.Name, o client.Options) error {
	addr, err := client.WhoAmI(ctx, server, service, o)
	if err != nil {
		return fmt.Errorf("ask for the address: %w", err)
	}
	_, err = fmt.Println(addr)
	return err
}

// result gives an error its exit number. Where the lines on standard output
// have said it all, there is no message.
func result(err error) error {
	switch {
	case errors.Is(err, client.ErrRefused):
		return cli.Exit(cli.Refused)
	case errors.Is(err, client.ErrLater), errors.Is(err, client.ErrBehind):
		return cli.Exit(cli.Retry)
	case errors.Is(err, client.ErrNoAnswer), errors.Is(err, context.Canceled):
		return cli.RetryError(err)
	case errors.Is(err, client.ErrNoServer), errors.Is(err, client.ErrNoService), errors.Is(err, key.ErrServer):
		return cli.UsageError("%w", err)
	}
	return err
}
