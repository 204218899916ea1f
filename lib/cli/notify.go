package cli

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// Ready tells the supervisor, in the way of sd_notify(3), that the daemon
// serves; each status is one word of the STATUS line, by custom name=address.
// Without a supervisor it does nothing.
func Ready(status ...string) error {
	return notify("READY=1\nSTATUS=" + strings.Join(status, " "))
}

// Stopping tells the supervisor that the daemon is on its way out.
func Stopping() error { return notify("STOPPING=1") }

// notify sends one datagram to $NOTIFY_SOCKET; "@" stands for the abstract
// name space.
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	if path[0] == '@' {
		path = "\x00" + path[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify the supervisor: %w", err)
	}
	defer c.Close()
	_, err = c.Write([]byte(state))
	return err
}
