package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that are told apart also by who sees few, and in grey.
var (
	grey   = color.RGBA{150, 150, 150, 255}
	orange = color.RGBA{230, 120, 0, 255}
	blue   = color.RGBA{0, 90, 180, 255}
)

// drawing is one picture: what it is called, and its plot; nil where nothing was measured.
type drawing struct {
	name string
	make func(before, now results) *plot.Plot
}

func drawings() []drawing {
	return []drawing{{"append", appendPlot}, {"bytes", bytesPlot}, {"batches", batchesPlot}, {"query", queryPlot}, {"decide", decidePlot}, {"fleet", fleetPlot}}
}

// drawAll writes the pictures.
func drawAll(dir string, before, now results) error {
	var errs []error
	for _, d := range drawings() {
		p := d.make(before, now)
		if p == nil {
			continue
		}
		errs = append(errs, save(p, filepath.Join(dir, d.name+".svg")))
	}
	return errors.Join(errs...)
}

const width, height = 16 * vg.Centimeter, 9 * vg.Centimeter

func save(p *plot.Plot, path string) error {
	canvas := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(6), -vg.Points(18), vg.Points(6), -vg.Points(6)))
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// Few machines have the font by whose measures it was laid out.
	text := strings.ReplaceAll(svg.String(), "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,sans-serif;")
	return os.WriteFile(path, []byte(text), 0o644)
}

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	for _, f := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Typeface, f.Variant = "Liberation", "Sans"
	}
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding, p.Legend.Padding, p.Legend.Top, p.Legend.Left = vg.Points(6), vg.Points(2), true, true
	return p
}

// line adds one line with its points, if there are any.
func line(p *plot.Plot, name string, c color.Color, points plotter.XYs) bool {
	if len(points) == 0 {
		return false
	}
	l, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return false
	}
	l.Color, l.Width, dots.Color, dots.Shape = c, vg.Points(1.5), c, draw.CircleGlyph{}
	p.Add(l, dots)
	p.Legend.Add(name, l, dots)
	return true
}

func appendPlot(before, now results) *plot.Plot {
	p := newPlot("A durable append, p50, and the bare write and sync beside it", "added to each sync, ms", "ms")
	p.X.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 5, Label: "5"}, {Value: 20, Label: "20"}, {Value: 50, Label: "50"}}
	points := func(r results, unit string) (all plotter.XYs) {
		for i, bench := range []string{append0, append5, append20, append50} {
			if v, ok := r.middle(bench, unit); ok {
				all = append(all, plotter.XY{X: []float64{0, 5, 20, 50}[i], Y: v / 1000})
			}
		}
		return all
	}
	p.Add(plotter.NewGrid())
	if !line(p, "now", blue, points(now, "p50-us")) {
		return nil
	}
	line(p, "before", orange, points(before, "p50-us"))
	line(p, "pwrite + fdatasync", grey, points(now, "limit-p50-us"))
	return p
}

// costs are the groups of the picture of an SD card.
func costs() (names []string, of func(results) plotter.Values, limit func(results) plotter.Values) {
	names = []string{"an entry", "a passage off line", "a passage on line"}
	pick := func(r results, units [3]string) plotter.Values {
		var v plotter.Values
		for i, bench := range []string{entry, passage, passage} {
			x, ok := r.middle(bench, "KB_"+units[i])
			if !ok {
				return nil
			}
			v = append(v, x)
		}
		return v
	}
	return names, func(r results) plotter.Values { return pick(r, [3]string{"entry", "offline", "online"}) },
		func(r results) plotter.Values { return pick(r, [3]string{"limit", "limit", "limit"}) }
}

func bytesPlot(before, now results) *plot.Plot {
	p := newPlot("What is written to an SD card", "", "KB")
	names, of, limit := costs()
	groups := []struct {
		name   string
		colour color.Color
		values plotter.Values
	}{{"before", orange, of(before)}, {"now", blue, of(now)}, {"one bare sync for each entry", grey, limit(now)}}
	for i, g := range groups {
		if g.values == nil {
			return nil
		}
		at := float64(i-1) * 0.27
		b, err := plotter.NewBarChart(g.values, vg.Points(32))
		if err != nil {
			return nil
		}
		b.Color, b.LineStyle.Width, b.XMin = g.colour, 0, at
		p.Add(b)
		p.Legend.Add(g.name, b)
		label(p, g.values, at)
	}
	p.NominalX(names...)
	p.Y.Max *= 1.08
	return p
}

// label writes the figure above each bar.
func label(p *plot.Plot, values plotter.Values, shift float64) {
	var at plotter.XYLabels
	for i, v := range values {
		at.XYs, at.Labels = append(at.XYs, plotter.XY{X: float64(i) + shift, Y: v}), append(at.Labels, figure(v))
	}
	l, err := plotter.NewLabels(at)
	if err != nil {
		return
	}
	for i := range l.TextStyle {
		l.TextStyle[i].XAlign, l.TextStyle[i].Font.Typeface, l.TextStyle[i].Font.Variant = draw.XCenter, "Liberation", "Sans"
	}
	l.Offset = vg.Point{Y: vg.Points(2)}
	p.Add(l)
}

// curve is one line of a plot over a scale of powers of ten.
type curve struct {
	name   string
	colour color.Color
	points plotter.XYs
}

// curves draws lines; nil where nothing was measured.
func curves(title, x, y string, list ...curve) *plot.Plot {
	p, some := newPlot(title, x, y), false
	logarithmic(p)
	for _, c := range list {
		some = line(p, c.name, c.colour, c.points) || some
	}
	if !some {
		return nil
	}
	return p
}

// queryPlot has the processor's time of an answer by how many rows the city has.
func queryPlot(_, now results) *plot.Plot {
	of := func(ask string) plotter.XYs {
		return now.over("internal/registry/front/query Entries/", "/"+ask, "cpu-ns/op", 1e6)
	}
	return curves("Entries of one building, processor's time of the whole answer", "entries of the city", "ms",
		curve{"the first of a day", grey, of("first")}, curve{"a day, 180", blue, of("day")}, curve{"2,000", orange, of("2000")})
}

func decidePlot(_, now results) *plot.Plot {
	of := func(unit string) plotter.XYs { return now.over("internal/access Decide/", "", unit, 1) }
	return curves("One decision, and one lookup in a bare map beside it", "grants", "ns",
		curve{"Decide", blue, of("ns/op")}, curve{"bare map", grey, of("ns/bare-map")})
}

// fleetPlot has what many gateways cost the front; MiB and milliseconds are of one size.
func fleetPlot(_, now results) *plot.Plot {
	of := func(unit string) plotter.XYs { return now.over("cmd/gatesim Fleet/", "", unit, 1) }
	return curves("Connected gateways: memory of the front, revocations", "gateways", "MiB, ms",
		curve{"memory, MiB", blue, of("MiB")}, curve{"a revocation, p50, ms", grey, of("revocation-p50-ms")}, curve{"p99, ms", orange, of("revocation-p99-ms")})
}

// batchesPlot has how fast entries come out of a journal, and into the registry, by how many are in a message.
func batchesPlot(_, now results) *plot.Plot {
	p := curves("Entries a second, by how many are in a batch", "entries in a batch", "entries/s",
		curve{"journal to ack, where nobody stores them", blue, now.over("sync/uplink Drain/", "", "entries/s", 1)},
		curve{"registry, stored and signed for", orange, now.over("internal/registry/front Ingest/", "", "entries/s", 1)})
	if p != nil {
		p.Y.Scale, p.Y.Tick.Marker, p.Y.Min = plot.LogScale{}, plot.TickerFunc(tenfold), 100
	}
	return p
}

func logarithmic(p *plot.Plot) {
	p.Add(plotter.NewGrid())
	p.X.Scale, p.X.Tick.Marker, p.Y.Min = plot.LogScale{}, plot.TickerFunc(tenfold), 0
}

// tenfold has a tick at each power of ten.
func tenfold(least, most float64) (ticks []plot.Tick) {
	for x := 1.0; x <= most*1.01; x *= 10 {
		if x >= least*0.99 {
			ticks = append(ticks, plot.Tick{Value: x, Label: thousands(int64(x))})
		}
	}
	return ticks
}

// over is a unit by the number that stands in a benchmark's name, in order.
func (r results) over(head, tail, unit string, per float64) (points plotter.XYs) {
	for _, n := range []int{1, 10, 100, 300, 1000, 10_000, 100_000, 200_000, 1_000_000, 10_000_000} {
		if v, ok := r.middle(fmt.Sprint(head, n, tail), unit); ok {
			points = append(points, plotter.XY{X: float64(n), Y: v / per})
		}
	}
	return points
}
