package peer

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
)

// outside is where a machine's stub listens for others as well.
func (m *member) outside() string { return m.addr + ":53" }

// launch starts the machine's nc-peer with these flags, and those that every one has.
func (m *member) launch(args ...string) {
	m.w.t.Helper()
	m.peer = m.StartCommand(m.command(args...))
	m.peer.WaitFor(patience, "msg=ready")
}

func (m *member) command(args ...string) lab.Command {
	return lab.Command{Path: filepath.Join(m.w.bin, "nc-peer"), Args: append([]string{"-db", m.dir}, args...), Name: "nc-peer-" + m.Name()}
}

// refuses waits until a machine has said so of a name server, and asks it no more. It
// says it once.
func (m *member) refuses(server, why string) {
	m.w.t.Helper()
	line := fmt.Sprintf(`msg="a name server %s.*, and is not asked any more" server=%s$`, why, server)
	m.peer.WaitFor(patience, line)
	m.w.lab.Expect(patience, func() error {
		out, _ := m.status("upstream")
		if strings.Contains(out, server+" ") {
			return errors.New("it is still a name server:\n" + out)
		}
		return nil
	})
	if log := m.peer.Log(); strings.Count(log, "is not asked any more") != 1 {
		m.w.t.Errorf("%s does not say it once:\n%s", m.Name(), log)
	}
}

// TestLoops: name servers that lead back to who asks are found out and refused, each with
// one line, before anything goes around.
func TestLoops(t *testing.T) {
	for name, run := range map[string]func(*testing.T){"each other": eachOther, "in a ring": inRing, "itself": itself, "a member": ofMember} {
		t.Run(name, run)
	}
}

// eachOther: two stubs that have each other as their name server. Whoever comes second
// finds it out.
func eachOther(t *testing.T) {
	w := bare(t)
	a, b := w.join(), w.join()
	a.launch("-mode", "solo", "-listen", a.outside(), "-upstream", b.addr)
	b.launch("-mode", "solo", "-listen", b.outside(), "-upstream", a.addr)
	b.refuses(a.addr, "leads back here")
	for _, m := range []*member{a, b} {
		w.failsAt(m)
	}
}

// failsAt holds that a stub without name servers says so at once, rather than when a
// question has gone around until it was too old.
func (w *world) failsAt(m *member) {
	w.t.Helper()
	w.lab.Expect(patience, func() error {
		r, err := ask(m.Machine, m.outside(), "www.lan.example.", dns.TypeA)
		switch {
		case err != nil:
			return err
		case r.Rcode != dns.RcodeServerFailure:
			w.t.Errorf("%s: %s", m.Name(), r.told())
		case *judge && r.took > time.Second:
			return fmt.Errorf("%s took %v", m.Name(), r.took)
		}
		return nil
	})
}

// inRing: three of them, the first of which closes the ring when it is started again.
func inRing(t *testing.T) {
	w := bare(t)
	all := []*member{w.join(), w.join(), w.join()}
	args := func(i int) []string {
		return []string{"-mode", "solo", "-listen", all[i].outside(), "-upstream", all[(i+1)%3].addr}
	}
	for i, m := range all[:2] {
		m.launch(args(i)...)
	}
	all[2].launch("-mode", "solo", "-listen", all[2].outside(), "-upstream", upstream)
	w.lab.Expect(patience, func() error {
		r, err := ask(all[0].Machine, all[0].outside(), name(1), dns.TypeA)
		if err == nil && r.address() != address(1) {
			err = errors.New(r.told())
		}
		return err
	})
	all[2].stop()
	all[2].launch(args(2)...)
	all[2].refuses(all[0].addr, "leads back here")
}

// itself: a stub that has itself as its name server is not started if that is to be seen
// in its flags, and finds it out where it is not.
func itself(t *testing.T) {
	w := bare(t)
	m := w.join()
	for _, c := range [][]string{
		{"-listen", m.outside(), "-upstream", m.addr},
		{"-listen", "0.0.0.0:53", "-upstream", "127.0.0.1"},
	} {
		p := m.StartCommand(m.command(append(c, "-mode", "solo")...))
		if err := p.Wait(patience); err == nil || p.Code() != 2 {
			t.Errorf("%v: %v, exit status %d, want 2", c, err, p.Code())
		}
		want := fmt.Sprintf("nc-peer: -upstream %s is the stub itself (-listen %s)\n", c[3], c[1])
		if log := p.Log(); !strings.HasPrefix(log, want) {
			t.Errorf("%v: %q, want %q", c, log, want)
		}
	}
	m.launch("-mode", "solo", "-listen", "0.0.0.0:53", "-upstream", m.addr, "-upstream", upstream)
	m.refuses(m.addr, "leads back here")
	w.lab.Expect(patience, func() error {
		r, err := ask(m.Machine, m.outside(), name(2), dns.TypeA)
		if err == nil && r.address() != address(2) {
			err = errors.New(r.told())
		}
		return err
	})
}

// ofMember: a member's stub is no name server of another: what it knows the group knows.
// Neither is who only passes questions on to it.
func ofMember(t *testing.T) {
	w := bare(t)
	group := []string{"-key", w.key}
	a, b := w.join(), w.join()
	a.launch(append(group, "-listen", a.outside(), "-upstream", upstream)...)
	b.launch(append(group, "-listen", b.outside(), "-upstream", a.addr, "-upstream", upstream)...)
	b.refuses(a.addr, "is the stub of member "+a.self())
	w.complete(2)
	r, err := ask(b.Machine, b.outside(), name(3), dns.TypeA)
	if err != nil || r.address() != address(3) {
		t.Errorf("by the name server that is left: %v, %s", err, r.told())
	}
	if out, _ := a.status("upstream"); !strings.Contains(out, upstream+" ") {
		t.Errorf("%s has lost its name server:\n%s", a.Name(), out)
	}
}
