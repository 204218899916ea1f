// Package galera runs three nc-serve over a Galera cluster of three servers of
// MariaDB, each pair on a machine of its own, and does faults to the servers: no
// update that was acknowledged is lost, and DNS is never silent.
package galera

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
	"namecast/t/tools"
)

var rounds = flag.Int("rounds", 1, "how often each fault is done")

const (
	machines = 3
	names    = 4 // that a user changes
	zone     = "namecast.example"
)

func TestGalera(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	c := newCluster(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var parts sync.WaitGroup
	for i := range machines {
		u := c.users[i]
		parts.Go(func() { u.live(ctx) })
		parts.Go(func() { u.ask(ctx) })
	}
	for range *rounds {
		c.fault("killed", func(n *node) { n.db.Kill() }, func(n *node) { n.restartDatabase() })
		c.fault("stopped for 8 s", func(n *node) { n.db.Pause(); c.pass(8 * time.Second); n.db.Resume() }, func(*node) {})
		c.fault("cut off for 8 s", func(n *node) { c.lan.Isolate(n.Machine); c.pass(8 * time.Second); c.lan.Heal() }, func(*node) {})
	}
	stop()
	parts.Wait()
	for _, u := range c.users {
		u.check(c)
	}
}

// A cluster is the machines.
type cluster struct {
	t     *testing.T
	lab   *lab.Lab
	lan   *lab.Net
	bin   string
	dir   string
	nodes [machines]*node
	users [machines]*user
	turn  int
}

// A node is a machine with a database and an nc-serve.
type node struct {
	*lab.Machine
	c     *cluster
	i     int
	dir   string
	db    *lab.Process
	serve *lab.Process
}

func addr(i int) string { return fmt.Sprintf("192.0.2.%d", i+1) }

// pass lets time pass: faults last for some.
func (c *cluster) pass(d time.Duration) { <-time.After(d) }

func newCluster(t *testing.T) *cluster {
	galera := ""
	for _, path := range []string{"/usr/lib/galera/libgalera_smm.so", "/usr/lib/libgalera_smm.so"} {
		if _, err := os.Stat(path); err == nil && galera == "" {
			galera = path
		}
	}
	for _, path := range []string{"/usr/sbin/mariadbd", "/usr/bin/mariadb-install-db", "/usr/bin/rsync"} {
		if _, err := os.Stat(path); err != nil || galera == "" {
			t.Skip("MariaDB with Galera and rsync is not installed (Debian's packages mariadb-server, galera-4, rsync)")
		}
	}
	c := &cluster{t: t, lab: lab.New(t), bin: tools.Build(t), dir: folder(t)}
	c.lan = c.lab.LAN("lan")
	if err := os.WriteFile(c.dir+"/password", []byte("swordfish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range machines {
		m := c.lab.Machine(fmt.Sprintf("m%d", i+1))
		c.lan.Join(m, addr(i)+"/24")
		c.nodes[i] = &node{Machine: m, c: c, i: i, dir: filepath.Join(c.dir, m.Name())}
		c.nodes[i].install(galera)
	}
	// All begin from the same files, so that none has to be copied by the servers.
	first := c.nodes[0]
	first.Run("mariadb-install-db", "--no-defaults", "--user=mysql", "--datadir="+first.dir+"/data", "--skip-test-db", "--auth-root-authentication-method=normal")
	first.startDatabase("--wsrep-new-cluster")
	first.synced(1)
	if err := first.db.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.nodes[1:] {
		n.Run("cp", "-a", first.dir+"/data", n.dir+"/data")
		n.Run("rm", "-f", n.dir+"/data/gvwstate.dat", n.dir+"/data/galera.cache")
	}
	first.Run("sed", "-i", "s/safe_to_bootstrap: 0/safe_to_bootstrap: 1/", first.dir+"/data/grastate.dat")
	for i, n := range c.nodes {
		if i == 0 {
			n.startDatabase("--wsrep-new-cluster")
		} else {
			n.startDatabase()
		}
		n.synced(i + 1)
	}
	c.nodes[0].sql("CREATE DATABASE nc; CREATE USER nc@'%' IDENTIFIED BY 'swordfish'; GRANT ALL ON nc.* TO nc@'%'")
	c.nodes[0].Run(c.bin+"/nc-serve", "-migrate", "-store", c.store(0), "-store-password", c.dir+"/password", "-domain", zone)
	for _, n := range c.nodes {
		n.startServe()
	}
	for i := range c.users {
		c.users[i] = newUser(c.nodes[i])
	}
	return c
}

// folder makes a folder that the servers' own user can reach.
func folder(t *testing.T) string {
	dir, err := os.MkdirTemp("", "galera")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// store is the address of the storage for a node: its own server first.
func (c *cluster) store(i int) string {
	var hosts []string
	for k := range machines {
		hosts = append(hosts, addr((i+k)%machines))
	}
	return "mysql://nc@" + strings.Join(hosts, ",") + "/nc?tls=off"
}

// install makes an empty database and a configuration.
func (n *node) install(galera string) {
	n.c.t.Helper()
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		n.c.t.Fatal(err)
	}
	n.Run("chown", "mysql:", n.dir)
	var all []string
	for i := range machines {
		all = append(all, addr(i))
	}
	text := fmt.Sprintf(`[mysqld]
user=mysql
datadir=%[1]s/data
socket=%[1]s/s
pid-file=%[1]s/pid
bind-address=0.0.0.0
skip-name-resolve
innodb-buffer-pool-size=32M
innodb-flush-log-at-trx-commit=0
innodb-autoinc-lock-mode=2
binlog-format=ROW
wsrep-on=ON
wsrep-provider=%[2]s
wsrep-cluster-name=nc
wsrep-cluster-address=gcomm://%[3]s
wsrep-node-address=%[4]s
wsrep-node-name=%[5]s
wsrep-sst-method=rsync
wsrep-provider-options="gcache.size=16M;evs.keepalive_period=PT0.3S;evs.inactive_check_period=PT0.3S;evs.suspect_timeout=PT1.5S;evs.inactive_timeout=PT3S;evs.install_timeout=PT3S"
`, n.dir, galera, strings.Join(all, ","), addr(n.i), n.Name())
	if err := os.WriteFile(n.dir+"/my.cnf", []byte(text), 0o644); err != nil {
		n.c.t.Fatal(err)
	}
}

func (n *node) startDatabase(more ...string) {
	args := append([]string{"--defaults-file=" + n.dir + "/my.cnf"}, more...)
	n.db = n.StartCommand(lab.Command{Path: "/usr/sbin/mariadbd", Args: args, Name: "mariadbd-" + n.Name()})
}

// recovered matches where a server that was killed has got to.
var recovered = regexp.MustCompile(`Recovered position: (\S+)`)

// restartDatabase starts a server that was killed, as the distribution's unit does:
// from where it had got to, so that it gets what is new and not everything.
func (n *node) restartDatabase() {
	n.c.t.Helper()
	out, err := n.Try("/usr/sbin/mariadbd", "--defaults-file="+n.dir+"/my.cnf", "--wsrep-recover")
	at := recovered.FindStringSubmatch(out)
	if at == nil {
		n.c.t.Fatalf("%s: no position: %v\n%s", n, err, out)
	}
	n.startDatabase("--wsrep-start-position=" + at[1])
}

// sql has the node's own server carry out statements.
func (n *node) sql(statements string) string {
	n.c.t.Helper()
	out, err := n.try(statements)
	if err != nil {
		n.c.t.Fatalf("%s: %s: %v: %s", n, statements, err, out)
	}
	return out
}

func (n *node) try(statements string) (string, error) {
	return n.Try("timeout", "5", "mariadb", "--no-defaults", "--user=root", "--socket="+n.dir+"/s", "--batch", "--skip-column-names", "-e", statements)
}

// synced waits until the node's server is one of so many.
func (n *node) synced(size int) {
	n.c.t.Helper()
	want := fmt.Sprintf("%d Synced", size)
	n.c.lab.Expect(90*time.Second, func() error {
		out, err := n.try("SELECT CONCAT(a.VARIABLE_VALUE, ' ', b.VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS a, information_schema.GLOBAL_STATUS b" +
			" WHERE a.VARIABLE_NAME = 'WSREP_CLUSTER_SIZE' AND b.VARIABLE_NAME = 'WSREP_LOCAL_STATE_COMMENT'")
		if err == nil && strings.TrimSpace(out) != want {
			err = fmt.Errorf("%s: %q, want %q", n, strings.TrimSpace(out), want)
		}
		return err
	})
}

func (n *node) startServe() {
	n.serve = n.StartCommand(lab.Command{Path: n.c.bin + "/nc-serve", Name: "nc-serve-" + n.Name(), Args: []string{
		"-domain", zone, "-ns", "ns1." + zone + "=" + addr(0), "-dns", addr(n.i) + ":53", "-nup", addr(n.i) + ":8153", "-db", n.dir + "/db",
		"-store", n.c.store(n.i), "-store-password", n.c.dir + "/password", "-dnssec", "none", "-id", n.Name(), "-rrl", "none",
		"-rate-source", "none", "-rate-account", "none", "-rate-new", "none", "-rate-new-source", "none",
	}})
	n.serve.WaitFor(60*time.Second, "msg=ready")
}

// fault does something to the next node's server and waits until all is well again.
func (c *cluster) fault(what string, do, undo func(*node)) {
	n := c.nodes[c.turn%machines]
	c.turn++
	for _, u := range c.users {
		u.longest.Store(0)
	}
	began := time.Now()
	do(n)
	undo(n)
	for _, n := range c.nodes {
		n.synced(machines)
	}
	for _, u := range c.users {
		u.progress()
	}
	text := ""
	for _, u := range c.users {
		text += fmt.Sprintf(" %v", time.Duration(u.longest.Load()).Round(10*time.Millisecond))
	}
	c.t.Logf("server of %s %s: all well after %v; longest wait of an update at each node:%s", n, what, time.Since(began).Round(time.Millisecond), text)
}

// A user has an account, and changes its names through one node.
type user struct {
	n            *node
	key, account string
	count        int
	acknowledged atomic.Int64
	unknown      int
	longest      atomic.Int64           // time that an update took, nanoseconds
	may          [names]map[string]bool // what a name may be
	asked        int
}

func newUser(n *node) *user {
	u := &user{n: n, key: n.dir + "/key"}
	n.Run(n.c.bin+"/nc-keygen", "-o", u.key)
	u.account = strings.TrimSpace(n.Run("sh", "-c", n.c.bin+"/nc-keygen -hash < "+u.key))
	for i := range u.may {
		u.may[i] = map[string]bool{"": true}
	}
	return u
}

// live sends updates until the context ends. One of which it is not known what came
// of it is sent again.
func (u *user) live(ctx context.Context) {
	for ctx.Err() == nil {
		u.count++
		i := u.count % names
		value := fmt.Sprintf("10.%d.%d.%d", u.n.i, u.count>>8&255, u.count&255)
		u.may[i][value] = true
		began := time.Now()
		out, err := u.n.Try("sh", "-c", fmt.Sprintf("export PATH=%s:$PATH NAMECAST_KEY=%s NAMECAST_SERVER=%s@%s:8153; echo 'replace host%d 60 A %s' | nc-sign | nc-send",
			u.n.c.bin, u.key, zone, addr(u.n.i), i, value))
		if took := int64(time.Since(began)); took > u.longest.Load() {
			u.longest.Store(took)
		}
		switch {
		case err == nil:
			u.acknowledged.Add(1)
			u.may[i] = map[string]bool{value: true}
		case strings.Contains(out, "refused") && !strings.Contains(out, "try again"):
			u.n.c.t.Errorf("%s: update refused: %s", u.n, out)
		default:
			u.unknown++
		}
	}
}

// progress waits until some more updates were acknowledged.
func (u *user) progress() {
	want := u.acknowledged.Load() + 3
	u.n.c.lab.Expect(60*time.Second, func() error {
		if have := u.acknowledged.Load(); have < want {
			return fmt.Errorf("%s: %d updates acknowledged, want %d", u.n, have, want)
		}
		return nil
	})
}

// ask asks the node, from its own machine, until the context ends: DNS never waits.
func (u *user) ask(ctx context.Context) {
	q := new(dns.Msg)
	q.SetQuestion(zone+".", dns.TypeSOA)
	for ctx.Err() == nil {
		if err := u.one(ctx, q); err != nil && ctx.Err() == nil {
			u.n.c.t.Errorf("%s: question %d: %v", u.n, u.asked, err)
		}
		u.asked++
	}
}

func (u *user) one(ctx context.Context, q *dns.Msg) error {
	conn, err := u.n.Dial(ctx, "udp", addr(u.n.i)+":53")
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	c := &dns.Conn{Conn: conn}
	if err := c.WriteMsg(q); err != nil {
		return err
	}
	m, err := c.ReadMsg()
	if err == nil && (m.Rcode != dns.RcodeSuccess || len(m.Answer) != 1) {
		err = fmt.Errorf("answered %s", dns.RcodeToString[m.Rcode])
	}
	time.Sleep(5 * time.Millisecond)
	return err
}

// check looks at what every node has in the end.
func (u *user) check(c *cluster) {
	for _, n := range c.nodes {
		for i := range names {
			c.lab.Expect(20*time.Second, func() error {
				has, err := n.lookup(fmt.Sprintf("host%d.%s.%s.", i, u.account, zone))
				if err == nil && !u.may[i][has] {
					err = fmt.Errorf("%s: host%d of the user at %s is %q, may be %v", n, i, u.n, has, u.may[i])
				}
				return err
			})
		}
	}
	var version int64
	fmt.Sscan(c.nodes[0].sql("SELECT version FROM nc.nc_accounts WHERE account = '"+u.account+"'"), &version)
	least := u.acknowledged.Load()
	if version < least || version > least+int64(u.unknown) {
		c.t.Errorf("account of %s at version %d after %d updates acknowledged and %d unknown", u.n, version, least, u.unknown)
	}
	c.t.Logf("user at %s: %d updates acknowledged, %d unknown, %d questions answered", u.n, least, u.unknown, u.asked)
}

// lookup asks a node for an address.
func (n *node) lookup(name string) (string, error) {
	conn, err := n.Dial(n.c.t.Context(), "udp", addr(n.i)+":53")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	q := new(dns.Msg)
	q.SetQuestion(name, dns.TypeA)
	c := &dns.Conn{Conn: conn}
	if err := c.WriteMsg(q); err != nil {
		return "", err
	}
	m, err := c.ReadMsg()
	if err != nil || len(m.Answer) == 0 {
		return "", err
	}
	return m.Answer[0].(*dns.A).A.String(), nil
}
