package trial

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/chain/host"
	"namecast/lib/link"
)

// driverEnv, in the environment, makes the test's program the driver: its value are
// a plan, as JSON.
const driverEnv = "NAMECAST_TRIAL_DRIVER"

// A plan says where the nodes are that a driver speaks to.
type plan struct {
	Dir   string   // has the identities of the clients, and "node.pem", a node's
	Nodes []string // their links, n1 first
	Etcd  []string // members of etcd, "host:port", n1 first
}

// An order is what the driver is told to do, a line of JSON on its standard input.
// Each is answered by a line on its standard output: what was done, the number, and
// the answer.
type order struct {
	Do     string // "begin", "end", "recruit" or "leader"
	Number int
	Chains []chain.ID `json:",omitempty"` // with begin
	Idle   bool       `json:",omitempty"`
	Fill   bool       `json:",omitempty"`
	Seed   uint64     `json:",omitempty"`
	File   string     `json:",omitempty"` // with end: for the history
}

// A driver is the clients of all trials of a cluster.
type driver struct {
	plan    plan
	clients []*driven
	load    *load // of the trial that runs, or nil
}

// A driven is a client and its name.
type driven struct {
	*client.Client
	name string
}

// roamers is how many clients are connected to all nodes.
const roamers = 2

// zone is that of a node: each has its own, so that a client can be near to one.
func zone(i int) string { return fmt.Sprintf("dc/r%d", i+1) }

// clientName names the client that is connected to one node alone, or to all.
func clientName(i int) string {
	if i < roamers {
		return fmt.Sprintf("any%d", i+1)
	}
	return fmt.Sprintf("at-n%d", i-roamers+1)
}

// drive is the driver's main function.
func drive(text string) error {
	var d driver
	if err := json.Unmarshal([]byte(text), &d.plan); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for i := range roamers + len(d.plan.Nodes) {
		c, err := d.client(i)
		if err != nil {
			return err
		}
		d.clients = append(d.clients, c)
		all.Go(func() { c.Run(ctx) }) // ends with its context
	}
	for lines := json.NewDecoder(bufio.NewReader(os.Stdin)); ; {
		var o order
		if err := lines.Decode(&o); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		answer, err := d.obey(ctx, o)
		if err != nil {
			answer = "error: " + err.Error()
		}
		fmt.Printf("%s %d: %s\n", o.Do, o.Number, answer)
	}
}

// client makes the client of a number: the first are connected to all nodes, and the
// others to one each.
func (d *driver) client(i int) (*driven, error) {
	name := clientName(i)
	creds, err := link.Load(filepath.Join(d.plan.Dir, name+".pem"), func(error) {})
	if err != nil {
		return nil, err
	}
	c := client.Config{Credentials: creds, Addrs: d.plan.Nodes, Log: slog.New(slog.DiscardHandler)}
	if i >= roamers {
		c.Addrs, c.Zone, c.MaxNodes = d.plan.Nodes[i-roamers:i-roamers+1], zone(i-roamers), 1
	}
	return &driven{client.New(c), name}, nil
}

func (d *driver) obey(ctx context.Context, o order) (string, error) {
	switch o.Do {
	case "begin":
		return "", d.begin(ctx, o)
	case "end":
		ops := d.load.end(ctx, d.clients)
		d.load = nil
		return fmt.Sprint(len(ops)), writeHistory(o.File, ops)
	case "recruit":
		return d.recruit(ctx)
	case "leader":
		return d.leader(ctx)
	}
	return "", fmt.Errorf("no such order")
}

// begin starts the load of a trial.
func (d *driver) begin(ctx context.Context, o order) error {
	if o.Fill {
		if err := d.fill(ctx, o.Chains); err != nil {
			return err
		}
	}
	d.load = newLoad(o, d.clients)
	return nil
}

// fill gives chains something to copy: two mebibytes each.
func (d *driver) fill(ctx context.Context, ids []chain.ID) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for _, id := range ids {
		for i := range 16 {
			ops := []chain.Op{{Kind: chain.Put, Key: fmt.Appendf(nil, "fill/%d", i), Value: make([]byte, 128<<10)}}
			if _, err := d.clients[0].Propose(ctx, id, chain.Propose{Request: client.NewRequest(), Ops: ops}); err != nil {
				return err
			}
		}
	}
	return nil
}

// recruit waits until a chain of the trial has a recruit, and tells the chain and the
// node. The nodes are asked themselves, as a client's table can be two seconds old.
func (d *driver) recruit(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for at := 0; ; at++ {
		var s host.Status
		node := fmt.Sprintf("n%d", at%len(d.plan.Nodes)+1)
		ask, stop := context.WithTimeout(ctx, time.Second)
		text, err := d.clients[0].Ask(ask, node, "status")
		stop()
		if err == nil && json.Unmarshal(text, &s) == nil {
			for _, c := range s.Chains {
				if slices.Contains(d.load.chains, c.Chain) && !c.Recruit.IsZero() {
					return fmt.Sprintf("%d %s", c.Chain, c.Recruit.Node), nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return "none", nil
		case <-tick.C:
		}
	}
}

// leader asks etcd which node's member leads it.
func (d *driver) leader(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	id, err := ca.LoadIdentity(filepath.Join(d.plan.Dir, "node.pem"))
	if err != nil {
		return "", err
	}
	for i, addr := range d.plan.Etcd {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{"https://" + addr}, TLS: etcdTLS(id), Logger: zap.NewNop()})
		if err != nil {
			return "", err
		}
		ask, stop := context.WithTimeout(ctx, 2*time.Second)
		s, err := c.Status(ask, "https://"+addr)
		stop()
		c.Close()
		if err == nil && s.Leader == s.Header.MemberId {
			return fmt.Sprintf("n%d", i+1), nil
		}
	}
	return "none", nil
}

// etcdTLS shows a node's certificate, and takes whatever is at the other end: only a
// fault's target depends on what it says.
func etcdTLS(id ca.Identity) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, Certificates: []tls.Certificate{*id.Certificate()}}
}

// driverMain runs the driver, and says what it could not do.
func driverMain(text string) int {
	if err := drive(strings.TrimSpace(text)); err != nil {
		fmt.Println("driver:", err)
		return 1
	}
	return 0
}
