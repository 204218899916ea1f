// Package anycast composes nc-bgp from the rooms: it reads route lines (package
// route), has the speaker announce what they wish (package speaker), puts the
// service's addresses on the loopback device, runs BFD (package bfd), and obeys the
// votes of other nodes (package quorum).
//
// One goroutine, that of Run, decides everything; the others read, write and wait
// for it. What is announced for a prefix is, at any moment, the first of these that
// holds:
//
//   - withdrawn, if an order of other nodes is in force;
//   - what the last command about it said, if who gave it is still there and, if it
//     has promised a beat, still beats;
//   - withdrawn.
//
// Nothing that reads of this process can hold it up: states and log lines wait in
// queues of fixed length, from which the oldest are dropped.
package anycast
