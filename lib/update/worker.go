package update

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"os"
	"strings"
	"sync"

	"namecast/lib/nup"
	"namecast/lib/sock"
)

// workersEach is how many workers a socket has: while the disk writes what one
// of them has brought, another receives and verifies.
const workersEach = 2

// turnEvery is after how many signatures a worker lets others have a turn.
const turnEvery = 2

// A worker takes groups of datagrams from a socket and answers them.
type worker struct {
	*group
	conn    *net.UDPConn
	batch   *sock.Batch
	numbers []int           // of the group's tasks in the batch
	until   context.Context // until the server is told to stop

	turn       *turn
	signatures int // seen

	// front is held, of all the workers of a socket, by the one that receives
	// and verifies. What comes meanwhile becomes the next one's group, rather
	// than many small ones.
	front *sync.Mutex
}

// newWorkers makes the workers of a socket.
func (s *Server) newWorkers(ctx context.Context, c *net.UDPConn) (list []*worker, err error) {
	front := new(sync.Mutex)
	for range workersEach {
		// What was begun is finished, also when the server is told to stop.
		w := &worker{group: s.newGroup(context.WithoutCancel(ctx)), until: ctx, conn: c, front: front}
		w.ended, w.waits, w.pause = w.reply, w.spawn, w.takeTurn
		list = append(list, w)
		if w.batch, err = sock.NewBatch(c, nup.MaxPacket+1); err != nil {
			return list, err
		}
		if w.turn, err = newTurn(); err != nil {
			return list, err
		}
	}
	return list, nil
}

// serve is a worker's life: until the socket's deadline, or until it fails.
func (w *worker) serve() error {
	defer w.turn.close()
	for {
		if err := w.receive(); errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		} else if err != nil {
			return err
		}
		w.run(w.front.Unlock, w.batch.Flush)
	}
}

func (w *worker) takeTurn() {
	if w.signatures++; w.signatures%turnEvery == 0 {
		w.turn.take()
	}
}

// receive makes tasks of what has come. If there is no error the worker then
// holds the front.
func (w *worker) receive() error {
	w.front.Lock()
	n, err := w.batch.Receive()
	if err != nil {
		w.front.Unlock()
		return err
	}
	w.tasks, w.numbers = w.tasks[:0], w.numbers[:0]
	now := w.Now()
	for i := range n {
		packet := w.batch.Packet(i)
		if !strings.HasPrefix(string(packet[:min(len(packet), len(nup.Magic))]), nup.Magic) {
			w.Count.NotNUP.Add(1)
			continue
		}
		t := newTask(packet, w.batch.From(i), now)
		if !w.begin(t.hash) {
			w.Count.Duplicate.Add(1)
			continue
		}
		w.tasks, w.numbers = append(w.tasks, t), append(w.numbers, i)
	}
	return nil
}

// reply queues the reply to a task that has ended, or has it wait.
func (w *worker) reply(i int) {
	t, number := &w.tasks[i], w.numbers[i]
	if t.asksSync() && w.spawnSync(i) {
		return
	}
	w.end(t.hash)
	w.batch.Reply(number, t.answer(w.batch.Room(number)))
}

// spawn takes a task that waits for the network out of the worker's way.
func (w *worker) spawn(i int) {
	select {
	case w.waiting <- struct{}{}:
	default:
		w.Count.Overload.Add(1)
		w.end(w.tasks[i].hash)
		return
	}
	t, back := w.tasks[i].detached(), w.batch.Back(w.numbers[i])
	w.work.Go(func() {
		defer func() { <-w.waiting }()
		if t.end(w.carryOut(w.ctx, t)); t.asksSync() {
			w.sync(w.until, t)
		}
		w.replyTo(t, &back)
	})
}

// replyTo answers a task that has waited out of the worker's way. The request is not
// under way any more by then: who has the reply may ask the same again at once.
func (w *worker) replyTo(t *task, back *sock.Back) {
	w.end(t.hash)
	if reply := t.answer(nil); reply != nil {
		// A reply that cannot be sent is a lost one: the client asks again.
		_ = sock.Reply(w.conn, reply, back)
	}
}

// begin notes that a packet is under way, and reports false if it was: then its
// reply is on the way.
func (s *Server) begin(hash [sha256.Size]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.underway[hash] {
		return false
	}
	s.underway[hash] = true
	return true
}

func (s *Server) end(hash [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.underway, hash)
}
