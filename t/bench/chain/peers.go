package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	clientv3 "go.etcd.io/etcd/client/v3"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
)

// peers are what the nodes are compared with.
type peers struct {
	b    *bench
	etcd *etcd
	echo *process
	link *links // with the echo
}

// startPeers starts those that are needed.
func (b *bench) startPeers(c *cluster) (p *peers, closeAll func(), err error) {
	p = &peers{b: b}
	if b.wanted(7) || b.wanted(8) {
		if p.etcd, err = b.startEtcd(); err != nil {
			return nil, nil, err
		}
	}
	if b.wanted(9) {
		if err := p.startEcho(c); err != nil {
			return nil, nil, err
		}
	}
	return p, func() {
		if p.etcd != nil {
			p.etcd.close()
		}
		if p.link != nil {
			p.link.close()
		}
	}, nil
}

func (p *peers) startEcho(c *cluster) error {
	if err := errors.Join(c.issue("node/echo"), c.issue("client/shout")); err != nil {
		return err
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	dir := filepath.Join(p.b.dir, "echo")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if p.echo, err = spawn(p.b.serverCPU, dir, "echo", p.b.self, "-echo", addr, "-identity", c.file("echo.pem")); err != nil {
		return err
	}
	p.b.peers = append(p.b.peers, p.echo)
	if err := p.echo.wait(p.b.ctx, startLimit); err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	p.link, err = dial(p.b.ctx, c.file("shout.pem"), []string{addr})
	return err
}

// writes measures row 7.
func (p *peers) writes(c *cluster) error {
	streams, err := c.writers(clients)
	if err != nil {
		return err
	}
	if err := p.b.measured(rowWrites, ncLinks, c.load, c.processes(), streams...); err != nil {
		return err
	}
	value := newValue()
	var keys [clients][]byte
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "bench/c%d", i)
	}
	err = p.b.together(rowWrites, ncChain, c.processes(), func(ctx context.Context, i int) error {
		id := chain.ID(i * chain.Chains / clients)
		o, err := c.client.Propose(ctx, id, chain.Propose{Request: client.NewRequest(), Ops: []chain.Op{{Kind: chain.Put, Key: keys[i], Value: value}}})
		if err == nil && o.Verdict != chain.Applied {
			err = errors.New("a write came to nothing")
		}
		return err
	})
	if err != nil {
		return err
	}
	text := string(value)
	return p.b.together(rowWrites, etcdPuts, p.etcd.processes, func(ctx context.Context, i int) error { return p.etcd.put(ctx, i, text) })
}

// reads measures row 8.
func (p *peers) reads(c *cluster) error {
	streams := readers(oneChain, clients/3, c.names()...)
	if err := p.b.measured(rowReads, ncLinks, c.load, c.processes(), streams...); err != nil {
		return err
	}
	err := p.b.together(rowReads, ncChain, c.processes(), func(ctx context.Context, _ int) error {
		r, err := c.client.Read(ctx, oneChain, chain.Read{Mode: chain.Strong, Keys: [][]byte{readKey}})
		if err == nil && len(r.Values[0].Data) != valueSize {
			err = errors.New("a wrong answer")
		}
		return err
	})
	if err != nil {
		return err
	}
	err = p.b.together(rowReads, etcdStrong, p.etcd.processes, func(ctx context.Context, i int) error { return p.etcd.get(ctx, i) })
	if err != nil {
		return err
	}
	return p.b.together(rowReads, etcdStale, p.etcd.processes, func(ctx context.Context, i int) error {
		return p.etcd.get(ctx, i, clientv3.WithSerializable())
	})
}

// echoes measures row 9. Both have one stream of one link.
func (p *peers) echoes(c *cluster) error {
	n := c.nodes[0]
	if err := p.b.measured(rowEcho, oneMember, c.load, []*process{n.process}, readers(oneChain, clients, n.name)...); err != nil {
		return err
	}
	return p.b.measured(rowEcho, echoName, p.link, []*process{p.echo}, readers(oneChain, clients, "echo")...)
}
