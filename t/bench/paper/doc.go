// Package paper measures again what the paper's figures 5 and 6 show: how many questions
// and how many updates a second one machine takes, by its storage layer.
//
// Figure 5 of the paper is PowerDNS over MySQL and over CRAQ, with PowerDNS's caches off
// (5a) and on (5b), asked for one record by twenty clients; figure 6 is the update server
// over both, with thirty-two accounts that each wait for a reply before they send again.
// Here PowerDNS stands over MariaDB, on the tables that nc-serve fills, and beside it
// nc-serve on its own database, over MariaDB, and over nc-chain: one node, and the
// three of the paper.
//
// All processes of a stack share one processor, and the load has another. Processor
// time is that of all of a stack's processes. Compare within a run.
//
//	go test ./t/bench/paper                                          a moment of each, to see that it works
//	go test -count=1 -v ./t/bench/paper -args -time 10s -write NAME     NAME.tsv, NAME.md and NAME.svg
package paper
