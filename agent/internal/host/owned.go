package host

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
)

// hold puts addresses on the loopback interface, beside those of ours that are there.
func (h *host) hold(addresses []netip.Prefix) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(addresses)
	for _, p := range h.owned {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	// Remembered before they are there: a crash in between must not leave addresses that nobody owns.
	if err := h.remember(all); err != nil {
		return err
	}
	return addAddresses(addresses)
}

// drop removes those of our addresses that are not to be kept.
func (h *host) drop(keep []netip.Prefix) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var gone []netip.Prefix
	for _, p := range h.owned {
		if !slices.Contains(keep, p) {
			gone = append(gone, p)
		}
	}
	if err := removeAddresses(gone); err != nil {
		return err
	}
	return h.remember(slices.Clone(keep))
}

// ownedFile lists the addresses that are ours, beside the status file: under /run it lives as long as the addresses, until the
// next boot.
func (h *host) ownedFile() string { return h.c.StatusFile + ".addresses" }

func (h *host) remember(addresses []netip.Prefix) error {
	if slices.Equal(h.owned, addresses) {
		return nil
	}
	text, err := json.Marshal(addresses)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(h.ownedFile()), 0o755); err != nil {
		return fmt.Errorf("remember addresses: %w", err)
	}
	if err := renameio.WriteFile(h.ownedFile(), text, 0o644); err != nil {
		return fmt.Errorf("remember addresses: %w", err)
	}
	h.owned = addresses
	return nil
}

// recall are the addresses that an earlier run left: those it remembered, and those that bear our label.
func (h *host) recall() []netip.Prefix {
	var out []netip.Prefix
	if text, err := os.ReadFile(h.ownedFile()); err == nil { // there is none at the first start since boot
		if err := json.Unmarshal(text, &out); err != nil {
			h.log.Warn("read remembered addresses", "error", err)
			out = nil
		}
	}
	labelled, err := labelledAddresses()
	if err != nil {
		h.log.Warn("find addresses of an earlier run", "error", err)
	}
	for _, p := range labelled {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}
