package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"namecast/lib/ndb"
)

// Commands that have a manager read its configuration anew.
var (
	reloadResolved = []string{"systemctl", "try-reload-or-restart", "systemd-resolved.service"}
	reloadManager  = []string{"systemctl", "try-reload-or-restart", "NetworkManager.service"}
)

// Apply does what String says. What is needed to undo it is on the disk before
// anything else is changed. If a step fails, those before it are undone.
func (c *Change) Apply() error {
	if err := c.check(); err != nil {
		return err
	}
	if err := c.keep(); err != nil {
		return fmt.Errorf("keep what is to be replaced: %w", err)
	}
	for _, p := range c.parts {
		if err := c.take(p); err != nil {
			return errors.Join(fmt.Errorf("take over from %s: %w", p, err), c.Undo())
		}
	}
	return nil
}

// Undo takes back what Apply has done, as far as it is still there: what others
// have written to /etc/resolv.conf since then stays. It goes through all parts,
// whatever fails.
func (c *Change) Undo() error {
	var errs []error
	for _, p := range c.parts {
		if err := c.give(p); err != nil {
			errs = append(errs, fmt.Errorf("give back to %s: %w", p, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // and what is kept stays for another attempt
	}
	return os.RemoveAll(c.m.path(undoFolder))
}

// Held tells whether everything that Apply has written is still in place.
func (c *Change) Held() bool {
	for _, p := range c.parts {
		if !c.holds(p) {
			return false
		}
	}
	return true
}

func (c *Change) holds(p part) bool {
	switch p {
	case dropIn:
		return c.m.text(resolvedDropIn) == c.dropInText()
	case manager:
		return c.m.text(managerDropIn) == managerText
	case told:
		servers := c.m.conf(c.m.target(resolvConf)).servers
		return len(servers) > 0 && servers[0].Addr == c.stub
	}
	return c.written() && c.m.text(resolvConf) == c.fileText()
}

// written tells whether /etc/resolv.conf was written here.
func (c *Change) written() bool {
	return strings.HasPrefix(c.m.text(resolvConf), mark) && c.m.target(resolvConf) == resolvConf
}

// fileText is what /etc/resolv.conf has to be. What it said before of other things
// than servers stays in it, but NetworkManager's search list is the present one.
func (c *Change) fileText() string {
	old := c.m.conf(undoFolder + "/resolv.conf")
	if now := c.m.text("/run/NetworkManager/resolv.conf"); now != "" && slices.Contains(c.parts, manager) {
		old.search = parseConf(now).search
	}
	return c.confText(old)
}

// Retake applies again what others have overwritten, and tells whether there was
// anything. What they have written to /etc/resolv.conf counts from now on as what
// was there: it has the servers of the network that the machine is in now.
func (c *Change) Retake() (bool, error) {
	if c.Held() {
		return false, nil
	}
	if err := c.keep(); err != nil {
		return false, fmt.Errorf("keep what is to be replaced: %w", err)
	}
	for _, p := range c.parts {
		if c.holds(p) {
			continue
		}
		if err := c.take(p); err != nil {
			return true, fmt.Errorf("take over from %s again: %w", p, err)
		}
	}
	return true, nil
}

const managerText = mark + "; nc-peer -uninstall removes it.\n[main]\ndns=none\n"

// take does a part of the change.
func (c *Change) take(p part) error {
	switch p {
	case dropIn:
		if err := c.m.write(resolvedDropIn, c.dropInText()); err != nil {
			return err
		}
		return c.m.command(reloadResolved)
	case manager:
		if err := c.m.write(managerDropIn, managerText); err != nil {
			return err
		}
		return c.m.command(reloadManager)
	case told:
		_, err := c.m.run(c.confText(conf{}), "resolvconf", "-a", record)
		if c.holds(told) {
			return nil // what failed was telling somebody else
		}
		return err
	}
	return c.m.write(resolvConf, c.fileText())
}

// command runs a command that says nothing of interest.
func (m Machine) command(words []string) error {
	_, err := m.run("", words...)
	return err
}

// give undoes a part of the change.
func (c *Change) give(p part) error {
	switch p {
	case dropIn:
		if err := c.m.remove(resolvedDropIn); err != nil {
			return err
		}
		return c.m.command(reloadResolved)
	case manager:
		if err := c.m.remove(managerDropIn); err != nil {
			return err
		}
		return c.m.command(reloadManager)
	case told:
		_, err := c.m.run("", "resolvconf", "-d", record)
		if !c.holds(told) {
			return nil
		}
		return err
	}
	return c.restore()
}

// keep writes down what the change is, and what is in /etc/resolv.conf unless that
// was written here: a copy of the text, and where it links to.
func (c *Change) keep() error {
	r := ndb.Record{{Name: "stub", Value: c.stub.String()}}
	for _, p := range c.parts {
		r = append(r, ndb.Attr{Name: "part", Value: string(p)})
	}
	text := c.m.text(resolvConf)
	if at := c.m.target(resolvConf); at != resolvConf {
		text = c.m.text(at)
	}
	if !strings.HasPrefix(text, mark) {
		if err := c.keepConf(text); err != nil {
			return err
		}
	}
	return c.m.write(undoFolder+"/change", r.String()+"\n")
}

// keepConf keeps the text of /etc/resolv.conf, for whom it is read by; and the
// link that it is, if it is one.
func (c *Change) keepConf(text string) error {
	if err := c.m.remove(undoFolder + "/link"); err != nil {
		return err
	}
	if to, err := os.Readlink(c.m.path(resolvConf)); err == nil {
		if err := c.m.write(undoFolder+"/link", to); err != nil {
			return err
		}
	} else if _, err := os.Lstat(c.m.path(resolvConf)); errors.Is(err, fs.ErrNotExist) {
		return c.m.remove(undoFolder + "/resolv.conf")
	}
	return c.m.write(undoFolder+"/resolv.conf", text)
}

// restore puts /etc/resolv.conf back, if it is still the one that was written here.
func (c *Change) restore() error {
	if !c.written() {
		return nil
	}
	if to := c.m.text(undoFolder + "/link"); to != "" {
		return c.m.link(to, resolvConf)
	}
	if !c.m.exists(undoFolder + "/resolv.conf") {
		return c.m.remove(resolvConf)
	}
	return c.m.write(resolvConf, c.m.text(undoFolder+"/resolv.conf"))
}
