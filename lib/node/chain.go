package node

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	"namecast/lib/serve"
	"namecast/lib/status"
	"namecast/lib/store"
	"namecast/lib/store/craq"
	"namecast/lib/store/leveldb"
)

// A database is where a node has its accounts: a database of its own, or a
// replica of the storage that it shares with others.
type database interface {
	store.Store
	serve.Directory
	// Failed is closed when the node cannot go on with it, and Err tells why.
	Failed() <-chan struct{}
	Err() error
}

// storeScheme is what the address of storage begins with.
const storeScheme = "chain://"

// storage is the node's way to storage that it shares with others.
type storage struct {
	*craq.Store
	client      *client.Client
	credentials *link.Credentials
	addrs       []string
	stop        context.CancelFunc // of what runs beside the store
	work        sync.WaitGroup
}

// shared reports whether the node's accounts are in storage that it shares.
func (c *Config) shared() bool { return c.Store != "" }

// storeAddrs reads the nodes that the operator names.
func (c *Config) storeAddrs() ([]string, error) {
	list, ok := strings.CutPrefix(c.Store, storeScheme)
	if !ok {
		return nil, fmt.Errorf("-store %q: it does not begin with %q", c.Store, storeScheme)
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

// openDatabase opens what the accounts are in.
func (c *Config) openDatabase(changed func(leveldb.Touched)) (database, error) {
	o := leveldb.Options{Changed: changed, Memory: int64(c.memory() / shareOfStore)}
	if !c.shared() {
		db, err := leveldb.Open(c.DB, o)
		if err != nil {
			return nil, err
		}
		return db, nil
	}
	s, err := c.openStorage(o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openStorage opens the replica and begins to follow the storage.
func (c *Config) openStorage(o leveldb.Options) (*storage, error) {
	addrs, err := c.storeAddrs()
	if err != nil {
		return nil, fmt.Errorf("%w%w", ErrConfig, err)
	}
	credentials, err := c.credentials()
	if err != nil {
		return nil, fmt.Errorf("%w%w", ErrConfig, err)
	}
	s := &storage{credentials: credentials, addrs: addrs}
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
func (s *storage) renewal(c *Config) ca.Renewal {
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
func (s *storage) dial(ctx context.Context) (net.Conn, error) {
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
func (s *storage) Close() error {
	err := s.Store.Close()
	s.stop()
	s.work.Wait()
	return err
}

// awaitCopy waits, on the first start, until the replica is whole: an answer of
// half of it could deny what there is.
func (n *node) awaitCopy(ctx context.Context) error {
	s, ok := n.db.(*storage)
	if !ok {
		return nil
	}
	n.dns.Suspend(n.MaxStale > 0) // until watchStale knows better
	n.Log.Info("storage", "nodes", strings.Join(s.addrs, ","), "service", s.credentials.Identity().Name.Cluster)
	return s.Ready(ctx)
}

// staleEvery is how often it is looked at how old the replica may be.
const staleEvery = 100 * time.Millisecond

// staleAlarm is the age of the replica from which on the log tells of it.
const staleAlarm = 5 * time.Second

// watchStale has questions refused while the replica is older than the operator
// allows, and tells the log when it is getting old.
func (n *node) watchStale(ctx context.Context, s *storage) error {
	tick := time.NewTicker(staleEvery)
	defer tick.Stop()
	began, late := time.Now(), false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		// Before it was current once it may be of any age: it is given the time
		// that a connection takes.
		age, known := s.age(time.Since(began))
		if now := age > staleAlarm; now != late {
			if late = now; late {
				n.Log.Warn("storage is away: what is served gets old", "connected", s.client.Connected())
			} else {
				n.Log.Info("storage is back: what is served is current")
			}
		}
		n.dns.Suspend(n.MaxStale > 0 && (age > n.MaxStale || !known))
	}
}

// age is how old the replica may be at most, or if that is not known, how long
// ago the node was started.
func (s *storage) age(up time.Duration) (age time.Duration, known bool) {
	if age = s.Stale(); age == client.Never {
		return up, false
	}
	return age, true
}

// storageHealth tells what is wrong with the way to the storage: nothing, if the
// replica may be of any age.
func (n *node) storageHealth() error {
	s, ok := n.db.(*storage)
	if !ok || n.MaxStale == 0 {
		return nil
	}
	switch age := s.Stale(); {
	case age == client.Never:
		return errors.New("the replica was not current since the start")
	case age > n.MaxStale:
		return fmt.Errorf("the replica may be %v old", age.Round(time.Millisecond))
	}
	return nil
}

// storageMetrics tell of the storage.
func (n *node) storageMetrics() (list []status.Metric) {
	s, ok := n.db.(*storage)
	if !ok {
		return nil
	}
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

// seconds is a staleness for a metric.
func seconds(d time.Duration) float64 {
	if d == client.Never {
		return math.Inf(1)
	}
	return d.Seconds()
}
