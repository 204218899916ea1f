package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// echo answers every frame that comes over a link with an answer to a read that it
// has made once: what it takes to read a request and send an answer, and nothing else.
func echo(ctx context.Context, identity, addr string) error {
	creds, err := link.Load(identity, func(error) {})
	if err != nil {
		return err
	}
	answer := chain.ReadReply{ID: 1, Status: chain.Done, LSN: 1, Values: []chain.Value{{Found: true, Version: 1, Data: newValue()}}}
	whole, err := frame.AppendMessage(nil, chain.Envelope{Body: answer})
	if err != nil {
		return err
	}
	f, _, err := frame.Parse(whole)
	if err != nil {
		return err
	}
	n := link.New(link.Config{
		Credentials: creds, Incarnation: 1,
		Handle: func(c *link.Conn, q frame.Frame) {
			h := f.Header
			h.Stream, h.Chain = q.Stream, q.Chain
			c.SendFrame(h, f.Body) // if it is lost, the load says so
		},
		Up: func(*link.Conn) {}, Down: func(*link.Conn, error) {}, Failed: func(string, string, error) {},
	})
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	return n.Serve(ctx, l)
}

// ready tells who has started this process that it serves.
func ready() error {
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	defer c.Close()
	_, err = c.Write([]byte("READY=1\n"))
	return err
}
