package ldb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// markName is the file that names the format; the library knows nothing of it.
const markName = "NAMECAST"

// libraryFile matches the files that goleveldb makes, and what the system puts
// into the top of a file system of its own.
var libraryFile = regexp.MustCompile(`^(LOCK|LOG|LOG\.old|CURRENT(\.bak|\.[0-9]+)?|MANIFEST-[0-9]+|[0-9]+\.(log|ldb|tmp)|lost\+found)$`)

// A Folder is goleveldb's storage in the files of a folder. OpenFolder makes it.
type Folder struct {
	storage.Storage
	dir, format string
	marked      bool // with the format, by an earlier process
}

func (f Folder) finished() bool { return f.marked }

// Create makes a file. A journal's entry in the folder is brought to the disk
// too: what is synced into a journal that has no entry is lost. The library does
// this only for the other files, when it switches manifests. A table is written through
// a buffer.
func (f Folder) Create(fd storage.FileDesc) (storage.Writer, error) {
	w, err := f.Storage.Create(fd)
	switch {
	case err != nil:
		return nil, err
	case fd.Type == storage.TypeTable:
		return newTable(w), nil
	case fd.Type != storage.TypeJournal:
		return w, nil
	}
	if err := syncFolder(f.dir); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// OpenFolder takes the folder for this process, and makes it if it is not there;
// the folder above must be. The format is the line that the file NAMECAST has in
// it, or is to have. The errors are ErrLocked, ErrFormat, ErrDamaged if there is
// something else in the folder, and else what the operating system says. They do
// not name the folder.
func OpenFolder(dir, format string) (Folder, error) {
	if err := makeFolder(dir); err != nil {
		return Folder{}, err
	}
	marked, err := checkFolder(dir, format)
	if err != nil {
		return Folder{}, err
	}
	files, err := storage.OpenFile(dir, false)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return Folder{}, ErrLocked
	}
	if err != nil {
		return Folder{}, cause(err)
	}
	f := Folder{Storage: files, dir: dir, format: format, marked: marked}
	if marked {
		if _, err := os.Stat(filepath.Join(dir, "CURRENT")); err != nil {
			files.Close()
			return Folder{}, fmt.Errorf("%w: file CURRENT: %w", ErrDamaged, cause(err))
		}
	}
	return f, nil
}

// cause takes the path off an error whose message will name the folder.
func cause(err error) error {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

func makeFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return syscall.ENOTDIR
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return cause(err)
	}
	err = os.Mkdir(dir, 0o700)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("make the folder: %q: %w", filepath.Dir(dir), cause(err))
	}
	if err != nil {
		return fmt.Errorf("make the folder: %w", cause(err))
	}
	return syncFolder(filepath.Dir(dir))
}

// checkFolder reports whether the folder holds a finished database, and refuses
// one of another format or a folder with something else in it.
func checkFolder(dir, format string) (marked bool, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, cause(err)
	}
	mark, err := os.ReadFile(filepath.Join(dir, markName))
	switch {
	case err == nil && string(mark) == format+"\n":
		return true, nil
	case err == nil:
		return false, FormatError(strings.TrimSuffix(string(mark), "\n"), format)
	case !errors.Is(err, os.ErrNotExist):
		return false, fmt.Errorf("file %s: %w", markName, cause(err))
	}
	for _, e := range entries {
		if !libraryFile.MatchString(e.Name()) && e.Name() != markName+".tmp" {
			return false, fmt.Errorf("%w: not a namecast database: it holds %q", ErrDamaged, e.Name())
		}
	}
	return false, nil
}

// Mark says that the database in the folder is finished: from then on it is
// damage if anything is missing.
func (f Folder) Mark() error {
	if f.marked {
		return nil
	}
	name := filepath.Join(f.dir, markName)
	if err := writeSynced(name+".tmp", f.format+"\n"); err != nil {
		return fmt.Errorf("write file %s: %w", markName, cause(err))
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return fmt.Errorf("write file %s: %w", markName, cause(err))
	}
	return syncFolder(f.dir)
}

func writeSynced(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFolder brings the entries of a folder to the disk.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
