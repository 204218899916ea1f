package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// etcdSize is how many members the peer has.
const etcdSize = 3

// An etcd is the peer: three members, each a process, and a client of each.
type etcd struct {
	processes []*process
	clients   []*clientv3.Client
}

// startEtcd starts three members on the same disk as the nodes.
func (b *bench) startEtcd() (*etcd, error) {
	dir := filepath.Join(b.dir, "etcd")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ports, err := freePorts(etcdSize)
	if err != nil {
		return nil, err
	}
	var all []string
	for i, port := range ports {
		all = append(all, fmt.Sprintf("e%d=http://127.0.0.1:%d", i, port+1))
	}
	e := &etcd{}
	for i, port := range ports {
		p, err := b.etcdMember(dir, fmt.Sprintf("e%d", i), port, strings.Join(all, ","))
		if err != nil {
			return nil, err
		}
		e.processes = append(e.processes, p)
	}
	for _, p := range e.processes {
		if err := p.wait(b.ctx, startLimit); err != nil {
			return nil, fmt.Errorf("etcd: %w", err)
		}
	}
	for _, port := range ports {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{fmt.Sprintf("127.0.0.1:%d", port)}, DialTimeout: 10 * time.Second, Context: b.ctx})
		if err != nil {
			return nil, fmt.Errorf("etcd: %w", err)
		}
		e.clients = append(e.clients, c)
	}
	_, err = e.clients[0].Put(b.ctx, string(readKey), string(newValue()))
	return e, err
}

// etcdMember starts a member with its clients' port and the next one for its peers.
func (b *bench) etcdMember(dir, name string, port int, all string) (*process, error) {
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", port), fmt.Sprintf("http://127.0.0.1:%d", port+1)
	p, err := spawn(b.serverCPU, dir, name, b.tool("etcd"), "--name", name, "--data-dir", filepath.Join(dir, name),
		"--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		"--initial-cluster", all, "--log-level", "warn", "--quota-backend-bytes", fmt.Sprint(int64(6<<30)))
	if err == nil {
		b.peers = append(b.peers, p)
	}
	return p, err
}

func (e *etcd) close() {
	for _, c := range e.clients {
		c.Close()
	}
}

// put replaces the value of a client's own key.
func (e *etcd) put(ctx context.Context, i int, value string) error {
	_, err := e.clients[i%etcdSize].Put(ctx, fmt.Sprintf("bench/w%d", i), value)
	return err
}

// get reads the key that all read.
func (e *etcd) get(ctx context.Context, i int, o ...clientv3.OpOption) error {
	r, err := e.clients[i%etcdSize].Get(ctx, string(readKey), o...)
	if err == nil && (len(r.Kvs) != 1 || len(r.Kvs[0].Value) != valueSize) {
		err = fmt.Errorf("a wrong answer of etcd")
	}
	return err
}
