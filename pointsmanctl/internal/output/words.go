package output

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// none stands in a table for a value that is not there.
const none = "-"

func text(s string) string {
	if s == "" {
		return none
	}
	return s
}

func joined(in []string) string { return text(strings.Join(in, ",")) }

// labelled writes labels as KEY=VALUE, sorted.
func labelled(in map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(in)) {
		out = append(out, key+"="+in[key])
	}
	return joined(out)
}

func number[N ~uint32 | ~uint64](n N) string {
	if n == 0 {
		return none
	}
	return strconv.FormatUint(uint64(n), 10)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Word is an enum's value as people say it: NETWORK_KIND_PRIVATE is private.
func Word(e protoreflect.Enum) string {
	d := e.Descriptor()
	value := d.Values().ByNumber(e.Number())
	if value == nil {
		return strconv.Itoa(int(e.Number()))
	}
	word := strings.ToLower(strings.TrimPrefix(string(value.Name()), prefix(d)))
	if word == "unspecified" {
		return none
	}
	return word
}

// Words lists what people may say for an enum, without unspecified.
func Words(d protoreflect.EnumDescriptor) []string {
	var out []string
	for i := range d.Values().Len() {
		if v := d.Values().Get(i); v.Number() != 0 {
			out = append(out, strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix(d))))
		}
	}
	return out
}

// Number is the value of an enum that a word stands for.
func Number(d protoreflect.EnumDescriptor, word string) (protoreflect.EnumNumber, error) {
	v := d.Values().ByName(protoreflect.Name(prefix(d) + strings.ToUpper(word)))
	if v == nil || v.Number() == 0 {
		return 0, fmt.Errorf("%q is not known: give one of %s", word, strings.Join(Words(d), ", "))
	}
	return v.Number(), nil
}

// prefix is what protobuf style puts before each value: that of the zero value, which always ends in UNSPECIFIED.
func prefix(d protoreflect.EnumDescriptor) string {
	return strings.TrimSuffix(string(d.Values().ByNumber(0).Name()), "UNSPECIFIED")
}

// age is how long ago t was, in its largest unit.
func age(now time.Time, t *timestamppb.Timestamp) string {
	if t == nil {
		return none
	}
	d := max(now.Sub(t.AsTime()), 0)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// milliseconds writes a duration as receipts do: 83.2 ms.
func milliseconds(ms float64) string { return strconv.FormatFloat(ms, 'f', 1, 64) + " ms" }
