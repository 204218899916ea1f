package main

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A chart is one picture: a panel for each work, in it a row for each server.
type chart struct {
	file    string // what follows the table's name in the file's
	title   string
	how     string // to read a row
	axis    string // what is along each panel, and its unit
	scale   float64
	works   []string
	metrics []string // one is a bar; two are the ends of a line, on a logarithmic axis
}

// charts are those that there may be.
func charts() []chart {
	var works []string
	for _, m := range mixes {
		works = append(works, m.name)
	}
	works = append(works, workUpdates)
	const bar = "Bar: median of the rounds. Thin line: least to greatest."
	return []chart{
		{"cpu", "Processor time of the server for each operation: less is better", bar, "µs of one processor", 1, works, []string{"cpu"}},
		{"rate", "Operations a second on one processor: more is better", bar, "thousand a second", 1000, works, []string{"rate"}},
		{"latency", "Time until the reply: less is better", "Point: p50, half of the replies are sooner. Ring: p99, all but one in a hundred are. Medians of the rounds.",
			"ms, logarithmic", 1000, append(works, workQuiet, workBusy), []string{"p50", "p99"}},
	}
}

// redraw draws the charts of a table's file beside it.
func (o *options) redraw(context.Context) error {
	t, err := loadTable(o.plot)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	_, err = t.draw(strings.TrimSuffix(o.plot, ".tsv"))
	return err
}

// draw writes the charts of which the table has anything to files that begin
// with a name. The same table gives the same octets.
func (t *table) draw(name string) (files []string, err error) {
	for _, c := range charts() {
		svg := t.svg(c)
		if svg == nil {
			continue
		}
		file := name + "-" + c.file + ".svg"
		err := save(file, func(w io.Writer) error {
			_, err := w.Write(svg)
			return err
		})
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// writeLinks writes Markdown that shows pictures in the same folder.
func writeLinks(w io.Writer, files []string) error {
	for _, f := range files {
		base := filepath.Base(f)
		if _, err := fmt.Fprintf(w, "\n![%s](%s)\n", strings.TrimSuffix(base, ".svg"), base); err != nil {
			return err
		}
	}
	return nil
}

// Sizes on the page, in points.
const (
	pageWidth  = 560
	headHeight = 46
	footHeight = 16
	rowHeight  = 15
	panelExtra = 62 // of a panel beside its rows
	textSize   = 9
)

// svg draws one chart; nil if the table has nothing for it.
func (t *table) svg(c chart) []byte {
	var panels []*plot.Plot
	most := 0
	for _, work := range c.works {
		if r := t.rowsOf(c, work); len(r.rows) > 0 {
			panels = append(panels, newPanel(c, work, r))
			most = max(most, len(r.rows))
		}
	}
	if len(panels) == 0 {
		return nil
	}
	columns := min(2, len(panels))
	lines := (len(panels) + columns - 1) / columns
	width := vg.Length(pageWidth)
	height := vg.Length(headHeight + footHeight + lines*(panelExtra+rowHeight*most))
	canvas := vgsvg.New(width, height)
	page := vgdraw.New(canvas)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	t.writeAround(page, c)
	drawPanels(vgdraw.Crop(page, 8, -10, footHeight, -headHeight), panels, lines, columns)
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		panic(err) // a Buffer takes everything
	}
	// Who has no Liberation Sans mostly has a font of the same widths.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
}

// writeAround writes what stands above and below the panels.
func (t *table) writeAround(page vgdraw.Canvas, c chart) {
	style := textStyle(13, inkDark)
	page.FillText(style, vg.Point{X: 8, Y: page.Max.Y - 20}, c.title)
	page.FillText(textStyle(textSize, inkLight), vg.Point{X: 8, Y: page.Max.Y - 35}, c.how)
	var about []string
	for _, a := range t.about {
		if slices.Contains([]string{"commit", "date", "machine"}, a[0]) {
			about = append(about, a[1])
		}
	}
	page.FillText(textStyle(7, inkLight), vg.Point{X: 8, Y: 6}, strings.Join(about, "; "))
}

// drawPanels draws panels in lines, all of one size.
func drawPanels(page vgdraw.Canvas, panels []*plot.Plot, lines, columns int) {
	grid := make([][]*plot.Plot, lines)
	for i := range grid {
		grid[i] = make([]*plot.Plot, columns)
		copy(grid[i], panels[i*columns:])
	}
	tiles := vgdraw.Tiles{Rows: lines, Cols: columns, PadX: 14, PadY: 12}
	for i, line := range plot.Align(grid, tiles, page) {
		for j, at := range line {
			if grid[i][j] != nil {
				grid[i][j].Draw(at)
			}
		}
	}
}

var (
	inkDark  = color.RGBA{0x22, 0x22, 0x22, 0xff}
	inkLight = color.RGBA{0x66, 0x66, 0x66, 0xff}
	inkGrid  = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}
	inkOurs  = color.RGBA{0x1f, 0x6f, 0xb4, 0xff} // nc-serve
	inkPeer  = color.RGBA{0x9a, 0xa5, 0xae, 0xff}
	inkFloor = color.RGBA{0xd3, 0xd8, 0xdc, 0xff} // what only sends back
)

// inkOf is the colour of a server.
func inkOf(server string) color.Color {
	switch server {
	case ncServe:
		return inkOurs
	case "echo":
		return inkFloor
	}
	return inkPeer
}

func textStyle(size vg.Length, ink color.Color) text.Style {
	s := text.Style{Color: ink, Font: plot.DefaultFont, Handler: plot.DefaultTextHandler}
	s.Font.Variant, s.Font.Size = "Sans", size
	return s
}

// A row is what a panel has of one server.
type row struct {
	server         string
	low, mid, high float64 // of the first metric
	tail           float64 // median of the second
}

// rows are the contents of a panel, from the top down; the plotter of it.
type rows struct {
	rows   []row
	spread bool // there are two metrics
}

// rowsOf finds what the table has for a panel, in the order of the table.
func (t *table) rowsOf(c chart, work string) rows {
	r := rows{spread: len(c.metrics) > 1}
	for _, at := range t.cells {
		if at.work != work || at.metric != c.metrics[0] {
			continue
		}
		low, mid, high, _ := t.spread(at)
		x := row{server: at.server, low: low / c.scale, mid: mid / c.scale, high: high / c.scale}
		if r.spread {
			_, tail, _, _ := t.spread(cell{work, at.server, c.metrics[1]})
			x.tail = tail / c.scale
			if x.mid <= 0 || x.tail <= 0 { // a logarithm has no place for it
				continue
			}
		}
		r.rows = append(r.rows, x)
	}
	return r
}

// newPanel makes the axes of a panel.
func newPanel(c chart, work string, r rows) *plot.Plot {
	p := plot.New()
	p.Title.Text = panelTitle(work)
	p.Title.TextStyle = textStyle(10.5, inkDark)
	p.Title.TextStyle.XAlign, p.Title.TextStyle.YAlign = vgdraw.XCenter, vgdraw.YTop
	p.Title.Padding = 4
	p.X.Label.Text = c.axis
	p.X.Label.TextStyle = textStyle(textSize, inkLight)
	p.X.Label.TextStyle.XAlign, p.X.Label.TextStyle.YAlign = vgdraw.XCenter, vgdraw.YBottom
	p.X.Tick.Label = textStyle(textSize, inkLight)
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = vgdraw.XCenter, vgdraw.YTop
	p.Y.Tick.Label = textStyle(textSize, inkDark)
	p.Y.Tick.Label.XAlign, p.Y.Tick.Label.YAlign = vgdraw.XRight, vgdraw.YCenter
	p.X.Tick.Length, p.Y.Tick.Length = 0, 0
	p.X.LineStyle.Width, p.Y.LineStyle.Width = 0, 0
	p.X.Padding, p.Y.Padding = 2, 6
	var names []plot.Tick
	for i, x := range r.rows {
		names = append(names, plot.Tick{Value: r.height(i), Label: x.server})
	}
	p.Y.Tick.Marker = plot.ConstantTicks(names)
	p.X.Tick.Marker = plot.TickerFunc(steps)
	if r.spread {
		p.X.Scale = plot.LogScale{}
		p.X.Tick.Marker = plot.TickerFunc(decades)
	}
	p.Add(r)
	return p
}

// panelTitle is what a panel's work is called.
func panelTitle(work string) string {
	switch work {
	case workUpdates:
		return "updates, durable"
	case workQuiet:
		return "answers, paced, no updates"
	case workBusy:
		return "answers, paced, with updates"
	}
	return "answers, " + work
}

// steps are at most six multiples of 1, 2 or 5 times a power of ten in a range.
func steps(low, high float64) (ticks []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10(high-low))-1)
	for _, k := range []float64{2, 2.5, 2, 2, 2.5} {
		if (high-low)/step <= 5 {
			break
		}
		step *= k
	}
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: fmt.Sprintf("%.6g", i*step)})
	}
	return ticks
}

// decades are the powers of ten in a range, with all between them unlabelled.
func decades(low, high float64) (ticks []plot.Tick) {
	for e := math.Floor(math.Log10(low)); math.Pow(10, e) <= high; e++ {
		for k := 1.0; k < 10; k++ {
			v := k * math.Pow(10, e)
			if v < low || v > high {
				continue
			}
			t := plot.Tick{Value: v}
			if k == 1 {
				t.Label = fmt.Sprintf("%.6g", v)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// height is where a row stands on the vertical axis.
func (r rows) height(i int) float64 { return float64(len(r.rows) - 1 - i) }

// DataRange implements plot.DataRanger, with room for the figures at the right.
func (r rows) DataRange() (xmin, xmax, ymin, ymax float64) {
	ymin, ymax = -0.5, float64(len(r.rows))-0.5
	if !r.spread {
		for _, x := range r.rows {
			xmax = max(xmax, x.high)
		}
		return 0, max(1.2*xmax, 1e-3), ymin, ymax
	}
	xmin = math.Inf(1)
	for _, x := range r.rows {
		xmin, xmax = min(xmin, x.mid, x.tail), max(xmax, x.mid, x.tail)
	}
	// At least one power of ten is in the range, so that the axis has a figure.
	xmin, xmax = xmin/2.5, xmax*2.5
	return min(xmin, math.Pow(10, math.Floor(math.Log10(xmax)))), xmax, ymin, ymax
}

// Plot implements plot.Plotter.
func (r rows) Plot(c vgdraw.Canvas, p *plot.Plot) {
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if x := c.X(p.X.Norm(t.Value)); !t.IsMinor() {
			c.StrokeLine2(vgdraw.LineStyle{Color: inkGrid, Width: 0.5}, x, c.Min.Y, x, c.Max.Y)
		}
	}
	for i, x := range r.rows {
		at := func(v float64) vg.Length { return c.X(p.X.Norm(v)) }
		y := c.Y(p.Y.Norm(r.height(i)))
		if r.spread {
			x.drawSpread(c, at, y)
		} else {
			x.drawBar(c, at, y)
		}
	}
}

// drawBar draws the median as a bar, and a line from the least to the greatest.
func (x row) drawBar(c vgdraw.Canvas, at func(float64) vg.Length, y vg.Length) {
	const half = 4.5
	c.FillPolygon(inkOf(x.server), []vg.Point{{X: at(0), Y: y - half}, {X: at(x.mid), Y: y - half}, {X: at(x.mid), Y: y + half}, {X: at(0), Y: y + half}})
	line := vgdraw.LineStyle{Color: inkDark, Width: 0.8}
	c.StrokeLine2(line, at(x.low), y, at(x.high), y)
	for _, end := range []float64{x.low, x.high} {
		c.StrokeLine2(line, at(end), y-2, at(end), y+2)
	}
	x.write(c, at(x.high)+4, y, vgdraw.XLeft, x.mid)
}

// drawSpread draws two points and a line between them.
func (x row) drawSpread(c vgdraw.Canvas, at func(float64) vg.Length, y vg.Length) {
	ink := inkOf(x.server)
	c.StrokeLine2(vgdraw.LineStyle{Color: ink, Width: 2}, at(x.mid), y, at(x.tail), y)
	c.DrawGlyph(vgdraw.GlyphStyle{Color: ink, Radius: 3.5, Shape: vgdraw.CircleGlyph{}}, vg.Point{X: at(x.mid), Y: y})
	c.DrawGlyph(vgdraw.GlyphStyle{Color: color.White, Radius: 3.5, Shape: vgdraw.CircleGlyph{}}, vg.Point{X: at(x.tail), Y: y})
	c.DrawGlyph(vgdraw.GlyphStyle{Color: ink, Radius: 3.5, Shape: vgdraw.RingGlyph{}}, vg.Point{X: at(x.tail), Y: y})
	x.write(c, at(x.mid)-6, y, vgdraw.XRight, x.mid)
	x.write(c, at(x.tail)+6, y, vgdraw.XLeft, x.tail)
}

// write writes a figure beside a row.
func (x row) write(c vgdraw.Canvas, at, y vg.Length, side vgdraw.XAlignment, v float64) {
	style := textStyle(8, inkDark)
	style.XAlign, style.YAlign = side, vgdraw.YCenter
	word := figure(v)
	if v < 1 {
		word = fmt.Sprintf("%.3f", v)
	}
	c.FillText(style, vg.Point{X: at, Y: y}, word)
}
