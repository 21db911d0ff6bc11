// Package wire converts between protobuf messages and netmodel values, and between messages and the bytes stored in etcd.
// Protobuf stops here: planners, compilers and allocators see netmodel only. Decoding checks what it reads, so that a value
// that came out of it is well formed; errors name the field.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Marshal returns m as compact protojson. protojson alone differs in its spacing between builds, so that equal messages would
// be rewritten after an upgrade.
func Marshal(m proto.Message) ([]byte, error) {
	raw, err := protojson.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return out.Bytes(), nil
}

// Unmarshal reads compact or other protojson. Unknown fields are kept out silently: a newer writer may know more.
func Unmarshal(b []byte, m proto.Message) error {
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, m); err != nil {
		return fmt.Errorf("decode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}

func timeToProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func timeFromProto(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func addrToProto(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// fields collects the errors of one message.
type fields struct{ errs []error }

func (f *fields) fail(field string, err error) {
	if err != nil {
		f.errs = append(f.errs, fmt.Errorf("%s: %w", field, err))
	}
}

func (f *fields) err(message string) error {
	if err := errors.Join(f.errs...); err != nil {
		return fmt.Errorf("read %s: %w", message, err)
	}
	return nil
}

func (f *fields) addr(field, s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(s)
	f.fail(field, err)
	return a
}

func (f *fields) addrs(field string, in []string) []netip.Addr {
	var out []netip.Addr
	for _, s := range in {
		out = append(out, f.addr(field, s))
	}
	return out
}

func (f *fields) prefix(field, s string) netip.Prefix {
	p, err := netip.ParsePrefix(s)
	f.fail(field, err)
	return p
}

func (f *fields) prefixes(field string, in []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range in {
		out = append(out, f.prefix(field, s))
	}
	return out
}

func stringsOf[T fmt.Stringer](in []T) []string {
	var out []string
	for _, v := range in {
		out = append(out, v.String())
	}
	return out
}

// enum maps a domain word to its protobuf number and back.
type enum[W comparable, P comparable] struct {
	toProto   map[W]P
	fromProto map[P]W
}

func newEnum[W comparable, P comparable](pairs map[W]P) enum[W, P] {
	back := make(map[P]W, len(pairs))
	for w, p := range pairs {
		back[p] = w
	}
	return enum[W, P]{toProto: pairs, fromProto: back}
}
