package frr

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"
)

// jsonValues are the values of an answer that has one after the other, as FRR 8 has for several VRFs or VNIs. An error is the last.
func jsonValues(text string) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		decoder := json.NewDecoder(strings.NewReader(text))
		for {
			var raw json.RawMessage
			err := decoder.Decode(&raw)
			if errors.Is(err, io.EOF) || !yield(raw, err) || err != nil {
				return
			}
		}
	}
}
