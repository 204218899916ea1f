package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"time"

	"namecast/lib/ca"
	"namecast/lib/clock"
	"namecast/lib/private"
)

// identify finds the file of who this node is, and makes it if the node is new: by
// a token, or, where it is to be the first of a new cluster, with an authority of
// its own. fresh tells that a cluster was founded now.
func (c *Config) identify(ctx context.Context) (file string, fresh bool, err error) {
	if c.Identity != "" {
		return c.Identity, false, nil
	}
	file = c.path(identityFile)
	switch _, err := os.Stat(file); {
	case err == nil:
		return file, false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", false, err
	case c.Join != "":
		return file, false, c.join(ctx, file)
	case c.Peers != "" || c.Etcd != "" || c.Via != "":
		return "", false, fmt.Errorf("no identity: give the file of one with -identity, or a token with -join and -via")
	}
	return file, true, c.found(file)
}

// found makes an authority and the first node's identity. What a start before has
// left half done is used.
func (c *Config) found(file string) error {
	now := time.Now()
	path := c.path(authorityFile)
	authority, err := ca.LoadAuthority(path)
	if errors.Is(err, fs.ErrNotExist) {
		if authority, err = ca.New(c.Cluster, now); err == nil {
			err = private.Save(path, authority.Text())
		}
	}
	if err != nil {
		return fmt.Errorf("make the cluster's authority: %w", err)
	}
	name := ca.Name{Cluster: authority.Cluster(), Role: ca.Node, ID: c.Name}
	id, err := authority.NewIdentity(ca.Request{Name: name, Hosts: c.hosts()}, now)
	if err == nil {
		err = private.Save(file, id.Text())
	}
	if err != nil {
		return fmt.Errorf("make the identity of %s: %w", c.Name, err)
	}
	c.Log.Info("a new cluster", "cluster", authority.Cluster(), "authority", path)
	return nil
}

// hosts are the names and addresses that others find the node at.
func (c *Config) hosts() (list []string) {
	for _, addr := range []string{c.Advertise, c.PeerListen, c.EtcdListen} {
		if host, _, err := net.SplitHostPort(addr); err == nil && !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	return list
}

// joinTime is how long a node tries to join before it says that it cannot.
const joinTime = 20 * time.Second

// join gets the identity for a token from a node of the cluster.
func (c *Config) join(ctx context.Context, file string) error {
	token, err := ca.LoadToken(c.Join)
	if err != nil {
		return fmt.Errorf("-join: %w", err)
	}
	if token.Name.Role != ca.Node || token.Name.ID != c.Name {
		return fmt.Errorf("-join %q: it is for %s, not for node %s", c.Join, token.Name, c.Name)
	}
	joiner, err := ca.NewJoiner(token)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	id, err := c.joinBy(ctx, joiner)
	if err != nil {
		return err
	}
	if err := private.Save(file, id.Text()); err != nil {
		return fmt.Errorf("keep the identity: %w", err)
	}
	c.Log.Info("joined", "cluster", id.Name.Cluster, "node", id.Name.ID)
	return nil
}

// joinBy asks until the answer is final.
func (c *Config) joinBy(ctx context.Context, joiner *ca.Joiner) (ca.Identity, error) {
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", c.Via)
		if err == nil {
			var id ca.Identity
			if id, err = joiner.Join(ctx, conn); err == nil {
				return id, nil
			}
		}
		if errors.Is(err, ca.ErrRefused) || errors.Is(err, ca.ErrPeer) || !clock.Sleep(ctx, time.Second) {
			return ca.Identity{}, fmt.Errorf("via %s: %w", c.Via, err)
		}
	}
}

// issuer answers those that join or renew, where this node has the authority; nil
// where it has not. The file is read anew for each, since it may get another
// certificate.
func (c *Config) issuer(ledger ca.Ledger, admit func(context.Context, ca.Name, ca.Pin) error) (*ca.Issuer, error) {
	path := c.Authority
	if path == "" {
		path = c.path(authorityFile)
	}
	last, err := ca.LoadAuthority(path)
	if errors.Is(err, fs.ErrNotExist) && c.Authority == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	current := func() *ca.Authority {
		if a, err := ca.LoadAuthority(path); err == nil {
			return a
		}
		return last // it is being replaced
	}
	return &ca.Issuer{Authority: current, Ledger: ledger, Admit: admit, Now: time.Now}, nil
}
