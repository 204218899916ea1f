package lab

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Path is what happens to frames on their way from one machine to another.
type Path struct {
	Delay  time.Duration // at least, of each frame
	Jitter time.Duration // up to so much more, evenly spread
	Loss   float64       // the share of frames that are lost, 0 to 1
	// Reorder lets a frame with less jitter overtake; else each waits for the
	// one before.
	Reorder bool
}

// A Slow is a network whose frames go through the test's process.
type Slow struct {
	*Net
	medium *medium
}

// A Count is of the frames of a slow network, by their destinations.
type Count struct {
	Delivered int64
	Lost      int64         // by chance, as told
	Cut       int64         // by a cut, or because the device was not up
	Overflow  int64         // because too many were under way
	Late      time.Duration // the most by which one was delivered later than told
}

// SlowLAN makes a network where each direction between two machines is such a
// path until SetPath says otherwise.
func (l *Lab) SlowLAN(name string, path Path) *Slow {
	l.t.Helper()
	if err := path.check(); err != nil {
		l.t.Fatalf("lab: network %s: %v", name, err)
	}
	md := &medium{path: path, ways: map[way]*track{}, seen: map[station]*outlet{}, done: make(chan struct{})}
	l.whenClosed(md.close)
	return &Slow{Net: l.newNet(name, md), medium: md}
}

func (p Path) check() error {
	if p.Delay < 0 || p.Jitter < 0 || !(p.Loss >= 0 && p.Loss <= 1) {
		return fmt.Errorf("path %+v: not a delay, jitter and share of loss", p)
	}
	return nil
}

// SetPath sets one direction between two machines that have joined. Frames that
// are under way come as they would have.
func (s *Slow) SetPath(from, to *Machine, path Path) {
	f, t := s.port(from), s.port(to)
	err := path.check()
	if err == nil && (f == nil || t == nil || f == t) {
		err = fmt.Errorf("not two machines of it")
	}
	if err != nil {
		s.lab.t.Errorf("lab: network %s: path from %s to %s: %v", s.name, from.name, to.name, err)
		return
	}
	s.medium.mu.Lock()
	defer s.medium.mu.Unlock()
	s.medium.track(way{f, t}).Path = path
}

// SetPaths sets both directions between two machines that have joined.
func (s *Slow) SetPaths(a, b *Machine, path Path) {
	s.SetPath(a, b, path)
	s.SetPath(b, a, path)
}

// Count counts frames since the network was made.
func (s *Slow) Count() Count {
	c := &s.medium.count
	return Count{
		Delivered: c.delivered.Load(), Lost: c.lost.Load(), Cut: c.cut.Load(),
		Overflow: c.overflow.Load(), Late: time.Duration(c.late.Load()),
	}
}

// A station is the Ethernet address of a device.
type station [6]byte

// A medium is the fabric of a slow network: a switch in this process that learns
// where stations are, as switches do. Each port has a goroutine that reads its
// TAP device and one that writes to it.
type medium struct {
	path Path // of directions that nobody has set
	done chan struct{}
	all  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	outlets []*outlet
	ways    map[way]*track
	seen    map[station]*outlet

	count struct{ delivered, lost, cut, overflow, late atomic.Int64 }
}

// A track is the state of one direction.
type track struct {
	Path
	cut  bool
	last time.Time // when the frame before is due
}

// maxStations bounds what a switch learns.
const maxStations = 4096

// track is the state of a direction; the medium is locked.
func (md *medium) track(w way) *track {
	t := md.ways[w]
	if t == nil {
		t = &track{Path: md.path}
		md.ways[w] = t
	}
	return t
}

func (md *medium) join(p *Port) error {
	tap, err := openTap(p.machine, p.device)
	if err != nil {
		return err
	}
	o := &outlet{port: p, tap: tap, wake: make(chan struct{}, 1)}
	md.mu.Lock()
	defer md.mu.Unlock()
	if md.closed {
		return tap.Close()
	}
	md.outlets = append(md.outlets, o)
	md.all.Add(2)
	go md.read(o)
	go md.write(o)
	return nil
}

func (md *medium) carry(p *Port, in bool) error {
	md.mu.Lock()
	defer md.mu.Unlock()
	i := slices.IndexFunc(md.outlets, func(o *outlet) bool { return o.port == p })
	return setCarrier(md.outlets[i].tap, in)
}

func (md *medium) setCuts(cuts []way) error {
	md.mu.Lock()
	defer md.mu.Unlock()
	for _, t := range md.ways {
		t.cut = false
	}
	for _, w := range cuts {
		md.track(w).cut = true
	}
	return nil
}

// close ends the goroutines and takes the devices away.
func (md *medium) close() {
	md.mu.Lock()
	md.closed = true
	close(md.done)
	for _, o := range md.outlets {
		_ = o.tap.Close()
	}
	md.mu.Unlock()
	md.all.Wait()
}

// read takes the frames that a machine sends, until its device is gone.
func (md *medium) read(o *outlet) {
	defer md.all.Done()
	buf := make([]byte, 1<<16)
	for {
		n, err := o.tap.Read(buf)
		if err != nil {
			return
		}
		if n >= minFrame {
			md.forward(o, slices.Clone(buf[:n]), time.Now())
		}
	}
}

// minFrame is the length of an Ethernet header in octets.
const minFrame = 14

// forward puts a frame on the way to where its station is, or to all.
func (md *medium) forward(from *outlet, frame []byte, now time.Time) {
	dst, src := station(frame[:6]), station(frame[6:12])
	md.mu.Lock()
	defer md.mu.Unlock()
	if _, known := md.seen[src]; known || len(md.seen) < maxStations {
		md.seen[src] = from
	}
	to := md.seen[dst]
	const group = 1 // this bit of the first octet is set for multicast and broadcast
	for _, o := range md.outlets {
		if o == from || to != nil && to != o && dst[0]&group == 0 {
			continue
		}
		md.send(way{from.port, o.port}, o, frame, now)
	}
}

// send decides over one frame in one direction; the medium is locked.
func (md *medium) send(w way, o *outlet, frame []byte, now time.Time) {
	t := md.track(w)
	switch {
	case t.cut:
		md.count.cut.Add(1)
		return
	case rand.Float64() < t.Loss:
		md.count.lost.Add(1)
		return
	}
	due := now.Add(t.Delay)
	if t.Jitter > 0 {
		due = due.Add(rand.N(t.Jitter))
	}
	if !t.Reorder && due.Before(t.last) {
		due = t.last
	}
	t.last = due
	if !o.push(flight{due: due, way: w, frame: frame}) {
		md.count.overflow.Add(1)
	}
}

// write delivers frames to a machine when they are due.
func (md *medium) write(o *outlet) {
	defer md.all.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		f, wait := o.pop(time.Now())
		if f.frame != nil {
			md.deliver(o, f)
			continue
		}
		timer.Reset(wait)
		select {
		case <-md.done:
			return
		case <-o.wake:
		case <-timer.C:
		}
	}
}

// deliver writes a frame to the device, unless its way was cut meanwhile.
func (md *medium) deliver(o *outlet, f flight) {
	md.mu.Lock()
	cut := md.track(f.way).cut
	md.mu.Unlock()
	if !cut {
		_, err := o.tap.Write(f.frame)
		cut = err != nil // such as EIO of a device that is down
	}
	if cut {
		md.count.cut.Add(1)
		return
	}
	md.count.delivered.Add(1)
	late := int64(time.Since(f.due))
	for {
		most := md.count.late.Load()
		if late <= most || md.count.late.CompareAndSwap(most, late) {
			return
		}
	}
}

// openTap makes a TAP device on a machine; it is gone when the file is closed.
func openTap(m *Machine, name string) (*os.File, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	fd := -1
	err = m.Do(func() (err error) {
		// The device comes to be where the file was opened.
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err != nil {
			return err
		}
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	})
	if err != nil {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		return nil, fmt.Errorf("make TAP device %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), "tap "+m.name+" "+name), nil
}

// setCarrier sets whether a TAP device has a carrier.
func setCarrier(tap *os.File, on bool) error {
	value := 0
	if on {
		value = 1
	}
	conn, err := tap.SyscallConn()
	if err != nil {
		return err
	}
	if e := conn.Control(func(fd uintptr) { err = unix.IoctlSetPointerInt(int(fd), unix.TUNSETCARRIER, value) }); e != nil {
		return e
	}
	return err
}
