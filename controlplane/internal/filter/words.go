package filter

import (
	"errors"
	"strconv"
	"strings"
)

// word is a field, an operator, a value or AND.
type word struct {
	text   string
	quoted bool
}

func join(words []word) string {
	var out []string
	for _, w := range words {
		out = append(out, w.text)
	}
	return strings.Join(out, " ")
}

// split takes a filter apart. Operators need no space around them; values with spaces or operators in them stand in double
// quotes, with \" and \\ inside. After an operator a bare value goes on to the next space, so that MAC and IPv6 addresses need
// none.
func split(text string) ([]word, error) {
	var out []word
	operand := false
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimLeft(rest, " \t\n") {
		w, n, err := next(rest, operand)
		if err != nil {
			return nil, err
		}
		operand = !operand && !w.quoted && operatorAt(w.text) == w.text
		out = append(out, w)
		rest = rest[n:]
	}
	return out, nil
}

// next reads one word, and says how long it is in the text.
func next(rest string, operand bool) (word, int, error) {
	if rest[0] == '"' {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return word{}, 0, errors.New("filter: a quote is not closed")
		}
		inside, err := strconv.Unquote(quoted)
		if err != nil {
			return word{}, 0, errors.New("filter: a quoted value has an escape that is not known")
		}
		return word{inside, true}, len(quoted), nil
	}
	if !operand {
		if o := operatorAt(rest); o != "" {
			return word{text: o}, len(o), nil
		}
	}
	end := 0
	for end < len(rest) && !strings.ContainsRune(" \t\n", rune(rest[end])) && (operand || operatorAt(rest[end:]) == "") {
		end++
	}
	return word{text: rest[:end]}, end, nil
}

func operatorAt(text string) string {
	for _, o := range operators {
		if strings.HasPrefix(text, o) {
			return o
		}
	}
	return ""
}
