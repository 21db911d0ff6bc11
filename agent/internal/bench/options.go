package main

import (
	"fmt"
	"strconv"
	"strings"
)

// options are what all parts are told.
type options struct {
	pairs int
	vrfs  []int // ascending
}

// parse reads numbers of VRFs: "10,100,500".
func (o *options) parse(vrfs string) error {
	for text := range strings.SplitSeq(vrfs, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 2 || len(o.vrfs) > 0 && n <= o.vrfs[len(o.vrfs)-1] {
			return fmt.Errorf("-vrfs %q: ascending numbers from 2 on are wanted, such as 10,100", vrfs)
		}
		o.vrfs = append(o.vrfs, n)
	}
	if o.pairs < 1 {
		return fmt.Errorf("-pairs %d: at least one is needed", o.pairs)
	}
	return nil
}

// flags are the options for this program run elsewhere.
func (o options) flags() []string {
	var vrfs []string
	for _, n := range o.vrfs {
		vrfs = append(vrfs, strconv.Itoa(n))
	}
	return []string{"-pairs", strconv.Itoa(o.pairs), "-vrfs", strings.Join(vrfs, ",")}
}
