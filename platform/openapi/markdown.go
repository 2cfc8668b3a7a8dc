package openapi

import (
	"fmt"
	"strings"
)

// Markdown writes the guide as a reference page.
func (g Guide) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# API\n\nGenerated from the code; do not edit. The same for programs: [openapi.json](openapi.json), served at `/openapi.json`; for a browser: `/docs`.\n\n")
	for _, p := range g.About {
		if p.Point {
			b.WriteString("- " + p.Text + "\n")
			continue
		}
		b.WriteString(p.Text + "\n\n")
	}
	b.WriteString("Errors are told by their codes: [errors](errors.md) says what each means and what to do.\n\n| resource | operations |\n| --- | --- |\n")
	for _, group := range g.Groups {
		var names []string
		for _, e := range group.Entries {
			names = append(names, fmt.Sprintf("[%s](#%s)", e.Summary, strings.ToLower(e.ID)))
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", group.Name, group.Anchor, strings.Join(names, ", "))
	}
	for _, group := range g.Groups {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", group.Name, group.About)
		for i := range group.Entries {
			group.Entries[i].markdown(&b)
		}
	}
	b.WriteString("\n## Types\n\n`*` marks what is always there, and in a request what must be.\n")
	for _, t := range g.Types {
		fmt.Fprintf(&b, "\n### Type %s\n\n| member | is | meaning |\n| --- | --- | --- |\n", t.Name)
		for _, r := range t.Rows {
			fmt.Fprintf(&b, "| `%s`%s | %s | %s |\n", r.Name, star(r.Required), r.Type.markdown(), cell(r.About))
		}
	}
	return b.String()
}

func (e *Entry) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n`%s %s`: %s. Role: %s.", e.ID, e.Method, e.Path, e.Summary, e.Role)
	if e.About != "" {
		b.WriteString(" " + e.About)
	}
	fmt.Fprintf(b, "\n\n```\n%s\n```\n\n", e.Curl)
	if len(e.Params) > 0 {
		b.WriteString("| parameter | in | is | meaning |\n| --- | --- | --- | --- |\n")
		for _, p := range e.Params {
			fmt.Fprintf(b, "| `%s`%s | %s | %s | %s |\n", p.Name, star(p.Required), p.In, p.Type.markdown(), cell(p.About))
		}
		b.WriteByte('\n')
	}
	for _, s := range e.Bodies {
		fmt.Fprintf(b, "- Body `%s`: %s\n", s.MediaType, s.Type.markdown())
	}
	for _, a := range e.Answers {
		fmt.Fprintf(b, "- %d: %s%s%s\n", a.Status, a.About, shapesText(a.Shapes), headersText(a.Headers))
	}
	var failures []string
	for _, f := range e.Failures {
		text := fmt.Sprint(f.Status)
		for i, c := range f.Codes {
			text += []string{" ", ", "}[min(i, 1)] + "`" + string(c.Code) + "`"
		}
		failures = append(failures, text)
	}
	fmt.Fprintf(b, "- Errors: %s\n", strings.Join(failures, "; "))
}

func shapesText(list []Shape) string {
	var parts []string
	for _, s := range list {
		text := s.Type.markdown()
		if s.MediaType != JSON {
			text = "`" + s.MediaType + "`"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", or ")
}

func headersText(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; headers " + strings.Join(names, ", ")
}

func (t TypeText) markdown() string {
	if t.Name == "" {
		return cell(t.Before + t.After)
	}
	return cell(t.Before) + "[" + t.Name + "](#type-" + strings.ToLower(t.Name) + ")" + cell(t.After)
}

func star(required bool) string {
	if required {
		return "*"
	}
	return ""
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
