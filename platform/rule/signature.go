package rule

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/fault"
)

// DefaultSignature is the template of a rule that names none.
const DefaultSignature = "{{hostname}}::{{rule}}"

// maxSignature bounds a signature, in bytes.
const maxSignature = 1024

// varbindPrefix begins a placeholder for the first variable at or under an OID: {{varbind.1.3.6.1.2.1.2.2.1.1}}.
const varbindPrefix = "varbind."

// signature is a parsed template.
type signature struct {
	parts []signaturePart
	re    *regexp.Regexp // set when a part is a group of it
	steps int            // of re
}

// signaturePart is a literal (name ""), a field of the event or rule, a named group, or a variable.
type signaturePart struct {
	text  string
	name  string
	group int
	oid   string
}

// signatureFields lists the placeholders that every rule has; a group of the same name is hidden by them.
func signatureFields() []string {
	return []string{"hostname", "rule", "team", "source", "source_ip", "app_name", "proc_id", "msg_id", "trap_oid"}
}

// Groups returns the named groups of the rule's expression, which its signature can use as {{name}}.
func (r *Rule) Groups() []string {
	out := []string{}
	if r.MatchType != Regex {
		return out
	}
	re, err := regexp.Compile(r.MatchString)
	if err != nil {
		return out
	}
	for _, name := range re.SubexpNames() {
		if name != "" && !slices.Contains(signatureFields(), name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// parseSignature reads a template; re is the rule's expression, or nil.
func parseSignature(template string, re *regexp.Regexp) (*signature, error) {
	if template == "" {
		template = DefaultSignature
	}
	sig := &signature{}
	for rest := template; rest != ""; {
		text, tail, found := strings.Cut(rest, "{{")
		if text != "" {
			sig.parts = append(sig.parts, signaturePart{text: text})
		}
		if !found {
			break
		}
		inner, after, closed := strings.Cut(tail, "}}")
		if !closed {
			return nil, fault.Field(fault.Unprocessable, "signature", "a {{ is not closed by }}")
		}
		part, err := parsePlaceholder(strings.TrimSpace(inner), re)
		if err != nil {
			return nil, err
		}
		if part.name == "group" {
			sig.re = re
		}
		sig.parts = append(sig.parts, part)
		rest = after
	}
	return sig, nil
}

func parsePlaceholder(name string, re *regexp.Regexp) (signaturePart, error) {
	known := signatureFields()
	if slices.Contains(known, name) {
		return signaturePart{name: name}, nil
	}
	if oid, ok := strings.CutPrefix(name, varbindPrefix); ok {
		oid = cleanOID(oid)
		if err := checkOID(oid); err != nil {
			return signaturePart{}, fault.Field(fault.Unprocessable, "signature", "{{%s}} %s", name, err)
		}
		return signaturePart{name: "varbind", oid: oid}, nil
	}
	if re != nil && name != "" {
		if i := re.SubexpIndex(name); i > 0 {
			return signaturePart{name: "group", group: i}, nil
		}
		known = append(known, slices.DeleteFunc(re.SubexpNames(), func(n string) bool { return n == "" })...)
	}
	return signaturePart{}, fault.Field(fault.Unprocessable, "signature",
		"{{%s}} is not known%s; there are %s, %s<OID> and the named groups of the rule's expression",
		name, didYouMean(name, known), strings.Join(known, ", "), varbindPrefix)
}

// render gives the signature of an event. The text lives in the scratch's arena: no allocation per event.
func (s *signature) render(sc *Scratch, r *Rule) string {
	var groups []int
	if s.re != nil {
		if text := sc.interruptible(s.steps); text != nil {
			groups = s.re.FindReaderSubmatchIndex(text)
		} else {
			groups = s.re.FindStringSubmatchIndex(sc.event.Message)
		}
	}
	at := sc.texts.begin()
	for i := range s.parts {
		sc.texts.add(s.parts[i].value(sc, r, groups), at)
	}
	return sc.texts.end(at)
}

func (p *signaturePart) value(sc *Scratch, r *Rule, groups []int) string {
	e := sc.event
	switch p.name {
	case "":
		return p.text
	case "hostname":
		return sc.hostname() // a clear in another spelling is about the same problem
	case "rule":
		return r.Name
	case "team":
		return r.TeamAssignment
	case "source":
		return e.Source.String()
	case "source_ip":
		return e.SourceIP
	case "app_name":
		return e.AppName
	case "proc_id":
		return e.ProcID
	case "msg_id":
		return e.MsgID
	case "trap_oid":
		return e.TrapOID
	case "group":
		if i := 2 * p.group; i < len(groups) && groups[i] >= 0 {
			return e.Message[groups[i]:groups[i+1]]
		}
		return ""
	default:
		for i := range e.Variables {
			if oidUnder(e.Variables[i].OID, p.oid) {
				return e.Variables[i].Value
			}
		}
		return ""
	}
}

// arena hands out strings from a buffer that is replaced, never rewritten, when it is full: what was handed
// out stays good, and keeps at most one buffer alive.
type arena struct{ b strings.Builder }

const arenaSize = 32 << 10

// begin makes room for one string of maxSignature bytes and gives its start.
func (a *arena) begin() int {
	if a.b.Cap()-a.b.Len() < maxSignature {
		a.b = strings.Builder{}
		a.b.Grow(arenaSize)
	}
	return a.b.Len()
}

// add appends to the string that began at start; what exceeds maxSignature is cut off between characters.
func (a *arena) add(s string, start int) {
	if room := maxSignature - (a.b.Len() - start); len(s) > room {
		for room > 0 && !utf8.RuneStart(s[room]) {
			room--
		}
		s = s[:room]
	}
	a.b.WriteString(s)
}

func (a *arena) end(start int) string { return a.b.String()[start:] }
