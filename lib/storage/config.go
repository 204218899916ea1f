// Package storage composes the daemon nc-chain from the rooms: the identity and
// the links of a node, its disk, the coordinator, the replicas, the controller,
// and what an operator sees of them.
package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"namecast/lib/ca"
)

// ErrConfig marks an error of the operator's words.
var ErrConfig = errors.New("")

// A Config is what an operator says about a node. The tool fills it from flags.
type Config struct {
	Name      string // of the node; a label
	Listen    string // where its links are taken, host:port
	Advertise string // where others find them; "" is Listen
	Zone      string // DATACENTER or DATACENTER/RACK
	DB        string // folder
	Memory    int64  // octets for blocks of the database; 0 is 256 MiB
	HTTP      string // address of the status page; "" is none
	Pprof     bool   // the status page has profiles of the process

	Cluster   string // name of a new cluster
	Identity  string // file of who the node is; "" is identity.pem in DB
	Authority string // file by which the node issues certificates; "" is authority.pem in DB, if it is there
	Join      string // file of a token to join with
	Via       string // links of a node that is in the cluster, host:port

	Etcd       string // members of a coordinator that runs elsewhere, URLs with commas
	Member     bool   // the node runs a member of the coordinator
	Peers      string // the first members, name=host:port with commas
	PeerListen string // of the coordinator's member, for other members; "" is Listen's port + 1
	EtcdListen string // of the coordinator's member, for nodes; "" is Listen's port + 2

	Replicas     int           // members of a chain, when the cluster is new
	Lease        time.Duration // of nodes, when the cluster is new
	MinReplicas  int           // members that a chain must have to take writes; 0 is 1 of up to two nodes, else 2
	RecruitAfter time.Duration // for how long a node may be away before another takes its place
	Confirm      bool          // strong reads ask the other members, and trust no clock

	Log *slog.Logger
}

// Names of what is in the folder.
const (
	identityFile  = "identity.pem"
	authorityFile = "authority.pem"
	endpointsFile = "endpoints" // of the coordinator's members, as they were last
	etcdFolder    = "etcd"
	chainsFolder  = "chains"
)

func (c *Config) path(name string) string { return filepath.Join(c.DB, name) }

// check reads what was written, and fills what was not.
func (c *Config) check() error {
	if err := ca.CheckLabel(c.Name); err != nil {
		return fmt.Errorf("-name %q: %w", c.Name, err)
	}
	if _, err := port(c.Listen, 0); err != nil {
		return fmt.Errorf("-listen %q: %w", c.Listen, err)
	}
	if c.Advertise == "" {
		c.Advertise = c.Listen
	}
	host, _, err := net.SplitHostPort(c.Advertise)
	if err != nil {
		return fmt.Errorf("-advertise %q: %w", c.Advertise, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("-listen %q: others need a host to reach this node at: give one with -advertise", c.Listen)
	}
	for i, p := range []*string{&c.PeerListen, &c.EtcdListen} {
		if *p == "" {
			*p, err = port(c.Advertise, i+1)
		} else {
			_, err = port(*p, 0)
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", []string{"-peer-listen", "-etcd-listen"}[i], *p, err)
		}
	}
	return c.together()
}

// together refuses flags that do not go with each other.
func (c *Config) together() error {
	if _, err := c.peers(); err != nil {
		return err
	}
	switch {
	case c.Join != "" && c.Via == "":
		return errors.New("-join needs -via, the address of a node of the cluster")
	case c.Etcd != "" && c.Peers != "":
		return errors.New("-etcd and -peers exclude each other")
	case c.Replicas < 1 || c.Replicas > 9:
		return fmt.Errorf("-replicas %d: not within 1 to 9", c.Replicas)
	case c.MinReplicas < 0 || c.MinReplicas > c.Replicas:
		return fmt.Errorf("-min-replicas %d: not within 0 to -replicas", c.MinReplicas)
	case c.Pprof && c.HTTP == "":
		return errors.New("-pprof is a part of the status page: give -http as well")
	case strings.Count(c.Zone, "/") > 1 || strings.ContainsAny(c.Zone, " \t\"'"):
		return fmt.Errorf("-zone %q: not DATACENTER or DATACENTER/RACK", c.Zone)
	}
	return nil
}

// port gives an address whose port is higher by so much.
func port(addr string, more int) (string, error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(p)
	if err != nil || n < 1 || n+more > 65535 {
		return "", errors.New("it needs a port, a number up to 65535")
	}
	return net.JoinHostPort(host, strconv.Itoa(n+more)), nil
}

// peers reads the list of first members.
func (c *Config) peers() (map[string]string, error) {
	if c.Peers == "" {
		return nil, nil
	}
	list := map[string]string{}
	for item := range strings.SplitSeq(c.Peers, ",") {
		name, addr, _ := strings.Cut(strings.TrimSpace(item), "=")
		if _, err := port(addr, 0); err != nil || ca.CheckLabel(name) != nil {
			return nil, fmt.Errorf("-peers %q: not name=host:port", item)
		}
		list[name] = addr
	}
	if list[c.Name] != c.PeerListen {
		return nil, fmt.Errorf("-peers %q: %s is to be in it with %s", c.Peers, c.Name, c.PeerListen)
	}
	return list, nil
}

// fields splits a list at commas.
func fields(s string) []string {
	list := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	return slices.Compact(list)
}
