package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func checkMode(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%s: %v, mode %v", path, err, info.Mode())
	}
}

// TestSave: what was saved is read again, by its owner alone, and stays.
func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Save(path, "secret"); err != nil {
		t.Fatal(err)
	}
	checkMode(t, path)
	if b, err := Load(path); err != nil || string(b) != "secret" {
		t.Errorf("%q, %v", b, err)
	}
	if err := Save(path, "other"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("saved over a file: %v", err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o610, 0o602, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !errors.Is(err, ErrMode) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	long := filepath.Join(t.TempDir(), "long")
	if err := Save(long, string(make([]byte, maxFile+1))); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(long); err == nil {
		t.Error("a file that is too long was read")
	}
}

// TestReplace: a file left by a process that died in the middle is no hindrance,
// and a failure leaves the file as it was.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Replace(path, "one"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, "two"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "two" {
		t.Errorf("%q, %v", b, err)
	}
	checkMode(t, path)
	if err := os.MkdirAll(path+".new/busy", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, "three"); err == nil {
		t.Error("replaced although it could not be")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "two" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestFill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Fill(f, "secret"); err != nil {
		t.Fatal(err)
	}
	checkMode(t, path)
	if err := Fill(f, "another"); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a file that holds something: %v", err)
	}
}
