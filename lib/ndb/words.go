package ndb

import (
	"fmt"
	"slices"
)

// Words are the attributes of a record that is read by name, of which in the end each
// has to have been taken.
type Words struct {
	Record
	taken []string
}

// Take gives the value of an attribute that is there at most once; "" if it is not.
func (w *Words) Take(name string) string {
	w.Known(name)
	value, _ := w.Get(name)
	return value
}

// Has takes an attribute without a value, and reports whether it is there.
func (w *Words) Has(name string) bool {
	w.Known(name)
	_, ok := w.Get(name)
	return ok
}

// Known takes attributes that are read in another way.
func (w *Words) Known(names ...string) { w.taken = append(w.taken, names...) }

// Left refuses attributes that nobody took, and those that stand twice but for such as
// may.
func (w *Words) Left(may ...string) error {
	for _, a := range w.Record {
		switch {
		case !slices.Contains(w.taken, a.Name):
			return fmt.Errorf("unknown word %q", a.Name)
		case len(w.All(a.Name)) > 1 && !slices.Contains(may, a.Name):
			return fmt.Errorf("%s= stands twice", a.Name)
		}
	}
	return nil
}
