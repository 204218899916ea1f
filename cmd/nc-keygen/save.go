package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"namecast/lib/cli"
	"namecast/lib/key"
)

// save writes the key file to a new file with the path, or to standard output,
// or, where that is a terminal, to the default key file; and tells of it.
func save(f key.File, path string) error {
	if path == "" && isTerminal(os.Stdout) {
		var err error
		if path, err = key.DefaultPath(); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return failure(fmt.Errorf("make the folder of the key file: %w", err))
		}
	}
	if path == "" {
		if err := f.Fill(os.Stdout, time.Now()); err != nil {
			return failure(fmt.Errorf("write key to standard output: %w", err))
		}
	} else if err := f.Save(path, time.Now()); err != nil {
		return failure(err)
	}
	fmt.Fprintf(os.Stderr, "nc-keygen: account %s\n", f.Account)
	if path != "" {
		fmt.Fprintf(os.Stderr, "nc-keygen: key file %q\n", path)
	}
	return nil
}

// show prints one line.
func show(line string) error {
	if _, err := fmt.Println(line); err != nil {
		return failure(fmt.Errorf("write to standard output: %w", err))
	}
	return nil
}

// failure gives an error of writing its exit number: a disk may have room later.
func failure(err error) error {
	for _, later := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO} {
		if errors.Is(err, later) {
			return cli.RetryError(err)
		}
	}
	return err
}

// isTerminal tells whether the file is a terminal, as isatty(3) does.
func isTerminal(f *os.File) bool {
	var t syscall.Termios
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&t)))
	return errno == 0
}
