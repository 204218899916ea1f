package host

import (
	"fmt"
	"io"
	"net/netip"

	"namecast/lib/resolve/system"
)

// Install makes the stub at an address this machine's resolver, and prints what that
// changes before it is done; a dry run does nothing else.
func Install(listen string, dry bool, w io.Writer) error {
	stub, err := netip.ParseAddrPort(listen)
	if err != nil {
		return fmt.Errorf("%w-listen %q is not ADDRESS:PORT", ErrConfig, listen)
	}
	c, err := system.Machine{}.Plan(stub)
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if _, err := fmt.Fprint(w, c.String()); err != nil || dry {
		return err
	}
	if err := c.Apply(); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	return nil
}

// Uninstall takes back what Install did, and prints first what that is.
func Uninstall(dry bool, w io.Writer) error {
	c, err := system.Machine{}.Installed()
	if err != nil {
		return fmt.Errorf("uninstall: %w", err)
	}
	if _, err := fmt.Fprint(w, c.UndoString()); err != nil || dry {
		return err
	}
	if err := c.Undo(); err != nil {
		return fmt.Errorf("uninstall: %w", err)
	}
	return nil
}
