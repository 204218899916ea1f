package main

import (
	"context"
	"fmt"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
)

// oneChain is the chain of the rows that use only one.
const oneChain chain.ID = 0

// put writes a value to a chain.
func (c *cluster) put(id chain.ID, key, value []byte) error {
	ctx, cancel := context.WithTimeout(c.b.ctx, startLimit)
	defer cancel()
	o, err := c.client.Propose(ctx, id, chain.Propose{Request: client.NewRequest(), Ops: []chain.Op{{Kind: chain.Put, Key: key, Value: value}}})
	if err == nil && o.Verdict != chain.Applied {
		err = fmt.Errorf("a write came to nothing: %s", o.Verdict)
	}
	return err
}

// readers are streams of strong reads at some nodes.
func readers(id chain.ID, window int, nodes ...string) (list []stream) {
	for _, n := range nodes {
		list = append(list, stream{node: n, window: window, source: reader{id, readKey}})
	}
	return list
}

// names are those of all nodes.
func (c *cluster) names() (list []string) {
	for _, n := range c.nodes {
		list = append(list, n.name)
	}
	return list
}

// writers are streams of writes that go to the heads of all chains, so many at a time
// altogether.
func (c *cluster) writers(window int) (list []stream, err error) {
	heads := map[string][]chain.ID{}
	for _, row := range c.client.Table().Rows {
		heads[row.Head().Node] = append(heads[row.Head().Node], row.Chain)
	}
	left := len(heads)
	for node, chains := range heads {
		bases, err := c.bases(chains...)
		if err != nil {
			return nil, err
		}
		part := window / left
		window, left = window-part, left-1
		list = append(list, stream{node: node, window: part, source: newWriter(part, bases, chains...)})
	}
	return list, nil
}

// bases are committed positions of chains.
func (c *cluster) bases(chains ...chain.ID) (map[chain.ID]chain.LSN, error) {
	ctx, cancel := context.WithTimeout(c.b.ctx, startLimit)
	defer cancel()
	bases := map[chain.ID]chain.LSN{}
	for _, id := range chains {
		lsn, err := c.client.Base(ctx, id)
		if err != nil {
			return nil, err
		}
		bases[id] = lsn
	}
	return bases, nil
}

// writer is a stream of writes to one chain's head.
func (c *cluster) writer(id chain.ID, window int) (stream, *writer, error) {
	bases, err := c.bases(id)
	w := newWriter(window, bases, id)
	return stream{node: c.row(id).Head().Node, window: window, source: w}, w, err
}

// behind are the members of a chain that are not its head, where writes go.
func (c *cluster) behind(id chain.ID) (nodes []string) {
	for _, m := range c.row(id).Members[1:] {
		nodes = append(nodes, m.Node)
	}
	return nodes
}
