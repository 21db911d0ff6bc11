package interfaces

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parse reads a file. It fails where ifupdown2 would complain, and where the agent's marks are not what the agent made them: who
// changes a file that he misreads may take a switch off the network at its next start.
func Parse(text string) (File, error) {
	if !utf8.ValidString(text) {
		return File{}, errors.New("the file is not UTF-8")
	}
	p := parser{file: File{Template: strings.Contains(text, "%"), before: text, stanzas: map[string]string{}}, text: text}
	for _, l := range split(text) {
		p.line(l)
	}
	p.finish()
	if len(p.errs) > 0 {
		return File{}, errors.Join(p.errs...)
	}
	return p.file, nil
}

type parser struct {
	file  File
	text  string
	errs  []error
	begun *line // the mark
	ended *line
	open  *Entry // the iface whose attributes follow
	as    string // what its line calls it, which $IFACE is
	last  string // the last logical line
}

func (p *parser) bad(l line, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("line %d: %w", l.number, fmt.Errorf(format, args...)))
}

func (p *parser) line(l line) {
	p.last = p.text[l.start:l.end]
	switch {
	case l.text == Begin && p.begun == nil:
		p.begun, p.open = &l, nil
	case l.text == End && p.begun != nil && p.ended == nil:
		p.ended, p.open = &l, nil
		p.file.before, p.file.after = p.text[:p.begun.start], p.text[l.end:]
		p.file.stanzas = stanzas(p.text[p.begun.end:l.start])
	case strings.Contains(l.text, "# pointsman begin") || strings.Contains(l.text, End):
		p.bad(l, "a mark of the agent's is out of place: there must be one that begins and one that ends, each a line of its own; delete what is too much")
	case l.text == "" || strings.HasPrefix(l.text, "#"):
	case p.begun != nil && p.ended == nil: // ours: compared as text, and overwritten
	default:
		p.foreign(l)
	}
}

func (p *parser) foreign(l line) {
	if strings.ContainsFunc(l.text, odd) {
		p.bad(l, "there is white space or a control character that looks like none: %q", l.text)
		return
	}
	w := words(l.text)
	if keyword := keywordOf(w[0]); keyword != "" {
		p.entry(l, keyword, w)
		return
	}
	switch {
	case p.file.Template && (strings.HasPrefix(w[0], "%") || strings.Contains(l.text, "${")): // a template's line
	case p.open == nil && p.ended != nil:
		p.bad(l, "%q is behind the agent's stanzas and would belong to their last; move it", l.text)
	case p.open == nil && !p.file.Template:
		p.bad(l, "%q is neither auto, iface, vlan, allow-… nor source, and in no iface", l.text)
	case len(w) < 2 && !p.file.Template:
		p.bad(l, "attribute %q has no value", l.text)
	case p.open != nil:
		name, value, _ := strings.Cut(strings.ReplaceAll(l.text, "\t", " "), " ")
		value = strings.ReplaceAll(strings.TrimSpace(value), "$IFACE", p.as)
		p.open.Attributes = append(p.open.Attributes, Attribute{l.number, strings.ReplaceAll(name, "_", "-"), value})
	}
}

// keywordOf returns the keyword that a word is, or "".
func keywordOf(word string) string {
	if slices.Contains([]string{"source", "auto", "iface", "vlan", "allow"}, word) {
		return word
	}
	if first, _, ok := strings.Cut(word, "-"); ok && first == "allow" {
		return word
	}
	return ""
}

// odd finds what Python takes for white space and an operator for none.
func odd(r rune) bool {
	return unicode.IsSpace(r) && !strings.ContainsRune(space, r) || unicode.IsControl(r) && !strings.ContainsRune(space, r)
}

func (p *parser) entry(l line, keyword string, w []string) {
	p.open = nil
	if keyword == "allow" || len(w) < 2 {
		p.bad(l, "%q says not whom it is for", l.text)
		return
	}
	e := Entry{Line: l.number, Keyword: keyword, Names: w[1:]}
	switch keyword {
	case "iface", "vlan":
		if err := checkFamily(w[2:]); err != nil {
			p.bad(l, "%s %s: %w", keyword, w[1], err)
		}
		device, _, _ := strings.Cut(w[1], ":") // eth0:1 is eth0
		e.Names = expand(device)
	case "auto":
		e.Names = nil
		for _, name := range w[1:] {
			e.Names = append(e.Names, expand(name)...)
		}
	}
	p.file.Foreign = append(p.file.Foreign, e)
	if keyword == "iface" || keyword == "vlan" {
		p.open, p.as = &p.file.Foreign[len(p.file.Foreign)-1], w[1]
	}
}

// Methods of both address families.
var methods = []string{"static", "manual", "loopback", "dhcp", "dhcp6", "ppp", "tunnel"}

func checkFamily(w []string) error {
	switch {
	case len(w) == 0:
		return nil
	case w[0] != "inet" && w[0] != "inet6":
		return fmt.Errorf("address family %q is neither inet nor inet6", w[0])
	case len(w) > 1 && !slices.Contains(methods, w[1]):
		return fmt.Errorf("method %q is none of %s", w[1], strings.Join(methods, ", "))
	}
	return nil
}

// finish looks at what only the whole file tells.
func (p *parser) finish() {
	if p.begun != nil && p.ended == nil {
		p.bad(*p.begun, "the agent's stanzas begin and do not end: add a line %q behind them", End)
	}
	if p.ended == nil && strings.HasSuffix(strings.TrimRight(p.last, space), `\`) {
		p.errs = append(p.errs, errors.New("the file ends with a backslash, which would take the next line along; delete it"))
	}
}

// stanzas takes the agent's own text apart. What stands before the first is under the name "".
func stanzas(text string) map[string]string {
	out := map[string]string{}
	name, from := "", 0
	note := func(to int) {
		if s := strings.TrimSpace(text[from:to]); s != "" {
			out[name] += s + "\n"
		}
	}
	for at := 0; at < len(text); {
		end := lineEnd(text, at)
		if w := words(text[at:end]); len(w) == 2 && w[0] == "auto" {
			note(at)
			name, from = w[1], at
		}
		at = end
	}
	note(len(text))
	return out
}
