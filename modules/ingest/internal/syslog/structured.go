package syslog

import "strings"

// Limits of structured data that is taken apart; beyond them it stays in the message. They bound the work on a
// hostile line, and keep an event below the intake's 256 KiB: escaping makes JSON up to six times as long.
const (
	maxElements = 128
	maxParams   = 128 // of one element
	maxObject   = 64 << 10
)

// sdParam is one PARAM-NAME="PARAM-VALUE", the value still escaped.
type sdParam struct {
	name, value string
	escaped     bool
}

type sdScratch struct {
	ids    []string
	params []sdParam
}

// structured reads "- MSG" or "[id name="value" …]… MSG" (RFC 5424 section 6.3), writes the elements to the fields
// as {"structured_data":{id:{name:value}}} and gives the message. A parameter that comes several times becomes
// an array. Damaged structured data is left in the message.
func (p *Parser) structured(s string) (message string) {
	if s == "-" {
		return ""
	}
	if strings.HasPrefix(s, "- ") {
		return s[2:]
	}
	if !strings.HasPrefix(s, "[") {
		return s
	}
	before := p.object
	p.object.key("structured_data").raw("{")
	p.sd.ids = p.sd.ids[:0]
	rest, ok := s, true
	for strings.HasPrefix(rest, "[") && ok {
		rest, ok = p.element(rest[1:])
	}
	p.object.raw("}")
	if !ok || len(p.object.b) > maxObject || rest != "" && rest[0] != ' ' {
		p.object = before
		return s
	}
	return strings.TrimPrefix(rest, " ")
}

// element reads one element after its bracket and writes it to the fields.
func (p *Parser) element(s string) (rest string, ok bool) {
	id, s := cutName(s)
	if id == "" || len(p.sd.ids) == maxElements {
		return s, false
	}
	for _, seen := range p.sd.ids {
		if seen == id { // RFC 5424 section 6.3.2 forbids it
			return s, false
		}
	}
	p.sd.params = p.sd.params[:0]
	for strings.HasPrefix(s, " ") {
		var param sdParam
		if param, s, ok = cutParam(s[1:]); !ok || len(p.sd.params) == maxParams {
			return s, false
		}
		p.sd.params = append(p.sd.params, param)
	}
	if !strings.HasPrefix(s, "]") || len(p.object.b) > maxObject {
		return s, false
	}
	if len(p.sd.ids) > 0 {
		p.object.raw(",")
	}
	p.sd.ids = append(p.sd.ids, id)
	p.object.quoted(id).raw(":{")
	p.writeParams()
	p.object.raw("}")
	return s[1:], true
}

// writeParams writes the members of one element.
func (p *Parser) writeParams() {
	params := p.sd.params
	for i := range params {
		name := params[i].name
		if seenBefore(params[:i], name) {
			continue
		}
		if i > 0 {
			p.object.raw(",")
		}
		p.object.quoted(name).raw(":")
		more := seenBefore(params[i+1:], name)
		if more {
			p.object.raw("[")
		}
		p.object.param(&params[i])
		for j := i + 1; more && j < len(params); j++ {
			if params[j].name == name {
				p.object.raw(",").param(&params[j])
			}
		}
		if more {
			p.object.raw("]")
		}
	}
}

func seenBefore(params []sdParam, name string) bool {
	for i := range params {
		if params[i].name == name {
			return true
		}
	}
	return false
}

// cutParam takes name="value" off s. In a value '"', '\' and ']' are escaped by '\'; before any other character
// the backslash stands for itself (section 6.3.3).
func cutParam(s string) (param sdParam, rest string, ok bool) {
	param.name, s = cutName(s)
	if param.name == "" || !strings.HasPrefix(s, `="`) {
		return param, s, false
	}
	s = s[2:]
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i+1 < len(s) && escapable(s[i+1]) {
				param.escaped = true
				i++
			}
		case '"':
			param.value = s[:i]
			return param, s[i+1:], true
		case ']':
			return param, s, false
		}
	}
	return param, s, false
}

// cutName takes an SD-NAME off s: printable ASCII but '=', ' ', ']' and '"'. "" when there is none.
func cutName(s string) (name, rest string) {
	i := 0
	for i < len(s) && s[i] > ' ' && s[i] < 0x7f && s[i] != '=' && s[i] != ']' && s[i] != '"' {
		i++
	}
	return s[:i], s[i:]
}

func escapable(c byte) bool { return c == '"' || c == '\\' || c == ']' }
