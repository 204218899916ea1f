// Package endure has a whole service live through the death of its storage nodes:
// five nc-chain, three nc-serve on them, users who send updates with nc-sign and
// nc-send, and questions by DNS all the while. Nodes are killed at random and come
// back. At the end every update that was acknowledged is in the answers of every
// nc-serve, and no question was left without an answer.
//
//	go test ./t/endure -for 30m
package endure
