package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryKindOfTroubleHasAdvice walks the source: a state of trouble, and what a health check finds, says what follows and what to do.
// (That the texts are not empty is what trouble.Board.State refuses.)
func TestEveryKindOfTroubleHasAdvice(t *testing.T) {
	t.Parallel()
	kinds := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			switch name := typeName(literal.Type); name {
			case "trouble.Kind", "trouble.Problem":
				kinds++
				if fields := fieldsOf(literal); !slices.Contains(fields, "Advice") {
					t.Errorf("%s: a %s without advice: it has %q", path, name, fields)
				}
			case "trouble.Advice":
				for _, field := range []string{"Consequence", "Remedy"} {
					if fields := fieldsOf(literal); !slices.Contains(fields, field) {
						t.Errorf("%s: advice without %s: it has %q", path, field, fields)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if kinds < 30 {
		t.Errorf("only %d kinds were found", kinds)
	}
	runbooks, err := filepath.Glob(filepath.Join("..", "docs", "runbooks", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []Mode{Embedded, Distributed} {
		for _, c := range components() {
			a := adviceOf(c.id, mode)
			for _, about := range []struct{ consequence, remedy, runbook string }{{a.Failed.Consequence, a.Failed.Remedy, a.Failed.Runbook}, {a.Warned.Consequence, a.Warned.Remedy, a.Warned.Runbook}} {
				if about.consequence == "" || about.remedy == "" {
					t.Errorf("%s: %+v", c.id, a)
				}
				if about.runbook != "" && !slices.Contains(runbooks, filepath.Join("..", "docs", "runbooks", about.runbook+".md")) {
					t.Errorf("%s: there is no runbook %s", c.id, about.runbook)
				}
			}
		}
	}
}

func typeName(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := s.X.(*ast.Ident); ok {
		return x.Name + "." + s.Sel.Name
	}
	return ""
}

func fieldsOf(l *ast.CompositeLit) (names []string) {
	for _, e := range l.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok {
				names = append(names, id.Name)
			}
		}
	}
	return names
}
