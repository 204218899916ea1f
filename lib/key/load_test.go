package key

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/private"
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	secret, public := zeroLine, testKey(t).Public()
	publicLine := File{Public: public}.PublicLine()
	tests := []struct {
		name, text string
		mode       fs.FileMode
		want       error
		message    string // PATH stands for the path
	}{
		{name: "secret", text: secret, mode: 0o600},
		{name: "secret read-only", text: secret, mode: 0o400},
		{name: "secret for all", text: secret, mode: 0o644, want: ErrMode, message: `key file "PATH" has mode 0644: others can read it; run chmod 600 PATH`},
		{name: "secret for the group", text: secret, mode: 0o640, want: ErrMode, message: `key file "PATH" has mode 0640: others can read it; run chmod 600 PATH`},
		{name: "secret that others may run", text: secret, mode: 0o601, want: ErrMode, message: `key file "PATH" has mode 0601: others can read it; run chmod 600 PATH`},
		{name: "public for all", text: publicLine, mode: 0o644},
		{name: "token for all", text: publicLine + " !token=t", mode: 0o644, want: ErrMode, message: `key file "PATH" has mode 0644: others can read it; run chmod 600 PATH`},
		{name: "empty", text: "", mode: 0o600, want: ErrNoKey, message: `read key file "PATH": no key in it: it is empty`},
		{name: "cut short", text: secret[:len(secret)-5], mode: 0o600, want: ErrMalformed, message: `read key file "PATH": line 1: !secret=: malformed key: not base64`},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, string(rune('a'+i)))
			writeMode(t, path, tt.text, tt.mode)
			f, err := Load(path)
			if tt.want == nil {
				if err != nil || f.Public != public {
					t.Errorf("loaded %v, error %v", f, err)
				}
				return
			}
			wantError(t, err, tt.want, strings.ReplaceAll(tt.message, "PATH", path))
			if f != (File{}) {
				t.Errorf("gave %v with the error", f)
			}
		})
	}
}

// writeMode writes a file with a mode that the umask has no say in.
func writeMode(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error, text string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	if d := cmp.Diff(text, err.Error()); d != "" {
		t.Error(d)
	}
}

func TestLoadNoFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "none")
	_, err := Load(path)
	wantError(t, err, fs.ErrNotExist, `open key file "`+path+`": no such file or directory`)
	_, err = Load(dir)
	if d := cmp.Diff(`read key file "`+dir+`": it is a folder`, err.Error()); d != "" {
		t.Error(d)
	}
}

func TestLoadUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads every file")
	}
	path := filepath.Join(t.TempDir(), "key")
	writeMode(t, path, zeroLine, 0)
	_, err := Load(path)
	wantError(t, err, fs.ErrPermission, `open key file "`+path+`": permission denied`)
}

func TestLoadPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = w.WriteString(zeroLine + "\n")
			w.Close()
		}
		done <- err
	}()
	f, err := Load(path)
	if e := <-done; e != nil {
		t.Fatal(e)
	}
	if err != nil || f.Public != testKey(t).Public() {
		t.Errorf("loaded %v, error %v", f, err)
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"/home/me/.namecast/key": "/home/me/.namecast/key",
		"my key":                 "'my key'",
		"it's":                   `'it'\''s'`,
		"-key":                   "'./-key'",
		"$HOME":                  "'$HOME'",
		"":                       "''",
	} {
		if d := cmp.Diff(want, shellWord(in)); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	}
}

func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	s := testKey(t)
	f := File{Secret: s, Public: s.Public(), Account: s.Public().Account()}
	if err := f.Save(path, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	again, err := Load(path)
	if err != nil || again.Line() != f.Line() {
		t.Errorf("loaded %v, error %v", again, err)
	}
	before, _ := os.ReadFile(path)
	err = f.Save(path, time.Unix(1, 0))
	wantError(t, err, fs.ErrExist, `make key file "`+path+`": file exists`)
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file has changed")
	}
	err = f.Save(filepath.Join(path, "x"), time.Unix(0, 0))
	wantError(t, err, syscall.ENOTDIR, `make key file "`+path+`/x": not a directory`)
}

func TestFill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	s := testKey(t)
	f := File{Secret: s, Public: s.Public(), Account: s.Public().Account()}
	writeMode(t, path, "", 0o666)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := f.Fill(file, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != int64(len(f.Text(time.Unix(0, 0)))) {
		t.Errorf("mode %v, %d octets, error %v", info.Mode(), info.Size(), err)
	}
	if err := f.Fill(file, time.Unix(0, 0)); !errors.Is(err, private.ErrNotEmpty) {
		t.Errorf("a second key behind the first: error %v", err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no full device: %v", err)
	}
	defer full.Close()
	wantError(t, f.Fill(full, time.Unix(0, 0)), syscall.ENOSPC, "no space left on device")
}

// A file system without room for the key leaves no file, and none that is half
// a key. The limit on a process's file size stands in for the full disk.
func TestSaveOnFullDisk(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	s := testKey(t)
	f := File{Secret: s, Public: s.Public(), Account: s.Public().Account()}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	err := f.Save(path, time.Unix(0, 0))
	if e := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); e != nil {
		t.Fatal(e)
	}
	wantError(t, err, syscall.EFBIG, `write key file "`+path+`": file too large`)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
}

func TestLoadTokenSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	writeMode(t, path, "0123456789abcdef\n", 0o600)
	b, err := LoadTokenSecret(path)
	if err != nil || string(b) != "0123456789abcdef" {
		t.Errorf("loaded %q, error %v", b, err)
	}
	writeMode(t, path, "0123456789abcde\n\n", 0o600)
	_, err = LoadTokenSecret(path)
	wantError(t, err, ErrTokenSecret, `read token secret file "`+path+`": bad token secret: 15 octets, want 16 to 65536`)
	writeMode(t, path, "0123456789abcdef\n", 0o604)
	_, err = LoadTokenSecret(path)
	wantError(t, err, ErrMode, `token secret file "`+path+`" has mode 0604: others can read it; run chmod 600 `+path)
}

func TestDefaultPath(t *testing.T) {
	t.Setenv("NAMECAST_KEY", "")
	t.Setenv("HOME", "/home/me")
	if got, err := DefaultPath(); got != "/home/me/.namecast/key" || err != nil {
		t.Errorf("%q, error %v", got, err)
	}
	t.Setenv("NAMECAST_KEY", "/x")
	if got, err := DefaultPath(); got != "/x" || err != nil {
		t.Errorf("%q, error %v", got, err)
	}
	t.Setenv("NAMECAST_KEY", "")
	t.Setenv("HOME", "")
	if got, err := DefaultPath(); err == nil {
		t.Errorf("%q without a home", got)
	}
}
