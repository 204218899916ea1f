package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"namecast/lib/private"
)

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	a, err := identity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := identity(dir); err != nil || !a.Equal(b) {
		t.Errorf("after a restart: %v", err)
	}
	if c, err := newIdentity(dir); err != nil || a.Equal(c) {
		t.Errorf("a new one: %v", err)
	}
	path := filepath.Join(dir, identityFile)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := identity(dir); !errors.Is(err, private.ErrMode) {
		t.Errorf("others may read it: %v", err)
	}
	for _, text := range []string{"", "!seed=AAAA\n", "a\nb\n", "'"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := identity(dir); err == nil {
			t.Errorf("%q is an identity", text)
		}
	}
}

func TestNetworkNote(t *testing.T) {
	d := &daemon{Config: Config{Dir: t.TempDir()}, notes: newNotes(nil)}
	if n := d.rememberedNetwork(); n != (networkNote{}) {
		t.Errorf("%+v before the first", n)
	}
	want := networkNote{0xfedcba9876543210, "192.0.2.0/24,2001:db8::/64", true}
	d.rememberNetwork(want)
	if n := d.rememberedNetwork(); n != want {
		t.Errorf("%+v, want %+v", n, want)
	}
}
