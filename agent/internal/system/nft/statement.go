package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// statement is what a rule does, by the words that it begins with.
type statement struct {
	begin   string
	compile func(c *compiler) error
}

// statements come before fields: "meta mark set" is no comparison.
var statements = []statement{
	{"meta mark set iif &", (*compiler).markByPort},
	{"update", (*compiler).limitByMark},
	{"counter", func(c *compiler) error { c.add(&expr.Counter{}); return nil }},
	{"accept", func(c *compiler) error { c.add(&expr.Verdict{Kind: expr.VerdictAccept}); return nil }},
	{"drop", func(c *compiler) error { c.add(&expr.Verdict{Kind: expr.VerdictDrop}); return nil }},
	{"goto", func(c *compiler) error { return c.toChain(expr.VerdictGoto) }},
	{"jump", func(c *compiler) error { return c.toChain(expr.VerdictJump) }},
}

func (c *compiler) toChain(kind expr.VerdictKind) error {
	name := strings.Join(c.take(1), "")
	if name == "" {
		return errors.New("a chain's name is missing")
	}
	c.add(&expr.Verdict{Kind: kind, Chain: name})
	return nil
}

// markByPort compiles "meta mark set iif & MASK | BITS": the device's number with some bits around it.
func (c *compiler) markByPort() error {
	mask, err1 := strconv.ParseUint(strings.Join(c.take(1), ""), 0, 32)
	ok := c.follows("|")
	bits, err2 := strconv.ParseUint(strings.Join(c.take(1), ""), 0, 32)
	if err := errors.Join(err1, err2); err != nil || !ok || mask&bits != 0 {
		return fmt.Errorf("want meta mark set iif & MASK | BITS, with bits outside of the mask: %w", err)
	}
	c.add(
		&expr.Meta{Key: expr.MetaKeyIIF, Register: register},
		&expr.Bitwise{
			SourceRegister: register, DestRegister: register, Len: 4,
			Mask: binary.NativeEndian.AppendUint32(nil, uint32(mask)), Xor: binary.NativeEndian.AppendUint32(nil, uint32(bits)),
		},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: register},
	)
	return nil
}

const limitForm = "update @SET { meta mark limit rate over N/second burst N packets }"

// limitByMark compiles limitForm: the rule goes on for packets above the rate that the mark's own limit allows.
func (c *compiler) limitByMark() error {
	set, named := strings.CutPrefix(strings.Join(c.take(1), ""), "@")
	ok := named && c.follows("{ meta mark limit rate over")
	rate, perSecond := strings.CutSuffix(strings.Join(c.take(1), ""), "/second")
	ok = ok && perSecond && c.follows("burst")
	burst := strings.Join(c.take(1), "")
	ok = ok && c.follows("packets }")
	n, err1 := strconv.ParseUint(rate, 10, 32)
	b, err2 := strconv.ParseUint(burst, 10, 32)
	if err := errors.Join(err1, err2); err != nil || !ok {
		return fmt.Errorf("want %s: %w", limitForm, err)
	}
	c.add(
		&expr.Meta{Key: expr.MetaKeyMARK, Register: register},
		&expr.Dynset{SrcRegKey: register, SetName: set, Operation: unix.NFT_DYNSET_OP_UPDATE, Exprs: []expr.Any{
			&expr.Limit{Type: expr.LimitTypePkts, Rate: n, Over: true, Unit: expr.LimitTimeSecond, Burst: uint32(b)},
		}},
	)
	return nil
}
