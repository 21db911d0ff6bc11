package interfaces

import (
	"regexp"
	"strconv"
)

// ranges are the two forms that ifupdown2 knows: "swp[1-4].100" and "swp1.[2-4]".
var ranges = []*regexp.Regexp{
	regexp.MustCompile(`^(\w+)\[(\d+)-(\d+)\]([.\w]+)`),
	regexp.MustCompile(`^([\w.]+)\[(\d+)-(\d+)\]`),
}

// maxRange is more than any switch has of anything.
const maxRange = 10000

// expand takes a range of names apart; what is none stands for itself.
func expand(name string) []string {
	for _, form := range ranges {
		m := form.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		first, err1 := strconv.Atoi(m[2])
		last, err2 := strconv.Atoi(m[3])
		if err1 != nil || err2 != nil || last-first > maxRange {
			break
		}
		var out []string
		for i := first; i <= last; i++ {
			suffix := ""
			if len(m) > 4 {
				suffix = m[4]
			}
			out = append(out, m[1]+strconv.Itoa(i)+suffix)
		}
		if len(out) > 0 {
			return out
		}
	}
	return []string{name}
}
