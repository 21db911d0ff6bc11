package ipam

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// TestPrefixHandsOutEachAddressOnce: whatever the order of picks and frees, no held address is picked, and a full prefix says so.
func TestPrefixHandsOutEachAddressOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SampledFrom([]string{"10.0.0.0/31", "10.0.0.0/30", "10.0.0.0/26", "10.0.0.0/25", "10.0.4.0/22", "fd00::/121", "fd00::/127", "192.0.2.7/32"}).Draw(t, "prefix")
		p := NewPrefix(netip.MustParsePrefix(prefix))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		capacity := p.bitmap.free
		held := map[netip.Addr]bool{}
		for range rapid.IntRange(1, 2*capacity+4).Draw(t, "steps") {
			if len(held) > 0 && rapid.Bool().Draw(t, "free") {
				for a := range held {
					p.Mark(a, false)
					delete(held, a)
					break
				}
				continue
			}
			a, ok := p.Pick(random.Uint64N)
			if ok != (len(held) < capacity) {
				t.Fatalf("%s with %d of %d held: pick says %v", prefix, len(held), capacity, ok)
			}
			if !ok {
				continue
			}
			if held[a] || !p.Contains(a) {
				t.Fatalf("%s: picked %s, which is held or cannot be", prefix, a)
			}
			p.Mark(a, true)
			held[a] = true
		}
	})
}

func TestReservedAddresses(t *testing.T) {
	tests := []struct {
		prefix   string
		capacity int
		reserved []string
	}{
		{"10.0.0.0/30", 2, []string{"10.0.0.0", "10.0.0.3"}},
		{"10.0.0.0/31", 2, nil},
		{"10.0.0.9/32", 1, nil},
		{"10.0.0.0/24", 254, []string{"10.0.0.0", "10.0.0.255"}},
		{"fd00::/126", 3, []string{"fd00::"}},
	}
	for _, test := range tests {
		p := NewPrefix(netip.MustParsePrefix(test.prefix))
		if p.bitmap.free != test.capacity {
			t.Errorf("%s: %d addresses, want %d", test.prefix, p.bitmap.free, test.capacity)
		}
		for _, text := range test.reserved {
			a := netip.MustParseAddr(text)
			p.Mark(a, false)
			if !p.Held(a) || p.Contains(a) {
				t.Errorf("%s: %s can be handed out", test.prefix, a)
			}
		}
	}
}

func TestSparse(t *testing.T) {
	p := NewPrefix(netip.MustParsePrefix("fd00:1:2:3::/64"))
	held := map[netip.Addr]bool{}
	for range 10000 {
		a, ok := p.Pick(rand.Uint64N)
		if !ok || held[a] || !p.Contains(a) {
			t.Fatalf("picked %s, %v", a, ok)
		}
		held[a] = true
		p.Mark(a, true)
	}
}

// TestBitmapIsLikeASet compares the bitmap and its summaries with a plain set.
func TestBitmapIsLikeASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 9000).Draw(t, "size")
		b, set := newBitmap(size), map[int]bool{}
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			from := rapid.IntRange(0, size-1).Draw(t, "from")
			count := rapid.IntRange(1, 200).Draw(t, "count")
			held := rapid.Bool().Draw(t, "held")
			for i := from; i < min(size, from+count); i++ {
				b.mark(i, held)
				if held {
					set[i] = true
				} else {
					delete(set, i)
				}
			}
			want, found := 0, false
			for d := range size {
				if i := (from + d) % size; !set[i] {
					want, found = i, true
					break
				}
			}
			got, ok := b.next(from)
			if ok != found || ok && got != want || b.free != size-len(set) {
				t.Fatalf("next(%d) = %d, %v; want %d, %v; free %d, want %d", from, got, ok, want, found, b.free, size-len(set))
			}
		}
	})
}

func TestRange(t *testing.T) {
	r := NewRange(10, 19)
	got := map[uint32]bool{}
	for range 10 {
		n, ok := r.Pick(rand.Uint64N)
		if !ok || n < 10 || n > 19 || got[n] {
			t.Fatalf("picked %d, %v", n, ok)
		}
		got[n] = true
		r.Mark(n, true)
	}
	if n, ok := r.Pick(rand.Uint64N); ok {
		t.Fatalf("a full range handed out %d", n)
	}
	r.Mark(13, false)
	if n, ok := r.Pick(rand.Uint64N); !ok || n != 13 {
		t.Fatalf("picked %d, %v; want 13", n, ok)
	}
}

// TestCarve: carved prefixes lie in the pool, overlap nothing, and carving fails only when there is no room.
func TestCarve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ipv6 := rapid.Bool().Draw(t, "ipv6")
		parent, base := netip.MustParsePrefix("10.0.0.0/24"), 24
		if ipv6 {
			parent, base = netip.MustParsePrefix("fd00::/120"), 120
		}
		units := map[int]bool{} // addresses in use, by their last byte
		var taken []netip.Prefix
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if len(taken) > 0 && rapid.IntRange(0, 3).Draw(t, "give back") == 0 {
				i := rapid.IntRange(0, len(taken)-1).Draw(t, "which")
				mark(units, taken[i], false)
				taken = append(taken[:i:i], taken[i+1:]...)
				continue
			}
			length := base + rapid.IntRange(0, 8).Draw(t, "length")
			p, err := Carve([]netip.Prefix{parent}, taken, length, ipv6)
			if room := hasRoom(units, 1<<(base+8-length)); room != (err == nil) {
				t.Fatalf("carve /%d of %v: %v, but room is %v", length, taken, err, room)
			}
			if err != nil {
				continue
			}
			if p != p.Masked() || p.Bits() != length || !parent.Overlaps(p) || p.Bits() < parent.Bits() {
				t.Fatalf("carved %s", p)
			}
			for _, o := range taken {
				if o.Overlaps(p) {
					t.Fatalf("carved %s over %s", p, o)
				}
			}
			mark(units, p, true)
			taken = append(taken, p)
		}
	})
}

func mark(units map[int]bool, p netip.Prefix, held bool) {
	raw := p.Addr().AsSlice()
	first := int(raw[len(raw)-1])
	for i := range 1 << (p.Addr().BitLen() - p.Bits()) {
		if held {
			units[first+i] = true
		} else {
			delete(units, first+i)
		}
	}
}

// hasRoom says whether an aligned block of a size is free.
func hasRoom(units map[int]bool, size int) bool {
	for start := 0; start+size <= 256; start += size {
		free := true
		for i := range size {
			free = free && !units[start+i]
		}
		if free {
			return true
		}
	}
	return false
}

func FuzzCarve(f *testing.F) {
	f.Add("10.0.0.0/8", "10.0.0.0/9", 24)
	f.Add("fd00::/48", "fd00::/64", 64)
	f.Add("255.255.255.0/24", "255.255.255.128/25", 30)
	f.Add("0.0.0.0/0", "::/0", 0)
	f.Fuzz(func(t *testing.T, parent, taken string, length int) {
		p, err := netip.ParsePrefix(parent)
		if err != nil {
			return
		}
		q, err := netip.ParsePrefix(taken)
		if err != nil {
			return
		}
		got, err := Carve([]netip.Prefix{p}, []netip.Prefix{q}, length, p.Addr().Is6())
		if err != nil {
			return
		}
		if got.Bits() != length || !p.Contains(got.Addr()) || got.Overlaps(q) {
			t.Fatalf("carved %s of %s beside %s", got, p, q)
		}
	})
}
