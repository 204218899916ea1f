package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/link"
	"namecast/lib/status"
	"namecast/lib/store/craq"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/mysql"
)

// chainScheme is what the address of nodes of nc-chain begins with.
const chainScheme = "chain://"

// chains are the node's way to nodes of nc-chain.
type chains struct {
	*craq.Store
	client      *client.Client
	credentials *link.Credentials
	addrs       []string
	stop        context.CancelFunc // of what runs beside the store
	work        sync.WaitGroup
}

// storeAddrs reads the nodes that the operator names.
func (c *Config) storeAddrs() ([]string, error) {
	list, ok := strings.CutPrefix(c.Store, chainScheme)
	if !ok {
		return nil, fmt.Errorf("-store %q: it begins neither with %q nor with %q", c.Store, chainScheme, mysql.Scheme)
	}
	addrs := strings.Split(list, ",")
	for i, a := range addrs {
		addrs[i] = strings.TrimSpace(a)
		host, port, err := net.SplitHostPort(addrs[i])
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
			return nil, fmt.Errorf("-store %q: %q is not host:port", c.Store, a)
		}
	}
	return addrs, nil
}

// credentials reads who the node is to the storage.
func (c *Config) credentials() (*link.Credentials, error) {
	if c.Identity == "" {
		return nil, errors.New("-store needs an identity: give its file with -identity")
	}
	l, err := link.Load(c.Identity, func(err error) { c.Log.Error("identity: what was read before stays in force", "err", err) })
	if err != nil {
		return nil, fmt.Errorf("-identity: %w", err)
	}
	return l, nil
}

// openChains opens the replica and begins to follow nc-chain.
func (c *Config) openChains(o leveldb.Options) (storage, error) {
	addrs, err := c.storeAddrs()
	if err != nil {
		return nil, fmt.Errorf("%w%w", ErrConfig, err)
	}
	credentials, err := c.credentials()
	if err != nil {
		return nil, fmt.Errorf("%w%w", ErrConfig, err)
	}
	s := &chains{credentials: credentials, addrs: addrs}
	s.client = client.New(client.Config{Credentials: credentials, Addrs: addrs, Zone: c.Zone, Log: c.Log})
	service := credentials.Identity().Name.Cluster
	if s.Store, err = craq.Open(c.DB, s.client, craq.Options{Service: service, Replica: o, Log: c.Log}); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	// It ends with ctx alone, and what it could not do it tries again.
	s.work.Go(func() { _ = s.client.Run(ctx) })
	s.work.Go(func() { s.renewal(c).Run(ctx, credentials.Identity()) })
	return s, nil
}

// renewal keeps the node's certificate from ending.
func (s *chains) renewal(c *Config) ca.Renewal {
	return ca.Renewal{
		File: c.Identity,
		Dial: s.dial,
		Renewed: func(id ca.Identity) {
			c.Log.Info("identity renewed", "until", id.Leaf.NotAfter.UTC().Format(time.DateTime))
		},
		Failed: func(err error) { c.Log.Error("identity not renewed, it is tried again", "err", err) },
	}
}

// dial connects to some node of the storage.
func (s *chains) dial(ctx context.Context) (net.Conn, error) {
	addrs := s.addrs
	for _, site := range s.client.Table().Sites {
		if site.Live && site.Addr != "" {
			addrs = append(addrs[:len(addrs):len(addrs)], site.Addr)
		}
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	return d.DialContext(ctx, "tcp", addrs[rand.IntN(len(addrs))])
}

// Close ends the store, and then what it stands on.
func (s *chains) Close() error {
	err := s.Store.Close()
	s.stop()
	s.work.Wait()
	return err
}

// about implements storage.
func (s *chains) about() []any {
	return []any{"nodes", strings.Join(s.addrs, ","), "service", s.credentials.Identity().Name.Cluster}
}

// away implements storage.
func (s *chains) away() []any { return []any{"connected", s.client.Connected()} }

// metrics implements storage.
func (s *chains) metrics() (list []status.Metric) {
	count := func(name, help string, read func(client.Stats) uint64) {
		list = append(list, status.Metric{Name: "chain_" + name + "_total", Help: help,
			Value: func() float64 { return float64(read(s.client.Stats())) }})
	}
	list = append(list,
		status.Metric{Name: "chain_connected", Help: "Nodes of the storage that are connected.", Gauge: true,
			Value: func() float64 { return float64(s.client.Connected()) }},
		status.Metric{Name: "chain_stale_worst_seconds", Help: "Age of the replica at most, of the chain that is worst.", Gauge: true,
			Value: func() float64 { return seconds(s.Stale()) }},
	)
	count("writes", "Writes to the storage.", func(s client.Stats) uint64 { return s.Writes })
	count("write_repeats", "Writes that were sent again.", func(s client.Stats) uint64 { return s.WriteRepeats })
	count("reads", "Reads of the storage.", func(s client.Stats) uint64 { return s.Reads })
	count("read_repeats", "Reads of which another node was asked too.", func(s client.Stats) uint64 { return s.ReadRepeats })
	count("records", "Records that the replica has followed.", func(s client.Stats) uint64 { return s.Records })
	count("copies", "Chains that were copied whole.", func(s client.Stats) uint64 { return s.Copies })
	list = append(list, status.Metric{Name: "chain_unread_total", Help: "Records and items of the storage that cannot be read, and are left out.",
		Value: func() float64 { return float64(s.Unread()) }})
	count("subscriptions", "Subscriptions to chains.", func(s client.Stats) uint64 { return s.Subscriptions })
	for id := range chain.ID(chain.Chains) {
		list = append(list, status.Metric{
			Name: "chain_stale_seconds", Help: "Age of the replica at most, by chain.", Gauge: true, Many: true,
			Labels: map[string]string{"chain": strconv.Itoa(int(id))},
			Value:  func() float64 { return seconds(s.client.Stale(id)) },
		})
	}
	return list
}
