package node

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"namecast/lib/key"
	"namecast/lib/limit"
	"namecast/lib/ndb"
	"namecast/lib/rr"
	"namecast/lib/update"
	"namecast/lib/zone"
)

// A Config is what an operator says about a node. The tool fills it from flags.
type Config struct {
	Domain  string // base domain; the service's name
	NS      string // name=address, ... : the name servers of every zone
	Contact string // e-mail address for the SOA of the base domain; "" is hostmaster@Domain
	ID      string // what NSID and id.server answer; "" is the host's name

	DNS   string // addresses to answer DNS on, UDP and TCP; host:port, ...
	NUP   string // addresses to take updates on; host:port, ...
	HTTP  string // address of the status page; "" is none
	Pprof bool   // the status page has profiles of the process
	DB    string // folder of the database

	Store    string // storage that is shared with other nodes, chain://host:port,... or mysql://...; "" is none, DB has all
	Identity string // file of who the node is to the storage
	Zone     string // where the node is, as those of the storage have zones
	// StorePassword is the file of the password of a database that Store names.
	StorePassword string
	MaxStale      time.Duration // age of the replica from which on questions are refused; 0 is none

	Wire

	Memory int64 // octets of memory for records and answers; 0 is 256 MiB; see cli.Size

	Quota       zone.Quota
	MaxElements int
	Budgets     update.Budgets

	AdmitList   string // file of accounts that may register
	AdmitSecret string // file of the secret of admission tokens
	AdmitWork   int    // bits of proof of work
	DSABits     int    // least modulus of a new account's DSA key

	DNSSEC   string     // file of the secret of all keys; "" is dnssec.secret in DB, "none" is none
	SignRate limit.Rate // signatures that are not cached; see dnssec.Options

	Grant        string // file of domains that need no proof
	Resolver     string // recursive resolver for proofs, host:port; "" is the system's
	ProofPrivate bool   // proofs may be looked up at private and loopback addresses
	ProofPort    int    // port of the name servers that are asked for proofs

	Log *slog.Logger
}

// base reads the base domain.
func (c Config) base() (rr.Name, error) {
	if c.Domain == "" {
		return "", fmt.Errorf("no base domain: give one with -domain")
	}
	n, err := rr.ParseName(c.Domain)
	if err == nil && n == "" {
		err = rr.ErrBadName
	}
	if err != nil {
		return "", fmt.Errorf("-domain %q: %w", c.Domain, err)
	}
	return n.Lower(), nil
}

// nameServers reads the list of name=address; a name that stands in it several
// times has several addresses, and one without an address is looked up elsewhere.
func (c Config) nameServers(base rr.Name) ([]zone.NameServer, error) {
	var list []zone.NameServer
	for _, item := range strings.FieldsFunc(c.NS, func(r rune) bool { return r == ',' || r == ' ' }) {
		host, addr, _ := strings.Cut(item, "=")
		name, err := rr.ParseName(host)
		if err != nil || name == "" {
			return nil, fmt.Errorf("-ns %q: bad name", item)
		}
		i := 0
		for i < len(list) && !list[i].Name.Equal(name) {
			i++
		}
		if i == len(list) {
			list = append(list, zone.NameServer{Name: name.Lower()})
		}
		if addr != "" {
			a, err := netip.ParseAddr(addr)
			if err != nil {
				return nil, fmt.Errorf("-ns %q: bad address", item)
			}
			list[i].Addrs = append(list[i].Addrs, a.Unmap())
		}
	}
	for _, ns := range list {
		if ns.Name.Under(base) && len(ns.Addrs) == 0 {
			return nil, fmt.Errorf("-ns %s: a name below the base domain needs an address, name=address", ns.Name)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no name servers: give at least one with -ns name=address")
	}
	return list, nil
}

// zoneService is the service as the operator describes it.
func (c *Config) zoneService(base rr.Name) (*zone.Service, error) {
	ns, err := c.nameServers(base)
	if err != nil {
		return nil, err
	}
	contact, err := rr.ParseMailbox(c.Contact)
	if c.Contact == "" {
		contact, err = rr.MustName("hostmaster").Join(base)
	}
	if err != nil {
		return nil, fmt.Errorf("-contact %q: %w", c.Contact, err)
	}
	return &zone.Service{Base: base, NS: ns, Contact: contact}, nil
}

// admission reads the rule for new accounts from its files.
func (c Config) admission() (update.Admission, error) {
	a := update.Admission{Work: c.AdmitWork, DSABits: c.DSABits}
	if c.AdmitWork < 0 || c.AdmitWork > 40 {
		return a, fmt.Errorf("-admit-work %d: not within 0 to 40 bits", c.AdmitWork)
	}
	if c.AdmitList != "" {
		lines, err := readLines(c.AdmitList)
		if err != nil {
			return a, err
		}
		a.List = map[string]bool{}
		for _, l := range lines {
			name, err := account(c.AdmitList, l)
			if err != nil {
				return a, err
			}
			a.List[name] = true
		}
	}
	if c.AdmitSecret != "" {
		secret, err := key.LoadTokenSecret(c.AdmitSecret)
		if err != nil {
			return a, err
		}
		a.Secret = secret
	}
	return a, nil
}

// grants reads the domains that need no proof, lines of
// "domain=example.com account=NAME".
func (c Config) grants() (map[rr.Name]string, error) {
	if c.Grant == "" {
		return nil, nil
	}
	lines, err := readLines(c.Grant)
	if err != nil {
		return nil, err
	}
	list := map[rr.Name]string{}
	for _, l := range lines {
		name, err := account(c.Grant, l)
		if err != nil {
			return nil, err
		}
		text, _ := l.Record.Get("domain")
		domain, err := rr.ParseName(text)
		if err != nil || domain == "" {
			return nil, fmt.Errorf("%s: line %d: bad domain %q", c.Grant, l.Number, text)
		}
		if other, twice := list[domain.Lower()]; twice && other != name {
			return nil, fmt.Errorf("%s: line %d: %s is granted twice", c.Grant, l.Number, domain)
		}
		list[domain.Lower()] = name
	}
	return list, nil
}

// account finds the account= attribute of a line.
func account(file string, l ndb.Line) (string, error) {
	name, ok := l.Record.Get("account")
	if !ok || !key.IsAccount(name) {
		return "", fmt.Errorf("%s: line %d: account=%q is not an account's name", file, l.Number, name)
	}
	return name, nil
}

func readLines(path string) ([]ndb.Line, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := ndb.Parse(io.LimitReader(f, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return lines, nil
}

// How -mem is shared out: to the store a half, which it uses half of; to finished
// answers and to signatures what is named here. The rest is room for the garbage
// collector, which is told to let the heap grow by a half only (see collect).
const (
	shareOfStore      = 2
	shareOfAnswers    = 4
	shareOfSignatures = 8
	growth            = 50 // per cent
)

// memory is the octets of memory for records and answers.
func (c *Config) memory() int { return int(min(cmp.Or(c.Memory, 256<<20), math.MaxInt)) }

// collect has the garbage collector keep to what is allowed. What the operator
// says in the environment of Go's runtime goes before.
func (c *Config) collect() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(c.memory()) + ownMemory)
	}
}

// ownMemory is what the program takes beside what it keeps, in octets.
const ownMemory = 64 << 20
