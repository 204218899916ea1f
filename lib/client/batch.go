package client

import (
	"context"
	"errors"
	"fmt"
	"io"

	"namecast/lib/nup"
)

// How a batch ends before its end. What there is to say has been printed.
var (
	// ErrRefused: the server refused a packet.
	ErrRefused = errors.New("refused")
	// ErrLater: the server says to try later.
	ErrLater = errors.New("try again later")
)

// SendAll sends packets to server in order until one is not accepted. It prints
// what Report says of each reply, and for the packets without one
//
//	packet 2 unanswered seq=6
//	packet 3 unsent seq=7
//
// The error is nil if all were accepted, ErrRefused, ErrLater, or one of
// Exchange or of out.
func SendAll(ctx context.Context, server string, packets [][]byte, out io.Writer, o Options) error {
	reqs := make([]*nup.Request, len(packets))
	for i, p := range packets {
		var err error
		if reqs[i], err = nup.ParseDatagram(p); err != nil {
			return fmt.Errorf("packet %d: %w: %w", i+1, ErrPacket, err)
		}
	}
	for i, p := range packets {
		err := sendOne(ctx, server, i+1, p, reqs[i], out, o)
		if err == nil {
			continue
		}
		for j := i + 1; j < len(reqs); j++ {
			fmt.Fprintf(out, "packet %d unsent seq=%d\n", j+1, reqs[j].Seq)
		}
		return err
	}
	return nil
}

// sendOne sends packet n and prints its result.
func sendOne(ctx context.Context, server string, n int, packet []byte, req *nup.Request, out io.Writer, o Options) error {
	reply, err := Deliver(ctx, server, packet, o)
	if err != nil {
		fmt.Fprintf(out, "packet %d unanswered seq=%d\n", n, req.Seq)
		return fmt.Errorf("send packet %d: %w", n, err)
	}
	for _, line := range Report(n, req, reply) {
		if _, err := fmt.Fprintln(out, line); err != nil {
			return fmt.Errorf("write the result of packet %d: %w", n, err)
		}
	}
	switch Judge(req, reply) {
	case Accepted:
		return nil
	case Later:
		return ErrLater
	}
	return ErrRefused
}
