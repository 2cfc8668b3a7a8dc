package rule

import (
	"errors"
	"slices"

	"github.com/muttproject/mutt/platform/fault"
)

// blank is a rule of which nothing was said yet.
func blank() Rule { return Rule{MatchType: Contains, Priority: DefaultPriority, IsActive: true} }

// UnmarshalJSON reads a stored or received rule: absent fields get their defaults, names of severities are
// understood, unknown fields are skipped (a newer MUTT may have written them). What a client sends is read
// by Decode and Merge, which are strict.
func (r *Rule) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	list, err := members(data)
	if err != nil {
		return err
	}
	*r = blank()
	fields := storedFields()
	var errs faults
	for _, m := range list {
		f, known := findField(fields, m.name)
		if !known {
			continue
		}
		if n, ok := f.at(r).(*int64); ok {
			errs.add(f.decode(m.value, n))
			continue
		}
		errs.add(f.set(r, m.value))
	}
	return errors.Join(errs...)
}

// Decode reads a new rule as a client sends it and normalises it. Unknown fields are errors, except those in
// also (which the caller reads itself, such as "reason"); id and revision are ignored. Validate is the caller's.
func Decode(data []byte, also ...string) (Rule, error) {
	r := blank()
	err := r.apply(data, also)
	r.Normalize()
	return r, err
}

// Merge gives base with the fields of a patch changed, normalised; null puts a field's default back. It is as
// strict as Decode. The patch may carry base's id, never another one.
func Merge(base Rule, patch []byte, also ...string) (Rule, error) {
	r := base
	err := r.apply(patch, also)
	r.Normalize()
	return r, err
}

func (r *Rule) apply(data []byte, also []string) error {
	list, err := members(data)
	if err != nil {
		return err
	}
	fields := ruleFields()
	var errs faults
	for _, m := range list {
		f, known := findField(fields, m.name)
		switch {
		case known:
			errs.add(f.input(r, m.value))
		case m.name == "id":
			var id int64
			if err := (field{"id", func(r *Rule) any { return &r.ID }}).decode(m.value, &id); err != nil {
				errs.add(err)
			} else if r.ID != 0 && id != r.ID {
				errs.field("id", "%d is not the id of this rule, which is %d; an id cannot be changed", id, r.ID)
			}
		case m.name == "revision": // ignored, but a number
			var revision int64
			errs.add((field{"revision", func(r *Rule) any { return &r.Revision }}).decode(m.value, &revision))
		case slices.Contains(also, m.name), slices.Contains(identityFields(), m.name):
		default:
			errs.add(unknownField(m.name, append(fieldNames(fields), also...)))
		}
	}
	return errors.Join(errs...)
}

func unknownField(name string, known []string) *fault.Error {
	return fault.Field(fault.Unprocessable, cut(name, 60), "is not a field of a rule%s", didYouMean(name, known))
}
