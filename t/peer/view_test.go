package peer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/peer/view"
	"namecast/t/browser"
)

// The page of a real group: a browser sees the members and how the server is, what carries
// the answers while it is dead, and why.
func TestPage(t *testing.T) {
	b := browser.Start(t)
	w := newWorld(t, 4, options{args: []string{"-http", "127.0.0.1:8053"}})
	m := w.members[0]
	b = b.Tab(t)
	b.Open(page(t, m))
	b.Screen(1280, 1700, "light")
	b.Until(`document.querySelectorAll('.node:not(.gone)').length`, "4")
	b.Until(`document.querySelector('[data-part=upstream]').textContent`, "healthy")
	greeted(m)
	card(b)
	const names = 100
	for i := range names {
		w.members[1+i%3].ask(name(i), dns.TypeA)
	}
	w.unbound.Signal(syscall.SIGSTOP)
	w.upstreamIs("down")
	b.Until(`document.querySelector('[data-part=upstream]').textContent`, "down")
	// The log shows the latest lines only, so there is a lookup before each look at it.
	next := 0
	w.lab.Expect(patience, func() error {
		m.ask(name(next%names), dns.TypeA)
		next++
		if b.Eval(`document.querySelector('.log').textContent.includes('answered a client from an owner')`) != "true" {
			return fmt.Errorf("after %d lookups none in the log came from an owner", next)
		}
		return nil
	})
	b.Until(`Number(document.querySelector('[data-part=carried]').children[2].textContent) > 0`, "true")
	b.Shot("lab")
	b.Eval(`document.getElementById('name').value = 'n1.lan.example'; document.querySelector('#why button').click()`)
	out, err := m.status("why", name(1))
	if err != nil {
		t.Fatal(err)
	}
	// What depends on the time is different by now; who owns the name is not.
	_, owners, ok := strings.Cut(out, "\nowners: ")
	if !ok {
		t.Fatalf("why says nothing of owners: %q", out)
	}
	b.Until(fmt.Sprintf(`document.querySelector('#because pre').textContent.trim().endsWith(%q)`, "owners: "+strings.TrimSpace(owners)), "true")
	b.Clean()
}

// card looks at what is said of a member, and on which links all are.
func card(b *browser.Browser) {
	b.Eval(`document.querySelectorAll('.node')[1].dispatchEvent(new MouseEvent('click', { bubbles: true }))`)
	b.Until(`['version1', 'found right100 %', 'linketh0'].every((s) => document.querySelector('[data-part=card]').textContent.includes(s))`, "true")
	b.Until(`[...document.querySelectorAll('[data-part=members] tr')].map((r) => r.children[2].textContent).join()`, "eth0,eth0,eth0,eth0")
}

// greeted waits until a member is known to have said to all that it is there, and this
// one too.
func greeted(m *member) {
	m.w.lab.Expect(patience, func() error {
		out, err := m.status("events")
		if err != nil {
			return err
		}
		who := map[string]bool{}
		for line := range strings.Lines(out) {
			var e view.Event
			if json.Unmarshal([]byte(line), &e) == nil && e.Kind == view.Hello {
				who[e.From] = true
			}
		}
		if len(who) < 2 {
			return fmt.Errorf("only of %d nodes a Hello was told", len(who))
		}
		return nil
	})
}

// page gives the address, outside of the lab, of the page of a member.
func page(t *testing.T, m *member) string {
	t.Helper()
	inside := &url.URL{Scheme: "http", Host: "127.0.0.1:8053"}
	p := httputil.NewSingleHostReverseProxy(inside)
	p.FlushInterval = -1
	p.Transport = &http.Transport{DialContext: m.Dial, DisableKeepAlives: true}
	p.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
		http.Error(w, fmt.Sprint(err), http.StatusBadGateway)
	}
	s := httptest.NewServer(p)
	t.Cleanup(func() {
		s.CloseClientConnections() // streams do not end by themselves
		s.Close()
	})
	return s.URL
}
