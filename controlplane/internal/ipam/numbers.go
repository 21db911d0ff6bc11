package ipam

// Range is a range of numbers (ASNs, VNIs), few of which are held.
type Range struct {
	first, last uint32
	held        map[uint32]bool
}

// NewRange makes a range with nothing held. first and last belong to it.
func NewRange(first, last uint32) *Range {
	return &Range{first: first, last: last, held: map[uint32]bool{}}
}

// Mark says that a number is held, or free again.
func (r *Range) Mark(n uint32, held bool) {
	switch {
	case n < r.first || n > r.last:
	case held:
		r.held[n] = true
	default:
		delete(r.held, n)
	}
}

// Pick returns a free number near a random place. It changes nothing.
func (r *Range) Pick(random func(n uint64) uint64) (uint32, bool) {
	size := uint64(r.last-r.first) + 1
	if uint64(len(r.held)) >= size {
		return 0, false
	}
	at := random(size)
	for range size {
		n := r.first + uint32(at)
		if !r.held[n] {
			return n, true
		}
		at = (at + 1) % size
	}
	return 0, false
}
