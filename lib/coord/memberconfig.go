package coord

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"

	"namecast/lib/ca"
)

// A MemberConfig is what a member of the coordinator is started with.
type MemberConfig struct {
	Name string // of the node
	Dir  string // of its data, made if it is not there, with mode 0700
	// Peer is where the other members reach it, and Client where nodes do, each as
	// "host:port". Both are empty for a member that stays alone; it listens nowhere.
	// One that began alone can be given them later.
	Peer, Client string
	// Peers are the members of a new cluster, this one too, by name, as
	// "host:port" of their Peer; all are started with the same. nil is this one
	// alone. It is not looked at once Dir holds data.
	Peers map[string]string
	// Join are endpoints of a cluster that it joins, as Config.Endpoints. It is not
	// looked at once Dir holds data.
	Join []string
	// Identity is the file of the node's identity; a member with addresses has one.
	// Every connection is made with the certificate that it holds then.
	Identity string
	// Fatal is called where etcd wants to end the process, as when its disk is full or
	// fails; it does not return. nil is to panic.
	Fatal func()
	Log   *slog.Logger // nil is none

	loaded ca.Identity // from the file, when etcd was started
}

// check returns ErrBad if the configuration is none.
func (c *MemberConfig) check() error {
	if err := checkName(c.Name); err != nil {
		return err
	}
	for _, addr := range []string{c.Peer, c.Client} {
		if _, _, err := net.SplitHostPort(addr); addr != "" && err != nil {
			return fmt.Errorf("%w: member %s: %w", ErrBad, c.Name, err)
		}
	}
	bad := ""
	switch {
	case c.Dir == "":
		bad = "no folder"
	case (c.Peer == "") != (c.Client == ""):
		bad = "only one of two addresses"
	case c.Peer != "" && c.Identity == "":
		bad = "addresses, but no identity"
	case c.Peer == "" && (c.Peers != nil || c.Join != nil):
		bad = "other members, but no addresses"
	case c.Peers != nil && c.Join != nil:
		bad = "a new cluster and one to join"
	case c.Peers != nil && c.Peers[c.Name] != c.Peer:
		bad = "not one of its own cluster"
	}
	if bad != "" {
		return fmt.Errorf("%w: member %s: %s", ErrBad, c.Name, bad)
	}
	return nil
}

// How often the leader of etcd's members is to be heard of, and after how long without
// that another is elected, in milliseconds; that takes up to twice as long. Nobody can
// renew anything meanwhile, so it has to be over before a node's lease is.
const (
	heartbeat = 50
	election  = 500
)

// alone is the peer address of a member that listens nowhere; etcd wants one.
const alone = "http://localhost:2380"

// peerURL is where the others reach the member.
func (c *MemberConfig) peerURL() string {
	if c.Peer == "" {
		return alone
	}
	return "https://" + c.Peer
}

// initial are the members of a new cluster as etcd wants them.
func (c *MemberConfig) initial() string {
	if c.Peers == nil {
		return c.Name + "=" + c.peerURL()
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(c.Peers)) {
		all = append(all, name+"=https://"+c.Peers[name])
	}
	return strings.Join(all, ",")
}

// rootsFile holds the authority's certificates for etcd.
func (c *MemberConfig) rootsFile() string { return filepath.Join(c.Dir, "roots.pem") }

// embed is the configuration of etcd, except for how it begins. When the context serving
// ends, the streams of its clients do.
func (c *MemberConfig) embed(ctx, serving context.Context) (*embed.Config, error) {
	e := embed.NewConfig()
	e.Name, e.Dir = c.Name, filepath.Join(c.Dir, "etcd")
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(newCore(c.Log, serving), zap.WithFatalHook(fatal{c.Fatal})))
	e.AutoCompactionMode, e.AutoCompactionRetention = embed.CompactorModePeriodic, "1h"
	e.TickMs, e.ElectionMs = heartbeat, election
	e.EnableGRPCGateway = false
	e.GRPCAdditionalServerOptions = append(e.GRPCAdditionalServerOptions, endStreams(serving))
	e.ListenPeerUrls, e.ListenClientUrls, e.AdvertiseClientUrls = nil, nil, nil
	peer, err := url.Parse(c.peerURL())
	if err != nil {
		return nil, fmt.Errorf("%w: address of member %s: %w", ErrBad, c.Name, err)
	}
	e.AdvertisePeerUrls = []url.URL{*peer}
	if c.Peer == "" {
		return e, nil
	}
	e.AdvertiseClientUrls = []url.URL{{Scheme: "https", Host: c.Client}}
	if e.ListenPeerUrls, err = listenURLs(ctx, c.Peer); err != nil {
		return nil, err
	}
	if e.ListenClientUrls, err = listenURLs(ctx, c.Client); err != nil {
		return nil, err
	}
	// What etcd offers beside its protocol goes to another port, since a watch can
	// starve where both share one.
	e.ListenClientHttpUrls = []url.URL{{Scheme: "https", Host: "127.0.0.1:0"}}
	e.TlsMinVersion = "TLS1.3"
	e.PeerTLSInfo = transport.TLSInfo{
		CertFile: c.Identity, KeyFile: c.Identity, TrustedCAFile: c.rootsFile(), ClientCertAuth: true,
		AllowedCNs:          []string{string(ca.Node)},
		SkipClientSANVerify: true, // who dials may come from any of a host's addresses
	}
	e.ClientTLSInfo = e.PeerTLSInfo
	return e, nil
}

// listenURLs is where to listen for an address: at each of a host name's addresses.
func listenURLs(ctx context.Context, addr string) ([]url.URL, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%w: address %q: %w", ErrBad, addr, err)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return []url.URL{{Scheme: "https", Host: addr}}, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("address %q to listen at: %w", addr, err)
	}
	var urls []url.URL
	for _, ip := range ips {
		urls = append(urls, url.URL{Scheme: "https", Host: net.JoinHostPort(ip.Unmap().String(), port)})
	}
	return urls, nil
}

// begin says how etcd begins: with the data that it has, as a new cluster, or in one
// that it has been added to.
func (c *MemberConfig) begin(ctx context.Context, e *embed.Config) (err error) {
	e.InitialCluster, e.InitialClusterToken = c.initial(), "namecast"
	if c.Peers == nil {
		e.InitialClusterToken += rand.Text() // no two clusters take each other for the same
	}
	if wal.Exist(filepath.Join(e.Dir, "member", "wal")) || c.Join == nil {
		return nil
	}
	e.ClusterState = embed.ClusterStateFlagExisting
	e.InitialCluster, err = c.join(ctx)
	return err
}

// identity loads the node's identity and writes the authority's certificates to where
// etcd reads them.
func (c *MemberConfig) identity() error {
	id, err := ca.LoadIdentity(c.Identity)
	if err != nil {
		return err
	}
	if id.Name.Role != ca.Node {
		return fmt.Errorf("%w: %s is not a node", ErrBad, id.Name)
	}
	if err := os.WriteFile(c.rootsFile(), []byte(rootsText(id)), 0o600); err != nil {
		return fmt.Errorf("write the authority's certificates: %w", err)
	}
	c.loaded = id
	return nil
}
