package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// field is something of a packet that a rule can load: a piece of its headers, or of what the kernel knows about it.
type field struct {
	name string
	// meta is the key, or payload the place.
	meta    expr.MetaKey
	payload *place
	// The headers that must be there for the field to be: a protocol of the network or transport layer, 0 for any.
	network, transport byte
	form               form
}

type place struct {
	base        expr.PayloadBase
	offset, len uint32
}

// form is how a field's value is written.
type form int

const (
	number  form = iota // big-endian, decimal
	hexByte             // one byte, hexadecimal, masked
	native              // of the machine's byte order, hexadecimal, masked
	address             // a prefix
	device              // the name of a device; one that ends in * is the beginning of names
	word                // a number with a name
)

// Protocols of the network layer as `meta nfproto` shows them, and of the transport layer.
const (
	ipv4, ipv6                    = unix.NFPROTO_IPV4, unix.NFPROTO_IPV6
	icmp, tcp, udp, icmpv6        = unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMPV6
	networkBase                   = expr.PayloadBaseNetworkHeader
	transportBase                 = expr.PayloadBaseTransportHeader
	register               uint32 = unix.NFT_REG_1
)

var fields = []field{
	{name: "iifname", meta: expr.MetaKeyIIFNAME, form: device},
	{name: "meta mark", meta: expr.MetaKeyMARK, form: native},
	{name: "meta nfproto", meta: expr.MetaKeyNFPROTO, form: word},
	{name: "meta l4proto", meta: expr.MetaKeyL4PROTO, form: word},
	{name: "ip saddr", payload: &place{networkBase, 12, 4}, network: ipv4, form: address},
	{name: "ip daddr", payload: &place{networkBase, 16, 4}, network: ipv4, form: address},
	{name: "ip6 saddr", payload: &place{networkBase, 8, 16}, network: ipv6, form: address},
	{name: "ip6 daddr", payload: &place{networkBase, 24, 16}, network: ipv6, form: address},
	{name: "ip6 hoplimit", payload: &place{networkBase, 7, 1}, network: ipv6},
	{name: "tcp sport", payload: &place{transportBase, 0, 2}, transport: tcp},
	{name: "tcp dport", payload: &place{transportBase, 2, 2}, transport: tcp},
	{name: "tcp flags", payload: &place{transportBase, 13, 1}, transport: tcp, form: hexByte},
	{name: "udp sport", payload: &place{transportBase, 0, 2}, transport: udp},
	{name: "udp dport", payload: &place{transportBase, 2, 2}, transport: udp},
	{name: "icmp type", payload: &place{transportBase, 0, 1}, transport: icmp},
	{name: "icmpv6 type", payload: &place{transportBase, 0, 1}, transport: icmpv6},
}

var words = map[string]map[string]byte{
	"meta nfproto": {"ipv4": ipv4, "ipv6": ipv6},
	"meta l4proto": {"icmp": icmp, "tcp": tcp, "udp": udp, "icmpv6": icmpv6},
}

// compile returns the expressions of a rule, as the kernel runs them.
func compile(rule string) ([]expr.Any, error) {
	c := &compiler{words: strings.Fields(rule)}
	for len(c.words) > 0 {
		if err := c.next(); err != nil {
			return nil, fmt.Errorf("rule %q: before %q: %w", rule, strings.Join(c.words, " "), err)
		}
	}
	return c.out, nil
}

type compiler struct {
	words []string
	out   []expr.Any
	// What the rule has made sure of.
	network, transport byte
}

// take returns the next n words.
func (c *compiler) take(n int) []string {
	if len(c.words) < n {
		n = len(c.words)
	}
	taken := c.words[:n]
	c.words = c.words[n:]
	return taken
}

// follows takes words if they are the next.
func (c *compiler) follows(text string) bool {
	want := strings.Fields(text)
	if len(c.words) < len(want) || strings.Join(c.words[:len(want)], " ") != text {
		return false
	}
	c.words = c.words[len(want):]
	return true
}

func (c *compiler) add(e ...expr.Any) { c.out = append(c.out, e...) }

func (c *compiler) next() error {
	for _, s := range statements {
		if c.follows(s.begin) {
			return s.compile(c)
		}
	}
	for _, f := range fields {
		if c.follows(f.name) {
			return c.match(f)
		}
	}
	return errors.New("no such statement or field")
}

// match compiles a comparison: the headers that it needs, the field, a mask, the value.
func (c *compiler) match(f field) error {
	c.need(expr.MetaKeyNFPROTO, &c.network, f.network)
	c.need(expr.MetaKeyL4PROTO, &c.transport, f.transport)
	mask := ""
	if c.follows("&") {
		mask = strings.Join(c.take(1), "")
	}
	op := expr.CmpOpEq
	if c.follows("!=") {
		op = expr.CmpOpNeq
	} else {
		c.follows("==")
	}
	value := strings.Join(c.take(1), "")
	data, maskData, err := f.parse(value, mask)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	c.add(f.load())
	if maskData != nil {
		c.add(&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: uint32(len(maskData)), Mask: maskData, Xor: make([]byte, len(maskData))})
	}
	c.add(&expr.Cmp{Op: op, Register: register, Data: data})
	switch f.name {
	case "meta nfproto":
		c.network = data[0]
	case "meta l4proto":
		c.transport = data[0]
	}
	return nil
}

// need makes sure of a protocol, once in a rule.
func (c *compiler) need(key expr.MetaKey, have *byte, want byte) {
	if want == 0 || *have == want {
		return
	}
	*have = want
	c.add(&expr.Meta{Key: key, Register: register}, &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{want}})
}

func (f field) load() expr.Any {
	if f.payload != nil {
		return &expr.Payload{DestRegister: register, Base: f.payload.base, Offset: f.payload.offset, Len: f.payload.len}
	}
	return &expr.Meta{Key: f.meta, Register: register}
}

// parse returns the bytes of a value and of a mask, which is nil where everything counts.
func (f field) parse(value, mask string) (data, maskData []byte, err error) {
	switch f.form {
	case address:
		return parsePrefix(value, int(f.payload.len))
	case device:
		return parseDevice(value)
	case word:
		n, ok := words[f.name][value]
		if !ok {
			return nil, nil, fmt.Errorf("%q is no name of a value", value)
		}
		return []byte{n}, nil, nil
	case native, hexByte:
		if data, err = f.bytes(value); err != nil {
			return nil, nil, err
		}
		maskData, err = f.bytes(mask)
		return data, maskData, err
	}
	data, err = f.bytes(value)
	return data, nil, err
}

func (f field) bytes(text string) ([]byte, error) {
	size := 4
	if f.payload != nil {
		size = int(f.payload.len)
	}
	n, err := strconv.ParseUint(text, 0, size*8)
	if err != nil {
		return nil, err
	}
	if f.form == native {
		return binary.NativeEndian.AppendUint32(nil, uint32(n)), nil
	}
	return binary.BigEndian.AppendUint64(nil, n)[8-size:], nil
}

func parsePrefix(text string, size int) (data, mask []byte, err error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, nil, err
	}
	data = p.Masked().Addr().AsSlice()
	if len(data) != size {
		return nil, nil, fmt.Errorf("%s is of another family", p)
	}
	if p.IsSingleIP() {
		return data, nil, nil
	}
	return data, maskOf(p.Bits(), size), nil
}

// maskOf has its first n bits set.
func maskOf(n, size int) []byte {
	mask := make([]byte, size)
	for i := range n {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}

// parseDevice compares a whole name with its padding, and the beginning of names without.
func parseDevice(name string) (data, mask []byte, err error) {
	begin, open := strings.CutSuffix(name, "*")
	if begin == "" || len(begin) >= unix.IFNAMSIZ {
		return nil, nil, fmt.Errorf("%q is no name of a device", name)
	}
	if open {
		return []byte(begin), nil, nil
	}
	return append([]byte(begin), make([]byte, unix.IFNAMSIZ-len(begin))...), nil, nil
}
