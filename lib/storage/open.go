package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain/client"
	"namecast/lib/cli"
	"namecast/lib/clock"
	"namecast/lib/coord"
	"namecast/lib/private"
)

// coordinate starts this node's member of the coordinator, if it is to have one, and
// finds the way to the coordinator.
func (d *daemon) coordinate(ctx context.Context, founded bool) error {
	endpoints, err := d.endpoints(ctx, founded)
	if err != nil {
		return err
	}
	if d.hasMember(founded) {
		if err := d.startMember(ctx, endpoints); err != nil {
			return err
		}
	} else if len(endpoints) == 0 {
		return fmt.Errorf("%wno way to the coordinator: give -etcd, -via, -peers or -member", ErrConfig)
	}
	c := coord.Config{
		Endpoints: endpoints, Member: d.member, Identity: d.credentials.Identity, Log: d.Log,
		Settings: coord.Settings{Replicas: d.Replicas, Lease: d.Lease},
	}
	d.coord, err = coord.Dial(c)
	return err
}

// hasMember tells whether the node runs a member: it did so before, founds the
// cluster, or was told to.
func (d *daemon) hasMember(founded bool) bool {
	_, err := os.Stat(d.path(etcdFolder))
	return d.Etcd == "" && (err == nil || founded || d.Member || d.Peers != "")
}

func (d *daemon) startMember(ctx context.Context, endpoints []string) (err error) {
	c := coord.MemberConfig{
		Name: d.Name, Dir: d.path(etcdFolder), Peer: d.PeerListen, Client: d.EtcdListen,
		Identity: d.identityPath(), Fatal: func() { os.Exit(cli.Retry) }, Log: d.Log.With("part", "etcd"),
	}
	if c.Peers, err = d.peers(); err != nil {
		return err
	}
	if c.Peers == nil && len(endpoints) > 0 {
		c.Join = endpoints
	}
	d.member, err = coord.StartMember(ctx, c)
	return err
}

// handOver has another node's member lead etcd, before this node ends anything: what is
// asked of a leader while it ends may never be answered, and the others have to ask for
// the rows without this node.
func (d *daemon) handOver() {
	if d.member == nil {
		return
	}
	if err := d.member.HandOver(); err != nil {
		d.Log.Warn("the lead of etcd is not handed over", "err", err)
	}
}

// endpoints are where members of the coordinator are asked: those that the operator
// names, those that were there last, and those that a node of the cluster tells.
func (d *daemon) endpoints(ctx context.Context, founded bool) ([]string, error) {
	if d.Etcd != "" {
		return fields(d.Etcd), nil
	}
	text, err := os.ReadFile(d.path(endpointsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if list := fields(string(text)); len(list) > 0 || founded || d.Via == "" || d.Peers != "" {
		return slices.DeleteFunc(list, func(addr string) bool { return addr == d.EtcdListen }), nil
	}
	return d.learnEndpoints(ctx)
}

// learnEndpoints has the node at -via tell.
func (d *daemon) learnEndpoints(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	c := client.New(client.Config{Credentials: d.credentials, Addrs: []string{d.Via}, Log: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() { cancel(); <-done }()
	for {
		for _, s := range c.Table().Sites {
			text, err := c.Ask(ctx, s.Node, askEndpoints)
			if list := fields(string(text)); err == nil && len(list) > 0 {
				return list, nil
			}
		}
		if !clock.Sleep(ctx, 100*time.Millisecond) {
			return nil, fmt.Errorf("ask the node at %s for the coordinator: %w", d.Via, context.Cause(ctx))
		}
	}
}

// askEndpoints is the question for the coordinator's members.
const askEndpoints = "endpoints"

// answer answers what nodes and clients ask, beside the status.
func (d *daemon) answer(ctx context.Context, what string) ([]byte, error) {
	if what != askEndpoints {
		return nil, fmt.Errorf("there is only status and %s to ask for", askEndpoints)
	}
	list, err := d.memberAddrs(ctx)
	return []byte(strings.Join(list, "\n")), err
}

// memberAddrs are where nodes reach the coordinator's members.
func (d *daemon) memberAddrs(ctx context.Context) (list []string, err error) {
	if d.Etcd != "" {
		return fields(d.Etcd), nil
	}
	members, err := d.coord.Members(ctx)
	for _, m := range members {
		if m.Client != "" {
			list = append(list, m.Client)
		}
	}
	return list, err
}

// keepEndpoints writes down where the coordinator's members are, for the next start.
func (d *daemon) keepEndpoints(ctx context.Context) error {
	last := ""
	for {
		list, err := d.memberAddrs(ctx)
		if text := strings.Join(list, "\n") + "\n"; err == nil && len(list) > 0 && text != last {
			if err := private.Replace(d.path(endpointsFile), text); err != nil {
				return err
			}
			last = text
		}
		if !clock.Sleep(ctx, 10*time.Second) {
			return nil
		}
	}
}

// identityPath is the file of who the node is.
func (d *daemon) identityPath() string {
	if d.Identity != "" {
		return d.Identity
	}
	return d.path(identityFile)
}

// refreshMember has etcd learn of the authority's new certificates, if there are any.
func (d *daemon) refreshMember(ctx context.Context) {
	if d.member == nil {
		return
	}
	if err := d.member.Refresh(ctx); err != nil && ctx.Err() == nil {
		d.Log.Warn("etcd does not take the new certificates", "err", err)
	}
}

// renewal keeps the node's certificate from ending, by any node that issues.
func (d *daemon) renewal(ctx context.Context) ca.Renewal {
	return ca.Renewal{
		File: d.identityPath(),
		Dial: d.dialIssuer,
		Renewed: func(id ca.Identity) {
			d.Log.Info("the certificate is renewed", "until", id.Leaf.NotAfter)
			d.credentials.Identity()
			d.refreshMember(ctx)
		},
		Failed: func(err error) { d.Log.Warn("the certificate is not renewed", "err", err) },
	}
}

// dialIssuer connects to this node if it issues, and else to any.
func (d *daemon) dialIssuer(ctx context.Context) (net.Conn, error) {
	addr := d.Advertise
	if issuer, err := d.issuer(d.coord, nil); err != nil || issuer == nil {
		if nodes := d.coord.Picture().Nodes; len(nodes) > 0 {
			addr = nodes[rand.N(len(nodes))].Addr
		}
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", addr)
}
