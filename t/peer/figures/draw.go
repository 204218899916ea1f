package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// inks are the colours of lines, which those who see few colours can tell apart (Okabe
// and Ito).
var inks = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff},
}

// write writes the figure as a picture and as a table.
func (f figure) write(name string, lines []line) error {
	svg, err := f.draw(lines)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".svg", svg, 0o644); err != nil {
		return err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# %s: %s by %s\nline\tx\ty\n", f.title, f.y, f.x)
	for _, l := range lines {
		for i := range l.x {
			fmt.Fprintf(&out, "%s\t%.4g\t%.4g\n", l.name, l.x[i], l.y[i])
		}
	}
	return os.WriteFile(name+".tsv", out.Bytes(), 0o644)
}

// draw makes the picture. The same lines give the same octets.
func (f figure) draw(lines []line) ([]byte, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = f.title, f.x, f.y
	p.Y.Min = 0
	if f.log {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(decades)
	}
	p.Add(plotter.NewGrid())
	for i, l := range lines {
		xy := make(plotter.XYs, len(l.x))
		for k := range xy {
			xy[k].X, xy[k].Y = l.x[k], l.y[k]
		}
		drawn, err := plotter.NewLine(xy)
		if err != nil {
			return nil, err
		}
		drawn.Color, drawn.Width = inks[i%len(inks)], vg.Points(1.5)
		p.Add(drawn)
		p.Legend.Add(l.name, drawn)
	}
	p.Y.Min = 0
	p.Y.Max = max(p.Y.Max*1.02, 0.1)
	canvas := vgsvg.New(560, 420)
	page := vgdraw.New(canvas)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	// The legend stands below, where no line is.
	below := vg.Points(float64(17*len(lines) + 6))
	p.Legend.Left, p.Legend.Top = true, true
	p.Legend.XOffs = vg.Points(40)
	p.Legend.Padding = vg.Points(3)
	legend := p.Legend
	p.Legend = plot.NewLegend()
	legend.Draw(vgdraw.Crop(page, 0, 0, 0, -(420 - below)))
	p.Draw(vgdraw.Crop(page, 8, -12, below, -6))
	var b bytes.Buffer
	_, err := canvas.WriteTo(&b)
	// Who has no Liberation mostly has a font of the same widths.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Serif;"), []byte("font-family:Liberation Serif,Times,serif;")), err
}

// decades marks the powers of ten.
func decades(low, high float64) (ticks []plot.Tick) {
	for v := 1e-3; v <= high; v *= 10 {
		if v*1.0001 >= low {
			ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 6, 64)})
		}
	}
	return ticks
}

// distribution gives, for a row of times, what share of all took at most so long.
func distribution(all []float32) (x, y []float64) {
	slices.Sort(all)
	at := 0
	for ms := 0.1; ms < 25_000; ms *= 1.08 {
		for at < len(all) && float64(all[at]) <= ms {
			at++
		}
		x, y = append(x, ms), append(y, 100*float64(at)/float64(max(1, len(all))))
	}
	return x, y
}

// over is the share of a distribution that is over a time.
func over(l line, ms float64) float64 {
	for i, x := range l.x {
		if x >= ms {
			return 100 - l.y[i]
		}
	}
	return 0
}

// median is the time that half of a distribution is not over.
func median(l line) float64 {
	for i, y := range l.y {
		if y >= 50 {
			return l.x[i]
		}
	}
	return 0
}
