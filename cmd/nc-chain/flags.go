package main

import (
	"flag"
	"time"

	"namecast/lib/cli"
	"namecast/lib/storage"
)

// serviceFlags registers what the node is by itself.
func serviceFlags(fs *flag.FlagSet, c *storage.Config) {
	fs.StringVar(&c.Name, "name", "", "`name` of the node: letters, digits and hyphens, its own for ever")
	fs.StringVar(&c.Listen, "listen", "", "`host:port` to take links on, from nodes and from nc-serve")
	fs.StringVar(&c.Advertise, "advertise", "", "`host:port` where others find it (default that of -listen)")
	fs.StringVar(&c.DB, "db", "chain.db", "`folder` of the node's data")
	fs.StringVar(&c.Zone, "zone", "", "`DATACENTER[/RACK]`, what fails together")
	fs.StringVar(&c.HTTP, "http", "", "`address` of the status page, health check and metrics (default none)")
	fs.BoolVar(&c.Pprof, "pprof", false, "serve profiles of the process at /debug/pprof/ of the status page")
	c.Memory = 256 << 20
	fs.Var((*cli.Size)(&c.Memory), "mem", "`size` of the memory for records, in octets or with K, M or G")
	fs.DurationVar(&c.RecruitAfter, "recruit-after", 10*time.Second, "`time` that a node may be away before others get its chains")
	fs.BoolVar(&c.Confirm, "confirm", false, "prove strong reads by asking the other nodes, and trust no clock")
}

// clusterFlags registers how it finds the others.
func clusterFlags(fs *flag.FlagSet, c *storage.Config) {
	fs.StringVar(&c.Cluster, "cluster", "namecast", "`name` of the cluster, when this node founds it")
	fs.IntVar(&c.Replicas, "replicas", 3, "`nodes` that a chain should have, when this node founds the cluster")
	fs.IntVar(&c.MinReplicas, "min-replicas", 0, "`nodes` that a chain must have to take writes (default 1 in a cluster of one or two nodes, else 2)")
	fs.DurationVar(&c.Lease, "lease", 1500*time.Millisecond, "`time` that a node serves without a word from the coordinator, when this node founds the cluster")
	fs.StringVar(&c.Identity, "identity", "", "`file` of who the node is, made by nc-keygen -ca -issue (default identity.pem in the folder)")
	fs.StringVar(&c.Authority, "authority", "", "`file` of the cluster's authority, to issue certificates (default authority.pem in the folder, if it is there)")
	fs.StringVar(&c.Join, "join", "", "`file` of a token to join a cluster with")
	fs.StringVar(&c.Via, "via", "", "`host:port` of a node of the cluster to join")
	fs.BoolVar(&c.Member, "member", false, "run a member of the cluster's etcd")
	fs.StringVar(&c.Peers, "peers", "", "`name=host:port,...` of the first members of etcd, this node among them")
	fs.StringVar(&c.PeerListen, "peer-listen", "", "`host:port` of this node's etcd for other members (default the port after -listen's)")
	fs.StringVar(&c.EtcdListen, "etcd-listen", "", "`host:port` of this node's etcd for nodes (default the port after that)")
	fs.StringVar(&c.Etcd, "etcd", "", "`URLs` of an etcd that runs elsewhere")
}
