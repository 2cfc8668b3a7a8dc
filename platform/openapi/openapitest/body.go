package openapitest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// member is one member of a made object. Objects are made as lists, so that names can repeat and values be no JSON.
type member struct {
	name  string
	value []byte
}

// body gives the request a body in one of its media types.
func (m *Maker) body(r *Request) {
	content := r.Operation.RequestBody.Content
	kind := pick(m, slices.Sorted(maps.Keys(content)))
	media := content[kind]
	r.Header.Set("Content-Type", kind)
	if kind != "application/json" {
		r.Body = m.file(&media)
		return
	}
	members := m.object(m.resolve(media.Schema))
	if example, ok := media.Example.(map[string]any); ok && m.chance(50) {
		members = m.like(example, members)
	}
	for i := range members {
		if known := m.learnt[key(r.Operation, members[i].name)]; len(known) > 0 && m.chance(40) {
			members[i].value = asJSON(pick(m, known))
		}
	}
	if m.chance(40) {
		members, r.Twist = m.spoil(members)
	}
	r.Body = joined(members)
}

// file is a body that is no JSON.
func (m *Maker) file(media *Media) []byte {
	text, _ := media.Example.(string)
	switch m.rnd.IntN(6) {
	case 0:
		return []byte(text + pick(m, hostile()) + "," + pick(m, hostile()) + "\n")
	case 1:
		return []byte("version: 1\nrules:\n  - {name: " + pick(m, words()) + ", match_string: x, prod_handling: Ignore, dev_handling: Ignore, team_assignment: T}\n")
	case 2:
		return []byte("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c]\nrules: [*d,*d,*d,*d,*d,*d]\n")
	case 3:
		return []byte(strings.Repeat("\"", m.rnd.IntN(2000)))
	default:
		return []byte(text)
	}
}

// like is a body like the example, with a few made members instead.
func (m *Maker) like(example map[string]any, made []member) []member {
	var list []member
	for _, name := range slices.Sorted(maps.Keys(example)) {
		value, _ := json.Marshal(example[name]) // it was decoded from JSON
		list = append(list, member{name, value})
	}
	for range m.rnd.IntN(3) {
		if len(made) > 0 {
			other := pick(m, made)
			list = append(slices.DeleteFunc(list, func(x member) bool { return x.name == other.name }), other)
		}
	}
	return list
}

// resolve follows a reference and joins what allOf lists.
func (m *Maker) resolve(s map[string]any) map[string]any {
	if ref, ok := s["$ref"].(string); ok {
		return m.resolve(m.doc.named[strings.TrimPrefix(ref, "#/components/schemas/")])
	}
	for _, choice := range []string{"oneOf", "anyOf"} {
		if list, ok := s[choice].([]any); ok && s["properties"] == nil {
			return m.resolve(pick(m, list).(map[string]any))
		}
	}
	all, ok := s["allOf"].([]any)
	if !ok {
		return s
	}
	out := maps.Clone(m.resolve(all[0].(map[string]any)))
	if required, ok := s["required"].([]any); ok {
		out["required"] = required
	}
	return out
}

// object makes the members of an object: the required ones nearly always, the others now and then.
func (m *Maker) object(s map[string]any) []member {
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	var list []member
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		percent := 30
		if slices.Contains(required, any(name)) {
			percent = 95
		}
		if m.chance(percent) {
			list = append(list, member{name, m.value(properties[name].(map[string]any), 0)})
		}
	}
	if more, ok := s["additionalProperties"].(map[string]any); ok {
		for range m.rnd.IntN(3) {
			list = append(list, member{pick(m, words()), m.value(more, 1)})
		}
	}
	return list
}

// value makes a value of a schema: mostly a valid one, or one at a bound.
func (m *Maker) value(s map[string]any, depth int) []byte {
	s = m.resolve(s)
	if words, ok := s["enum"].([]any); ok {
		return asJSON(pick(m, words))
	}
	if examples, ok := s["examples"].([]any); ok && m.chance(40) {
		return asJSON(pick(m, examples))
	}
	kind := s["type"]
	if kinds, ok := kind.([]any); ok {
		kind = pick(m, kinds)
	}
	switch kind {
	case "string":
		if longest, ok := s["maxLength"].(float64); ok && m.chance(10) {
			return asJSON(strings.Repeat("y", int(longest)+m.rnd.IntN(2)))
		}
		if m.chance(20) {
			return asJSON(pick(m, hostile()))
		}
		return asJSON(pick(m, words()))
	case "integer", "number":
		return []byte(pick(m, numbers(number(s["minimum"]), number(s["maximum"]))))
	case "boolean":
		return []byte(pick(m, []string{"true", "false"}))
	case "null":
		return []byte("null")
	case "array":
		items, _ := s["items"].(map[string]any)
		var list [][]byte
		for range m.rnd.IntN(4) {
			list = append(list, m.value(items, depth+1))
		}
		return []byte("[" + string(bytes.Join(list, []byte(","))) + "]")
	case "object":
		if depth > 3 {
			return []byte("{}")
		}
		return joined(m.object(s))
	}
	return []byte(pick(m, []string{`"info"`, `"x"`, "1", "75", "-1", "0.5", "true", "null", "[]", "{}", "1e400", "123456789012345678901234567890"}))
}

func number(v any) *json.Number {
	f, ok := v.(float64)
	if !ok {
		return nil
	}
	n := json.Number(strconv.FormatFloat(f, 'f', -1, 64))
	return &n
}

func asJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return text
}

func joined(members []member) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, x := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(asJSON(x.name))
		b.WriteByte(':')
		b.Write(x.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}
