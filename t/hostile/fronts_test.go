package hostile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const (
	late       = 5 * time.Second // an answer that must come has come by then
	serverMost = 4096            // octets of the largest query that the server reads
)

// fault is an answer that is wrong, with what led to it.
func fault(sent, got []byte, err error) error {
	return fmt.Errorf("%w\nsent %x\ngot %x", err, sent, got)
}

// timeout reports whether an error is that nothing came in time.
func timeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// udp sends one message after the other and waits for the answer to each that
// gets one. A packet may get lost once.
func (n *node) udp(ctx context.Context, m *mutator) (sent, answered int, err error) {
	c, err := net.Dial("udp", n.Words["dns"])
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	buf := make([]byte, 1<<16)
	for ; ctx.Err() == nil; sent++ {
		q := m.next()
		for try := 0; ; try++ {
			if _, err := c.Write(q); err != nil {
				return sent, answered, err
			}
			if !mustAnswer(q) {
				break // an answer all the same comes as one to the next
			}
			c.SetReadDeadline(time.Now().Add(late))
			got, err := c.Read(buf)
			if err != nil && timeout(err) && try == 0 {
				continue
			}
			if err == nil {
				err = judge(q[:min(len(q), serverMost)], buf[:got], true)
			}
			if err != nil {
				return sent, answered, fault(q, buf[:got], err)
			}
			answered++
			break
		}
	}
	return sent, answered, nil
}

// tcp sends over TCP, tls over TLS.
func (n *node) tcp(ctx context.Context, m *mutator) (int, int, error) {
	return stream(ctx, m, func() (net.Conn, error) { return net.Dial("tcp", n.Words["dns"]) })
}

func (n *node) tls(ctx context.Context, m *mutator) (int, int, error) {
	cache := tls.NewLRUClientSessionCache(1)
	return stream(ctx, m, func() (net.Conn, error) {
		return tls.Dial("tcp", n.Words["dot"], &tls.Config{InsecureSkipVerify: true, ServerName: base, ClientSessionCache: cache})
	})
}

// stream sends over connections, several messages on each until one ends it.
func stream(ctx context.Context, m *mutator, dial func() (net.Conn, error)) (sent, answered int, err error) {
	for ctx.Err() == nil {
		c, err := dial()
		if err != nil {
			return sent, answered, err
		}
		s, a, err := converse(ctx, m, c)
		sent, answered = sent+s, answered+a
		c.Close()
		if err != nil {
			return sent, answered, err
		}
	}
	return sent, answered, nil
}

// converse sends groups of messages on one connection, and reads the answers in
// their order.
func converse(ctx context.Context, m *mutator, c net.Conn) (sent, answered int, err error) {
	in := bufio.NewReader(c)
	for range 50 {
		if ctx.Err() != nil {
			return sent, answered, nil
		}
		var group [][]byte
		var frames []byte
		for range 1 + m.IntN(5) {
			q := m.next()
			group = append(group, q)
			frames = append(binary.BigEndian.AppendUint16(frames, uint16(len(q))), q...)
		}
		if m.IntN(100) == 0 { // a length that is a lie, or half a message: nothing more to expect
			_, _ = c.Write(frames[:m.IntN(len(frames))])
			return sent, answered, nil
		}
		c.SetDeadline(time.Now().Add(late))
		_, failed := c.Write(frames) // the server may have closed already
		sent += len(group)
		for _, q := range group {
			if !mustAnswer(q) {
				return sent, answered, nil // it ends the connection
			}
			got, err := readFrame(in)
			if err == nil {
				err = judge(q, got, false)
			}
			if err != nil && (failed == nil || !errors.Is(err, io.EOF)) {
				return sent, answered, fault(q, got, err)
			}
			answered++
			if len(q) > serverMost {
				return sent, answered, nil // so does one that is too long
			}
		}
	}
	return sent, answered, nil
}

func readFrame(in *bufio.Reader) ([]byte, error) {
	var size uint16
	if err := binary.Read(in, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	b := make([]byte, size)
	_, err := io.ReadFull(in, b)
	return b, err
}

// handshakes sends damaged beginnings of TLS, and clear text.
func (n *node) handshakes(ctx context.Context, m *mutator) (sent, answered int, err error) {
	hello, err := clientHello()
	if err != nil {
		return 0, 0, err
	}
	m.corpus = append(m.corpus, hello, hello, hello)
	pace := time.NewTicker(5 * time.Millisecond) // the work is the client's too
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return sent, answered, nil
		case <-pace.C:
		}
		c, err := net.Dial("tcp", n.Words["dot"])
		if err != nil {
			return sent, answered, err
		}
		_, _ = c.Write(m.next()) // the server may have closed already
		if m.IntN(4) > 0 {
			c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			if k, _ := c.Read(make([]byte, 1024)); k > 0 {
				answered++
			}
		}
		c.Close()
		sent++
	}
}

// clientHello is how a proper client begins.
func clientHello() ([]byte, error) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	go func() {
		_ = tls.Client(theirs, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"dot"}}).Handshake() // it ends with the pipe
	}()
	b := make([]byte, 4096)
	k, err := ours.Read(b)
	return b[:k], err
}

var magic = []byte("Namecast")

// nup sends to the update port. What is no packet gets no answer, and no answer
// is longer than what it answers. Some come late, when a name has been looked up.
func (n *node) nup(ctx context.Context, m *mutator) (sent, answered int, err error) {
	c, err := net.Dial("udp", n.Words["nup"])
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	buf := make([]byte, 1<<16)
	var known requests
	for ; ctx.Err() == nil; sent++ {
		q := m.next()
		known.add(q)
		if _, err := c.Write(q); err != nil {
			return sent, answered, err
		}
		wait := time.Millisecond
		if bytes.HasPrefix(q, magic) {
			wait = 20 * time.Millisecond
		}
		c.SetReadDeadline(time.Now().Add(wait))
		got, err := c.Read(buf)
		if timeout(err) {
			continue
		}
		if err == nil {
			err = known.judge(buf[:got])
		}
		if err != nil {
			return sent, answered, fault(q, buf[:got], err)
		}
		answered++
	}
	return sent, answered, nil
}

// requests knows the largest packet that was sent with each key, for some time.
type requests struct {
	now, before map[string]int
	since       time.Time
}

// remember is how long a request may wait for its answer at least.
const remember = time.Minute

// keyOf is the key in a packet, as far as there is one.
func keyOf(packet []byte) (string, bool) {
	if !bytes.HasPrefix(packet, magic) {
		return "", false
	}
	if len(packet) < 12 {
		return "", true
	}
	size := int(binary.BigEndian.Uint16(packet[10:]))
	if size > len(packet)-12 {
		return "", true
	}
	return string(packet[12 : 12+size]), true
}

func (r *requests) add(packet []byte) {
	if time.Since(r.since) > remember {
		r.now, r.before, r.since = map[string]int{}, r.now, time.Now()
	}
	if key, ok := keyOf(packet); ok {
		r.now[key] = max(r.now[key], len(packet))
		r.now[""] = max(r.now[""], len(packet)) // a node that cannot use the key may leave it out
	}
}

// judge checks a reply against the requests that it may be for.
func (r *requests) judge(reply []byte) error {
	key, ok := keyOf(reply)
	largest := max(r.now[key], r.before[key])
	switch {
	case !ok:
		return errors.New("an answer that is no packet")
	case largest == 0:
		return errors.New("an answer to what nobody sent")
	case len(reply) > largest:
		return fmt.Errorf("an answer of %d octets to %d", len(reply), largest)
	}
	return nil
}

// stillAnswers asks a question that has an answer.
func (n *node) stillAnswers(q []byte) error {
	c, err := net.Dial("udp", n.Words["dns"])
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(late))
	if _, err := c.Write(q); err != nil {
		return err
	}
	buf := make([]byte, 1<<16)
	got, err := c.Read(buf)
	if err != nil {
		return err
	}
	if err := judge(q, buf[:got], true); err != nil {
		return fault(q, buf[:got], err)
	}
	reply, err := parse(buf[:got])
	if err == nil && len(reply.sections[0]) == 0 {
		err = errors.New("no records")
	}
	return err
}
