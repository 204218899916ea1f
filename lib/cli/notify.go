package cli

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Ready tells the supervisor, in the way of sd_notify(3), that the daemon
// serves; each status is one word of the STATUS line, by custom name=address.
// Without a supervisor it does nothing.
func Ready(status ...string) error {
	return notify("READY=1\nSTATUS=" + oneLine(strings.Join(status, " ")))
}

// Status tells the supervisor what the daemon is doing, in one line for people:
// "systemctl status" shows it. Without a supervisor it does nothing.
func Status(text string) error { return notify("STATUS=" + oneLine(text)) }

// Stopping tells the supervisor that the daemon is on its way out.
func Stopping() error { return notify("STOPPING=1") }

// Watchdog is what the supervisor asks for by WatchdogSec= of
// systemd.service(5): that beat is called every interval for as long as the
// daemon does its work, and not when it does not. The interval is half of the
// time after which the supervisor kills a daemon that is silent. It is zero if
// nothing was asked, by $WATCHDOG_USEC and $WATCHDOG_PID, of this process; beat
// then does nothing.
//
// A beat from a timer alone says no more than that the process has one: it
// belongs into the loop that would hang, or behind a question that the daemon
// answers. One that cannot be sent is a beat that did not come.
func Watchdog() (interval time.Duration, beat func()) {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err != nil || usec < 2 || usec > maxWatchdog || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0, func() {}
	}
	return time.Duration(usec) * time.Microsecond / 2, func() { _ = notify("WATCHDOG=1") }
}

// maxWatchdog bounds $WATCHDOG_USEC, in microseconds: a year.
const maxWatchdog = 365 * 24 * 3600 * 1e6

// notifyTime is how long a supervisor that does not read is waited for.
const notifyTime = 100 * time.Millisecond

// oneLine makes one line of a text: a new line would begin another assignment
// to the supervisor.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }

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
	if err := c.SetWriteDeadline(time.Now().Add(notifyTime)); err != nil {
		return fmt.Errorf("notify the supervisor: %w", err)
	}
	if _, err = c.Write([]byte(state)); err != nil {
		return fmt.Errorf("notify the supervisor: %w", err)
	}
	return nil
}
