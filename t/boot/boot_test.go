package boot

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"namecast/t/lab"
)

// TestBare boots Debian alone, and reboots it.
func TestBare(t *testing.T) {
	l := lab.New(t)
	n := newNode(t, l, l.Machine("a"), debian(t))
	n.boot()
	t.Log(n.in("systemd-analyze", "time"))
	n.reboot(func() {})
}

// record is what the service hosts in the test.
const record = "198.51.100.77"

// TestService takes two nodes through their life: every step begins and ends with both
// announced.
func TestService(t *testing.T) {
	began := time.Now()
	s := newSite(t)
	t.Logf("%5.1fs: tools and machines are there", time.Since(began).Seconds())
	s.start()
	t.Logf("%5.1fs: both nodes are announced", time.Since(began).Seconds())
	s.privileges()
	name := s.update()
	for _, step := range []struct {
		name string
		do   func(name string)
	}{
		{"nc-serve is killed", s.serveKilled},
		{"nc-serve hangs", s.serveHangs},
		{"nc-watch is killed", s.watchKilled},
		{"nc-watch hangs", s.watchHangs},
		{"nc-bgp is killed", s.bgpKilled},
		{"nc-bgp hangs", s.bgpHangs},
		{"a daemon panics", s.panics},
		{"configurations are read anew", s.reload},
		{"a node is upgraded", s.upgrade},
		{"a node reboots", s.reboots},
		{"a node is stopped", s.stopped},
	} {
		step.do(name)
		s.announced(s.a, s.b)
		t.Logf("%5.1fs: %s, and all is as before", time.Since(began).Seconds(), step.name)
	}
}

// privileges sees that the daemons are what their units say: nobody is root, and each
// has the capabilities, by their bits of capabilities(7), that it needs.
func (s *site) privileges() {
	s.t.Helper()
	for unit, capabilities := range map[string]string{
		"nc-serve": "0000000000000400", // CAP_NET_BIND_SERVICE
		"nc-chain": "0000000000000000",
		"nc-bgp":   "0000000000001000", // CAP_NET_ADMIN
		"nc-watch": "0000000000000000",
	} {
		status := s.a.in("cat", "/proc/"+s.a.show(unit, "MainPID")+"/status")
		uid := s.a.in("id", "-u", unit)
		for _, want := range []string{"Uid:\t" + uid + "\t", "CapEff:\t" + capabilities, "CapBnd:\t" + capabilities, "NoNewPrivs:\t1", "Seccomp:\t2"} {
			if !strings.Contains(status, "\n"+want) {
				s.t.Errorf("%s has not %q:\n%s", unit, want, status)
			}
		}
	}
}

// update hosts a name as a user does, through the anycast address, and sees it at all
// addresses of the service.
func (s *site) update() (name string) {
	s.t.Helper()
	s.run(fmt.Sprintf("nc-keygen -server %s@%s:8153 -o user.key", serviceName, service4))
	s.run(fmt.Sprintf("echo 'add www 60 A %s' | NAMECAST_KEY=user.key nc-sign | NAMECAST_KEY=user.key nc-send", record))
	name = "www." + strings.TrimSpace(s.run("nc-keygen -hash < user.key")) + "." + serviceName
	for _, server := range []string{service4, service6, "198.51.100.10", "198.51.100.11"} {
		for _, from := range []*lab.Machine{s.client, s.other} {
			s.lab.Expect(answerTime, func() error {
				address, node, err := ask(context.Background(), from, server, name)
				if err == nil && address != record {
					err = fmt.Errorf("node %s says %s", node, address)
				}
				if err != nil {
					err = fmt.Errorf("%v asks %s: %w", from, server, err)
				}
				return err
			})
		}
	}
	return name
}

// restarted waits until systemd has started a unit again by itself.
func (s *site) restarted(n *node, unit, before string) {
	s.t.Helper()
	s.lab.Expect(comes, func() error {
		state, err := n.try("systemctl", "show", "--property=MainPID,ActiveState", "--value", unit)
		words := strings.Fields(state)
		if err == nil && (len(words) != 2 || words[0] == before || words[1] != "active") {
			err = fmt.Errorf("%s on node %s is %q, and was process %s", unit, n.Name(), words, before)
		}
		return err
	})
}

// strike sends a signal to a daemon, waits until the routes of its node were seen to be
// gone, and until the daemon and the routes are back. Meanwhile questions are answered,
// if not by one node then by the other.
func (s *site) strike(n *node, unit, signal, name string, gone func()) {
	s.t.Helper()
	x := s.ask(name, record)
	pid := n.show(unit, "MainPID")
	struck := time.Now()
	n.in("systemctl", "kill", "--kill-who=main", "--signal="+signal, unit)
	gone()
	seen := time.Since(struck)
	s.restarted(n, unit, pid)
	s.announced(s.a, s.b)
	asked, lost := x.end()
	s.t.Logf("%s of %s on node %s: the routes were seen gone after %.1fs, and back after %.1fs; of %d questions %d were lost",
		signal, unit, n.Name(), seen.Seconds(), time.Since(struck).Seconds(), asked, count(lost))
	if count(lost) > asked/4 {
		s.t.Errorf("%s of %s on node %s: %v", signal, unit, n.Name(), lost)
	}
}

func (s *site) serveKilled(name string) {
	s.strike(s.a, "nc-serve", "SIGKILL", name, func() { s.withdrawn(s.a) })
}

// serveHangs is noticed by nc-watch, which has the daemon restarted.
func (s *site) serveHangs(name string) {
	s.strike(s.b, "nc-serve", "SIGSTOP", name, func() { s.withdrawn(s.b) })
	if journal := s.b.journal("nc-restart@nc-serve.service"); !strings.Contains(journal, "Finished") {
		s.t.Errorf("nc-serve was not restarted by nc-watch:\n%s", journal)
	}
}

func (s *site) watchKilled(name string) { s.watcher("SIGKILL", name) }

func (s *site) watchHangs(name string) { s.watcher("SIGSTOP", name) }

// watcher is strike for nc-watch, which nc-bgp outlives.
func (s *site) watcher(signal, name string) {
	before := s.a.show("nc-bgp", "MainPID")
	s.strike(s.a, "nc-watch", signal, name, func() { s.withdrawn(s.a) })
	if after := s.a.show("nc-bgp", "MainPID"); after != before {
		s.t.Errorf("nc-bgp was process %s when nc-watch was, and is %s", before, after)
	}
}

func (s *site) bgpKilled(name string) { s.newSession(s.a, "SIGKILL", name) }

func (s *site) bgpHangs(name string) { s.newSession(s.b, "SIGSTOP", name) }

// newSession is strike for nc-bgp. The routes have gone with the session, which may be
// there again before anybody looks.
func (s *site) newSession(n *node, signal, name string) {
	before := s.session(n)
	s.strike(n, "nc-bgp", signal, name, func() {
		s.lab.Expect(comes, func() error {
			after, err := s.birdc("show protocols node_" + n.Name())
			if err == nil && after == before {
				err = fmt.Errorf("BIRD still has the session with node %s:\n%s", n.Name(), after)
			}
			return err
		})
	})
}

// panics has daemons end as by a fault in them.
func (s *site) panics(string) {
	for _, unit := range daemons {
		pid := s.b.show(unit, "MainPID")
		s.b.in("systemctl", "kill", "--kill-who=main", "--signal=SIGQUIT", unit)
		s.restarted(s.b, unit, pid)
	}
}

// reload has daemons read their files anew, which they do as the same processes.
func (s *site) reload(string) {
	for unit, says := range map[string]string{"nc-serve": "reloaded", "nc-watch": "read anew"} {
		pid := s.a.show(unit, "MainPID")
		before := strings.Count(s.a.journal(unit), says)
		s.a.in("systemctl", "reload", unit)
		s.lab.Expect(answerTime, func() error {
			if strings.Count(s.a.journal(unit), says) == before {
				return fmt.Errorf("%s does not say that it has read its files", unit)
			}
			return nil
		})
		if after := s.a.show(unit, "MainPID"); after != pid {
			s.t.Errorf("%s was process %s before its files were read, and is %s", unit, pid, after)
		}
	}
}

// upgrade puts new tools on a node, which nobody must notice.
func (s *site) upgrade(name string) {
	n := s.a
	x := s.ask(name, record)
	n.in("nc-watch", "-drain")
	s.lab.Expect(comes, func() error {
		if by := x.since(s.t, s.lab, 20); by[n.Name()] > 0 {
			return fmt.Errorf("node %s still answers: %v", n.Name(), by)
		}
		return nil
	})
	var pids []string
	for _, unit := range daemons {
		pids = append(pids, n.show(unit, "MainPID"))
	}
	install(s.t, s.bin, n.root)
	n.in("systemctl", "daemon-reload")
	for i, unit := range daemons {
		n.in("systemctl", "restart", unit)
		if pid := n.show(unit, "MainPID"); pid == pids[i] {
			s.t.Errorf("%s has not been restarted", unit)
		}
	}
	s.announced(s.a, s.b)
	if by := x.since(s.t, s.lab, 20); by[n.Name()] > 0 {
		s.t.Errorf("node %s answers after its upgrade, and is drained: %v", n.Name(), by)
	}
	n.in("nc-watch", "-undrain")
	s.lab.Expect(comes, func() error {
		_, err := n.try("nc-watch", "-status")
		return err
	})
	asked, lost := x.end()
	s.t.Logf("upgrade of node %s: of %d questions %d were lost", n.Name(), asked, count(lost))
	if lost != nil {
		s.t.Errorf("upgrade of node %s: %v", n.Name(), lost)
	}
}

// reboots reboots a node; the other answers.
func (s *site) reboots(name string) {
	x := s.ask(name, record)
	s.b.reboot(func() {
		s.announced(s.a)
		if by := x.since(s.t, s.lab, 20); by["b"] > 0 {
			s.t.Errorf("a node that is off answers: %v", by)
		}
	})
	s.announced(s.a, s.b)
	asked, lost := x.end()
	s.t.Logf("reboot of node b: of %d questions %d were lost", asked, count(lost))
}

// stopped stops everything on a node with one command, and starts it with another.
func (s *site) stopped(name string) {
	x := s.ask(name, record)
	s.a.in("systemctl", "stop", "namecast.target")
	s.announced(s.b)
	for _, unit := range daemons {
		s.lab.Expect(stopTime, func() error {
			if state := s.a.show(unit, "ActiveState"); state != "inactive" {
				return fmt.Errorf("%s is %s after the target was stopped", unit, state)
			}
			return nil
		})
	}
	s.a.in("systemctl", "start", "namecast.target")
	s.announced(s.a, s.b)
	asked, lost := x.end()
	s.t.Logf("stop of node a: of %d questions %d were lost", asked, count(lost))
}

// count is how many errors were joined.
func count(err error) int {
	if err == nil {
		return 0
	}
	return strings.Count(err.Error(), "\n") + 1
}
