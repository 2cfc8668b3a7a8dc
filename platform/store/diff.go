package store

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// object is a record as the change audit shows it.
type object map[string]json.RawMessage

// objectOf gives the JSON members of a record.
func objectOf(v any) (object, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a record: %w", err)
	}
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("encode a record: %w", err)
	}
	return o, nil
}

// jsonText returns a text as a member of an object.
func jsonText(s string) json.RawMessage {
	text, err := json.Marshal(s)
	if err != nil { // which no string causes
		panic(fmt.Sprintf("store: encode a text: %v", err))
	}
	return text
}

func (o object) text() string {
	if o == nil {
		return ""
	}
	text, err := json.Marshal(o)
	if err != nil { // its members came out of json.Marshal or were checked by json.Valid
		panic(fmt.Sprintf("store: encode a checked record: %v", err))
	}
	return string(text)
}

func (o object) equal(p object) bool {
	if len(o) != len(p) {
		return false
	}
	for k, v := range o {
		if w, ok := p[k]; !ok || !bytes.Equal(v, w) {
			return false
		}
	}
	return true
}

// difference tells what happened between two states of a record. An update has on both sides the identity and
// the members that changed, null where a member is absent.
func difference(old, now object, identity []string) (op, oldText, newText string) {
	switch {
	case old == nil:
		return OpCreate, "", now.text()
	case now == nil:
		return OpDelete, old.text(), ""
	}
	before, after := object{}, object{}
	for _, k := range identity {
		before[k], after[k] = old[k], now[k]
	}
	put := func(k string) {
		if v, w := orNull(old[k]), orNull(now[k]); !bytes.Equal(v, w) {
			before[k], after[k] = v, w
		}
	}
	for k := range old {
		put(k)
	}
	for k := range now {
		put(k)
	}
	return OpUpdate, before.text(), after.text()
}

func orNull(v json.RawMessage) json.RawMessage {
	if v == nil {
		return json.RawMessage("null")
	}
	return v
}
