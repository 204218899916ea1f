package key

import (
	"fmt"
	"os"
	"time"

	"namecast/lib/private"
)

// Save writes the key file's Text to a new file of mode 0600. A file that exists
// is left alone, and the error is fs.ErrExist. When writing fails no file is
// left.
func (f File) Save(path string, created time.Time) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make key file %q: %w", path, private.Cause(err))
	}
	err = f.Fill(file, created)
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("write key file %q: %w", path, private.Cause(err))
	}
	return nil
}

// Fill writes the key file's Text to an open file, such as standard output. A
// regular file must be empty, or the error is private.ErrNotEmpty; its mode becomes 0600
// before there is a secret in it, and what is written is on the disk when Fill
// returns. When writing fails the file is emptied again.
func (f File) Fill(file *os.File, created time.Time) error {
	return private.Fill(file, string(f.Text(created)))
}
