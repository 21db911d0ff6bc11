package frr

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// normalised merges repeated contexts, fills in the defaults that FRR hides, drops what its version takes for granted and contexts
// that say nothing, and sorts.
func (c Config) normalised() Config {
	profile, granted := c.profile(), c.granted()
	lines := merge(c.Lines)
	for i := range lines {
		lines[i] = fill(lines[i], profile)
		if granted != nil && strings.HasPrefix(lines[i].Text, "router bgp ") {
			lines[i].Lines = slices.DeleteFunc(lines[i].Lines, func(l Line) bool { return granted.MatchString(l.Text) })
		}
	}
	return Config{Lines: prune(lines)}
}

// profile is FRR's set of defaults: "traditional" unless the configuration names another one.
func (c Config) profile() string {
	for _, l := range c.Lines {
		if name, ok := strings.CutPrefix(l.Text, "frr defaults "); ok {
			return name
		}
	}
	return "traditional"
}

// grantedSince are lines inside a BGP instance that change nothing from a version of FRR on, which therefore hides them. They are dropped
// and not filled in: which neighbours have them, only FRR knows.
var grantedSince = []struct {
	major int
	lines *regexp.Regexp
}{
	{10, regexp.MustCompile(`^(neighbor \S+|bgp) enforce-first-as$`)},
}

// granted are the lines that the version which the configuration names takes for granted; nil is none.
func (c Config) granted() *regexp.Regexp {
	for _, l := range c.Lines {
		version, ok := strings.CutPrefix(l.Text, versionPrefix)
		if !ok {
			continue
		}
		major, _, _ := strings.Cut(version, ".")
		n, err := strconv.Atoi(major)
		for _, g := range slices.Backward(grantedSince) {
			if err == nil && n >= g.major {
				return g.lines
			}
		}
	}
	return nil
}

const versionPrefix = "frr version "

// on is c as a configuration for the FRR that runs other, whose version decides what goes without saying. A version of its own stays.
func (c Config) on(other Config) Config {
	if hasVersion(c) {
		return c
	}
	for _, l := range other.Lines {
		if strings.HasPrefix(l.Text, versionPrefix) {
			return Config{Lines: append([]Line{{Text: l.Text}}, c.Lines...)}
		}
	}
	return c
}

func hasVersion(c Config) bool {
	return slices.ContainsFunc(c.Lines, func(l Line) bool { return strings.HasPrefix(l.Text, versionPrefix) })
}

// merge makes one of lines with equal text, at every depth, without touching its argument.
func merge(lines []Line) []Line {
	var out []Line
	at := map[string]int{}
	for _, l := range lines {
		if i, known := at[l.Text]; known {
			out[i].Lines = append(out[i].Lines, l.Lines...)
			continue
		}
		at[l.Text] = len(out)
		out = append(out, Line{Text: l.Text, Lines: slices.Clone(l.Lines)})
	}
	for i := range out {
		out[i].Lines = merge(out[i].Lines)
	}
	return out
}

// defaults are the lines that hold when FRR shows nothing for their slot, by the context's first words.
var defaults = map[string]map[string][]string{
	"router bgp ": {
		"traditional": {"bgp ebgp-requires-policy", "no bgp log-neighbor-changes", "bgp default ipv4-unicast"},
		"datacenter":  {"no bgp ebgp-requires-policy", "bgp log-neighbor-changes", "bgp default ipv4-unicast"},
	},
	"profile ": {
		"traditional": {"detect-multiplier 3", "transmit-interval 300", "receive-interval 300"},
		"datacenter":  {"detect-multiplier 3", "transmit-interval 300", "receive-interval 300"},
	},
}

// fill adds hidden defaults to a context and those in it. To take a value back is then to set the default, which is the only
// way that bfdd knows.
func fill(l Line, profile string) Line {
	for prefix, byProfile := range defaults {
		if !strings.HasPrefix(l.Text, prefix) {
			continue
		}
		shown := map[string]bool{}
		for _, inner := range l.Lines {
			shown[slot(inner.Text)] = true
		}
		for _, d := range byProfile[profile] {
			if !shown[slot(d)] {
				l.Lines = append(l.Lines, Line{Text: d})
			}
		}
	}
	for i := range l.Lines {
		l.Lines[i] = fill(l.Lines[i], profile)
	}
	return l
}

// prune drops contexts that mean nothing when empty, and sorts.
func prune(lines []Line) []Line {
	out := lines[:0]
	for _, l := range lines {
		l.Lines = prune(l.Lines)
		if len(l.Lines) == 0 && emptyMeansNothing(l.Text) {
			continue
		}
		out = append(out, l)
	}
	sortLines(out)
	return out
}

func emptyMeansNothing(text string) bool {
	return text == "bfd" || strings.HasPrefix(text, "vrf ") || strings.HasPrefix(text, "interface ") || strings.HasPrefix(text, "address-family ")
}
