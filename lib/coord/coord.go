package coord

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"namecast/lib/ca"
)

// A Config says how to reach the coordinator.
type Config struct {
	// Endpoints are where members are asked, as "host:port", or as URLs. More members
	// are found out from those that answer.
	Endpoints []string
	// Member is the one in this process, or nil. It is asked directly if it is alone,
	// and is one of the endpoints otherwise.
	Member *Member
	// Identity is the node's, at this time; nil is to go without TLS.
	Identity func() ca.Identity
	// Settings are written down if no node has done so yet; zero fields are the
	// defaults.
	Settings Settings
	Log      *slog.Logger // nil is none
}

// A Coord is a connection with the coordinator. It is for any goroutine.
type Coord struct {
	config Config
	log    *slog.Logger
	remote *clientv3.Client // of turns; nil if the member is asked directly
	first  []string         // the endpoints of the configuration, as URLs
	turns  turns
	aside  turns         // of the members but this node's own, if it has one
	ttl    time.Duration // hintTTL

	now     atomic.Pointer[view]
	wrote   atomic.Int64 // the newest revision that was written here
	mu      sync.Mutex
	changed chan struct{}

	rows, reports gathering      // that are written
	keeps         sync.WaitGroup // of hints
}

// How long one request waits for its answer at most. One that a member has passed on
// to a leader that is dead is never answered, but the next one may be.
const (
	patience = 3 * time.Second // of those that list, or change members
	attempt  = time.Second     // of transactions
	renewing = 700 * time.Millisecond
)

// Dial makes a Coord. It does not wait for a connection. ErrBad if the
// configuration is none.
func Dial(config Config) (*Coord, error) {
	c := &Coord{config: config, log: orDiscard(config.Log), changed: make(chan struct{}), ttl: hintTTL}
	c.config.Settings = config.Settings.orDefaults()
	if err := c.config.Settings.check(); err != nil {
		return nil, err
	}
	c.now.Store(&view{live: map[string]cell{}})
	endpoints := slices.Clone(config.Endpoints)
	if m := config.Member; m != nil && m.config.Client != "" {
		endpoints = append([]string{m.config.Client}, endpoints...)
	}
	if len(endpoints) == 0 && config.Member == nil {
		return nil, fmt.Errorf("%w: neither endpoints nor a member", ErrBad)
	}
	if len(endpoints) == 0 {
		return c, nil
	}
	for i, e := range endpoints {
		endpoints[i] = endpoint(e, config.Identity != nil)
	}
	c.first = endpoints
	if err := c.connect(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// connect makes the clients that ask the members of the configuration.
func (c *Coord) connect() (err error) {
	if c.remote, err = connect(c.first[:1], c.config.Identity); err != nil {
		return err
	}
	c.turns.client, c.turns.own = c.remote, c.config.Member != nil
	c.turns.set(slices.Clone(c.first))
	if !c.turns.own {
		return nil
	}
	if c.aside.client, err = connect(c.first[:1], c.config.Identity); err == nil {
		c.aside.set(slices.Clone(c.first[1:]))
	}
	return err
}

// connect makes a client of etcd. A connection on which what was sent is not
// acknowledged for a while is given up for another endpoint's.
func connect(endpoints []string, identity func() ca.Identity) (*clientv3.Client, error) {
	config := clientv3.Config{
		Logger:               zap.NewNop(),
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 1500 * time.Millisecond,
		BackoffWaitBetween:   25 * time.Millisecond,
	}
	for _, e := range endpoints {
		config.Endpoints = append(config.Endpoints, endpoint(e, identity != nil))
	}
	if identity != nil {
		config.TLS = clientTLS(identity)
	}
	client, err := clientv3.New(config)
	if err != nil {
		return nil, fmt.Errorf("%w: endpoints %s: %v", ErrBad, strings.Join(endpoints, ","), err)
	}
	return client, nil
}

// endpoint makes a URL of an address.
func endpoint(s string, secure bool) string {
	if strings.Contains(s, "://") {
		return s
	}
	if secure {
		return "https://" + s
	}
	return "http://" + s
}

// clientTLS shows the node's certificate, and takes a node of the cluster at the other
// end, by its name and not by that of its host.
func clientTLS(identity func() ca.Identity) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // VerifyConnection verifies
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return identity().Certificate(), nil
		},
		VerifyConnection: func(cs tls.ConnectionState) error {
			name, err := identity().Verify(cs.PeerCertificates, time.Now())
			if err == nil && name.Role != ca.Node {
				err = fmt.Errorf("%w: %s is not a node", ca.ErrPeer, name)
			}
			return err
		},
	}
}

// client is what to ask etcd with.
func (c *Coord) client() *clientv3.Client { return c.clientOf(&c.turns) }

// clientOf is what to ask the member with whose turn it is.
func (c *Coord) clientOf(t *turns) *clientv3.Client {
	if t.client != nil {
		return t.client
	}
	return c.config.Member.direct()
}

// Close gives the connection up. What is under way fails; Run is to be ended before.
func (c *Coord) Close() error {
	defer c.rows.writer.Wait()
	defer c.reports.writer.Wait()
	defer c.keeps.Wait()
	var errs []error
	for _, client := range []*clientv3.Client{c.turns.client, c.aside.client} {
		if client == nil {
			continue
		}
		if err := client.Close(); err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("close the connection with the coordinator: %v", err))
		}
	}
	return errors.Join(errs...)
}

// Picture is the newest one. It is never nil; while Run has not had an answer, its
// Revision is 0.
func (c *Coord) Picture() *Picture { return &c.now.Load().Picture }

// Changed is closed when there is a picture with another change than renewals.
// Take it before the picture, so as to miss nothing.
func (c *Coord) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// show makes a view the newest.
func (c *Coord) show(v *view, tell bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Store(v)
	if tell {
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

// orDiscard gives a logger that can be used.
func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
