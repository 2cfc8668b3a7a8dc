package ui

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Budgets in bytes, compressed as a proxy would. Fonts are compressed already.
const (
	mostHTML    = 15 << 10
	mostCSS     = 14 << 10
	mostScripts = 52 << 10 // of one page
	mostChart   = 22 << 10 // the library of charts, a part of the scripts
	mostStream  = 3 << 10  // live.js, in place of htmx's extension for streams
	mostOwn     = 10 << 10 // the other scripts that are MUTT's own, of one page
	mostFonts   = 90 << 10
)

// TestSizes holds every page with all that it loads, and every file that is served, to the budgets.
func TestSizes(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.session("admin")
	asset := regexp.MustCompile(`"/static/([^"]+)\.[0-9a-f]{12}\.([a-z0-9]+)"`)
	for _, v := range append(views(), view{name: "login", path: "/login"}) {
		body := c.get(client, v.path).body
		if n := compressed(c, body); n > mostHTML && v.name != "docs" { // which has every operation of the API
			t.Errorf("%s has %d bytes of HTML, at most %d are allowed", v.path, n, mostHTML)
		}
		sums, seen := map[string]int{}, map[string]bool{}
		for _, found := range asset.FindAllStringSubmatch(body, -1) {
			name := found[1] + "." + found[2]
			if !seen[name] {
				sums[found[2]] += served(c, name)
				if own := found[2] == "js" && name != "live.js" && !strings.HasPrefix(name, "htmx") && !strings.HasPrefix(name, "uplot"); own {
					sums["own"] += served(c, name)
				}
			}
			seen[name] = true
		}
		for kind, most := range map[string]int{"css": mostCSS, "js": mostScripts, "own": mostOwn, "woff2": mostFonts} {
			if sums[kind] > most || kind == "css" && sums[kind] == 0 {
				t.Errorf("%s loads %d bytes of %s, at most %d are allowed", v.path, sums[kind], kind, most)
			}
		}
	}
	files, err := os.ReadDir(filepath.Join("..", "..", "web", "static"))
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int{}
	for _, f := range files {
		switch name := f.Name(); {
		case strings.HasPrefix(name, "uplot") || strings.HasPrefix(name, "uPlot"):
			sums["chart"] += served(c, name)
		case name == "live.js":
			sums["stream"] += served(c, name)
		case strings.HasSuffix(name, ".css"):
			sums["css"] += served(c, name)
		case strings.HasSuffix(name, ".woff2"):
			sums["fonts"] += served(c, name)
		}
	}
	for kind, most := range map[string]int{"chart": mostChart, "stream": mostStream, "css": mostCSS, "fonts": mostFonts} {
		if sums[kind] > most {
			t.Errorf("%s: %d bytes, at most %d are allowed", kind, sums[kind], most)
		}
	}
}

// served returns how many bytes a file has on its way.
func served(c *console, name string) int {
	c.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "web", "static", name))
	if err != nil {
		c.Fatal(err)
	}
	if strings.HasSuffix(name, ".woff2") {
		return len(body)
	}
	return compressed(c, string(body))
}

func compressed(c *console, body string) int {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(body))
	if err = errors.Join(err, w.Close()); err != nil {
		c.Fatal(err)
	}
	return b.Len()
}
