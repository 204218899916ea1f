package paper

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"namecast/t/peers"
	"namecast/t/tools"
)

const base = "namecast.example"

// A stack is the servers of one bar of a figure, running.
type stack struct {
	dns, nup netip.AddrPort // nup: where there is an update server
}

// A kind is a stack that can be started.
type kind struct {
	name  string
	start func(*testing.T, *bench) stack
}

var kinds = []kind{
	{"PowerDNS, MariaDB, no caches", powerDNS("cache-ttl=0", "query-cache-ttl=0", "negquery-cache-ttl=0")},
	{"PowerDNS, MariaDB, its caches", powerDNS("cache-ttl=20", "query-cache-ttl=20", "negquery-cache-ttl=60", "zone-cache-refresh-interval=300")},
	{"nc-serve, MariaDB", func(t *testing.T, b *bench) stack { return serve(t, b, store(t, b, peers.MariaDB(t))...) }},
	{"nc-serve, nc-chain of one", func(t *testing.T, b *bench) stack { return serve(t, b, chain(t, b, 1)...) }},
	{"nc-serve, nc-chain of three", func(t *testing.T, b *bench) stack { return serve(t, b, chain(t, b, 3)...) }},
	{"nc-serve, its own database", func(t *testing.T, b *bench) stack { return serve(t, b) }},
}

// store has a database of MariaDB hold a service, and gives nc-serve's arguments.
func store(t *testing.T, b *bench, db *peers.Database) []string {
	args := []string{"-store", "mysql://root@/namecast?socket=" + db.Socket}
	b.run(t, "", "nc-serve", append(args, "-migrate", "-domain", base)...)
	return args
}

// serve runs nc-serve, with an account in it that has www.
func serve(t *testing.T, b *bench, args ...string) stack {
	for _, limit := range []string{"rate-source", "rate-account", "rate-new", "rate-new-source", "rate-verify"} {
		args = append(args, "-"+limit, "none")
	}
	d := tools.Serve(t, b.bin, t.TempDir(), append([]string{"-ns", "ns1." + base + "=192.0.2.53", "-dnssec", "none"}, args...)...)
	s := stack{dns: netip.MustParseAddrPort(d.Words["dns"]), nup: netip.MustParseAddrPort(d.Words["nup"])}
	at := base + "@" + d.Words["nup"]
	packet := b.run(t, "replace www 300 A 192.0.2.1\n", "nc-sign", "-k", b.key, "-s", at)
	b.run(t, packet, "nc-send", "-t", "60s", "-s", at)
	return s
}

// powerDNS is PowerDNS over a database that nc-serve filled before.
func powerDNS(caches ...string) func(*testing.T, *bench) stack {
	return func(t *testing.T, b *bench) stack {
		db := peers.MariaDB(t)
		if !t.Run("fill", func(t *testing.T) { serve(t, b, store(t, b, db)...) }) {
			t.FailNow()
		}
		s := peers.PowerDNS(t, db, base, append([]string{"distributor-threads=3"}, caches...)...)
		return stack{dns: netip.MustParseAddrPort(s.Addr)}
	}
}

// chain runs a cluster of nc-chain and gives nc-serve's arguments.
func chain(t *testing.T, b *bench, nodes int) []string {
	port, err := tools.Ports(3 * nodes) // a node takes three in a row for its links and etcd
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var addrs []string
	for i := range nodes {
		name, addr := fmt.Sprintf("n%d", i+1), fmt.Sprintf("127.0.0.1:%d", port+3*i)
		args := []string{"-name", name, "-listen", addr, "-db", filepath.Join(dir, name)}
		if i > 0 {
			token := filepath.Join(dir, name+".token")
			authority := read(t, filepath.Join(dir, "n1", "authority.pem"))
			b.run(t, authority, "nc-keygen", "-ca", "-join", "-host", "127.0.0.1", "-o", token, "node/"+name)
			args = append(args, "-join", token, "-via", addrs[0], "-member")
		}
		cmd := exec.Command(filepath.Join(b.bin, "nc-chain"), args...)
		var log bytes.Buffer
		cmd.Stderr = &log
		d, err := tools.Start(cmd)
		if err != nil {
			t.Fatalf("%v\n%s", err, log.String())
		}
		t.Cleanup(func() {
			if err := d.Stop(); err != nil {
				t.Errorf("nc-chain %s: %v\n%s", name, err, log.String())
			}
		})
		addrs = append(addrs, addr)
	}
	whole(t, b, filepath.Join(dir, "n1"), nodes)
	identity := filepath.Join(dir, "serve.pem")
	b.run(t, read(t, filepath.Join(dir, "n1", "authority.pem")), "nc-keygen", "-ca", "-issue", "-o", identity, "client/serve")
	return []string{"-store", "chain://" + strings.Join(addrs, ","), "-identity", identity}
}

// whole waits until every chain is on all nodes and serves.
func whole(t *testing.T, b *bench, db string, nodes int) {
	want := fmt.Sprintf("%d nodes, chains of", nodes)
	last := ""
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		out, err := exec.Command(filepath.Join(b.bin, "nc-chain"), "-status", "-db", db).CombinedOutput()
		if last = string(out); err == nil && strings.Contains(last, want) {
			return
		}
	}
	t.Fatalf("the chains are not whole (%s): %s", want, last)
}

func read(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
