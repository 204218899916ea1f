// Package trial does faults to real nodes of nc-chain while clients write and read,
// and checks that nothing that they were told is untrue.
//
// Five nodes run in machines of package lab, three of them with a member of etcd. A
// trial is one fault, done to the node that has one role, in one situation:
//
//	faults      kill, restart, outage of all nodes, stop, cut off from the nodes,
//	            isolated, cut one way, cut off from etcd, disk full, failed fsync,
//	            torn journal, damaged journal, another clock after a restart
//	roles       head, middle and tail of a chain, recruit, controller, leader of etcd
//	situations  idle, under load, under load while chains move
//
// A fsync fails by a system call that strace has return an error; without strace that
// fault is left out. No clock can jump under a running process, so a node comes back
// with one that is hours ahead, or seconds behind. A fault ends, and the cluster
// has to become whole by itself.
//
// # What is checked
//
// A process of its own, the driver, is the clients: each of them is connected to all
// nodes, or to one alone, which passes on what it does not hold. A fault may cut a
// node off from the others and leave it to its clients. Every write has a value of
// its own. Of a trial's history it is checked that
//
//   - each object, of one key or of four that are written and read together, is
//     linearizable, by porcupine (strong reads, writes, conditional writes, deletes);
//     a write of which nobody knows the outcome may take effect at any later time;
//   - what is told of a chain misses nothing that had been told before, over
//     all objects of the chain, by the log's numbers;
//   - every read, of any mode, shows the state after the record that it names;
//   - a bounded read misses nothing that was told longer ago than its bound;
//   - no write that was denied is ever seen, and no counter counts twice;
//   - the same request, sent twice at once or again later, has one outcome;
//   - in the end all clients read all that was acknowledged, through every node.
//
// # Running it
//
//	go test ./t/trial                          a short matrix
//	go test ./t/trial -timeout 0 -trials 240   that many trials
//	go test ./t/trial -timeout 0 -for 1h       as many as there is time for
//	go test ./t/trial -seed 7                  the faults of a seed, at other moments
//	go test -race ./t/trial                    with nodes that look for data races
//
// A trial that fails names its seed, the fault, the folder with the nodes' logs and
// the history, and the file that porcupine drew.
package trial
