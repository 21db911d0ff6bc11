package sonic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// object is a JSON object as it is written: the order of its members, and every byte between and inside them. Members that are not
// changed are printed as they were read.
type object struct {
	members []member
	tail    string // between the last member and the brace
}

type member struct {
	name                           string
	before, key, between, raw, end string // as written: space, "key", colon with space, value, space up to the comma
}

var errDamaged = errors.New("is no JSON object")

// parseObject takes an object apart at its first level.
func parseObject(text []byte) (object, error) {
	if !json.Valid(text) {
		return object{}, errDamaged
	}
	s := scanner{text: bytes.TrimSpace(text)}
	if !s.take('{') {
		return object{}, errDamaged
	}
	var o object
	for {
		m := member{before: s.space()}
		if s.take('}') {
			o.tail = m.before
			return o, nil
		}
		m.key = s.value()
		if err := json.Unmarshal([]byte(m.key), &m.name); err != nil {
			return object{}, fmt.Errorf("%w: key %s: %w", errDamaged, m.key, err)
		}
		from := s.at
		s.space()
		s.take(':')
		s.space()
		m.between = string(s.text[from:s.at])
		m.raw = s.value()
		m.end = s.space()
		o.members = append(o.members, m)
		if !s.take(',') && s.take('}') {
			last := &o.members[len(o.members)-1]
			o.tail, last.end = last.end, ""
			return o, nil
		}
	}
}

// scanner walks over text that is known to be valid JSON.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) space() string {
	from := s.at
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
	return string(s.text[from:s.at])
}

// value passes over one value of any kind.
func (s *scanner) value() string {
	from, depth := s.at, 0
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case '"':
			s.quoted()
			if depth == 0 {
				return string(s.text[from:s.at])
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return string(s.text[from:s.at]) // the end of a bare value, and of what it is in
			}
			if depth--; depth == 0 {
				s.at++
				return string(s.text[from:s.at])
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return string(s.text[from:s.at])
			}
		}
		s.at++
	}
	return string(s.text[from:s.at])
}

func (s *scanner) quoted() {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return
		}
	}
}

// String is the object as it is written.
func (o object) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.before + m.key + m.between + m.raw + m.end)
	}
	b.WriteString(o.tail + "}")
	return b.String()
}

// get returns a member's value as written. Of two of one name the last counts, as everywhere.
func (o object) get(name string) (raw string, ok bool) {
	for _, m := range slices.Backward(o.members) {
		if m.name == name {
			return m.raw, true
		}
	}
	return "", false
}

// set gives a member a value; a new one stands where SONiC's own order has it, on a line of its own at an indentation, or on the same
// line where that is "".
func (o *object) set(name, raw, indent string) {
	for i := len(o.members) - 1; i >= 0; i-- {
		if o.members[i].name == name {
			o.members[i].raw = raw
			return
		}
	}
	key, _ := json.Marshal(name) // of a string it cannot fail
	m := member{name: name, key: string(key), between: ": ", raw: raw, before: indent}
	at := slices.IndexFunc(o.members, func(other member) bool { return natural(other.name, name) > 0 })
	if at < 0 {
		at = len(o.members)
	}
	switch {
	case len(o.members) == 0:
		o.tail = outer(indent)
	case at == 0:
		m.before, o.members[0].before = o.members[0].before, o.between()
	default:
		m.before = o.between()
	}
	o.members = slices.Insert(o.members, at, m)
}

// between is the space before each member but the first.
func (o object) between() string {
	switch first := o.members[0].before; {
	case len(o.members) > 1:
		return o.members[1].before
	case strings.Contains(first, "\n"):
		return first
	}
	return " "
}

// remove takes a member out.
func (o *object) remove(name string) {
	o.members = slices.DeleteFunc(o.members, func(m member) bool { return m.name == name })
	if len(o.members) == 0 {
		o.tail = ""
	}
}

// outer is an indentation one level less.
func outer(indent string) string { return strings.TrimSuffix(indent, step) }

// step is how SONiC indents.
const step = "    "
