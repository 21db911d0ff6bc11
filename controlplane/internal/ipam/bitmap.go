// Package ipam picks free numbers and carves prefixes. It is pure: what is held comes in by Mark, randomness as a function, and
// nothing here proves that a pick is free elsewhere; the store's transaction does.
package ipam

import "math/bits"

// bitmap holds bits with summaries above them, 64 to one, so that finding a free one costs the same however full it is.
type bitmap struct {
	size   int
	free   int
	levels [][]uint64 // levels[0] has a bit per number; a bit above is set if all 64 below are
}

func newBitmap(size int) *bitmap {
	b := &bitmap{size: size, free: size}
	for n := size; ; n = (n + 63) / 64 {
		words := make([]uint64, (n+63)/64)
		// What lies beyond the end is never free.
		if rest := n % 64; rest != 0 {
			words[len(words)-1] = ^uint64(0) << rest
		}
		b.levels = append(b.levels, words)
		if n <= 64 {
			return b
		}
	}
}

func (b *bitmap) held(i int) bool { return b.levels[0][i/64]>>(i%64)&1 == 1 }

// mark sets or clears a bit, and the summaries as far as they change.
func (b *bitmap) mark(i int, held bool) {
	if b.held(i) == held {
		return
	}
	if held {
		b.free--
	} else {
		b.free++
	}
	for level := range b.levels {
		word := &b.levels[level][i/64]
		full := *word == ^uint64(0)
		if held {
			*word |= 1 << (i % 64)
		} else {
			*word &^= 1 << (i % 64)
		}
		if full == (*word == ^uint64(0)) {
			return
		}
		i /= 64
	}
}

// next returns the first free number at or after from, or wraps to the first of all.
func (b *bitmap) next(from int) (int, bool) {
	if b.free == 0 {
		return 0, false
	}
	if i, ok := b.search(from); ok {
		return i, true
	}
	return b.search(0)
}

// search climbs until a word has a free bit at or after the position, and descends from there.
func (b *bitmap) search(from int) (int, bool) {
	level, i := 0, from
	for {
		if level == len(b.levels) || i/64 >= len(b.levels[level]) {
			return 0, false
		}
		freeBits := ^b.levels[level][i/64] >> (i % 64) << (i % 64)
		if freeBits != 0 {
			i = i/64*64 + bits.TrailingZeros64(freeBits)
			break
		}
		i = i/64 + 1
		level++
	}
	for ; level > 0; level-- {
		i = i*64 + bits.TrailingZeros64(^b.levels[level-1][i])
	}
	return i, true
}
