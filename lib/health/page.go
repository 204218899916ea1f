package health

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
)

// page is the view for a browser. It needs no script, and comes again by itself.
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>{{if .OK}}ok{{else}}NOT OK{{end}} - nc-watch {{.Node}}</title>
<style>
body { font: 14px/1.4 sans-serif; margin: 1.5em; color: #111; background: #fff }
h1 { font-size: 1.3em; padding: .6em; background: #d9f2d9 } h1.not { background: #ffd0d0 }
h2 { font-size: 1em; margin: 1.4em 0 .3em }
table { border-collapse: collapse } th, td { text-align: left; vertical-align: top; padding: .15em .8em .15em 0; border-bottom: 1px solid #ddd }
tr.bad td { background: #ffe3e3 } tr.warn td { background: #fff4d6 } p { color: #555 }
</style></head><body>
<h1{{if not .OK}} class="not"{{end}}>{{.Headline}}</h1>
<p>Node {{.Node}}, watched for {{.Up}}, as of {{.At.UTC.Format "2006-01-02 15:04:05"}} UTC. <a href="/metrics">metrics</a> <a href="/healthz">health</a></p>
{{range .Sections}}<h2>{{.Title}}</h2>
<table><tr>{{range .Head}}<th>{{.}}</th>{{end}}</tr>
{{range .Rows}}<tr{{with .Mood}} class="{{.}}"{{end}}>{{range .Cells}}<td>{{.}}</td>{{end}}</tr>
{{end}}</table>
{{end}}</body></html>
`))

// showPage answers with the page.
func (d *daemon) showPage(w http.ResponseWriter, r *http.Request) {
	v, err := d.look(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Write(b.Bytes())
}

// marks are what rows of a mood begin with in a terminal.
var marks = map[string]string{"bad": "!", "warn": "?", "": " "}

// text writes the view as lines for a terminal.
func (v *view) text(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nnode %s, watched for %v\n", v.Headline, v.Node, v.Up)
	for _, s := range v.Sections {
		fmt.Fprintf(&b, "\n%s\n", s.Title)
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "  %s\n", strings.Join(s.Head, "\t"))
		for _, r := range s.Rows {
			cells := slices.Clone(r.Cells)
			for i := range cells {
				cells[i] = cmp.Or(cells[i], "-")
			}
			fmt.Fprintf(t, "%s %s\n", marks[r.Mood], strings.Join(cells, "\t"))
		}
		t.Flush()
	}
	_, err := w.Write(b.Bytes())
	return err
}
