package filter

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// value is what a field is compared with, as the field's type.
type value struct {
	kind   protoreflect.Kind
	text   string
	number float64
	truth  bool
}

// read turns the operand into a value of the field's type, and refuses operators that mean nothing there.
func (c *condition) read(path, text string) error {
	field := c.path[len(c.path)-1]
	if field.IsMap() {
		field = field.MapValue()
	}
	c.value = value{kind: field.Kind(), text: text}
	var err error
	switch field.Kind() {
	case protoreflect.StringKind:
		return c.allow(path, "=", "!=", ":")
	case protoreflect.BoolKind:
		if c.value.truth, err = strconv.ParseBool(text); err != nil {
			return fmt.Errorf("filter: %s is true or false, not %q", path, text)
		}
		return c.allow(path, "=", "!=")
	case protoreflect.EnumKind:
		number, err := enumNumber(field.Enum(), path, text)
		c.value.number = float64(number)
		if err != nil {
			return err
		}
		return c.allow(path, "=", "!=")
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.DoubleKind, protoreflect.FloatKind:
		if c.value.number, err = strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("filter: %s is a number, not %q", path, text)
		}
		return c.allow(path, "=", "!=", "<", "<=", ">", ">=")
	default:
		return fmt.Errorf("filter: %s cannot be filtered by", path)
	}
}

func (c *condition) allow(path string, operators ...string) error {
	for _, o := range operators {
		if c.operator == o {
			return nil
		}
	}
	return fmt.Errorf("filter: %s does not go with %s: use %s", c.operator, path, strings.Join(operators, " or "))
}

// enumNumber reads an enum's value by its whole name, or by the word that is its own: free is MACHINE_STATE_FREE.
func enumNumber(of protoreflect.EnumDescriptor, path, text string) (protoreflect.EnumNumber, error) {
	zero := string(of.Values().Get(0).Name())
	prefix := strings.TrimSuffix(zero, "UNSPECIFIED")
	var words []string
	for i := range of.Values().Len() {
		v := of.Values().Get(i)
		own := strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix))
		if strings.EqualFold(text, string(v.Name())) || strings.EqualFold(text, own) {
			return v.Number(), nil
		}
		words = append(words, own)
	}
	return 0, fmt.Errorf("filter: %s is one of %s, not %q", path, strings.Join(words, ", "), text)
}

// holds compares what a field is with the value. A colon asks for a part, without regard to case.
func (v value) holds(operator string, field protoreflect.Value) bool {
	switch v.kind {
	case protoreflect.StringKind:
		if operator == ":" {
			return strings.Contains(strings.ToLower(field.String()), strings.ToLower(v.text))
		}
		return field.String() == v.text
	case protoreflect.BoolKind:
		return field.Bool() == v.truth
	case protoreflect.EnumKind:
		return float64(field.Enum()) == v.number
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return ordered(operator, float64(field.Uint()), v.number)
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return ordered(operator, float64(field.Int()), v.number)
	default:
		return ordered(operator, field.Float(), v.number)
	}
}

func ordered(operator string, is, than float64) bool {
	switch c := cmp.Compare(is, than); operator {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	default:
		return c == 0
	}
}
