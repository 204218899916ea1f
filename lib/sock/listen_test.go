package sock

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBuffersAreLarge(t *testing.T) {
	for option, name := range map[int]string{unix.SO_RCVBUF: "rmem_max", unix.SO_SNDBUF: "wmem_max"} {
		text, err := os.ReadFile("/proc/sys/net/core/" + name)
		if err != nil {
			t.Skip(err)
		}
		allowed, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := listen(t, "127.0.0.1:0").SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = raw.Control(func(fd uintptr) {
			got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, option)
			if want := min(allowed, bufferSize); err != nil || got < want {
				t.Errorf("%s allows %d octets, got %d, %v", name, want, got, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
