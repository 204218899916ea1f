package paper

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// figures are the paper's.
var figures = []struct{ name, title string }{
	{"questions", "Figure 5: questions a second for one record"},
	{"updates", "Figure 6: updates a second, each on the disk"},
}

// write writes the rows, a table of their medians, and the two figures.
func (b *bench) write(name string) error {
	var tsv, md bytes.Buffer
	fmt.Fprintln(&tsv, "figure\tstack\trate_per_s\tcpu_us\tp50_ms\tp99_ms\tbad")
	for _, r := range b.rows {
		fmt.Fprintf(&tsv, "%s\t%s\t%.0f\t%.1f\t%.3f\t%.3f\t%d\n", r.figure, r.stack, r.rate, micros(r.cpu), micros(r.p50)/1000, micros(r.p99)/1000, r.bad)
	}
	fmt.Fprintf(&md, "# The paper's figures 5 and 6 today\n\n%s, %s, %d processors: one for all servers of a stack, one for the load. Rounds: %d, of %v each, medians.\n",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), *rounds, *measure)
	for _, f := range figures {
		fmt.Fprintf(&md, "\n## %s\n\n| stack | a second | µs of a processor for each | p50 ms | p99 ms |\n|---|---:|---:|---:|---:|\n", f.title)
		for _, r := range b.medians(f.name) {
			fmt.Fprintf(&md, "| %s | %.0f | %.1f | %.2f | %.2f |\n", r.stack, r.rate, micros(r.cpu), micros(r.p50)/1000, micros(r.p99)/1000)
		}
	}
	fmt.Fprintf(&md, "\n![figures 5 and 6](%s.svg)\n", filepath.Base(name))
	picture, err := b.picture()
	if err != nil {
		return err
	}
	for ext, text := range map[string][]byte{".tsv": tsv.Bytes(), ".md": md.Bytes(), ".svg": picture} {
		if err := os.WriteFile(name+ext, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// medians are the rows of a figure, for each stack that with the median rate.
func (b *bench) medians(figure string) (list []row) {
	for _, k := range kinds {
		var of []row
		for _, r := range b.rows {
			if r.figure == figure && r.stack == k.name {
				of = append(of, r)
			}
		}
		if len(of) > 0 {
			slices.SortFunc(of, func(x, y row) int { return int(x.rate - y.rate) })
			list = append(list, of[len(of)/2])
		}
	}
	return list
}

// picture draws both figures, one below the other.
func (b *bench) picture() ([]byte, error) {
	canvas := vgsvg.New(16*vg.Centimeter, 16*vg.Centimeter)
	page := draw.New(canvas)
	for i, f := range figures {
		p, err := panel(f.title, b.medians(f.name))
		if err != nil {
			return nil, err
		}
		half := page.Max.Y / 2
		p.Draw(draw.Crop(page, 0, -10, vg.Length(1-i)*half, -vg.Length(i)*half))
	}
	var svg bytes.Buffer
	_, err := canvas.WriteTo(&svg)
	return svg.Bytes(), err
}

// panel is bars that lie, one for each stack, the first on top.
func panel(title string, rows []row) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.X.Min = title, "a second", 0
	slices.Reverse(rows)
	var names []string
	var values plotter.Values
	for _, r := range rows {
		names, values = append(names, r.stack), append(values, r.rate)
	}
	bars, err := plotter.NewBarChart(values, 14)
	if err != nil {
		return nil, err
	}
	bars.Horizontal = true
	p.Add(bars)
	p.NominalY(names...)
	return p, nil
}
