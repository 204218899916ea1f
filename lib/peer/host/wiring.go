package host

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"namecast/lib/clock"
	"namecast/lib/peer/group"
)

const (
	rejoin = time.Minute            // after which groups are joined again, whatever happens
	calm   = 100 * time.Millisecond // in which news of links may go on to come
	newsUp = 64                     // news that may wait
)

// A wiring keeps a socket for each family on each link on which peers may be. It
// belongs to the goroutine that keeps the links.
type wiring struct {
	links   []group.Link
	ports   map[portKey]*port
	readers sync.WaitGroup
}

// keepLinks follows the links of the machine. Without peers there are no sockets, and
// the links tell only when to look at the network.
func (d *daemon) keepLinks(ctx context.Context) error {
	w := &wiring{ports: map[portKey]*port{}}
	defer w.readers.Wait()
	defer w.closeAll()
	tick := time.NewTicker(rejoin)
	defer tick.Stop()
	n, err := subscribe()
	if err != nil {
		return err
	}
	defer func() { n.stop() }()
	for again := true; ; {
		if err := d.relink(ctx, w, again); err != nil && ctx.Err() == nil {
			d.notes.once("links", err.Error())
		}
		d.rouse()
		again = true
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-d.rewire:
		case <-n.lost: // there were more than the socket holds
			n.stop()
			clock.Sleep(ctx, calm)
			if n, err = subscribe(); err != nil {
				return err
			}
		case <-n.some:
			again = false
			d.rouse() // a link that is gone may be a network that is left
			if !clock.Sleep(ctx, calm) {
				return nil
			}
			drain(n.some)
		}
	}
}

// A news is what the kernel tells of links and addresses.
type news struct {
	some chan struct{} // something has changed
	lost chan struct{} // and this is not told any more
	done chan struct{}
	all  sync.WaitGroup
}

// subscribe has the kernel tell of changes, until stop is called.
func subscribe() (*news, error) {
	n := &news{some: make(chan struct{}, 1), lost: make(chan struct{}, 1), done: make(chan struct{})}
	links, addrs := make(chan netlink.LinkUpdate, newsUp), make(chan netlink.AddrUpdate, newsUp)
	err := netlink.LinkSubscribe(links, n.done)
	if err == nil {
		n.all.Go(func() { relay(n, links) })
		err = netlink.AddrSubscribe(addrs, n.done)
	}
	if err != nil {
		n.stop()
		return nil, fmt.Errorf("news of links: %w", err)
	}
	n.all.Go(func() { relay(n, addrs) })
	return n, nil
}

// stop ends the subscription; nil is none.
func (n *news) stop() {
	if n == nil {
		return
	}
	close(n.done)
	n.all.Wait()
}

// relay passes on that there is news, until the channel is closed, when the
// subscription ends or fails.
func relay[T any](n *news, from <-chan T) {
	for range from {
		raise(n.some)
	}
	raise(n.lost)
}

// raise says something that may have been said already.
func raise(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// relink opens and closes sockets as links have come and gone, joins the groups, of old
// sockets if that is to be done again, and has the Group know.
func (d *daemon) relink(ctx context.Context, w *wiring, again bool) error {
	if d.loop.group == nil {
		return nil
	}
	links, err := findLinks(d.plan.Links)
	if err != nil {
		return err
	}
	ports, errs := map[portKey]*port{}, []error(nil)
	for _, l := range links {
		v4, v6 := families(l)
		for _, want := range []struct{ is, v6 bool }{{v4, false}, {v6, true}} {
			if !want.is {
				continue
			}
			p, err := d.port(w, l, want.v6)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			key := portKey{l.Index, want.v6}
			ports[key] = p
			if l.Multicast && (again || w.ports[key] != p) {
				errs = append(errs, p.join(d.keys.Load().Groups()))
			}
		}
	}
	old := w.ports
	w.ports = ports
	if !reflect.DeepEqual(links, w.links) || len(old) != len(ports) {
		w.links = links
		errs = append(errs, d.loop.call(ctx, func() { d.loop.relink(ports, links) }))
	}
	for k, p := range old {
		if ports[k] != p {
			p.conn.Close()
		}
	}
	return errors.Join(errs...)
}

// port is the socket that is there, or a new one.
func (d *daemon) port(w *wiring, l group.Link, v6 bool) (*port, error) {
	if p := w.ports[portKey{l.Index, v6}]; p != nil && p.name == l.Name {
		return p, nil
	}
	p, err := openPort(l.Index, l.Name, v6, uint16(d.plan.Port))
	if err != nil {
		return nil, err
	}
	w.readers.Go(func() { p.receive(d.loop.hear) })
	return p, nil
}

func (w *wiring) closeAll() {
	for _, p := range w.ports {
		p.conn.Close()
	}
}

// relink gives the loop other sockets and the Group other links.
func (l *loop) relink(ports map[portKey]*port, links []group.Link) {
	l.ports, l.links = ports, links
	if l.group != nil && !l.paused {
		l.send(l.group.Links(l.now, links))
		l.happened(l.group.Events())
	}
}
