// Package filter reads and applies the filters of lists and watches: conditions on an object's fields, joined by AND. It is a
// small part of the grammar of AIP-160, and refuses the rest by name. It is pure. The API calls it; docs/api.md explains it to
// users.
package filter

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Filter is a checked list of conditions on one kind of message. The zero value matches everything.
type Filter struct{ conditions []condition }

// condition is FIELD OPERATOR VALUE.
type condition struct {
	path     []protoreflect.FieldDescriptor
	mapKey   string // if the last of path is a map
	operator string
	value    value
}

// operators, longer ones first so that they are read whole.
var operators = []string{"!=", "<=", ">=", "=", "<", ">", ":"}

// Parse reads a filter on messages of a type. Errors name the field, and what there is instead.
func Parse(text string, of protoreflect.MessageDescriptor) (Filter, error) {
	var f Filter
	words, err := split(text)
	if err != nil || len(words) == 0 {
		return f, err
	}
	for i := 0; ; i += 4 {
		if len(words) < i+3 {
			return Filter{}, fmt.Errorf("filter: a condition is FIELD OPERATOR VALUE, such as state = free; %q is not whole", join(words[min(i, len(words)):]))
		}
		c, err := parseCondition(words[i], words[i+1], words[i+2], of)
		if err != nil {
			return Filter{}, err
		}
		f.conditions = append(f.conditions, c)
		if len(words) == i+3 {
			return f, nil
		}
		if and := words[i+3]; and.quoted || and.text != "AND" {
			return Filter{}, fmt.Errorf("filter: conditions are joined by AND, not by %q", and.text)
		}
	}
}

func parseCondition(field, operator, operand word, of protoreflect.MessageDescriptor) (condition, error) {
	c := condition{operator: operator.text}
	if operator.quoted || !slices.Contains(operators, operator.text) {
		return c, fmt.Errorf("filter: %q after %s is no operator: there are %s", operator.text, field.text, strings.Join(operators, " "))
	}
	if field.quoted {
		return c, fmt.Errorf("filter: the field %q stands in quotes", field.text)
	}
	if err := c.find(field.text, of); err != nil {
		return c, err
	}
	return c, c.read(field.text, operand.text)
}

// find follows a path such as receipt.degraded, or labels.owner.
func (c *condition) find(path string, of protoreflect.MessageDescriptor) error {
	rest := path
	for {
		name, more, nested := strings.Cut(rest, ".")
		field := of.Fields().ByName(protoreflect.Name(name))
		if field == nil {
			return fmt.Errorf("filter: %s has no field %q; it has %s", of.Name(), name, strings.Join(names(of), ", "))
		}
		c.path = append(c.path, field)
		switch {
		case field.IsMap() && nested:
			c.mapKey = more
			return nil
		case field.IsMap():
			return fmt.Errorf("filter: %s is a map: name a key, as in %s.KEY", path, path)
		case field.Kind() == protoreflect.MessageKind && nested:
			of, rest = field.Message(), more
		case field.Kind() == protoreflect.MessageKind:
			return fmt.Errorf("filter: %s is not a value: name a field of it, one of %s", path, strings.Join(names(field.Message()), ", "))
		case nested:
			return fmt.Errorf("filter: %s is a value and has no field %q", field.Name(), more)
		default:
			return nil
		}
	}
}

func names(of protoreflect.MessageDescriptor) []string {
	var out []string
	for i := range of.Fields().Len() {
		out = append(out, string(of.Fields().Get(i).Name()))
	}
	slices.Sort(out)
	return out
}

// Match says whether a message meets all conditions.
func (f Filter) Match(m proto.Message) bool {
	for _, c := range f.conditions {
		if !c.match(m.ProtoReflect(), c.path) {
			return false
		}
	}
	return true
}

// match looks into lists: one element that fits is enough, and none may for !=.
func (c condition) match(m protoreflect.Message, path []protoreflect.FieldDescriptor) bool {
	positive := c
	if c.operator == "!=" {
		positive.operator = "="
		return !positive.match(m, path)
	}
	field, v := path[0], m.Get(path[0])
	switch {
	case field.IsMap():
		entry := v.Map().Get(protoreflect.ValueOfString(c.mapKey).MapKey())
		return entry.IsValid() && c.value.holds(c.operator, entry)
	case field.IsList():
		for i := range v.List().Len() {
			if c.matchOne(v.List().Get(i), path) {
				return true
			}
		}
		return false
	default:
		return c.matchOne(v, path)
	}
}

func (c condition) matchOne(v protoreflect.Value, path []protoreflect.FieldDescriptor) bool {
	if len(path) > 1 {
		return c.match(v.Message(), path[1:])
	}
	return c.value.holds(c.operator, v)
}
