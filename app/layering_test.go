package app

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/muttproject/mutt/"

// thirdParty says where a client library may be imported: paths are prefixes below the module.
func thirdParty() map[string][]string {
	storage := []string{"platform/connect/", "platform/queue/sqliteq", "platform/queue/redisq", "platform/coord", "platform/store"}
	return map[string][]string{
		"modernc.org/sqlite":                   storage,
		"github.com/jackc/pgx":                 storage,
		"github.com/redis/rueidis":             storage,
		"github.com/hashicorp/vault-client-go": {"platform/connect/vault"},
		"github.com/hashicorp/vault":           {"platform/testkit/vaultserver"},
		"github.com/labstack/echo":             {"platform/httpserver", "modules/ingest/internal/httpin", "modules/ui/internal/api", "modules/ui/internal/page"},
		"github.com/a-h/templ":                 {"modules/ui/internal/page"},
		"github.com/chromedp":                  {"modules/ui", "app/acceptance"},
		"github.com/spf13/cobra":               {"app/cli"},
		"github.com/pressly/goose":             {"platform/store"},
		"github.com/leodido/go-syslog":         {"modules/ingest/internal/syslog"},
		"github.com/go-json-experiment":        {"modules/ingest/internal/decode", "modules/ui/internal/api"},
		"github.com/prometheus/client_golang":  {"platform/", "modules/", "app"},
		"go.uber.org/zap":                      {"platform/", "modules/", "app"},
		"github.com/klauspost/compress":        {"platform/event", "modules/ingest/internal/httpin"},
		"github.com/rogpeppe/go-internal":      {"app/cli"},
		"github.com/santhosh-tekuri":           {"platform/openapi/openapitest"},
		"github.com/google/uuid":               {"platform/", "modules/", "app"},
		"go.yaml.in/yaml":                      {"platform/rule", "platform/config", "platform/secret", "platform/yamltext", "app/cli"},
		"golang.org/x/term":                    {"app/cli"},
		"golang.org/x/text":                    {"platform/terminal"},
	}
}

// file is a Go file of the repository with its imports.
type file struct {
	path    string // slash-separated, below the root
	imports []string
}

// TestImports holds the four import rules of docs/architecture.md. It reads the files itself: a test that asks
// 'go list' would be answered from the cache after a change.
func TestImports(t *testing.T) {
	t.Parallel()
	files := goFiles(t, "..")
	checked := 0
	for _, f := range files {
		for _, imp := range f.imports {
			checked++
			if why := violation(f.path, imp); why != "" {
				t.Errorf("%s imports %s: %s", f.path, imp, why)
			}
		}
	}
	if len(files) < 50 || checked < 500 {
		t.Fatalf("only %d files and %d imports were seen: the walk is broken", len(files), checked)
	}
}

func violation(path, imp string) string {
	rel, own := strings.CutPrefix(imp, module)
	dir := filepath.ToSlash(filepath.Dir(path))
	// apptest and the packages named *test are parts of tests that several packages share.
	shared := strings.HasSuffix(dir, "test") || strings.HasSuffix(path, "_test.go")
	if own && strings.HasPrefix(rel, "platform/testkit") && !shared {
		return "only tests start servers"
	}
	switch {
	case own && strings.HasPrefix(dir, "modules/"):
		if strings.HasPrefix(rel, "modules/") && part(rel) != part(dir) {
			return "modules never import each other"
		}
		if rel == "app" || strings.HasPrefix(rel, "app/") {
			return "only app wires"
		}
	case own && strings.HasPrefix(dir, "platform/"):
		for _, top := range []string{"modules", "app", "web"} {
			if rel == top || strings.HasPrefix(rel, top+"/") {
				return "platform imports neither modules nor app nor web"
			}
		}
	case own && (dir == "web" || dir == "migrations"):
		return "web and migrations only embed files"
	}
	for lib, places := range thirdParty() {
		if imp == lib || strings.HasPrefix(imp, lib+"/") {
			if !slices.ContainsFunc(places, func(p string) bool { return strings.HasPrefix(dir+"/", strings.TrimSuffix(p, "/")+"/") }) {
				return lib + " is imported only by " + strings.Join(places, ", ")
			}
		}
	}
	return ""
}

// part gives the module's name of a path below modules/.
func part(path string) string { return strings.SplitN(path, "/", 3)[1] }

func TestImportRulesCatch(t *testing.T) {
	t.Parallel()
	for _, bad := range [][2]string{
		{"modules/alert/internal/worker/x.go", module + "modules/ingest"},
		{"modules/alert/alert.go", module + "app"},
		{"platform/queue/queue.go", module + "modules/alert"},
		{"platform/queue/queue.go", module + "web"},
		{"platform/rule/rule.go", "modernc.org/sqlite"},
		{"modules/forward/forward.go", "github.com/labstack/echo/v4"},
		{"app/app.go", "github.com/spf13/cobra"},
		{"modules/ui/ui.go", "github.com/jackc/pgx/v5/pgxpool"},
		{"app/distributed.go", module + "platform/testkit"},
	} {
		if violation(bad[0], bad[1]) == "" {
			t.Errorf("%s may not import %s", bad[0], bad[1])
		}
	}
	if why := violation("modules/ui/internal/api/x.go", module+"modules/ui/internal/page"); why != "" {
		t.Error("a module may import itself: " + why)
	}
}

// TestNoInitAndPackageDocs holds two of the house rules.
func TestNoInitAndPackageDocs(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, f := range goFiles(t, "..") {
		src, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", f.path), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		dir := filepath.Dir(f.path)
		documented[dir] = documented[dir] || src.Doc.Text() != ""
		if o := src.Scope.Lookup("init"); o != nil {
			t.Errorf("%s has an init function", f.path)
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", dir)
		}
	}
}

// TestFilesAreWrittenInOnePlace: the product creates and replaces files by platform/private only, which chooses their mode.
func TestFilesAreWrittenInOnePlace(t *testing.T) {
	t.Parallel()
	forbidden := []string{"os.WriteFile(", "os.Create(", "os.CreateTemp(", "os.Rename(", "os.Mkdir(", "os.MkdirAll(", "os.MkdirTemp(", "os.O_CREATE"}
	for _, f := range goFiles(t, "..") {
		dir := filepath.ToSlash(filepath.Dir(f.path))
		ofTests := strings.HasSuffix(f.path, "_test.go") || strings.HasPrefix(dir, "platform/testkit") || dir == "app/apptest"
		if ofTests || dir == "platform/private" {
			continue
		}
		src, err := os.ReadFile(filepath.Join("..", f.path))
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range forbidden {
			if strings.Contains(string(src), call) {
				t.Errorf("%s uses %s: write files by platform/private", f.path, strings.TrimSuffix(call, "("))
			}
		}
	}
}

func goFiles(t *testing.T, root string) []file {
	t.Helper()
	var out []file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "build" || name == "mutt-data") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f := file{path: filepath.ToSlash(rel)}
		for _, i := range parsed.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, p)
		}
		out = append(out, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
