package interfaces

import "strings"

// line is a logical line: what ifupdown2 makes of one or more lines of the file.
type line struct {
	text       string // without the white space around it
	number     int    // of its first line in the file, from 1
	start, end int    // in bytes; end is behind the line's end
}

const space = " \t\r\n"

// split takes a text apart as ifupdown2 does: a backslash joins what is before it with what is behind it, wherever it stands, and takes
// the white space on both sides along, line ends and empty lines included.
func split(text string) []line {
	var out []line
	joins := false // the last one waits for what is behind its backslash
	number := 0
	for start := 0; start < len(text); {
		end := lineEnd(text, start)
		number++
		raw := strings.Trim(text[start:end], space)
		switch {
		case raw == "" && joins:
			out[len(out)-1].end = end
		case raw == "":
		case joins || strings.HasPrefix(raw, `\`) && len(out) > 0:
			last := &out[len(out)-1]
			last.text, last.end = last.text+" "+raw, end
			joins = strings.HasSuffix(raw, `\`)
		default:
			out = append(out, line{raw, number, start, end})
			joins = strings.HasSuffix(raw, `\`)
		}
		start = end
	}
	for i := range out {
		out[i].text = join(out[i].text)
	}
	return out
}

// join puts one space in the place of each backslash and the white space around it.
func join(text string) string {
	parts := strings.Split(text, `\`)
	for i := range parts {
		parts[i] = strings.Trim(parts[i], space)
	}
	return strings.Trim(strings.Join(parts, " "), space)
}

// lineEnd returns where the line that begins at start is over. Python takes \r, too, for a line's end.
func lineEnd(text string, start int) int {
	i := strings.IndexAny(text[start:], "\r\n")
	switch {
	case i < 0:
		return len(text)
	case strings.HasPrefix(text[start+i:], "\r\n"):
		return start + i + 2
	}
	return start + i + 1
}

// words takes a line apart.
func words(text string) []string { return strings.Fields(text) }
