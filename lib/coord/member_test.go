package coord

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/clock"
)

// serves fails the test unless a coordinator takes a change.
func serves(t testing.TB, c *Coord, name string) *Registration {
	t.Helper()
	r := register(t, c, name)
	until(t, "the change is in the picture", func() bool { n, ok := c.Picture().Node(name); return ok && n.Inc == r.Inc() })
	return r
}

// members are the names of the coordinator's full members.
func members(t testing.TB, c *Coord) []string {
	t.Helper()
	list, err := c.Members(within(t))
	must(t, err)
	var names []string
	for _, m := range list {
		if !m.Learner {
			names = append(names, m.Name)
		}
	}
	return names
}

// What a member knows stays when it is started again.
func TestMemberAgain(t *testing.T) {
	t.Parallel()
	config := MemberConfig{Name: "n1", Dir: filepath.Join(t.TempDir(), "member")}
	for inc := chain.Incarnation(1); inc < 3; inc++ {
		m, err := StartMember(within(t), config)
		must(t, err)
		c, err := Dial(Config{Member: m})
		must(t, err)
		if r := register(t, c, "n1"); r.Inc() != inc {
			t.Errorf("incarnation %d, want %d", r.Inc(), inc)
		}
		is(t, m.Leave(within(t)), ErrLast)
		must(t, m.Close())
		must(t, m.Close())
		<-m.Done()
		info, err := os.Stat(config.Dir)
		if must(t, err); info.Mode().Perm() != 0o700 {
			t.Errorf("the folder's mode is %v", info.Mode())
		}
	}
}

func TestMemberBad(t *testing.T) {
	t.Parallel()
	good := MemberConfig{Name: "n1", Dir: t.TempDir(), Peer: "127.0.0.1:1", Client: "127.0.0.1:2", Identity: "none"}
	for what, change := range map[string]func(*MemberConfig){
		"name":        func(c *MemberConfig) { c.Name = "" },
		"folder":      func(c *MemberConfig) { c.Dir = "" },
		"one address": func(c *MemberConfig) { c.Peer = "" },
		"no identity": func(c *MemberConfig) { c.Identity = "" },
		"others":      func(c *MemberConfig) { c.Peer, c.Client, c.Join = "", "", []string{"127.0.0.1:3"} },
		"both":        func(c *MemberConfig) { c.Join, c.Peers = []string{"127.0.0.1:3"}, map[string]string{"n1": c.Peer} },
		"not in it":   func(c *MemberConfig) { c.Peers = map[string]string{"n2": c.Peer} },
		"address":     func(c *MemberConfig) { c.Client = "127.0.0.1" },
	} {
		config := good
		change(&config)
		if _, err := StartMember(within(t), config); err == nil {
			t.Errorf("started with bad %s", what)
		} else {
			is(t, err, ErrBad)
		}
	}
	k := newCluster(t, "c1")
	path, _ := k.identity(t, ca.Client, "reader")
	good.Identity = path
	_, err := StartMember(within(t), good)
	is(t, err, ErrBad)
}

// trio starts a cluster of three members, all at once.
func trio(t testing.TB, k *cluster) map[string]*Member {
	t.Helper()
	configs := map[string]MemberConfig{}
	peers := map[string]string{}
	for _, name := range []string{"n1", "n2", "n3"} {
		configs[name] = k.member(t, name)
		peers[name] = configs[name].Peer
	}
	type result struct {
		name string
		m    *Member
		err  error
	}
	results := make(chan result)
	for name, config := range configs {
		config.Peers = peers
		go func() {
			m, err := StartMember(within(t), config)
			results <- result{name, m, err}
		}()
	}
	all := map[string]*Member{}
	for range configs {
		r := <-results
		if must(t, r.err); r.m != nil {
			all[r.name] = r.m
			t.Cleanup(func() { r.m.Close() })
		}
	}
	return all
}

// Of three members the leader dies, and the others go on.
func TestThreeMembers(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "c1")
	all := trio(t, k)
	var clients []string
	for _, m := range all {
		clients = append(clients, m.config.Client)
	}
	_, id := k.identity(t, ca.Node, "n4")
	c := dial(t, Config{Endpoints: clients, Identity: id})
	r := serves(t, c, "n4")
	var leader *Member
	for _, m := range all {
		if m.etcd.Server.Leader() == m.etcd.Server.MemberID() {
			leader = m
		}
	}
	if leader == nil {
		t.Fatal("no leader")
	}
	// Closing hands the leadership over, if it can; one that is stopped hard does not.
	leader.etcd.Server.HardStop()
	began, last, worst := clock.Boot(), clock.Boot(), time.Duration(0)
	for clock.Boot()-began < 3*time.Second {
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		if err := r.Renew(ctx); err == nil {
			worst = max(worst, clock.Boot()-last)
			last = clock.Boot()
		}
		cancel()
	}
	t.Logf("the longest time without a renewal was %v", worst)
	if worst > 5*time.Second || clock.Boot()-last > time.Second {
		t.Errorf("no renewals for %v, and the last one %v ago", worst, clock.Boot()-last)
	}
	<-leader.Done()
	if leader.Err() == nil {
		t.Error("a member has ended by itself and does not say why")
	}
	serves(t, c, "n5")
}

// A leader hands its lead over, and goes on as a member; who is alone keeps it.
func TestHandOver(t *testing.T) {
	t.Parallel()
	must(t, single(t).HandOver())
	k := newCluster(t, "c1")
	all := trio(t, k)
	leads := func() (leader *Member) {
		for _, m := range all {
			if m.etcd.Server.Leader() == m.etcd.Server.MemberID() {
				leader = m
			}
		}
		return leader
	}
	until(t, "a leader", func() bool { return leads() != nil })
	was := leads()
	until(t, "another leader", func() bool {
		err := was.HandOver() // which etcd refuses until it knows the others for connected
		now := leads()
		return err == nil && now != nil && now != was
	})
	must(t, was.HandOver())
	_, id := k.identity(t, ca.Node, "n4")
	serves(t, dial(t, Config{Endpoints: []string{was.config.Client}, Identity: id}), "n4")
}

// A cluster grows from one to three while it serves, and shrinks again.
func TestGrowAndShrink(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "c1")
	first := start(t, k.member(t, "n1"))
	_, id := k.identity(t, ca.Node, "n9")
	c := dial(t, Config{Endpoints: []string{first.config.Client}, Identity: id})
	serves(t, c, "n9")
	var others []*Member
	for _, name := range []string{"n2", "n3"} {
		config := k.member(t, name)
		config.Join = []string{first.config.Client}
		others = append(others, start(t, config))
		serves(t, c, "n9")
	}
	if names := members(t, c); len(names) != 3 {
		t.Fatalf("the members are %v", names)
	}
	// One that has lost its data joins again.
	lost := others[0].config
	must(t, others[0].Close())
	must(t, os.RemoveAll(lost.Dir))
	lost.Join = []string{others[1].config.Client}
	second := start(t, lost)
	serves(t, c, "n9")

	must(t, c.followOnce(within(t)))
	must(t, first.Leave(within(t)))
	<-first.Done()
	if _, err := os.Stat(filepath.Join(first.config.Dir, "etcd")); err == nil {
		t.Error("who has left has its data yet")
	}
	serves(t, c, "n9")
	is(t, c.RemoveMember(within(t), "n7"), ErrNode)
	must(t, c.RemoveMember(within(t), "n2"))
	<-second.Done()
	if second.Err() == nil {
		t.Error("a member was removed and does not say so")
	}
	serves(t, c, "n9")
	if names := members(t, c); len(names) != 1 || names[0] != "n3" {
		t.Errorf("the members are %v", names)
	}
}

// A member that began alone can be given addresses, and others join it then.
func TestAddressesLater(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "c1")
	config := k.member(t, "n1")
	lone := config
	lone.Peer, lone.Client, lone.Identity = "", "", ""
	m, err := StartMember(within(t), lone)
	must(t, err)
	c, err := Dial(Config{Member: m})
	must(t, err)
	register(t, c, "n1")
	if list, err := c.Members(within(t)); err != nil || len(list) != 1 || list[0] != (MemberStatus{Name: "n1"}) {
		t.Errorf("the members are %v, %v", list, err)
	}
	must(t, m.Close())

	m = start(t, config)
	_, id := k.identity(t, ca.Node, "n2")
	c = dial(t, Config{Member: m, Identity: id})
	if r := serves(t, c, "n1"); r.Inc() != 2 {
		t.Errorf("incarnation %d", r.Inc())
	}
	list, err := c.Members(within(t))
	if err != nil || len(list) != 1 || list[0] != (MemberStatus{Name: "n1", Peer: config.Peer, Client: config.Client}) {
		t.Errorf("the members are %v, %v", list, err)
	}
	second := k.member(t, "n2")
	second.Join = []string{config.Client}
	start(t, second)
	serves(t, c, "n1")
}

// Members take nodes of their own cluster, and nodes such members.
func TestStrangers(t *testing.T) {
	t.Parallel()
	k, other := newCluster(t, "c1"), newCluster(t, "c2")
	config := k.member(t, "n1")
	m := start(t, config)
	_, node := k.identity(t, ca.Node, "n2")
	_, client := k.identity(t, ca.Client, "reader")
	_, stranger := other.identity(t, ca.Node, "n2")
	refused := func(what string, c *Coord, err error) {
		t.Helper()
		must(t, err)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Register(ctx, Node{Name: "n2"}); err == nil {
			t.Errorf("%s has registered a node", what)
		}
	}
	c, err := Dial(Config{Endpoints: []string{config.Client}, Identity: client})
	refused("a client", c, err)
	c, err = Dial(Config{Endpoints: []string{config.Client}, Identity: stranger})
	refused("a node of another cluster", c, err)
	c, err = Dial(Config{Endpoints: []string{"http://" + config.Client}})
	refused("one without TLS", c, err)
	for what, id := range map[string]func() ca.Identity{"a client": client, "another cluster's node": stranger} {
		config, err := tls.Dial("tcp", config.Peer, &tls.Config{
			InsecureSkipVerify:   true,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id().Certificate(), nil },
		})
		if err != nil {
			continue
		}
		config.SetDeadline(time.Now().Add(limit))
		config.Write([]byte("GET /members HTTP/1.1\r\nHost: x\r\n\r\n"))
		if n, err := config.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("a member takes %s for another member", what)
		}
		config.Close()
	}

	// The other way round: a member of another cluster in the place of ours.
	foreign := start(t, other.member(t, "n1"))
	c, err = Dial(Config{Endpoints: []string{foreign.config.Client}, Identity: node})
	refused("with a stranger, a node", c, err)
	serves(t, dial(t, Config{Member: m, Identity: node}), "n2")
}

// When the authority has another certificate, a member starts anew and takes those
// whose certificates it has signed.
func TestNewAuthority(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "c1")
	config := k.member(t, "n1")
	m := start(t, config)
	var mine atomic.Pointer[ca.Identity]
	renew := func() {
		_, id := k.identity(t, ca.Node, "n2")
		one := id()
		mine.Store(&one)
	}
	renew()
	c := dial(t, Config{Member: m, Identity: func() ca.Identity { return *mine.Load() }})
	serves(t, c, "n2")
	must(t, m.Refresh(within(t))) // nothing is new

	now := time.Now()
	both, err := k.authority.Next(now.Add(-2 * ca.Settle))
	must(t, err)
	k.authority = both
	renew()
	k.identity(t, ca.Node, "n1")
	_, renewed := k.identity(t, ca.Node, "n3")
	newer := dial0(t, Config{Endpoints: []string{config.Client}, Identity: renewed})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := newer.Register(ctx, Node{Name: "n3"}); err == nil {
		t.Error("a member has learnt of the new certificate before it was started anew")
	}
	must(t, m.Refresh(within(t)))
	register(t, newer, "n3")
	until(t, "the older connection sees that", func() bool { _, ok := c.Picture().Node("n3"); return ok })
}

// dial0 makes a Coord that does not run.
func dial0(t testing.TB, config Config) *Coord {
	t.Helper()
	c, err := Dial(config)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}
