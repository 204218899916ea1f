package watch

import "time"

// faults are what can go wrong with a node, each for a while.
var faults = []func(*node){
	(*node).crash, (*node).crash, (*node).hang, (*node).poison, (*node).storeFails, (*node).stall, (*node).stall,
	(*node).watchDies, (*node).powerCut, (*node).hide, (*node).cutOff, (*node).poisonAll, (*node).crashAll,
}

// breakThings has things go wrong until a time.
func (w *world) breakThings(until time.Duration) {
	if w.now >= until {
		return
	}
	n := w.nodes[w.IntN(len(w.nodes))]
	if n.on {
		faults[w.IntN(len(faults))](n)
	}
	w.after(w.between(0, 10*time.Second), func() { w.breakThings(until) })
}

// for a while sets a switch, notes it, and sets it back.
func (n *node) while(what string, flag *bool, d time.Duration) {
	if *flag {
		return
	}
	n.note("%s: %s for %v", n.name, what, d)
	*flag = true
	n.update()
	n.after(d, func() {
		*flag = false
		n.note("%s: no more %s", n.name, what)
		n.update()
	})
}

// crash kills the server. A supervisor may start it again.
func (n *node) crash() {
	n.stop(&n.dns, "killed")
	if n.IntN(2) == 0 {
		n.after(n.between(10*ms, 3*time.Second), func() { n.start(&n.dns) })
	}
}

func (n *node) hang() {
	if n.dns.running {
		n.note("%s: dns hangs", n.name)
		n.dns.hung = true
		n.update()
	}
}

func (n *node) poison() { n.while("poison", &n.poisoned, n.between(300*ms, 20*time.Second)) }

func (n *node) storeFails() {
	if n.IntN(2) == 0 {
		n.stop(&n.store, "killed")
	} else if n.store.running {
		n.store.hung = true
		n.update()
	}
}

// stall stops the watch's process, for a moment or longer.
func (n *node) stall() {
	if n.watch == nil || n.stopped {
		return
	}
	d := n.between(50*ms, 700*ms)
	if n.IntN(3) == 0 {
		d = n.between(time.Second, 8*time.Second)
	}
	n.note("%s: watch stopped for %v", n.name, d)
	n.stopped = true
	life := n.life
	n.update()
	n.after(d, func() {
		if life == n.life {
			n.resume()
		}
	})
}

// resume lets a stopped process do what has come meanwhile.
func (n *node) resume() {
	n.note("%s: watch goes on", n.name)
	n.stopped = false
	waiting := n.waiting
	n.waiting = nil
	for _, do := range waiting {
		do()
	}
	n.step(Tick{})
	n.update()
}

// watchDies kills the watch, which a supervisor starts again.
func (n *node) watchDies() {
	if n.watch == nil {
		return
	}
	n.note("%s: watch killed", n.name)
	n.end()
	n.update()
	n.after(n.between(100*ms, 2*time.Second), func() {
		if n.on && n.watch == nil {
			n.begin()
		}
	})
}

// powerCut takes the node down, and up again.
func (n *node) powerCut() {
	n.note("%s: power cut", n.name)
	n.end()
	n.dns.running, n.dns.hung, n.store.running, n.store.hung, n.on = false, false, false, false, false
	n.update()
	n.after(n.between(time.Second, 20*time.Second), func() {
		n.note("%s: power is back", n.name)
		n.boot()
	})
}

func (n *node) hide() { n.while("hidden", &n.hidden, n.between(time.Second, 40*time.Second)) }

// cutOff cuts a node off from some of the others.
func (n *node) cutOff() {
	for _, other := range n.nodes {
		if other != n && n.IntN(3) > 0 {
			d := n.between(time.Second, 20*time.Second)
			n.note("%s and %s are cut off for %v", n.name, other.name, d)
			n.cut[n.id][other.id], n.cut[other.id][n.id] = true, n.IntN(4) > 0
			n.after(d, func() { n.cut[n.id][other.id], n.cut[other.id][n.id] = false, false })
		}
	}
}

// poisonAll is a bad record that goes to all nodes.
func (n *node) poisonAll() {
	d := n.between(time.Second, 20*time.Second)
	for _, other := range n.nodes {
		n.after(n.between(0, 50*ms), func() { other.while("poison", &other.poisoned, d) })
	}
}

// crashAll is a packet that kills all servers.
func (n *node) crashAll() {
	for _, other := range n.nodes {
		n.after(n.between(0, 300*ms), other.crash)
	}
}
