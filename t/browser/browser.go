// Package browser looks at pages with Chromium, without a window, as people would: by its
// DevTools protocol over a pair of pipes.
//
// The program ends with the test. A test without it is skipped with a line that names it.
package browser

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Browser is a running Chromium. It looks at one page, that of its last Tab.
type Browser struct {
	*testing.T
	in      *os.File
	out     chan message
	next    int
	session string
	console []string // what went wrong in the page
}

type message struct {
	ID      int             `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   *struct{ Message string }
	Session string `json:"sessionId"`
}

// Start starts the program, or skips the test.
func Start(t *testing.T) *Browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	dir := t.TempDir()
	commands, in := pipe(t)
	answers, out := pipe(t)
	c := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
		"--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "--user-data-dir="+dir, "about:blank")
	c.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir)
	c.ExtraFiles = []*os.File{commands, out}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	commands.Close()
	out.Close()
	b := &Browser{T: t, in: in, out: make(chan message, 10_000)}
	ended := make(chan struct{})
	go func() { defer close(ended); b.read(answers) }()
	t.Cleanup(func() {
		in.Close() // at the end of which the program ends by itself
		timer := time.AfterFunc(5*time.Second, func() { _ = c.Process.Kill() })
		_ = c.Wait() // says only that it was killed
		timer.Stop()
		<-ended
	})
	return b
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

func (b *Browser) read(answers *os.File) {
	defer close(b.out)
	defer answers.Close()
	r := bufio.NewReader(answers)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(line[:len(line)-1], &m) == nil {
			b.out <- m
		}
	}
}

// Call has the browser do what its protocol has, and takes the result if one is wanted.
func (b *Browser) Call(method string, params any, result any) {
	b.Helper()
	b.next++
	command := map[string]any{"id": b.next, "method": method, "params": params}
	if b.session != "" {
		command["sessionId"] = b.session
	}
	text, err := json.Marshal(command)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.Fatal(err)
	}
	limit := time.After(60 * time.Second)
	for {
		select {
		case m, ok := <-b.out:
			if !ok {
				b.Fatalf("%s: chromium has ended", method)
			}
			if m.ID == b.next {
				if m.Error != nil {
					b.Fatalf("%s: %s", method, m.Error.Message)
				}
				if result != nil {
					_ = json.Unmarshal(m.Result, result)
				}
				return
			}
			b.heard(m)
		case <-limit:
			b.Fatalf("%s: chromium does not answer", method)
		}
	}
}

// heard keeps what the page complains of.
func (b *Browser) heard(m message) {
	if m.Session != b.session {
		return
	}
	switch m.Method {
	case "Runtime.exceptionThrown", "Log.entryAdded":
		b.console = append(b.console, string(m.Params))
	}
}

// Tab is the same browser with a page of its own, for a test of its own.
func (b *Browser) Tab(t *testing.T) *Browser {
	t.Helper()
	b.T, b.session, b.console = t, "", nil
	var target struct{ TargetID string }
	b.Call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.Call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "DOM"} {
		b.Call(domain+".enable", map[string]any{}, nil)
	}
	t.Cleanup(func() {
		b.session = ""
		b.Call("Target.closeTarget", map[string]any{"targetId": target.TargetID}, nil)
	})
	return b
}

// Open goes to an address.
func (b *Browser) Open(url string) {
	b.Helper()
	b.Call("Page.navigate", map[string]any{"url": url}, nil)
}

// Eval gives the value of an expression of JavaScript in the page, as text. It waits for
// a promise.
func (b *Browser) Eval(expression string) string {
	b.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Text string }
	}
	b.Call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil { // of a page that is not there yet, perhaps
		return "exception: " + r.ExceptionDetails.Text
	}
	return fmt.Sprint(r.Result.Value)
}

// Until waits, for 20 s at most, for an expression to have a value.
func (b *Browser) Until(expression, want string) {
	b.Helper()
	got := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = b.Eval(expression); got == want {
			return
		}
	}
	b.Fatalf("%s is %q, not %q; the page: %q", expression, got, want, b.console)
}

// Key presses a key, by its name in the DOM: of letters, Tab, Enter, Escape, the arrows
// and what moves through a text.
func (b *Browser) Key(key string) {
	b.Helper()
	codes := map[string]int{"Tab": 9, "Enter": 13, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Escape": 27, "/": 191}
	down := map[string]any{"type": "keyDown", "key": key, "windowsVirtualKeyCode": codes[key]}
	switch {
	case key == "Enter":
		down["text"] = "\r"
	case len(key) == 1:
		down["text"] = key
	}
	b.Call("Input.dispatchKeyEvent", down, nil)
	b.Call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "windowsVirtualKeyCode": codes[key]}, nil)
}

// Screen sets the size of the screen in pixels, and whether its colours are "light" or
// "dark".
func (b *Browser) Screen(width, height int, scheme string) {
	b.Helper()
	b.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.Call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Shot keeps a picture in the folder that $BROWSER_SHOTS names, if it does, for people to
// look at.
func (b *Browser) Shot(name string) {
	b.Helper()
	dir := os.Getenv("BROWSER_SHOTS")
	if dir == "" {
		return
	}
	var r struct{ Data string }
	b.Call("Page.captureScreenshot", map[string]any{"format": "png"}, &r)
	png, err := base64.StdEncoding.DecodeString(r.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// Clean fails the test if the page has complained: an exception, or what could not be
// loaded.
func (b *Browser) Clean() {
	b.Helper()
	b.Eval("1")
	if len(b.console) > 0 {
		b.Errorf("the page complains: %s", strings.Join(b.console, "\n"))
	}
}

// Choose gives files to the input of the page that a selector finds.
func (b *Browser) Choose(selector string, paths ...string) {
	b.Helper()
	var doc struct{ Root struct{ NodeID int } }
	b.Call("DOM.getDocument", map[string]any{}, &doc)
	var node struct{ NodeID int }
	b.Call("DOM.querySelector", map[string]any{"nodeId": doc.Root.NodeID, "selector": selector}, &node)
	b.Call("DOM.setFileInputFiles", map[string]any{"nodeId": node.NodeID, "files": paths}, nil)
}
