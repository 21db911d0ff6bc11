package nft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// decompile returns the rule that compile makes these expressions from, as the kernel gives them back. What compile never makes is
// shown as its type, which no rule of ours equals.
func decompile(exprs []any) string {
	d := &decompiler{}
	for _, e := range exprs {
		d.next(e)
	}
	return strings.Join(d.out(), " ")
}

type decompiler struct {
	pieces []piece
	// What is in the register: a field, "iif" or nothing known, and the mask over it.
	loaded    *field
	iif       bool
	mask, xor []byte
	// What the rule has made sure of.
	network, transport byte
}

// piece is a part of the text. One that only makes sure of a header is not written if a later one needs that header.
type piece struct {
	text    string
	implied *bool
}

func (d *decompiler) out() []string {
	var out []string
	for _, p := range d.pieces {
		if p.implied == nil || !*p.implied {
			out = append(out, p.text)
		}
	}
	return out
}

func (d *decompiler) say(format string, args ...any) {
	d.pieces = append(d.pieces, piece{text: fmt.Sprintf(format, args...)})
}

func (d *decompiler) next(e any) {
	switch e := e.(type) {
	case *expr.Meta:
		d.meta(e)
	case *expr.Payload:
		d.payload(e)
	case *expr.Bitwise:
		d.mask, d.xor = e.Mask, e.Xor
	case *expr.Cmp:
		d.compare(e)
	case *expr.Dynset:
		d.dynset(e)
	case *expr.Counter:
		d.say("counter")
	case *expr.Verdict:
		d.verdict(e)
	case opaque:
		d.say("(%s)", string(e))
	}
}

func (d *decompiler) meta(e *expr.Meta) {
	if e.SourceRegister {
		if e.Key == expr.MetaKeyMARK && d.iif && len(d.mask) == 4 && len(d.xor) == 4 {
			d.say("meta mark set iif & %s | %s", hexNative(d.mask), hexNative(d.xor))
		} else {
			d.say("meta %d set", e.Key)
		}
		return
	}
	d.load(nil)
	d.iif = e.Key == expr.MetaKeyIIF
	for i, f := range fields {
		if f.payload == nil && f.meta == e.Key {
			d.load(&fields[i])
		}
	}
}

func (d *decompiler) load(f *field) { d.loaded, d.iif, d.mask, d.xor = f, false, nil, nil }

// payload finds the field by its place and by the headers that were made sure of.
func (d *decompiler) payload(e *expr.Payload) {
	d.load(nil)
	for i, f := range fields {
		if f.payload != nil && *f.payload == (place{e.Base, e.Offset, e.Len}) &&
			(f.network == 0 || f.network == d.network) && (f.transport == 0 || f.transport == d.transport) {
			d.load(&fields[i])
			d.imply("meta nfproto", f.network)
			d.imply("meta l4proto", f.transport)
		}
	}
}

// imply takes out the comparison that only made sure of a header.
func (d *decompiler) imply(field string, protocol byte) {
	if protocol == 0 {
		return
	}
	for _, p := range d.pieces {
		if p.implied != nil && p.text == field+" "+nameOf(field, protocol) {
			*p.implied = true
		}
	}
}

func (d *decompiler) compare(e *expr.Cmp) {
	op := map[expr.CmpOp]string{expr.CmpOpEq: "", expr.CmpOpNeq: "!= "}
	sign, ok := op[e.Op]
	if d.loaded == nil || !ok {
		d.say("compare %x", e.Data)
		return
	}
	f := d.loaded
	text := f.name + " " + f.write(sign, e.Data, d.mask)
	d.pieces = append(d.pieces, piece{text: text})
	if f.form != word || len(e.Data) != 1 || sign != "" {
		return
	}
	d.pieces[len(d.pieces)-1].implied = new(bool)
	if f.name == "meta nfproto" {
		d.network = e.Data[0]
	} else {
		d.transport = e.Data[0]
	}
}

// write is the reverse of parse.
func (f *field) write(sign string, data, mask []byte) string {
	switch f.form {
	case address:
		a, _ := netip.AddrFromSlice(data)
		bits := len(data) * 8
		if mask != nil {
			bits = leadingOnes(mask)
			if !bytes.Equal(mask, maskOf(bits, len(mask))) {
				return fmt.Sprintf("%s& %x %s", sign, mask, a)
			}
		}
		return sign + netip.PrefixFrom(a, bits).String()
	case device:
		name, padded := bytes.CutSuffix(data, make([]byte, max(1, unix.IFNAMSIZ-len(bytes.TrimRight(data, "\x00")))))
		if !padded {
			return sign + string(name) + "*"
		}
		return sign + string(name)
	case word:
		if len(data) == 1 {
			return sign + nameOf(f.name, data[0])
		}
	case native:
		return fmt.Sprintf("& %s %s%s", hexNative(mask), orEqual(sign), hexNative(data))
	case hexByte:
		return fmt.Sprintf("& 0x%x %s0x%x", mask, orEqual(sign), data)
	}
	return sign + strconv.FormatUint(binary.BigEndian.Uint64(append(make([]byte, 8), data...)[len(data):]), 10)
}

func orEqual(sign string) string {
	if sign == "" {
		return "== "
	}
	return sign
}

func nameOf(field string, n byte) string {
	for name, value := range words[field] {
		if value == n {
			return name
		}
	}
	return strconv.Itoa(int(n))
}

func hexNative(b []byte) string {
	if len(b) != 4 {
		return fmt.Sprintf("%x", b)
	}
	return fmt.Sprintf("0x%08x", binary.NativeEndian.Uint32(b))
}

func leadingOnes(mask []byte) int {
	n := 0
	for n < len(mask)*8 && mask[n/8]&(0x80>>(n%8)) != 0 {
		n++
	}
	return n
}

func (d *decompiler) dynset(e *expr.Dynset) {
	if len(e.Exprs) == 1 && d.loaded != nil && d.loaded.name == "meta mark" && e.Operation == unix.NFT_DYNSET_OP_UPDATE {
		if l, ok := e.Exprs[0].(*expr.Limit); ok && l.Over && l.Type == expr.LimitTypePkts && l.Unit == expr.LimitTimeSecond {
			d.say("update @%s { meta mark limit rate over %d/second burst %d packets }", e.SetName, l.Rate, l.Burst)
			return
		}
	}
	d.say("dynset %s", e.SetName)
}

func (d *decompiler) verdict(e *expr.Verdict) {
	switch e.Kind {
	case expr.VerdictAccept:
		d.say("accept")
	case expr.VerdictDrop:
		d.say("drop")
	case expr.VerdictGoto:
		d.say("goto %s", e.Chain)
	case expr.VerdictJump:
		d.say("jump %s", e.Chain)
	default:
		d.say("verdict %d %s", e.Kind, e.Chain)
	}
}
