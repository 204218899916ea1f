// Package route is the language of lines between nc-watch, which decides what
// should be announced, and nc-bgp, which announces it.
//
// # Commands
//
// A line is one command, words with spaces between them:
//
//	announce PREFIX [med N] [prepend N] [community A:B]... [large A:B:C]...
//	drain PREFIX [prepend N]
//	withdraw PREFIX [why...]
//	beat MS
//	status
//	quit
//
// Announce has the prefix announced, with the attributes of the configuration but
// for those that the line names: MULTI_EXIT_DISC and a longer AS_PATH of RFC 4271,
// communities of RFC 1997, large communities of RFC 8092. Drain has it announced
// with the community GRACEFUL_SHUTDOWN, 65535:0, by which neighbours prefer any
// other path before this one goes (RFC 8326). Withdraw takes it back, and is never
// refused for what it says after the prefix. After beat, the silence of so many
// milliseconds withdraws everything. Status asks for all states, and quit ends.
//
// Commands are wishes of how things should be and not steps to be done: who sends
// them repeats all of them all the time, and equal ones have no effect. The end of
// the input withdraws everything.
//
// # States
//
// The other way go states, a line each:
//
//	ok N WORD...           the command on the N-th line has been taken
//	error N WHY...         it has not
//	peer ADDR STATE        of the session: idle, connect, active, opensent,
//	                       openconfirm, established, or down: closed for good
//	route PREFIX announced|drained|withdrawn M/N
//	                       what is announced, and in M of N established sessions
//	bfd ADDR up|down
//	order PREFIX withdrawn UNTIL NAME,NAME...
//	                       other nodes have it withdrawn until then, in Unix seconds
//	order PREFIX ended
//	lost N                 so many states were dropped, because nobody read
//	beat lost              everything is withdrawn, because no command came
//
// Nobody has to read them: a state that could not be written is not waited for.
//
// Both are UTF-8 without control characters, of at most MaxLine octets; words that
// were added later than a reader was made are an error to it.
package route
