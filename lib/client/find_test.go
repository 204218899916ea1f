package client

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/key"
)

func TestFind(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	full := filepath.Join(home, "full")
	f := key.File{Secret: secret(t, 1), Public: secret(t, 1).Public(), Service: "file.example", Server: "192.0.2.9:8153"}
	if err := f.Save(full, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(home, "open")
	b, err := os.ReadFile(full)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open, b, 0o644); err != nil {
		t.Fatal(err)
	}
	type place struct{ Server, Service string }
	tests := []struct {
		name           string
		spec, env, key string
		service        bool
		want           place
		err            error
	}{
		{name: "a name is server and service", spec: "ns.example", service: true, want: place{"ns.example:8153", "ns.example"}},
		{name: "an address and its service", spec: "a.example@192.0.2.1:99", service: true, want: place{"192.0.2.1:99", "a.example"}},
		{name: "no service is wanted", spec: "192.0.2.1", want: place{"192.0.2.1:8153", "@"}},
		{name: "the flag before the environment", spec: "a.example", env: "b.example", want: place{"a.example:8153", "@"}},
		{name: "the environment before the key file", env: "b.example", key: full, want: place{"b.example:8153", "@"}},
		{name: "the key file", key: full, service: true, want: place{"192.0.2.9:8153", "file.example"}},
		{name: "the key file tells the service only", spec: "192.0.2.1", key: full, service: true, want: place{"192.0.2.1:8153", "file.example"}},
		{name: "a key file that is not needed", spec: "192.0.2.1", key: open, want: place{"192.0.2.1:8153", "@"}},
		{name: "a key file that others can read", key: open, err: key.ErrMode},
		{name: "a key file that is not there", key: filepath.Join(home, "none"), err: fs.ErrNotExist},
		{name: "nothing", err: ErrNoServer},
		{name: "an address tells no service", spec: "192.0.2.1", service: true, err: ErrNoService},
		{name: "not a server", spec: "a b", err: key.ErrServer},
		{name: "not a port", env: "a.example:x", err: key.ErrServer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NAMECAST_SERVER", tt.env)
			t.Setenv("NAMECAST_KEY", tt.key)
			server, service, err := Find(tt.spec, tt.service)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tt.want, place{server, service.String()}); diff != "" {
				t.Errorf("place (-want +got):\n%s", diff)
			}
		})
	}
}
