package main

import (
	"flag"

	"namecast/lib/cli"
	"namecast/lib/node"
)

// service registers what the node is.
func service(fs *flag.FlagSet, c *node.Config) {
	fs.StringVar(&c.Domain, "domain", "", "the service's base `domain`")
	fs.StringVar(&c.NS, "ns", "", "`name=address,...` of the service's name servers")
	fs.StringVar(&c.Contact, "contact", "", "`e-mail` address for the base domain's SOA (default hostmaster@domain)")
	fs.StringVar(&c.ID, "id", "", "`name` of this node in NSID and id.server (default the host's name)")
	fs.StringVar(&c.DNS, "dns", ":53", "`addresses` to answer DNS on, UDP and TCP")
	fs.StringVar(&c.NUP, "nup", ":8153", "`addresses` to take updates on, UDP")
	fs.StringVar(&c.HTTP, "http", "", "`address` of the status page, health check and metrics (default none)")
	fs.BoolVar(&c.Pprof, "pprof", false, "serve profiles of the process at /debug/pprof/ of the status page")
	fs.StringVar(&c.DB, "db", "namecast.db", "`folder` of the database")
	fs.StringVar(&c.Store, "store", "", "`storage` shared with other nodes, chain://host:port,... or mysql://user@host/database; -db is its replica (default none)")
	fs.StringVar(&c.StorePassword, "store-password", "", "`file` of the password of the database that -store names")
	fs.StringVar(&c.Identity, "identity", "", "`file` of who the node is to the storage")
	fs.StringVar(&c.Zone, "zone", "", "`place` of the node, as nodes of the storage have zones: the nearest are asked")
	fs.DurationVar(&c.MaxStale, "max-stale", 0, "`duration` for which the storage may be away before questions are refused; 0 is for ever")
	c.Memory = 256 << 20
	fs.Var((*cli.Size)(&c.Memory), "mem", "`size` of the memory for records and answers, in octets or with K, M or G")
	fs.StringVar(&c.DNSSEC, "dnssec", "", "`file` of the secret of all DNSSEC keys, or none (default dnssec.secret in the database's folder)")
	fs.StringVar(&c.Grant, "grant", "", "`file` of domains that need no proof")
	fs.StringVar(&c.Resolver, "resolver", "", "`address` of the recursive resolver to begin proofs with (default the system's)")
	fs.BoolVar(&c.ProofPrivate, "proof-private", false, "look for proofs also at private and loopback addresses")
	fs.IntVar(&c.ProofPort, "proof-port", 53, "`port` of the name servers that are asked for proofs")
}

// wire registers how DNS is spoken.
func wire(fs *flag.FlagSet, c *node.Config) {
	fs.StringVar(&c.DoT, "dot", "", "`addresses` to answer DNS over TLS on (default none)")
	fs.StringVar(&c.TLSCert, "tls-cert", "", "`file` of the certificate for -dot, with those that lead to it")
	fs.StringVar(&c.TLSKey, "tls-key", "", "`file` of its key")
	fs.StringVar(&c.Cookie, "cookie", "", "`file` of the secrets of DNS cookies (default a random one)")
	fs.Var(&c.RRL, "rrl", "responses alike over UDP to a network, an IPv4 /24 or IPv6 /56: `rate`")
	fs.IntVar(&c.Slip, "rrl-slip", 2, "every `N`-th response over -rrl is sent truncated; 0 is none")
}

// limits registers how much of what is allowed.
func limits(fs *flag.FlagSet, c *node.Config) {
	fs.IntVar(&c.Quota.Records, "max-records", 10000, "`records` an account may hold; 0 is no limit")
	fs.IntVar(&c.Quota.Bytes, "max-bytes", 4<<20, "`bytes` of records an account may hold; 0 is no limit")
	fs.IntVar(&c.Quota.Domains, "max-domains", 100, "`domains` an account may own; 0 is no limit")
	fs.IntVar(&c.MaxElements, "max-elements", 1000, "`elements` in a request; 0 is no limit")
	fs.Var(&c.Budgets.Source, "rate-source", "requests of a source, an IPv4 /24 or IPv6 /48: `rate`")
	fs.Var(&c.Budgets.Account, "rate-account", "updates of an account: `rate`")
	fs.Var(&c.Budgets.NewAccounts, "rate-new", "new accounts in all: `rate`")
	fs.Var(&c.Budgets.NewPerSource, "rate-new-source", "new accounts from a source: `rate`")
	fs.Var(&c.Budgets.Verify, "rate-verify", "signature verifications in all: `rate`")
	fs.Var(&c.SignRate, "rate-sign", "DNSSEC signatures that are not cached, half of them for names that do not exist: `rate`")
	fs.StringVar(&c.AdmitList, "admit-list", "", "`file` of accounts that may register")
	fs.StringVar(&c.AdmitSecret, "admit-token", "", "`file` with the secret of admission tokens")
	fs.IntVar(&c.AdmitWork, "admit-work", 0, "`bits` of proof of work for a new account")
	fs.IntVar(&c.DSABits, "dsa-min", 1024, "least `bits` of a new account's DSA key")
}
