package host

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"

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

// Retake takes again what others have overwritten of what Install did, and prints first
// what that is. What is still in place is left alone.
func Retake(dry bool, w io.Writer) error {
	c, err := system.Machine{}.Installed()
	if err != nil {
		return fmt.Errorf("retake: %w", err)
	}
	if c.Held() {
		return nil
	}
	if _, err := fmt.Fprint(w, "others have written what leads to the stub\n", c.String()); err != nil || dry {
		return err
	}
	if _, err := c.Retake(); err != nil {
		return fmt.Errorf("retake: %w", err)
	}
	if !c.Held() {
		return errors.New("retake: what was written is not what programs read")
	}
	return nil
}

// watchInstalled says in the log when the programs of this machine do not ask the stub any
// more, though it was made their resolver, and when they do again. The daemon itself has
// no right to change that.
func (d *daemon) watchInstalled() {
	c, err := d.machine.Installed()
	if err != nil || !slices.Contains(d.stub.own(), c.Stub()) {
		d.overwritten = false
		return
	}
	held := c.Held()
	switch {
	case held && d.overwritten:
		d.Log.Info("programs ask here again")
	case !held && !d.overwritten:
		d.Log.Warn("programs do not ask here any more: others have written what leads to the stub, which nc-peer -retake takes again")
	}
	d.overwritten = !held
}
