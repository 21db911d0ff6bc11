package e2e

import (
	"fmt"

	"slices"
)

// quantiles are minimum, median and maximum in milliseconds.
func quantiles(ms []float64) string {
	if len(ms) == 0 {
		return "none"
	}
	s := slices.Sorted(slices.Values(ms))
	return fmt.Sprintf("min %.0f, median %.0f, max %.0f ms (n=%d)", s[0], s[len(s)/2], s[len(s)-1], len(s))
}
