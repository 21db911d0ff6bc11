package frr

import "strings"

// opens reports whether a line of ours opens a context, even when nothing is in it.
func opens(text string) bool {
	switch first, rest, _ := strings.Cut(text, " "); first {
	case "vrf", "interface", "router", "route-map", "address-family", "profile":
		return rest != ""
	case "bfd":
		return rest == ""
	}
	return false
}

// Opens reports whether sending the change leaves FRR inside the context that the line opens.
func (c Change) Opens() bool { return opens(c.Line) }

// closer is the word that ends a context.
func closer(l Line) string {
	switch {
	case strings.HasPrefix(l.Text, "vrf "):
		return "exit-vrf"
	case strings.HasPrefix(l.Text, "address-family "):
		return "exit-address-family"
	case opens(l.Text), len(l.Lines) > 0:
		return "exit"
	}
	return ""
}

// negate returns the command that takes a line away.
func negate(text string) string {
	if positive, ok := strings.CutPrefix(text, "no "); ok {
		return positive
	}
	return "no " + text
}

// slot names the setting that a line gives a value to. Of two lines with one slot the later wins, so that the old need not be
// taken away first. A line that can stand beside others of its kind is its own slot.
func slot(text string) string {
	text = strings.TrimPrefix(text, "no ")
	words := strings.Fields(text)
	if len(words) < 2 {
		return text
	}
	if words[0] == "neighbor" && len(words) > 2 {
		return neighbourSlot(words, text)
	}
	for _, prefix := range singleValued {
		if strings.HasPrefix(text, prefix) && (len(text) == len(prefix) || text[len(prefix)] == ' ') {
			return prefix
		}
	}
	return text
}

// singleValued are settings that have one value at a time.
var singleValued = []string{
	"bgp router-id", "bgp cluster-id", "bgp route-map delay-timer", "bgp ebgp-requires-policy", "bgp default ipv4-unicast",
	"bgp log-neighbor-changes", "bgp max-med on-startup", "bgp suppress-duplicates", "coalesce-time", "timers bgp", "maximum-paths ibgp", "maximum-paths",
	"redistribute connected", "redistribute static", "redistribute kernel",
	"match ip address", "match ipv6 address", "match as-path",
	"set community", "set extcommunity none", "set large-community", "set metric", "set local-preference",
	"ipv6 nd ra-interval", "ipv6 nd ra-lifetime", "ipv6 nd suppress-ra",
	"transmit-interval", "receive-interval", "detect-multiplier", "echo-interval", "minimum-ttl",
}

func neighbourSlot(words []string, text string) string {
	name, setting := words[1], words[2]
	switch setting {
	case "timers", "bfd":
		if len(words) > 3 && (words[3] == "connect" || words[3] == "profile") {
			setting += " " + words[3]
		}
	case "route-map", "prefix-list", "filter-list", "distribute-list":
		setting += " " + words[len(words)-1]
	case "maximum-prefix", "advertisement-interval", "description", "remote-as", "default-originate", "allowas-in":
	default:
		return text
	}
	return "neighbor " + name + " " + setting
}
