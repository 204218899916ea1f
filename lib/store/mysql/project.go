package mysql

import (
	"slices"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// writeZones writes what the jobs that are taken change in the zones.
func (t *transaction) writeZones() error {
	z := t.store.zones(t.ctx, t.tx)
	touched := map[string]map[rr.Name]bool{}
	for _, j := range t.taken {
		if j.change == nil {
			continue
		}
		names := touched[j.change.Head.Account]
		if names == nil {
			names = map[rr.Name]bool{}
			touched[j.change.Head.Account] = names
		}
		for _, k := range j.change.Delete {
			names[k.Owner.Lower()] = names[k.Owner.Lower()] || k.Type == rr.TypeNS
		}
		for _, s := range j.change.Put {
			names[s.Owner.Lower()] = names[s.Owner.Lower()] || s.Type == rr.TypeNS
		}
	}
	whole := map[rr.Name]bool{} // zones that may have come, gone, or changed hands
	for domain, c := range t.claims {
		if c.changed {
			whole[domain] = true
		}
	}
	for account := range touched {
		if err := t.zonesOf(z, account, touched[account], whole); err != nil {
			return err
		}
	}
	for domain := range whole {
		if err := z.rebuild(domain); err != nil {
			return err
		}
	}
	return z.serial(z.service.Base, "", 0, uint32(t.state.position))
}

// zonesOf writes what an account's change did to the zones that it is in, and adds
// those that are to be made whole anew.
func (t *transaction) zonesOf(z *zones, account string, touched map[rr.Name]bool, whole map[rr.Name]bool) error {
	r := t.accounts[account]
	now, err := store.ParseHead(r.head)
	if err != nil {
		return err
	}
	var was store.Head
	if r.was != nil {
		if was, err = store.ParseHead(r.was); err != nil {
			return err
		}
	}
	names, err := z.around(account, touched)
	if err != nil {
		return err
	}
	if err := z.refresh(z.service.Base, label(account), account, names); err != nil {
		return err
	}
	for _, d := range was.Domains {
		if !now.Owns(d.Name) {
			whole[d.Name] = true
		}
	}
	for _, d := range now.Domains {
		switch {
		case !was.Owns(d.Name) || !slices.Contains(was.Domains, d):
			whole[d.Name] = true
		case !whole[d.Name]:
			if err := z.move(d, account, now.Version, names); err != nil {
				return err
			}
		}
	}
	return nil
}

// move writes changed names of an account into a domain that it owned before, too,
// if the domain is served for it.
func (z *zones) move(d store.Domain, account string, version uint64, names []rr.Name) error {
	head, _, err := z.server(d.Name)
	if err != nil || head == nil || head.Account != account {
		return err
	}
	if err := z.refresh(d.Name, "", account, names); err != nil {
		return err
	}
	return z.serial(d.Name, d.Contact, d.TTL, uint32(version))
}

// around gives the names whose rows depend on names that were touched: themselves,
// those above them, and where a delegation may have come or gone, all below it.
func (z *zones) around(account string, touched map[rr.Name]bool) ([]rr.Name, error) {
	all := map[rr.Name]bool{}
	for n, delegation := range touched {
		if delegation && n != "" {
			below, err := z.tree(account).under(n)
			if err != nil {
				return nil, err
			}
			for _, b := range below {
				all[b] = true
			}
		}
		for at := n; ; at = at.Parent() {
			all[at] = true
			if at == "" {
				break
			}
		}
	}
	var names []rr.Name
	for n := range all {
		names = append(names, n)
	}
	slices.Sort(names)
	return names, nil
}
