package view

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"namecast/t/browser"
)

const (
	part  = `document.querySelector('[data-part=%s]').textContent`
	nodes = `document.querySelectorAll('.node').length`
)

func partOf(name string) string { return fmt.Sprintf(part, name) }

// TestPage looks at the page in a browser.
func TestPage(t *testing.T) {
	b := browser.Start(t)
	t.Run("live", func(t *testing.T) { live(t, b.Tab(t)) })
	t.Run("matrix", func(t *testing.T) { matrix(t, b.Tab(t)) })
	t.Run("crowd", func(t *testing.T) { crowd(t, b.Tab(t)) })
	t.Run("recordings", func(t *testing.T) { recordings(t, b.Tab(t)) })
}

// live has the page show what is, and what happens; keyboard and small screens do.
func live(t *testing.T, b *browser.Browser) {
	g := newGroup(12)
	s := serve(t, g)
	b.Open(s.URL)
	b.Screen(1280, 1700, "light")
	b.Until(nodes, "12")
	b.Until(partOf("upstream"), "down")
	b.Until(partOf("ready"), "87 %")
	b.Until(`document.querySelectorAll('.flow').length > 5`, "true")
	b.Until(`document.querySelectorAll('.log li b').length + document.querySelector('.log').textContent.includes('<b>www</b>')`, "1")
	b.Shot("live")
	g.change(func(s *State) { s.Upstream, s.UpstreamFor = "healthy", 1; s.Members[3].Live = false })
	b.Until(partOf("upstream"), "healthy")
	b.Until(`document.querySelectorAll('.node.gone').length`, "2")
	g.tell(Event{At: time.Now().UnixMilli(), Kind: Any, From: id(2)})
	b.Until(`document.querySelectorAll('.wave').length > 0`, "true")
	b.Until(`document.querySelector('[data-part=servers]').textContent`, "192.0.2.53down0.4 ms192.0.2.54down-")
	b.Until(`document.querySelector('[data-part=ages]').textContent`, "10 %20 %40 %20 %9 %1 %")
	b.Until(`document.querySelector('[data-part=members]').textContent.includes('a003 (gone) (not believed)')`, "true")
	g.tell(Event{At: time.Now().UnixMilli(), Kind: Hello, From: id(5)})
	b.Until(`document.querySelectorAll('.wave.hello').length > 0`, "true")
	keyboard(b)
	explain(b)
	screens(b)
	b.Clean()
}

// keyboard goes through the ring by its keys, and through time.
func keyboard(b *browser.Browser) {
	b.Eval(`document.querySelector('.node').focus()`)
	b.Key("ArrowRight")
	b.Key("Enter")
	b.Until(`document.querySelector('[data-part=card]').textContent.includes('`+id(1)+`')`, "true")
	b.Until(`document.activeElement.getAttribute('aria-pressed')`, "true")
	b.Eval(`document.activeElement.blur()`)
	b.Key(" ")
	b.Until(`document.getElementById('play').textContent`, "Play")
	b.Key("Home")
	b.Until(`document.getElementById('when').value`, "0")
	b.Key("End")
	b.Until(`document.getElementById('clock').textContent`, "now")
	b.Until(`document.getElementById('play').textContent`, "Pause")
	b.Key("/")
	b.Until(`document.activeElement.id`, "name")
}

// explain asks why; what comes is shown as text.
func explain(b *browser.Browser) {
	b.Eval(`document.getElementById('name').value = 'www.example.com'`)
	b.Key("Enter")
	b.Until(`document.querySelector('#because pre').textContent.startsWith('www.example.com A: own cache')`, "true")
	b.Until(`document.querySelectorAll('#because script').length`, "0")
	b.Key("Escape")
	b.Until(`document.getElementById('because').hidden`, "true")
}

// screens looks at the page on small screens and in the dark: nothing goes over the side.
func screens(b *browser.Browser) {
	for _, width := range []int{320, 360, 768, 1280} {
		b.Screen(width, 700, "dark")
		b.Until(`document.documentElement.scrollWidth <= window.innerWidth`, "true")
		b.Shot(fmt.Sprintf("dark-%d", width))
		b.Eval(`document.querySelector('[data-part=kept]').scrollIntoView()`)
		b.Shot(fmt.Sprintf("kept-%d", width))
		b.Eval(`scrollTo(0, 0)`)
	}
	b.Until(`getComputedStyle(document.body).backgroundColor`, "rgb(20, 23, 26)")
	b.Screen(1280, 900, "light")
	b.Until(`getComputedStyle(document.body).backgroundColor`, "rgb(251, 251, 249)")
}

// matrix is what the picture is above 60 nodes.
func matrix(t *testing.T, b *browser.Browser) {
	b.Open(serve(t, newGroup(200)).URL)
	b.Screen(1280, 900, "light")
	b.Until(`document.querySelectorAll('.picture canvas').length + document.querySelectorAll('.picture svg').length`, "1")
	b.Until(`document.querySelector('.picture canvas').width`, "1600")
	b.Eval(`document.querySelector('.picture canvas').focus()`)
	b.Key("ArrowDown")
	b.Until(`document.querySelector('[data-part=card]').textContent.includes('`+id(1)+`')`, "true")
	b.Shot("matrix")
	b.Clean()
}

// crowd plays the recording of a group that no ring has room for.
func crowd(t *testing.T, b *browser.Browser) {
	b.Open(serve(t, newGroup(3)).URL)
	b.Screen(1280, 1100, "light")
	b.Until(nodes, "3")
	path := filepath.Join(t.TempDir(), "crowd.jsonl")
	record(t, path, 100, "")
	b.Choose("#file", path)
	b.Until(`document.querySelector('h2').textContent`, "Recording crowd.jsonl")
	b.Eval(`document.activeElement.blur()`)
	b.Key("End")
	b.Until(`document.querySelectorAll('.picture canvas').length`, "1")
	b.Until(`document.querySelector('.picture canvas').width`, "800")
	b.Until(`document.querySelectorAll('[data-part=members] tr').length`, "100")
	b.Until(`document.querySelector('[data-part=moment]').textContent.includes('after kill a001')`, "true")
	b.Eval(`document.querySelector('.picture canvas').focus()`)
	b.Key("ArrowUp")
	b.Until(`document.querySelector('[data-part=card]').textContent.includes('`+id(99)+`')`, "true")
	b.Until(`document.querySelector('.picture p').textContent`, "a063: name servers unknown")
	b.Shot("crowd")
	b.Screen(360, 800, "dark")
	b.Until(`document.documentElement.scrollWidth <= window.innerWidth`, "true")
	b.Until(`document.querySelector('.picture canvas').getBoundingClientRect().width <= 360`, "true")
	b.Eval(`document.querySelector('.picture').scrollIntoView()`)
	b.Until(`[...document.querySelector('.picture canvas').getContext('2d').getImageData(400, 20, 1, 1).data].join()`, "28,32,36,255")
	b.Shot("crowd-360")
	b.Clean()
}

// recordings play in the page, two of them side by side.
func recordings(t *testing.T, b *browser.Browser) {
	b.Open(serve(t, newGroup(3)).URL)
	b.Screen(1400, 900, "light")
	b.Until(nodes, "3")
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.jsonl"), filepath.Join(dir, "two.jsonl")
	record(t, one, 20, "not JSON\n{\"at\":1,\"kind\":17}\n")
	record(t, two, 8, "")
	b.Choose("#file", one, two)
	b.Until(`document.querySelectorAll('.panel').length`, "2")
	b.Until(`document.querySelector('h2').textContent`, "Recording one.jsonl")
	b.Until(`document.getElementById('news').textContent`, "2 lines were no events")
	b.Eval(`document.activeElement.blur()`)
	b.Until(`document.getElementById('play').textContent`, "Pause")
	b.Key(" ")
	b.Until(`document.getElementById('play').textContent`, "Play")
	b.Key("End")
	b.Until(nodes, "28")
	b.Until(`[...document.querySelectorAll('.panel [data-part=upstream]')].map((e) => e.textContent).join()`, "down,down")
	b.Until(`document.querySelector('[data-part=carried]').textContent`, "50002500250")
	b.Shot("recordings")
	b.Key("Home")
	b.Until(`document.querySelector('.panel [data-part=upstream]').textContent`, "healthy")
	b.Until(`document.querySelector('[data-part=of]').textContent`, "of 0 lookups")
	b.Eval(`document.getElementById('speed').value = '600'`)
	b.Key(" ")
	b.Until(`document.querySelector('[data-part=of]').textContent`, "of 1000 lookups")
	b.Until(`document.getElementById('play').textContent`, "Play")
	b.Clean()
}

// record makes a recording of a group of n over 1,000 seconds, whose servers die after
// the first 500.
func record(t *testing.T, path string, n int, more string) {
	t.Helper()
	var lines strings.Builder
	lines.WriteString(more)
	write := func(e Event) {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "%s\n", b)
	}
	const begin int64 = 1_700_000_000_000
	write(Event{At: begin, Kind: Upstream, From: id(0), Text: "healthy"})
	for i := range 1000 {
		at, by := begin+int64(1000*i+500), []string{"cache", "upstream"}[i%2]
		peer := id(1 + i%(n-1))
		if i == 500 {
			write(Event{At: at - 100, Kind: Upstream, From: id(0), Text: "server 0: down, was suspect: silent"})
		}
		if i == 600 {
			write(Event{At: at - 100, Kind: Mark, Text: "kill a001"})
		}
		if i >= 500 {
			by = []string{"owner", "nobody"}[i%2]
			write(Event{At: at - 10, Kind: Ask, From: id(0), To: peer})
			write(Event{At: at - 5, Kind: Reply, From: peer, To: id(0)})
		}
		write(Event{At: at - 20, Kind: Put, From: id(0), To: peer})
		write(Event{At: at, Kind: Answer, From: id(0), By: by, Ms: 0.5})
	}
	if err := os.WriteFile(path, []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
