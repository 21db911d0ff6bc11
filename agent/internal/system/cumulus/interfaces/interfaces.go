// Package interfaces is the file /etc/network/interfaces as ifupdown2 reads it: it finds the agent's own stanzas between their marks,
// keeps everything else byte for byte, and refuses to touch a file that ifupdown2 would not take. Pure: no IO. The cumulus package
// reads and writes the file.
package interfaces

import (
	"maps"
	"slices"
	"strings"
)

// The marks around the agent's stanzas, each a line of its own.
const (
	Begin = "# pointsman begin: the stanzas from here on are the agent's, and are overwritten"
	End   = "# pointsman end"
)

// Stanza is a device as the agent writes it: "auto NAME", "iface NAME" and its attributes.
type Stanza struct {
	Name, Text string
}

// File is a file that ifupdown2 takes.
type File struct {
	// Foreign are the entries outside the agent's marks, in order.
	Foreign []Entry
	// Template tells that the file holds a %, so that ifupdown2 renders it first: what its templates make is not seen.
	Template bool

	before, after string // byte for byte
	stanzas       map[string]string
}

// Entry is what a keyword at the beginning of a line opens.
type Entry struct {
	Line    int // from 1
	Keyword string
	// Names are the devices of auto, iface, vlan and allow-…, ranges taken apart, or what source names.
	Names      []string
	Attributes []Attribute
}

// Attribute is one of an iface. Underscores in names are the same as hyphens to ifupdown2, so they are hyphens here.
type Attribute struct {
	Line        int
	Name, Value string
}

// Differs names the stanzas of a file that are not these, sorted: those that are missing, other, or too many.
func (f File) Differs(want []Stanza) []string {
	rest := maps.Clone(f.stanzas)
	var out []string
	for _, s := range want {
		if have, ok := rest[s.Name]; !ok || have != s.Text {
			out = append(out, s.Name)
		}
		delete(rest, s.Name)
	}
	out = slices.AppendSeq(out, maps.Keys(rest))
	slices.Sort(out)
	return slices.Compact(out)
}

// With is the file's text with these stanzas as the agent's.
func (f File) With(stanzas []Stanza) string {
	var text strings.Builder
	text.WriteString(f.before)
	if f.before != "" && !strings.HasSuffix(f.before, "\n") {
		text.WriteByte('\n')
	}
	text.WriteString(Begin + "\n")
	for _, s := range stanzas {
		text.WriteString("\n" + s.Text)
	}
	text.WriteString("\n" + End + "\n" + f.after)
	return text.String()
}

// Attributes returns those that foreign entries give a device.
func (f File) Attributes(device string) []Attribute {
	var out []Attribute
	for _, e := range f.Foreign {
		if e.Keyword == "iface" && slices.Contains(e.Names, device) {
			out = append(out, e.Attributes...)
		}
	}
	return out
}

// Names are the devices of the agent's stanzas, sorted.
func (f File) Names() []string {
	out := slices.Sorted(maps.Keys(f.stanzas))
	return slices.DeleteFunc(out, func(name string) bool { return name == "" })
}

// Stanza is the text of one of the agent's, or "".
func (f File) Stanza(name string) string { return f.stanzas[name] }

// Attributes names those of a stanza.
func (s Stanza) Attributes() []string {
	var out []string
	for line := range strings.Lines(s.Text) {
		if strings.HasPrefix(line, " ") {
			out = append(out, words(line)[0])
		}
	}
	return out
}
