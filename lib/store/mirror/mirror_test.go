package mirror

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"

	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

func open(t *testing.T, dir string) *Mirror {
	t.Helper()
	m, err := Open(dir, Options{Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestComplete: nothing is served before the replica was whole once; a later run
// begins with that.
func TestComplete(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	m := open(t, dir)
	if _, err := m.View(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a view of what is not whole: %v", err)
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Ready(short); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
	if m.Absent([]byte("x")) || m.AbsentDomain([]byte("x")) {
		t.Error("a replica that is not whole denies")
	}
	for range 2 { // the second time does nothing
		if err := m.Complete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m = open(t, dir)
	defer m.Close()
	if !m.IsComplete() {
		t.Error("it was whole before")
	}
	m.Suspend(true)
	if _, err := m.View(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a view while the storage is being restored: %v", err)
	}
	m.Suspend(false)
	v, err := m.View()
	if err != nil {
		t.Fatal(err)
	}
	v.Release()
	if m.Position() != 0 {
		t.Errorf("position %d", m.Position())
	}
}

// TestOtherUse: a replica is for one service.
func TestOtherUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Service: "another"}); !errors.Is(err, store.ErrOtherUse) {
		t.Errorf("opened for another service: %v", err)
	}
}

// TestFail: what is under way ends, and is told why; nothing new begins.
func TestFail(t *testing.T) {
	m := open(t, filepath.Join(t.TempDir(), "db"))
	why := errors.New("out of breath")
	ctx, over, err := m.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.Go(func(ctx context.Context) { <-ctx.Done() })
	m.Fail(why)
	m.Fail(errors.New("later"))
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), why) {
		t.Errorf("cause %v", context.Cause(ctx))
	}
	over()
	<-m.Failed()
	if !errors.Is(m.Err(), why) {
		t.Errorf("error %v", m.Err())
	}
	if _, _, err := m.Begin(t.Context()); !errors.Is(err, why) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("begin: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := m.Begin(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("begin when it is closed: %v", err)
	}
}

// TestCloseGrace: Close waits for a change under way, and not for ever.
func TestCloseGrace(t *testing.T) {
	db, err := leveldb.OpenMemory(leveldb.Options{Follow: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		m := &Mirror{DB: db, failed: make(chan struct{})}
		m.ctx, m.end = context.WithCancelCause(context.Background())
		ctx, over, err := m.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			<-ctx.Done() // after the grace
			over()
		}()
		m.Close()
	})
}
