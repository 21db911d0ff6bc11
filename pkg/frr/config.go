package frr

import "strings"

// Config is a configuration as FRR understands it: lines at the top, some of which are contexts with lines of their own.
// The zero value is empty. Lines that we do not know are kept like any other.
type Config struct {
	Lines []Line
}

// Line is one command; Lines holds what is inside its context, if it opens one.
type Line struct {
	Text  string
	Lines []Line
}

// Equal reports whether both mean the same: order, comments, repeated contexts, shown or hidden defaults and the lines that
// belong to the platform (hostname, logging, versions, forwarding) make no difference.
func (c Config) Equal(other Config) bool {
	return c.on(other).comparable().String() == other.on(c).comparable().String()
}

func (c Config) comparable() Config {
	var kept Config
	for _, l := range c.normalised().Lines {
		if !isPlatform(l.Text) {
			kept.Lines = append(kept.Lines, l)
		}
	}
	return kept
}

// String is the configuration in canonical form: normalised, sorted, indented as FRR does it, with every context closed, so
// that FRR can load it.
func (c Config) String() string {
	var text strings.Builder
	for _, l := range c.normalised().Lines {
		write(&text, l, 0)
		if opens(l.Text) || len(l.Lines) > 0 {
			text.WriteString("!\n")
		}
	}
	return text.String()
}

func write(text *strings.Builder, l Line, depth int) {
	indent := strings.Repeat(" ", depth)
	text.WriteString(indent + l.Text + "\n")
	for _, inner := range l.Lines {
		write(text, inner, depth+1)
	}
	if closing := closer(l); closing != "" {
		text.WriteString(indent + closing + "\n")
	}
}

// Carry returns want together with what have holds that is not ours: what is saved for FRR's next start must keep the
// platform's lines and those of other people. Where both have a platform's line, have's is kept.
func Carry(have, want Config) Config {
	out := Config{Lines: foreign(have, want)}
	for _, l := range want.normalised().Lines { // with the defaults that want, not have, goes by
		if !isPlatform(l.Text) || !holdsPlatform(out, l.Text) {
			out.Lines = append(out.Lines, l)
		}
	}
	return out.normalised()
}

// holdsPlatform reports whether c has a line like text, but for its value.
func holdsPlatform(c Config, text string) bool {
	for _, l := range c.Lines {
		if isPlatform(l.Text) && platformSlot(l.Text) == platformSlot(text) {
			return true
		}
	}
	return false
}
