package tools

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Where Ports looks: below the ports that the kernel hands out by itself.
const (
	lowestPort  = 12000
	highestPort = 31000
)

// Ports finds TCP ports of 127.0.0.1, so many in a row, that nobody listens on, and
// gives the first. They are not held: another process may take them yet.
func Ports(count int) (int, error) {
	for range 1000 {
		first := lowestPort + rand.N(highestPort-lowestPort-count)
		if free(first, count) {
			return first, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports in a row from %d to %d", count, lowestPort, highestPort)
}

func free(first, count int) bool {
	for p := first; p < first+count; p++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			return false
		}
		defer l.Close()
	}
	return true
}
