package compare

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/peers"
	"namecast/t/tools"
)

// TestSecondary: PowerDNS over the tables tells a secondary of each change, by the
// serial that they have, and gives it the zone.
func TestSecondary(t *testing.T) {
	db := peers.MariaDB(t)
	store, bin := "mysql://root@/namecast?socket="+db.Socket, tools.Build(t)
	run(t, "", bin+"/nc-serve", "-migrate", "-store", store, "-domain", base)
	a := &account{key: "site", domains: []string{"example.com"}, records: "www 300 A 192.0.2.1\n"}
	startNode(t, bin, []*account{a}, "-store", store)
	primary := peers.PowerDNS(t, db, base, "primary=yes", "slave-cycle-interval=1", "allow-axfr-ips=127.0.0.1", "zone-metadata-cache-ttl=0")
	old := strings.Replace(peers.ZoneText("example.com.", "127.0.0.1"), " 1 7200 ", " 0 7200 ", 1) // an older serial
	secondary := peers.NSDSecondary(t, "example.com.", old, primary.Addr)
	db.Ask(t, "INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'ALSO-NOTIFY', '"+secondary.Addr+"' FROM domains WHERE name = 'example.com'")

	has := func(want string) {
		t.Helper()
		q := new(dns.Msg)
		q.SetQuestion("www.example.com.", dns.TypeA)
		got := ""
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			m, _, err := new(dns.Client).Exchange(q, secondary.Addr)
			if err != nil || len(m.Answer) != 1 {
				continue
			}
			if got = m.Answer[0].(*dns.A).A.String(); got == want {
				return
			}
		}
		t.Fatalf("the secondary has %q, want %q\n%s\n%s", got, want, primary.Log(), secondary.Log())
	}
	has("192.0.2.1")
	for _, to := range []string{"192.0.2.2", "192.0.2.3"} {
		a.send(t, bin, "replace www 300 A "+to+"\n")
		has(to)
	}
}
