package coord

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"

	"namecast/lib/ca"
)

// A Member is a member of the coordinator that runs in this process. Errors of its
// disk end the process, as nothing is known of what was written then.
type Member struct {
	config MemberConfig
	done   chan struct{}
	ctx    context.Context // until Close
	quit   context.CancelFunc
	again  chan chan error // asks for a look at the authority's certificates

	mu     sync.Mutex
	etcd   *embed.Etcd
	client *clientv3.Client
	hangUp context.CancelFunc // ends the streams of etcd's clients
	err    error
}

// ErrLast: the last member cannot leave.
var ErrLast = errors.New("it is the last member")

// StartMember starts a member, and returns when it serves: at once where there are
// data or it is alone, and else when the others of Peers do, or when it has caught
// up with the cluster that it joins and is a full member. Until then it can be
// ended with the context, and started again.
func StartMember(ctx context.Context, config MemberConfig) (*Member, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	config.Log = orDiscard(config.Log)
	m := &Member{config: config, done: make(chan struct{}), again: make(chan chan error)}
	m.ctx, m.quit = context.WithCancel(context.Background())
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start member %s: %w", config.Name, err)
	}
	if err := m.start(ctx); err != nil {
		m.quit()
		return nil, fmt.Errorf("start member %s: %w", config.Name, err)
	}
	go m.tend()
	return m, nil
}

// start starts etcd, with what the identity holds now.
func (m *Member) start(ctx context.Context) error {
	c := &m.config
	if c.Identity != "" {
		if err := c.identity(); err != nil {
			return err
		}
	}
	serving, hangUp := context.WithCancel(context.Background())
	e, err := c.embed(ctx, serving)
	if err == nil {
		err = c.begin(ctx, e)
	}
	if err != nil {
		hangUp()
		return err
	}
	etcd, err := embed.StartEtcd(e)
	if err != nil {
		hangUp()
		return plain(err)
	}
	m.mu.Lock()
	m.etcd, m.client, m.hangUp = etcd, v3client.New(etcd.Server), hangUp
	m.mu.Unlock()
	if err = ready(ctx, etcd); err == nil {
		err = settle(ctx, m.direct(), uint64(etcd.Server.MemberID()), c.peerURL())
	}
	if err != nil {
		m.stop()
	}
	return err
}

// ready waits until etcd has a leader and this member is known by its name.
func ready(ctx context.Context, etcd *embed.Etcd) error {
	select {
	case <-etcd.Server.ReadyNotify():
		return nil
	case <-etcd.Server.StopNotify():
		return errStopped
	case err := <-etcd.Err():
		return cause(etcd, err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errStopped: etcd says no more than that it has stopped.
var errStopped = errors.New("it has stopped; it may have been removed from the cluster")

// cause is why etcd has ended, of which it tells first what ended with it.
func cause(etcd *embed.Etcd, err error) error {
	select {
	case <-etcd.Server.StopNotify():
		return errStopped
	case <-time.After(time.Second):
		return plain(err)
	}
}

// tend waits for the end of etcd, and starts it anew when the authority has another
// certificate, which etcd would not learn of.
func (m *Member) tend() {
	defer close(m.done)
	for {
		timer := time.NewTimer(lookAtRoots + rand.N(lookAtRoots))
		m.mu.Lock()
		etcd := m.etcd
		m.mu.Unlock()
		var asked chan error
		select {
		case <-m.ctx.Done():
			timer.Stop()
			m.stop()
			return
		case <-etcd.Server.StopNotify():
			timer.Stop()
			m.fail(errStopped)
			m.stop()
			return
		case err := <-etcd.Err():
			timer.Stop()
			m.fail(cause(etcd, err))
			m.stop()
			return
		case asked = <-m.again:
			timer.Stop()
		case <-timer.C:
		}
		err := m.refresh()
		if asked != nil {
			asked <- err
		}
		if err != nil {
			if m.ctx.Err() == nil {
				m.fail(err)
			}
			m.stop()
			return
		}
	}
}

// lookAtRoots is how often a member looks for certificates of the authority; up
// to twice as long, so that members do not do what follows together.
const lookAtRoots = 5 * time.Minute

// Refresh has the member look at once whether the authority has other certificates,
// and returns when etcd serves with them.
func (m *Member) Refresh(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case m.again <- done:
		return <-done
	case <-m.done:
		return fmt.Errorf("%w: the member has ended", ErrUnavailable)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refresh starts etcd anew if the authority has other certificates.
func (m *Member) refresh() error {
	if m.config.Identity == "" {
		return nil
	}
	id, err := ca.LoadIdentity(m.config.Identity)
	if err != nil || rootsText(id) == rootsText(m.config.loaded) {
		return nil // who keeps the file tells of errors
	}
	m.config.Log.Info("the coordinator's member starts anew, with the authority's new certificates")
	m.stop()
	return m.start(m.ctx)
}

// stop ends etcd, if it runs.
func (m *Member) stop() {
	m.mu.Lock()
	etcd, client, hangUp := m.etcd, m.client, m.hangUp
	m.etcd = nil
	m.mu.Unlock()
	if etcd != nil {
		hangUp()
		client.Close()
		etcd.Close()
	}
}

func (m *Member) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = fmt.Errorf("member %s of the coordinator: %w", m.config.Name, err)
}

// direct is a client inside of the process.
func (m *Member) direct() *clientv3.Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client
}

// Done is closed when the member has ended, by Close or not.
func (m *Member) Done() <-chan struct{} { return m.done }

// Err is why the member has ended by itself, or nil.
func (m *Member) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Close ends the member. It is a member yet, and can be started again.
func (m *Member) Close() error {
	m.quit()
	<-m.done
	return m.Err()
}

// HandOver has another member lead, if this one does and there are others. It returns when
// that is so, or after some seconds with an error.
func (m *Member) HandOver() error {
	m.mu.Lock()
	etcd := m.etcd
	m.mu.Unlock()
	if etcd == nil {
		return nil
	}
	if err := etcd.Server.TryTransferLeadershipOnShutdown(); err != nil {
		return fmt.Errorf("member %s hands the lead over: %w", m.config.Name, plain(err))
	}
	return nil
}

// Leave takes the member out of the cluster for good, ends it and deletes its
// data. ErrLast if there is no other, ErrUnavailable.
func (m *Member) Leave(ctx context.Context) error {
	what := "member " + m.config.Name + " leaves"
	m.mu.Lock()
	etcd, client := m.etcd, m.client
	m.mu.Unlock()
	if etcd == nil {
		return fmt.Errorf("%s: %w: it has ended", what, ErrUnavailable)
	}
	list, err := client.MemberList(ctx)
	if err != nil {
		return unavailable(ctx, what, err)
	}
	if len(list.Members) < 2 {
		return fmt.Errorf("%s: %w", what, ErrLast)
	}
	if err := removeMember(ctx, client, uint64(etcd.Server.MemberID())); err != nil {
		return unavailable(ctx, what, err)
	}
	m.quit()
	<-m.done
	if err := os.RemoveAll(filepath.Join(m.config.Dir, "etcd")); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// rootsText is what etcd is told to trust.
func rootsText(id ca.Identity) string {
	var b strings.Builder
	for _, r := range id.Roots {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Raw}))
	}
	return b.String()
}

// plain takes an error of etcd for its text.
func plain(err error) error {
	if err == nil {
		return errors.New("it has stopped")
	}
	return errors.New(err.Error())
}
