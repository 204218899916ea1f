// Package lab gives tests machines and networks of their own, made of what the
// Linux kernel has, so that real programs can be run on them and faults done to
// them.
//
// A machine is a network namespace. Programs are started in it, and the test
// itself can speak from it: sockets that Dial and Listen make belong to the
// machine. Machines share the files, the processes and the processors of the
// computer.
//
// A network joins machines as one Ethernet segment; a link is a network of two.
// There are two kinds. A LAN is a bridge of the kernel and as fast as one. A
// slow network goes through the test's process, frame by frame, which delays,
// loses and reorders them as each direction between two machines is told to;
// the kernel's own means for that, netem, is often not built into it. Both can
// be cut between any two machines, in one direction or in both, and be healed,
// and a machine can be unplugged, which it notices.
//
//	l := lab.New(t)
//	lan := l.LAN("lan")
//	a, b := l.Machine("a"), l.Machine("b")
//	lan.Join(a, "192.0.2.1/24", "2001:db8::1/64")
//	lan.Join(b, "192.0.2.2/24", "2001:db8::2/64")
//	node := b.Start("nc-serve", "-listen", "192.0.2.2:53")
//	node.WaitFor(5*time.Second, "serving")
//	conn, err := a.Dial(ctx, "udp", "192.0.2.2:53")
//	lan.CutOneWay(b, a) // questions arrive, answers do not
//	lan.Heal()
//	node.Pause()
//
// # Routers
//
// A machine becomes a router when a routing daemon runs on it, BIRD or FRRouting,
// with a configuration that the lab writes from a Router. It learns routes by BGP
// and gives them to the machine's kernel, which tells of them with time stamps:
//
//	m.Sysctl("net.ipv4.ip_forward", "1")
//	bird := l.Bird(m, lab.Router{AS: 65000, Neighbors: []lab.Neighbor{{Addr: b.Addr(), AS: 65001}}})
//	routes := m.Watch()
//	began := time.Now()
//	node.Kill()
//	gone := routes.Wait(time.Second, began, func(r lab.Route) bool { return !r.Added && r.Prefix == prefix })
//	l.Expect(5*time.Second, func() error { return bird.Established(b.Addr()) })
//	bird.Birdc("show route all")
//
// # Owners and ends
//
// Everything belongs to a Lab, and the end of the test takes it all away again:
// processes, whatever they have started, networks, disks, namespaces. When a
// test is killed, the kernel ends every program that it has started. What else is
// left, namespaces and what those programs have started in them, the next lab of
// any process takes away: each living lab holds a lock on its folder in
// /run/nclab, and one that nobody locks is dead.
//
// Methods that build or look fail the test at once, and are for the goroutine of
// the test; of those that others need too there is one that begins with Try. The
// methods that do faults (cuts, paths, cables, signals, disks) and Do, Dial and
// Listen may be called from any goroutine. A fault has been done when its method
// returns, or the test is marked as failed.
//
// # Clocks
//
// All machines have the computer's clock. A process can be started with a boot
// clock that is ahead of or behind the others' (Command.Ahead, by a time
// namespace); the kernel settles that offset when the first program enters the
// namespace, so a clock cannot jump under a running process. The clock of the
// day is not divided by namespaces at all. To pause a process is what there is
// for one that loses time.
//
// # What is needed
//
// Root, the commands ip and nft (Debian's packages iproute2 and nftables), and
// /dev/net/tun for slow networks. Without them New skips the test and says why;
// so do Bird without BIRD (Debian's package bird2) and FRR without FRRouting (frr).
package lab
