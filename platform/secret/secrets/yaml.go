package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/private"
	"github.com/muttproject/mutt/platform/secret"
)

// File reads one YAML file of keys and texts, which only its owner may read unless root has mounted it. Whatever else stands there is for others, but for what
// looks like a misspelt name.
type File struct{ Path string }

// Name implements Provider.
func (File) Name() string { return "file" }

// Read implements Provider.
func (f File) Read(context.Context) (Values, error) {
	text, info, exposed, err := private.Read(f.Path, maxFile)
	if unsafe, ok := fault.As(err); ok {
		return nil, fault.New(fault.ConfigInvalid, "secrets.file: %s", unsafe.Message).WithRemedy("%s", unsafe.Remedy)
	}
	if err != nil {
		return nil, fault.Wrap(fault.SecretsUnavailable, err, "the file of secrets cannot be read").WithRemedy("check secrets.file")
	}
	// The owner can close the file; where it is mounted for the process by root, as Kubernetes does, its mode is not ours to choose.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && private.Mine(info) {
		return nil, fault.New(fault.ConfigInvalid, "secrets.file: others than its owner may read or change the file (mode %#o)", mode).
			WithRemedy("run: chmod 600 %s", private.Quote(f.Path))
	}
	values, err := parseYAML(text)
	if err != nil {
		return nil, fault.New(fault.ConfigInvalid, "secrets.file: %s", err)
	}
	version := Version{"file", info.ModTime().UnixMilli()}
	for k, v := range values {
		v.Version, v.Origin, v.Exposed = version, modified(f.Path, version), exposed
		values[k] = v
	}
	return values, nil
}

// parseYAML reads keys and texts. No error repeats anything of the file but a line number and a key.
func parseYAML(text []byte) (Values, error) {
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) { // nothing but comments
			return Values{}, nil
		}
		if line := regexp.MustCompile(`line \d+`).FindString(err.Error()); line != "" {
			return nil, fmt.Errorf("%s: the file is not YAML", line)
		}
		return nil, errors.New("the file is not YAML")
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("wants keys with texts, such as \"%s: …\"", DBPass)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file has a second document: put everything into the first")
	}
	known, out, nodes, seen := namesOf(Keys()), Values{}, doc.Content[0].Content, map[Key]bool{}
	for i := 0; i+1 < len(nodes); i += 2 {
		name, value := nodes[i], nodes[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		k, tag := Key(name.Value), value.ShortTag()
		if name.ShortTag() == "!!merge" {
			return nil, fmt.Errorf("line %d: merge keys (<<) are not read: write the secrets themselves", name.Line)
		}
		if !slices.Contains(known, k) {
			if near := misspelt(name.Value, known); tag == "!!str" && near != "" {
				return nil, fmt.Errorf("line %d: this is not the name of a secret; did you mean %s?", name.Line, near)
			}
			continue
		}
		if seen[k] {
			return nil, fmt.Errorf("line %d: %s is given twice", name.Line, k)
		}
		seen[k] = true
		switch tag {
		case "!!str":
			out[k] = Value{Secret: secret.New(value.Value)}
		case "!!null":
		default: // a number without quotes has another form for other readers of YAML, even where it is kept here
			out[k] = Value{NoText: true}
		}
	}
	return out, nil
}

// misspelt returns the known name that differs from a name in its case and in at most two letters; "" for none.
func misspelt(name string, known []Key) string {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	near := config.Nearest(name, names)
	if near == "" || config.Distance(strings.ToUpper(name), near) > 2 {
		return ""
	}
	return near
}
