package rule

import "reflect"

// Change is one difference between two rulesets.
type Change struct {
	Operation string   `json:"operation" doc:"what is done" enum:"create|update|delete"`
	Name      string   `json:"name" doc:"of the rule"`
	ID        int64    `json:"id,omitempty" doc:"of the rule that is changed or deleted"`
	Fields    []string `json:"fields,omitempty" doc:"of an update: those that differ"`
}

// Diff tells what turns the rules of old into those of new, by name: first creations and updates in the order
// of new, then deletions in the order of old. Ids and revisions do not count. Both sides are compared in their
// normalised form; when a name is repeated, its first rule counts.
func Diff(old, new []Rule) []Change {
	before, after := byName(old), byName(new)
	var changes []Change
	for i := range new {
		name := normalised(new[i]).Name
		to := after[name]
		if to.at != i {
			continue
		}
		from, exists := before[name]
		if !exists {
			changes = append(changes, Change{Operation: "create", Name: name})
		} else if fields := ChangedFields(from.rule, to.rule); len(fields) > 0 {
			changes = append(changes, Change{Operation: "update", Name: name, ID: from.rule.ID, Fields: fields})
		}
	}
	for i := range old {
		name := normalised(old[i]).Name
		if _, kept := after[name]; !kept && before[name].at == i {
			changes = append(changes, Change{Operation: "delete", Name: name, ID: old[i].ID})
		}
	}
	return changes
}

// ChangedFields names the fields in which two rules differ, ids and revisions apart.
func ChangedFields(a, b Rule) []string {
	a, b = normalised(a), normalised(b)
	var names []string
	for _, f := range ruleFields() {
		if !reflect.DeepEqual(f.at(&a), f.at(&b)) {
			names = append(names, f.name)
		}
	}
	return names
}

type placed struct {
	rule Rule
	at   int
}

func byName(rules []Rule) map[string]placed {
	m := make(map[string]placed, len(rules))
	for i := range rules {
		r := normalised(rules[i])
		if _, taken := m[r.Name]; !taken {
			m[r.Name] = placed{r, i}
		}
	}
	return m
}

// normalised gives a normalised copy in which empty lists of examples are nil.
func normalised(r Rule) Rule {
	r.Normalize()
	if r.Examples != nil {
		x := *r.Examples
		if len(x.Matches) == 0 {
			x.Matches = nil
		}
		if len(x.NotMatches) == 0 {
			x.NotMatches = nil
		}
		if len(x.Expect) == 0 {
			x.Expect = nil
		}
		r.Examples = &x
	}
	return r
}
